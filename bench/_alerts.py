"""A module for `bench/status.py`: raises alerts, each sampled at the moment of its sending."""

import asyncio
import os
import sys
import time
from datetime import UTC, datetime

from modules.common.edge import Edge
from modules.common.main import run_module
from modules.common.messages import Alert, json_message, new_id
from modules.common.settings import Settings

_SOURCES = 50


async def main() -> None:
    """Send BENCH_RATE alerts a second, evenly spaced, until stopped."""
    edge = Edge("source", Settings)
    every = 1 / float(os.environ["BENCH_RATE"])

    async def send() -> None:
        due, number = time.monotonic(), 0
        while True:
            now = datetime.now(UTC)
            alert = Alert(
                source=f"press{number % _SOURCES}",
                rule="level",
                severity="warning",
                state="updated",
                text="8.1 mm/s is 81 % of the limit",
                sampled=now,
            )
            message = json_message(
                alert.document(), kind="alert", source=alert.source, seq=number, time=now, message_id=new_id()
            )
            await edge.send("alerts", message)
            number, due = number + 1, due + every
            await asyncio.sleep(max(0.0, due - time.monotonic()))

    edge.background("send", send)
    await edge.run()


if __name__ == "__main__":
    sys.exit(run_module(main))
