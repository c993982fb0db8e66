"""Two modules for `bench/inference.py`: one sends pictures to inference, the other notes when each verdict is there."""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

from modules.common.edge import Edge
from modules.common.main import run_module
from modules.common.messages import JPEG, Alert, Message, new_id
from modules.common.settings import Settings

_PROBE = "probe"


def ready() -> Path:
    """The file that says that a first verdict has come through."""
    return Path(os.environ["BENCH_RESULT"] + ".ready")


def picture(body: bytes, item: str) -> Message:
    """A frame as the camera sends it; `item` comes back in the alert."""
    return Message(
        body=body,
        kind="frame",
        source="camera/bench",
        seq=0,
        time=datetime.now(UTC),
        message_id=new_id(),
        content_type=JPEG,
        properties={"item": item},
    )


def pictures() -> list[bytes]:
    """The JPEG files of BENCH_BODIES."""
    return [path.read_bytes() for path in sorted(Path(os.environ["BENCH_BODIES"]).glob("*.jpg"))]


async def source() -> None:
    """Send as many pictures as BENCH_COUNT says, at BENCH_RATE a second, stamped with the moment of sending."""
    edge = Edge("source", Settings)
    count, rate = int(os.environ["BENCH_COUNT"]), float(os.environ["BENCH_RATE"])
    bodies = pictures()

    async def send() -> None:
        while not ready().exists():  # inference refuses what comes before its model is loaded
            await edge.send("frames", picture(bodies[0], _PROBE))
            await asyncio.sleep(0.2)
        await asyncio.sleep(1.0)
        for number in range(count):
            began = time.time()
            await edge.send("frames", picture(bodies[number % len(bodies)], repr(began)))
            await asyncio.sleep(max(0.0, 1 / rate - (time.time() - began)))
        await edge.stopping.wait()

    edge.background("send", send)
    await edge.run()


async def sink() -> None:
    """Note the milliseconds from sending to the verdict of each picture; write them down when all are there."""
    edge = Edge("sink", Settings)
    taken: list[float] = []

    async def note(message: Message) -> None:
        item = Alert.parse(message.document()).item
        if item is None or item == _PROBE:
            ready().touch()
            return
        taken.append((time.time() - float(item)) * 1000)
        if len(taken) == int(os.environ["BENCH_COUNT"]):
            # The last message has been handled: blocking harms nobody any more.
            Path(os.environ["BENCH_RESULT"]).write_text(json.dumps(taken), encoding="utf-8")  # noqa: ASYNC240

    edge.on_input("frames", note)
    await edge.run()


if __name__ == "__main__":
    sys.exit(run_module({"source": source, "sink": sink}[sys.argv[1]]))
