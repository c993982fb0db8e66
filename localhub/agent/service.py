"""The agent's two doors: the control socket for localhub's own processes, and edgeAgent's metrics over HTTP."""

from __future__ import annotations

import json
import os
import platform
import shutil
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from localhub.agent import metrics, proc
from localhub.agent.edge import Edge
from localhub.agent.keeper import Keeper
from localhub.agent.orphans import Records
from localhub.agent.wrongclock import NoWrongClockError
from localhub.control.server import Call, Refused, application, get, post


class Service:
    """Answers for one Edge."""

    def __init__(self, edge: Edge) -> None:
        self._edge = edge
        self._began = time.monotonic()
        self._instance = str(uuid.uuid4())
        self._cpu: dict[str, metrics.CpuGauge] = {}
        self.metrics_port = 0

    def control(self) -> Starlette:
        """The app of the control socket."""
        return application(
            get("/status", self.status),
            get("/env/{name}", self.env),
            post("/module/{name}/{verb}", self.act),
            post("/clock", self.clock),
        )

    def scrape(self) -> Starlette:
        """The app of the metrics port."""

        async def page(_request: Request) -> Response:
            return Response(self.page(), media_type=metrics.CONTENT_TYPE)

        return Starlette(routes=[Route("/metrics", page)])

    async def status(self, call: Call) -> object:
        """GET /status[?pss=1]: every module and leaf device; `pss` (bytes) only when asked for, it costs the kernel."""
        pss = "pss" in call.query
        return {
            "modules": [self._facts(keeper, pss=pss) for keeper in self._edge.modules.values()],
            "leaves": [self._facts(keeper, pss=pss) for keeper in self._edge.leaves.values()],
            "metrics_port": self.metrics_port,
            "pid": os.getpid(),
        }

    async def env(self, call: Call) -> object:
        """GET /env/NAME: what edgeAgent injects into a module, or what a leaf device is started with."""
        name = call.path["name"]
        if name in self._edge.modules:
            return self._edge.module_facts(name)
        if name in self._edge.leaves:
            return self._edge.leaf_facts(name)
        known = ", ".join([*self._edge.modules, *self._edge.leaves])
        raise Refused(404, f"there is no module or leaf device {name}; there are: {known}")

    async def act(self, call: Call) -> object:
        """POST /module/NAME/VERB: start, stop, restart, kill, lend (also of leaf devices, but for lend)."""
        name, verb = call.path["name"], call.path["verb"]
        try:
            keeper = self._edge.find(name)
        except KeyError as error:
            known = ", ".join([*self._edge.modules, *self._edge.leaves])
            raise Refused(404, f"there is no module or leaf device {name}; there are: {known}") from error
        match verb:
            case "start":
                await keeper.start()
            case "stop":
                await keeper.stop()
            case "restart":
                await keeper.restart()
            case "kill":
                keeper.kill()
            case "lend" if name in self._edge.modules:
                return await self._edge.lend(name)
            case _:
                raise Refused(404, f"{verb} is not known; known are start, stop, restart, kill and, for modules, lend")
        return self._facts(keeper, pss=False)

    async def clock(self, call: Call) -> object:
        """POST /clock {"offset_s"}: put the modules' clocks wrong; those that run are started again."""
        offset_s = call.field("offset_s")
        if not isinstance(offset_s, int | float):
            raise Refused(400, "offset_s must be a number")
        try:
            return {"restarted": await self._edge.set_clock(offset_s)}
        except NoWrongClockError as error:
            raise Refused(501, str(error)) from error

    def page(self) -> str:
        """The metrics page."""
        host = _host(self._edge.state.root, time.monotonic() - self._began)
        state = self._edge.state
        common = {"iothub": state.hub_name, "edge_device": state.gateway, "instance_number": self._instance}
        modules = [self._metrics(keeper) for keeper in self._edge.modules.values()]
        return metrics.render([*modules, *self._system()], host, self._edge.deeds, common)

    def _facts(self, keeper: Keeper, *, pss: bool) -> dict[str, Any]:
        usage = keeper.usage(pss=pss)
        gauge = self._cpu.setdefault(keeper.name, metrics.CpuGauge())
        return {
            "name": keeper.name,
            "state": keeper.state,
            "pid": keeper.pid,
            "restarts": keeper.restarts,
            "exit_code": keeper.exit_code,
            "text": keeper.exit_text,
            "started": keeper.started,
            "cpu_s": round(usage.cpu_s, 3),
            "cpu_percent": round(gauge.sample(time.monotonic(), usage.cpu_s), 1),
            "rss": usage.rss,
            **({"pss": usage.pss or 0} if pss else {}),
        }

    def _metrics(self, keeper: Keeper) -> metrics.ModuleFacts:
        usage = keeper.usage()
        gauge = self._cpu.setdefault(keeper.name, metrics.CpuGauge())
        gauge.sample(time.monotonic(), usage.cpu_s)
        running = keeper.running is not None
        return metrics.ModuleFacts(
            name=keeper.name,
            version=next(module.version for module in self._edge.plan.modules if module.name == keeper.name),
            cpu_percent=tuple(gauge.samples),
            memory=usage.rss,
            processes=usage.processes,
            starts=keeper.starts,
            stops=keeper.starts - running,
            correct_s=keeper.correct_s,
            expected_s=keeper.expected_s,
            disk_read=usage.read_bytes,
            disk_written=usage.written_bytes,
            network_in=usage.network_in,
            network_out=usage.network_out,
        )

    def _system(self) -> Iterator[metrics.ModuleFacts]:
        """EdgeAgent and edgeHub: this process without the modules below it, and the hub's."""
        hub = Records(self._edge.state.root / "living.json", str(self._edge.state.root)).pid("hub")
        uptime = time.monotonic() - self._began
        for name, pid in (("edgeAgent", os.getpid()), ("edgeHub", hub)):
            alone = None if pid is None else proc.stat(pid)
            if pid is None or alone is None:
                continue  # the hub restarts
            gauge = self._cpu.setdefault(name, metrics.CpuGauge())
            gauge.sample(time.monotonic(), alone.cpu_s)
            read, written = proc.storage(pid)
            yield metrics.ModuleFacts(
                name=name,
                version=metrics.VERSION,
                cpu_percent=tuple(gauge.samples),
                memory=alone.rss,
                processes=1,
                starts=1,
                stops=0,
                correct_s=min(uptime, proc.age(pid)),
                expected_s=uptime,
                disk_read=read,
                disk_written=written,
            )


def _host(folder: Path, agent_uptime_s: float) -> metrics.HostFacts:
    disk = shutil.disk_usage(folder)
    return metrics.HostFacts(
        uptime_s=time.clock_gettime(time.CLOCK_MONOTONIC),
        agent_uptime_s=agent_uptime_s,
        disk_total=disk.total,
        disk_free=disk.free,
        memory_total=os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"),
        version=metrics.VERSION,
        information=json.dumps(
            {
                "OperatingSystemType": platform.system().lower(),
                "Architecture": platform.machine(),
                "Version": metrics.VERSION,
                "KernelVersion": platform.release(),
                "NumCpus": os.cpu_count(),
            }
        ),
    )
