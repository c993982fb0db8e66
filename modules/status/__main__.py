"""The gateway explains itself: `python -m modules.status`; with a verb, on the command line."""

import sys

from modules.common.edge import Edge
from modules.common.main import run_module
from modules.status import commandline
from modules.status.module import StatusModule
from modules.status.server import StatusServer
from modules.status.settings import StatusSettings


async def start() -> None:
    """Take alerts and heartbeats in, and serve what they say."""
    edge = Edge("status", StatusSettings)
    StatusServer(StatusModule(edge))
    await edge.run()


if __name__ == "__main__":
    sys.exit(commandline.main(sys.argv[1:]) if sys.argv[1:] else run_module(start))
