"""``python -m modules.alarms``: the alarms module under IoT Edge or localhub."""

import os
import sys
from pathlib import Path

from modules.alarms.module import AlarmsModule
from modules.alarms.settings import AlarmsSettings
from modules.common.edge import Edge
from modules.common.main import run_module


async def main() -> None:
    """Sound what must be sounded until told to stop."""
    edge = Edge("alarms", AlarmsSettings, state_dir=Path(os.environ.get("MILLWATCH_STATE", "/data")))
    AlarmsModule(edge)
    await edge.run()


if __name__ == "__main__":
    sys.exit(run_module(main))
