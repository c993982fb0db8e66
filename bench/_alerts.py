"""A module for `bench/status.py` and `bench/alarms.py`: raises alerts, each sampled at the moment of its sending."""

import asyncio
import os
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

from modules.common.edge import Edge
from modules.common.main import run_module
from modules.common.messages import STATES, Alert, json_message, new_id
from modules.common.settings import Settings

_SOURCES = 50


def _note(result: Path, line: str) -> None:
    with result.open("a") as file:
        file.write(f"{line}\n")


async def main() -> None:
    """Send BENCH_RATE alerts a second, evenly spaced, until stopped.

    BENCH_STATES (`updated`) are taken in turn for each source; BENCH_RESULT, where it is set, gets a line `time state`
    of each alert.
    """
    edge = Edge("source", Settings)
    every = 1 / float(os.environ["BENCH_RATE"])
    states = [
        state for name in os.environ.get("BENCH_STATES", "updated").split(",") for state in STATES if state == name
    ]
    result = Path(os.environ.get("BENCH_RESULT", os.devnull))

    async def send() -> None:
        due, number = time.monotonic(), 0
        while True:
            now = datetime.now(UTC)
            state = states[number % len(states)]
            _note(result, f"{now.timestamp()} {state}")
            alert = Alert(
                source=f"press{number // len(states) % _SOURCES}",
                rule="level",
                severity="warning",
                state=state,
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
