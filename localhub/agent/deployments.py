"""Follows `$edgeAgent`'s desired properties, as the hub has them, and makes the line what they say, as edgeAgent does.

What cannot be run is refused whole: the modules go on as they are, and `lastDesiredStatus` says why (code 400, or 417
before anything was deployed; edgehub-contract 7.2). What the cloud sends while the link is down is followed when the
link is back.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Protocol

from localhub import control
from localhub.agent.plan import Plan, PlanError
from localhub.deployed import AGENT, digest
from localhub.state import write_atomic
from localhub.twin import without_service_names

AGAIN_S = 0.5
OK, REFUSED, EMPTY = 200, 400, 417

LOG = logging.getLogger(__name__)


class Plans(Protocol):
    """Makes a plan of desired properties."""

    def plan(self, desired: Mapping[str, Any], version: int) -> Plan:
        """The plan; raises PlanError."""


class Deployments:
    """Which version is in force, and what became of the last one that came. `plan_file` outlives this process.

    `told` is called when there is something new to report.
    """

    def __init__(
        self,
        plan: Plan,
        plans: Plans,
        plan_file: Path,
        apply: Callable[[Plan], Awaitable[None]],
        told: Callable[[], None],
    ) -> None:
        self._plan, self._plans, self._plan_file = plan, plans, plan_file
        self._apply, self._told = apply, told
        self.version = max(plan.version, 0)
        self.code = OK
        self.description = ""

    async def follow(self, hub: control.AsyncClient) -> None:
        """Take every version that the hub has, over its restarts, until cancelled."""
        while True:
            try:
                async for desired in hub.stream(f"/desired/{AGENT}"):
                    await self.take(desired["document"], desired["version"])
            except (control.NotRunningError, control.ControlError):
                pass  # it restarts
            await asyncio.sleep(AGAIN_S)

    async def take(self, document: Mapping[str, Any], version: int) -> None:
        """Make one version of the desired properties so; one that is known already changes nothing."""
        if self._plan.version == 0:
            if digest(document) != self._plan.digest:
                return  # the hub's copy from an earlier run: the cloud has yet to send what this one was given
            self._became(replace(self._plan, version=version), version)
        elif version > self.version and not without_service_names(document):
            self.version, self.code, self.description = version, EMPTY, "nothing has been deployed to this gateway"
            self._told()
        elif version > self.version:
            try:
                plan = self._plans.plan(document, version)
            except PlanError as error:
                LOG.error("version %d is refused, the modules stay as they are: %s", version, error)  # noqa: TRY400
                self.version, self.code, self.description = version, REFUSED, str(error)
                self._told()
                return
            await self._apply(plan)
            self._became(plan, version)

    def _became(self, plan: Plan, version: int) -> None:
        self._plan = plan
        write_atomic(self._plan_file, plan.to_json())
        self.version, self.code, self.description = version, OK, ""
        self._told()
