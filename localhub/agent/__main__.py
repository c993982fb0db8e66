"""`python -m localhub.agent --state DIR`: run the plan in the state folder, and what the cloud deploys to it."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import logging
import signal
import socket
import sys
from collections.abc import AsyncIterator
from pathlib import Path

from localhub import control
from localhub.agent import containers
from localhub.agent.deployments import Deployments
from localhub.agent.edge import Edge
from localhub.agent.engine import EngineError
from localhub.agent.keeper import GRACE_S
from localhub.agent.orphans import Records
from localhub.agent.plan import PLAN, Plan
from localhub.agent.planner import SOURCES, Planner, Sources
from localhub.agent.report import keep_reporting
from localhub.agent.runner import ProcessRunner, Runner
from localhub.agent.service import Service
from localhub.state import State

LOG = logging.getLogger("localhub.agent")


async def run(state: State, grace_s: float) -> None:
    """Start the plan, answer, and stop everything in order when asked to."""
    stopping = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopping.set)
    records = Records(state.agent / "living.json", str(state.root))
    for name in records.end_leftovers():
        LOG.warning("ended %s, left by an earlier run", name)
    plan = Plan.from_json((state.agent / PLAN).read_bytes())
    metrics = socket.create_server((state.address, 0))
    metrics.setblocking(False)
    port = metrics.getsockname()[1]
    async with _containers(state, port, wanted=plan.containers) as runner:
        edge = Edge(state, plan, ProcessRunner(records), runner)
        edge.metrics_port = port
        deployments = _deployments(edge, plan)
        service = Service(edge)
        service.metrics_port = port
        await _serve(edge, deployments, service, metrics, stopping, grace_s)


def _deployments(edge: Edge, plan: Plan) -> Deployments:
    folder = edge.state.agent
    planner = Planner(Sources.load(folder / SOURCES), folder / "desired.json", containers=plan.containers)

    def told() -> None:
        edge.deeds.syncs += 1
        edge.changed.set()

    return Deployments(plan, planner, folder / PLAN, edge.apply, told)


@contextlib.asynccontextmanager
async def _containers(state: State, metrics_port: int, *, wanted: bool) -> AsyncIterator[Runner | None]:
    if not wanted:
        yield None
        return
    async with containers.opened(state, metrics_port) as (runner, left):
        for name in left:
            LOG.warning("removed the container of %s, left by an earlier run", name)
        yield runner


async def _serve(
    edge: Edge,
    deployments: Deployments,
    service: Service,
    metrics: socket.socket,
    stopping: asyncio.Event,
    grace_s: float,
) -> None:
    state = edge.state
    async with (
        edge.workload_api(),
        control.serving_on(service.scrape(), metrics),
        control.serving(service.control(), state.agent_socket),
    ):
        running = asyncio.create_task(_run(edge, deployments))
        reporting = asyncio.create_task(keep_reporting(edge, deployments))
        for task in (running, reporting):
            task.add_done_callback(lambda done: stopping.set() if _failed(done) else None)
        await stopping.wait()
        running.cancel()
        await asyncio.wait({running})
        await edge.stop(grace_s)
        reporting.cancel()
        await asyncio.wait({reporting})
        if not running.cancelled():
            running.result()


async def _run(edge: Edge, deployments: Deployments) -> None:
    """Start what `run` was given; then follow what the cloud deploys."""
    await edge.start()
    await deployments.follow(control.AsyncClient(edge.state.hub_socket))


def _failed(task: asyncio.Task[None]) -> bool:
    return not task.cancelled() and task.exception() is not None


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="localhub.agent", description="Runs the modules of a manifest.")
    parser.add_argument("--state", type=Path, required=True, help="the state folder of a running localhub")
    parser.add_argument("--grace", type=float, default=GRACE_S, help="seconds a module has to stop at the end")
    options = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    try:
        asyncio.run(run(State.load(options.state), options.grace))
    except EngineError as error:
        sys.exit(f"localhub: {error}")


if __name__ == "__main__":
    main()
