"""``python -m modules.camera``: the camera module under IoT Edge or localhub."""

import sys

from modules.camera.module import CameraModule
from modules.camera.settings import CameraSettings
from modules.common.edge import Edge
from modules.common.main import run_module


async def main() -> None:
    """Watch the cameras until told to stop."""
    edge = Edge("camera", CameraSettings)
    CameraModule(edge)
    await edge.run()


if __name__ == "__main__":
    sys.exit(run_module(main))
