"""`python -m localhub.cloud --state DIR`: the cloud process; it runs until SIGTERM."""

import argparse
import asyncio
import logging
import signal
import sys
from datetime import UTC, datetime
from pathlib import Path

from localhub import control
from localhub.cloud.app import CloudApi
from localhub.cloud.arrivals import Arrivals
from localhub.cloud.database import open_database
from localhub.cloud.deployer import Deployer
from localhub.cloud.gateways import Gateways
from localhub.cloud.server import LinkServer
from localhub.cloud.service.service import Service
from localhub.cloud.service.serving import make_api, serving
from localhub.cloud.twins import CloudTwins
from localhub.state import State, StateError

log = logging.getLogger("localhub.cloud")


def main() -> int:
    """Parse the command line and serve."""
    parser = argparse.ArgumentParser(prog="python -m localhub.cloud", description=__doc__)
    parser.add_argument("--state", type=Path, default=Path(".state"), help="the state folder of this localhub")
    arguments = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s [%(levelname)s] %(name)s: %(message)s")
    try:
        asyncio.run(serve(State.load(arguments.state)))
    except (StateError, FileExistsError) as error:
        print(f"localhub.cloud: {error}", file=sys.stderr)
        return 1
    return 0


async def serve(state: State) -> None:
    """Open the database, take over the manifest, serve link and control until a signal."""
    database = open_database(state.cloud_db)
    arrivals, twins, gateways = Arrivals(database), CloudTwins(database, state.gateway), Gateways(state, database)
    server = LinkServer(arrivals, twins, gateways, lambda: datetime.now(UTC))
    deployer = Deployer(gateways, twins, server.push)
    deployer.reload()
    service = Service(database, arrivals, gateways, twins, deployer, server)
    service.registry.sync()
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    api = CloudApi(arrivals, twins, gateways, server, deployer, service.take_in)
    async with (
        server.serving(state.link_socket),
        control.serving(api.app(), state.cloud_socket),
        serving(lambda port: make_api(service, state, port), state),
    ):
        log.info("%d messages are kept, %d distinct ids", arrivals.counts.arrivals, arrivals.counts.distinct)
        await stop.wait()
    database.close()


if __name__ == "__main__":
    sys.exit(main())
