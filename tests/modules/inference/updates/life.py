"""The inference module as a process that a test kills: `python life.py JOB`, a JSON object with `state` and `settings`.

Tells what it does, a line for each step, and what it runs once nothing is to be done any more. Further settings come as
lines on stdin.
"""

import asyncio
import json
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[4]
sys.path.insert(0, str(ROOT))
os.environ.setdefault("MILLWATCH_VIEW_PORT", "0")

import numpy as np

from modules.common.edge import Edge
from modules.common.transport import Listener
from modules.inference.engine import Answer, Engine
from modules.inference.module import InferenceModule
from modules.inference.settings import InferenceSettings


class Told(Engine):
    """Says what it is about to do."""

    async def beside(self, name: str, folder: Path, orders: Mapping[str, float] | None = None) -> Any:
        say("beside", folder.name)
        return await super().beside(name, folder, orders)

    async def become(self, other: Engine, name: str) -> bool:
        say("become", name)
        return await super().become(other, name)


class Nobody:
    """edgeHub as the module needs it here: a twin, and nobody who listens."""

    connected = session_present = False

    def __init__(self, settings: dict[str, Any]) -> None:
        self.desired = {"settings": settings, "$version": 1}
        self.listener: Listener | None = None

    async def connect(self, listener: Listener) -> None:
        self.listener, self.connected = listener, True
        listener.connection_changed(connected=True)

    async def subscribe(self, *_features: object) -> None:
        pass

    async def send(self, _output: str, _message: object) -> None:
        pass

    async def twin(self) -> Mapping[str, Mapping[str, object]]:
        return {"desired": self.desired, "reported": {}}

    async def report(self, patch: Mapping[str, object]) -> None:
        updates = patch.get("updates")
        tile = updates.get("tile") if isinstance(updates, dict) else None
        if tile:
            say(tile.get("state"), tile.get("step") or tile.get("reason"))

    async def close(self) -> None:
        pass


def say(*words: object) -> None:
    sys.stdout.write(" ".join(map(str, words)) + "\n")
    sys.stdout.flush()


async def main(job: dict[str, Any], picture: bytes) -> None:
    transport = Nobody(job["settings"])
    engine = Told()
    edge = Edge("inference", InferenceSettings, state_dir=Path(job["state"]), transport=transport, heartbeat_s=60)
    module = InferenceModule(edge, engine)
    running = asyncio.create_task(edge.run())
    reader = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    number = 1
    while True:
        await settled(module)
        (answer,) = await engine.judge("tile", [(picture, {})])
        assert isinstance(answer, Answer)
        assert np.isfinite(answer.probabilities).all()
        entry: Any = module.telling.models()["models"]
        say("up", entry["tile"]["version"], entry["tile"]["state"])
        line = await reader.readline()
        if not line:
            break
        number += 1
        assert transport.listener is not None
        transport.listener.desired_changed({"settings": json.loads(line), "$version": number})
        wanted = json.loads(line)["versions"]["tile"]
        while module.updating.reports.get("tile", {}).get("wanted") != wanted:  # noqa: ASYNC110 - it is under test
            await asyncio.sleep(0.01)
    edge.stop()
    await running


async def settled(module: InferenceModule) -> None:
    """Nothing is being fetched or loaded."""
    while True:
        models: Any = module.telling.models()
        states = {each.get("state") for each in module.updating.reports.values()}
        if models["models"] and not models["trying"] and states <= {"running", "refused"}:
            return
        await asyncio.sleep(0.01)


if __name__ == "__main__":
    given = json.loads(sys.argv[1])
    asyncio.run(main(given, Path(given["picture"]).read_bytes()))
