"""``python -m modules.cache``: the cache under IoT Edge or localhub; with a verb, a look into a stopped store."""

from __future__ import annotations

import logging
import os
import sys
from pathlib import Path

from modules.cache import commandline
from modules.cache.module import CacheModule
from modules.cache.settings import CacheSettings
from modules.cache.store.house import House
from modules.cache.workload import Workload
from modules.common.edge import Edge
from modules.common.main import run_module
from modules.common.transport import EnvironmentMissingError


async def main() -> None:
    """Keep and forward until told to stop."""
    edge = Edge("cache", CacheSettings)
    try:
        workload = Workload.from_environment(os.environ)
    except KeyError as error:
        raise EnvironmentMissingError(
            f"{error.args[0]} is not set: the cache seals with a key that the workload API wraps, "
            "so it runs under IoT Edge or localhub; for a look into a stopped store: python -m modules.cache stats"
        ) from error
    CacheModule(edge, House(Path(edge.state_dir), workload, say=logging.getLogger("modules.cache").warning))
    await edge.run()


if __name__ == "__main__":
    sys.exit(commandline.main(sys.argv[1:]) if sys.argv[1:] else run_module(main))
