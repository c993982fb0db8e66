"""What the agent reports of itself in the `$edgeAgent` twin: how each module does (edgehub-contract 7.2).

Sent through the hub, which keeps it while the cloud is away; on change, at most once a second.
"""

from __future__ import annotations

import asyncio
import platform
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Protocol

from localhub import control
from localhub.agent.metrics import VERSION
from localhub.twin import difference, without_service_names

if TYPE_CHECKING:
    from localhub.agent.edge import Edge
    from localhub.agent.keeper import Keeper
    from localhub.agent.plan import Planned

SCHEMA_VERSION = "1.1"
EVERY_S = 1.0
NAME = "$edgeAgent"


class Last(Protocol):
    """What became of the desired properties that came last."""

    @property
    def version(self) -> int:
        """Their version; 0 before the first came."""

    @property
    def code(self) -> int:
        """200, or 400 when they were refused."""

    @property
    def description(self) -> str:
        """Why they were refused."""


def document(modules: Mapping[str, Mapping[str, Any]], last: Last, since: str) -> dict[str, Any]:
    """The reported properties; `last` is what became of the desired properties that came last."""
    running = {"type": "docker", "status": "running", "restartPolicy": "always", "runtimeStatus": "running"}
    about = {"os": platform.system().lower(), "architecture": platform.machine(), "version": platform.release()}
    return {
        "schemaVersion": SCHEMA_VERSION,
        "version": {"version": VERSION},
        "runtime": {"type": "docker", "platform": about},
        "lastDesiredVersion": last.version,
        "lastDesiredStatus": {"code": last.code, "description": last.description},
        "systemModules": {"edgeAgent": {**running, "lastStartTimeUtc": since}, "edgeHub": running},
        "modules": dict(modules),
    }


def facts(keeper: Keeper, planned: Planned) -> dict[str, Any]:
    """One module as it was asked for and as it does; what it has not come to yet is absent."""
    again = keeper.started if keeper.restarts else None
    found = {
        "type": "docker",
        "status": "running" if planned.running else "stopped",
        "restartPolicy": str(planned.policy),
        "version": planned.version or None,
        "settings": {"image": planned.image} if planned.image else None,
        "runtimeStatus": str(keeper.state),
        "statusDescription": keeper.exit_text or str(keeper.state),
        "restartCount": keeper.restarts,
        "exitCode": keeper.exit_code,
        "lastStartTimeUtc": keeper.started and _moment(keeper.started),
        "lastExitTimeUtc": keeper.exited and _moment(keeper.exited),
        "lastRestartTimeUtc": again and _moment(again),
    }
    return {key: value for key, value in found.items() if value is not None}


async def keep_reporting(edge: Edge, last: Last) -> None:
    """Report at once and after every change, until cancelled."""
    since = _moment(datetime.now(UTC))
    hub = control.AsyncClient(edge.state.hub_socket)
    while True:
        edge.changed.clear()
        modules = {planned.name: facts(edge.modules[planned.name], planned) for planned in edge.plan.modules}
        now = document(modules, last, since)
        if await _reported(hub, now):
            await edge.changed.wait()
        await asyncio.sleep(EVERY_S)


async def _reported(hub: control.AsyncClient, now: Mapping[str, Any]) -> bool:
    """Report what differs from the hub's copy, in which earlier runs may have left modules that are gone."""
    try:
        twin = await hub.get(f"/twin/{NAME}")
        if patch := difference(without_service_names(twin["reported"]), now):
            await hub.post("/reported", {"module": NAME, "patch": patch})
    except (control.NotRunningError, control.ControlError):
        return False  # the hub restarts
    return True


def _moment(time: datetime) -> str:
    return time.isoformat(timespec="milliseconds").replace("+00:00", "Z")
