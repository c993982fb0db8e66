"""Two modules for `bench/latency.py`: one sends pictures of 20 to 200 KB, the other notes when each is there."""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from modules.common.edge import Edge
from modules.common.main import run_module
from modules.common.messages import JPEG, Message, new_id
from modules.common.settings import Settings


def ready() -> Path:
    """The file that says that the sink has received something."""
    return Path(os.environ["BENCH_RESULT"] + ".ready")


def picture(size: int, sent: float) -> Message:
    """Random bytes, stamped with the moment of sending; 0 for a probe that is not measured."""
    return Message(
        body=os.urandom(size),
        kind="frame",
        source="camera/bench",
        seq=0,
        time=datetime.now(UTC),
        message_id=new_id(),
        content_type=JPEG,
        properties={"sent": repr(sent)},
    )


async def source() -> None:
    """Send as many pictures as BENCH_COUNT says, at BENCH_RATE a second, stamped with the moment of sending."""
    edge = Edge("source", Settings)
    count, rate = int(os.environ["BENCH_COUNT"]), float(os.environ["BENCH_RATE"])

    async def send() -> None:
        while not ready().exists():  # the sink answers the first of these that it gets
            await edge.send("frames", picture(100, 0.0))
            await asyncio.sleep(0.2)
        await asyncio.sleep(1.0)
        for size in np.random.default_rng(1).integers(20_000, 200_000, count):
            began = time.time()
            await edge.send("frames", picture(int(size), began))
            await asyncio.sleep(max(0.0, 1 / rate - (time.time() - began)))
        await edge.stopping.wait()

    edge.background("send", send)
    await edge.run()


async def sink() -> None:
    """Note the milliseconds from sending to handling of each picture; write them down when all are there."""
    edge = Edge("sink", Settings)
    taken: list[float] = []

    async def note(message: Message) -> None:
        if not float(message.properties["sent"]):
            ready().touch()
            return
        taken.append((time.time() - float(message.properties["sent"])) * 1000)
        if len(taken) == int(os.environ["BENCH_COUNT"]):
            # The last message has been handled: blocking harms nobody any more.
            Path(os.environ["BENCH_RESULT"]).write_text(json.dumps(taken), encoding="utf-8")  # noqa: ASYNC240

    edge.on_input("frames", note)
    await edge.run()


if __name__ == "__main__":
    sys.exit(run_module({"source": source, "sink": sink}[sys.argv[1]]))
