"""The camera module as it runs, told to write down when its pictures were acknowledged and what it costs.

`python -m bench._camera` as a module of localhub: BENCH_RESULT names the file that it writes after BENCH_SECONDS,
counted from BENCH_SETTLE seconds after the first frame. `python -m bench._camera sink` takes the pictures.
"""

import asyncio
import json
import os
import sys
import time
from datetime import datetime
from pathlib import Path
from typing import Any

from modules.camera.module import CameraModule
from modules.camera.settings import CameraSettings
from modules.camera.watch import Taken
from modules.common.edge import Edge
from modules.common.main import run_module
from modules.common.messages import Message
from modules.common.sdk import SdkTransport
from modules.common.settings import Settings


class Noted(CameraModule):
    """Knows when the reader had returned the frame at which a picture was decided upon.

    A file is looked at by the thread that reads it, so that the last frame read is the one that decided.
    """

    def __init__(self, edge: Edge[CameraSettings]) -> None:
        super().__init__(edge)
        self.read_at: dict[datetime, float] = {}

    def _deliver(self, taken: list[Taken]) -> None:
        last = self._watches[taken[0].camera].state.last_frame
        assert last is not None
        self.read_at[taken[0].captured] = last
        super()._deliver(taken)


class Timed(SdkTransport):
    """Notes, for every frame sent, how long after the reader returned it edgeHub's PUBACK came."""

    def __init__(self) -> None:
        super().__init__()
        self.module: Noted | None = None
        self.took_ms: list[float] = []

    async def send(self, output: str, message: Message) -> None:
        """Send and note."""
        await super().send(output, message)
        if output == "frames" and self.module is not None:
            self.took_ms.append((time.monotonic() - self.module.read_at.pop(message.time)) * 1e3)


def cameras(module: CameraModule) -> dict[str, Any]:
    """What health says of the cameras."""
    found: dict[str, Any] = dict(module.facts())["cameras"]  # type: ignore[assignment]
    return found


async def camera() -> None:
    """Run the module; when the time is over, write and go on."""
    transport = Timed()
    edge = Edge("camera", CameraSettings, transport=transport)
    module = transport.module = Noted(edge)

    async def measure() -> None:
        while not any(each["frames"] for each in cameras(module).values()):  # noqa: ASYNC110 - it is a thread's work
            await asyncio.sleep(0.1)
        await asyncio.sleep(float(os.environ["BENCH_SETTLE"]))
        transport.took_ms.clear()
        before, cpu, begun = cameras(module), time.process_time(), time.monotonic()
        await asyncio.sleep(float(os.environ["BENCH_SECONDS"]))
        wall = time.monotonic() - begun
        result = {
            "cpu": (time.process_time() - cpu) / wall,
            "wall_s": wall,
            "took_ms": transport.took_ms,
            "cameras": cameras(module),
            "before": before,
        }
        path = Path(os.environ["BENCH_RESULT"])
        path.with_suffix(".part").write_text(json.dumps(result), encoding="utf-8")
        path.with_suffix(".part").rename(path)

    edge.background("measure", measure)
    await edge.run()


async def sink() -> None:
    """Take the frames as inference would."""
    edge = Edge("sink", Settings)

    async def take(_message: Message) -> None:
        pass

    edge.on_input("frames", take)
    await edge.run()


if __name__ == "__main__":
    sys.exit(run_module(sink if sys.argv[1:] == ["sink"] else camera))
