"""`python -m tests.system.cache_source`: a module that sends what a line sends, each priority numbered in its order.

The direct method `halt` ends the sending; it answers when all that was sent is on the hub's disk, with the number of
messages by output.
"""

from __future__ import annotations

import asyncio
import os
import sys
from collections import Counter
from datetime import UTC, datetime

from modules.common.edge import Edge
from modules.common.main import run_module
from modules.common.messages import json_message
from modules.common.settings import Settings

MIX = ("windows", "scores", "windows", "alerts", "windows", "samples")
KINDS = {"windows": "window", "scores": "score", "alerts": "alert", "samples": "sample"}


async def main() -> None:
    edge = Edge("source", Settings)
    pause_s = 1 / float(os.environ["SOURCE_PER_S"])
    sent: Counter[str] = Counter()
    going, halted = asyncio.Event(), asyncio.Event()
    going.set()

    async def send() -> None:
        number = 0
        while going.is_set():
            number += 1
            output = MIX[number % len(MIX)]
            document = {"source": f"press4/{output}", "number": sent[output], "rule": "r", "filler": "x" * 200}
            message = json_message(
                document, kind=KINDS[output], source=f"press4/{output}", seq=sent[output], time=datetime.now(UTC)
            )
            await edge.send(output, message)
            sent[output] += 1
            await asyncio.sleep(pause_s)
        halted.set()

    async def halt(_payload: object) -> object:
        going.clear()
        await halted.wait()
        return dict(sent)

    edge.background("send", send)
    edge.on_method("halt", halt)
    await edge.run()


if __name__ == "__main__":
    sys.exit(run_module(main))
