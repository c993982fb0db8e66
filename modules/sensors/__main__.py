"""``python -m modules.sensors``: the sensors module under IoT Edge or localhub."""

import os
import sys
from pathlib import Path

from modules.common.edge import Edge
from modules.common.main import run_module
from modules.sensors.module import SensorsModule
from modules.sensors.settings import SensorsSettings


async def main() -> None:
    """Read what is set until told to stop."""
    edge = Edge("sensors", SensorsSettings, state_dir=Path(os.environ.get("MILLWATCH_STATE", "/data")))
    SensorsModule(edge)
    await edge.run()


if __name__ == "__main__":
    sys.exit(run_module(main))
