"""``python -m modules.vibration``: the vibration module under IoT Edge or localhub."""

import os
import sys
from pathlib import Path

from modules.common.edge import Edge
from modules.common.main import run_module
from modules.vibration.module import VibrationModule
from modules.vibration.settings import VibrationSettings


async def main() -> None:
    """Judge what comes in until told to stop."""
    edge = Edge("vibration", VibrationSettings, state_dir=Path(os.environ.get("MILLWATCH_STATE", "/data")))
    VibrationModule(edge)
    await edge.run()


if __name__ == "__main__":
    sys.exit(run_module(main))
