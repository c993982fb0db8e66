"""``python -m modules.camera``: the camera module under IoT Edge or localhub."""

from __future__ import annotations

import os
from pathlib import Path

from modules.camera.module import CameraModule
from modules.camera.settings import CameraSettings
from modules.common.edge import Edge, run


async def main() -> None:
    """Watch the cameras until told to stop."""
    edge = Edge("camera", CameraSettings, state_dir=Path(os.environ.get("MILLWATCH_STATE", "/data")))
    module = CameraModule(edge)
    await edge.run()
    await module.stop()


if __name__ == "__main__":
    run(main())
