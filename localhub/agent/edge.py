"""The agent itself: every module and leaf device of a plan with its keeper, each module with its workload socket."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import socket
import sys
import time
from collections.abc import AsyncIterator, Iterable
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING

from localhub import control
from localhub.agent import environment, wrongclock
from localhub.agent.creation import WORKLOAD_URI, published
from localhub.agent.keeper import GRACE_S, Keeper
from localhub.agent.metrics import Deeds
from localhub.agent.plan import Plan, Planned
from localhub.agent.policy import Runtime
from localhub.agent.runner import Launch, LaunchError, Runner
from localhub.agent.sealing import Sealer
from localhub.agent.workload import Workload
from localhub.identity import Auth, Identities, Identity, ModuleKey
from localhub.state import State

if TYPE_CHECKING:
    from localhub.certs import Authority

HUB_WAIT_S = 30.0
LEAVES_WAIT_S = 15.0  # for the modules to connect, before leaf devices begin to send
LEAF_GRACE_S = 2.0
ASK_EVERY_S = 0.1
ANYONE = 0o666  # may connect who finds the socket: the container that it is mounted into; its folder is private

LOG = logging.getLogger(__name__)


class Edge:
    """Runs a plan against one state folder.

    `runner` starts processes: leaf devices, and modules too where there is no runner for `containers`.
    """

    def __init__(self, state: State, plan: Plan, runner: Runner, containers: Runner | None = None) -> None:
        self.state, self.plan = state, plan
        self.identities = Identities.load(state.identities)
        self.changed = asyncio.Event()  # set whenever a module's state changes
        self.deeds = Deeds()
        self._runner, self._containers = runner, containers
        self.modules = {planned.name: self._keeper(planned) for planned in plan.modules}
        self.leaves = {planned.name: self._leaf(planned, runner) for planned in plan.devices}
        self.lent: set[str] = set()
        self.clock_offset_s = 0.0  # of the modules' clocks
        self.metrics_port = 0  # where edgeAgent's metrics are served
        self.workload = Workload(
            trust_bundle=state.ca_certificate,
            key_of=self._key_of,
            belongs=self.belongs,
            sealer=Sealer.of(state.agent / "workload.key"),
            authority=self._authority,
        )
        self._uris: dict[str, str] = {}
        self._sockets: dict[str, contextlib.AsyncExitStack] = {}

    @contextlib.asynccontextmanager
    async def workload_api(self) -> AsyncIterator[None]:
        """Serve the workload API of every module while the block runs."""
        try:
            for name in self.modules:
                await self._open(name)
            yield
        finally:
            for name in list(self._sockets):
                await self._close(name)

    async def _open(self, name: str) -> None:
        """Serve the workload API of one module."""
        app, path, stack = self.workload.app(), self.state.workload_socket(name), contextlib.AsyncExitStack()
        if sys.platform == "darwin":  # requests-unixsocket and peer ids are Linux' ways
            listener = socket.create_server(("127.0.0.1", 0))
            listener.setblocking(False)
            self._uris[name] = f"http://127.0.0.1:{listener.getsockname()[1]}/"
            await stack.enter_async_context(control.serving_on(app, listener))
        else:
            self._uris[name] = f"unix://{path}"
            mode = ANYONE if self.plan.containers else 0o600
            await stack.enter_async_context(control.serving(app, path, mode=mode))
        self._sockets[name] = stack

    async def _close(self, name: str) -> None:
        del self._uris[name]
        await self._sockets.pop(name).aclose()

    async def start(self) -> None:
        """Start what is to run: modules by startupOrder, then, once they are connected, the leaf devices."""
        if not await control.wait_for(self.state.hub_socket, timeout_s=HUB_WAIT_S):
            LOG.warning("the hub did not answer within %g s; modules start without it", HUB_WAIT_S)
        began = time.monotonic()
        await self._start(self.plan.modules)
        self.deeds.deployments.append(time.monotonic() - began)
        leaves = [self.leaves[planned.name] for planned in self.plan.devices if planned.running]
        if leaves:
            await self._connected()
            await asyncio.gather(*(leaf.start() for leaf in leaves))

    async def apply(self, plan: Plan) -> None:
        """Become what another plan says, as edgeAgent does: what differs is stopped, and made and started anew.

        Modules that are the same go on undisturbed, and so do leaf devices.
        """
        began = time.monotonic()
        before = {planned.name: planned for planned in self.plan.modules}
        after = {planned.name: planned for planned in plan.modules}
        gone = before.keys() - after.keys()
        fresh = [planned for planned in plan.modules if planned != before.get(planned.name)]
        ending = [*gone, *(planned.name for planned in fresh if planned.name in before)]
        await asyncio.gather(*(self.modules[name].stop() for name in ending))
        for name in gone:
            del self.modules[name]
            await self._close(name)
        self.identities = Identities.load(self.state.identities)
        for planned in fresh:
            self.modules[planned.name] = self._keeper(planned)
            if planned.name not in self._sockets:
                await self._open(planned.name)
        self.plan = plan
        LOG.info(
            "version %d is in force: new or changed %s; gone %s",
            plan.version,
            ", ".join(planned.name for planned in fresh) or "none",
            ", ".join(sorted(gone)) or "none",
        )
        await self._start(fresh)
        self.deeds.deployments.append(time.monotonic() - began)
        self.changed.set()

    async def _start(self, planned: Iterable[Planned]) -> None:
        """Start those that are to run, by startupOrder; they are sorted by it."""
        wanted = [each for each in planned if each.running]
        for _, together in groupby(wanted, key=lambda each: each.order):
            await asyncio.gather(*(self.modules[each.name].start() for each in together))

    async def stop(self, grace_s: float = GRACE_S) -> None:
        """Stop the leaf devices, then every module; those that do not stop within `grace_s` seconds are killed."""
        await asyncio.gather(*(leaf.stop(min(grace_s, LEAF_GRACE_S)) for leaf in self.leaves.values()))
        await asyncio.gather(*(module.stop(grace_s) for module in self.modules.values()))

    def find(self, name: str) -> Keeper:
        """A module or leaf device by name; raises KeyError."""
        return self.modules[name] if name in self.modules else self.leaves[name]

    def belongs(self, module: str, pid: int) -> bool:
        """Whether a process may speak for a module: it runs in it, or the module was lent to this user's debugger."""
        running = self.modules[module].running
        return running.owns(pid) if running else module in self.lent

    async def lend(self, module: str) -> dict[str, str]:
        """Stop a module here and let any process of this user stand for it, until it is started again."""
        keeper = self.modules[module]
        await keeper.stop()
        self.lent.add(module)
        return self.module_facts(module)

    async def set_clock(self, offset_s: float) -> list[str]:
        """Put the clocks of all modules wrong by so many seconds; those that run are started again: their names.

        0: right again. Raises NoWrongClockError where the machine has no means for it.
        """
        if offset_s == self.clock_offset_s:
            return []
        if self._containers is not None:
            raise wrongclock.NoWrongClockError("modules that are containers cannot be shown a wrong time")
        wrongclock.facts(offset_s, os.environ)
        self.clock_offset_s = offset_s
        running = [keeper for keeper in self.modules.values() if keeper.running is not None]
        await asyncio.gather(*(keeper.restart() for keeper in running))
        return [keeper.name for keeper in running]

    def module_facts(self, module: str) -> dict[str, str]:
        """What edgeAgent would inject into a process."""
        return self._facts(module, self.state.address, self._uris[module])

    def _facts(self, module: str, gateway_host: str, workload_uri: str) -> dict[str, str]:
        return environment.module_facts(
            module,
            device=self.state.gateway,
            generation=self.identities.modules[module].generation,
            hub_name=self.state.hub_name,
            gateway_host=gateway_host,
            workload_uri=workload_uri,
        )

    def _key_of(self, module: str) -> ModuleKey | None:
        return self.identities.modules.get(module)

    def _keeper(self, planned: Planned) -> Keeper:
        if self._containers is not None:
            keeper = self._container(planned, self._containers)
        else:
            keeper = self._module(planned, self._runner)
        keeper.changed = self.changed
        keeper.commands = self.deeds.commands
        return keeper

    def _container(self, planned: Planned, runner: Runner) -> Keeper:
        async def launch() -> Launch:
            self.lent.discard(planned.name)
            try:
                ports = environment.resolved_ports(planned, os.environ)
            except environment.MissingVariableError as error:
                raise LaunchError(str(error)) from error
            return Launch(
                name=planned.name,
                env={**planned.env, **self._facts(planned.name, self.state.gateway, WORKLOAD_URI)},
                log=self.state.log(planned.name),
                image=planned.image,
                options=published(planned.options, ports) if ports else planned.options,
                socket=self.state.workload_socket(planned.name),
            )

        return Keeper(planned.name, runner, launch, planned.policy, self.state.manners.restarts)

    def leaf_facts(self, device: str) -> dict[str, str]:
        """What a leaf device is started with; raises KeyError for one that is not declared."""
        state = self.state
        text = self.identities.connection_string(Identity(device), state.hub_name, state.address)
        pair = None
        if self.identities.devices[device].auth is not Auth.SAS:
            pair = str(state.device_certificate(device)), str(state.device_key(device))
        return environment.leaf_facts(text, str(state.ca_certificate), pair)

    def _module(self, planned: Planned, runner: Runner) -> Keeper:
        async def launch() -> Launch:
            self.lent.discard(planned.name)
            folder = self.state.module_folder(planned.name)
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            clock = wrongclock.facts(self.clock_offset_s, os.environ)
            return self._launch(planned, self.module_facts(planned.name) | clock, {"MODULE_STATE": str(folder)})

        return Keeper(planned.name, runner, launch, planned.policy, self.state.manners.restarts)

    def _leaf(self, planned: Planned, runner: Runner) -> Keeper:
        async def launch() -> Launch:
            return self._launch(planned, self.leaf_facts(planned.name), {})

        return Keeper(planned.name, runner, launch, planned.policy)

    def _launch(self, planned: Planned, facts: dict[str, str], variables: dict[str, str]) -> Launch:
        variables = {**os.environ, **self._variables(), **variables}
        try:
            command, own = environment.resolved(planned, variables)
        except environment.MissingVariableError as error:
            raise LaunchError(str(error)) from error
        machine = environment.inherited(os.environ, str(self.state.root))
        return Launch(
            name=planned.name,
            command=tuple(command),
            folder=Path(planned.folder),
            env={**machine, **own, **facts},
            log=self.state.log(planned.name),
        )

    def _variables(self) -> dict[str, str]:
        hub = State.load(self.state.root)  # the hub may have had to take another port at its last start
        return {
            "PYTHON": sys.executable,
            "STATE": str(hub.root),
            "HUB_METRICS": f"http://{hub.address}:{hub.metrics_port}/metrics",
            "AGENT_METRICS": f"http://{hub.address}:{self.metrics_port}/metrics",
        }

    def _authority(self) -> Authority:
        from localhub import certs  # noqa: PLC0415  hardly ever asked for, and X.509 takes a while to import

        return certs.ensure(self.state)

    async def _connected(self) -> None:
        """Wait until every running module is connected to the hub, so that leaf devices find the line whole."""
        hub = control.AsyncClient(self.state.hub_socket)
        end = time.monotonic() + LEAVES_WAIT_S
        while time.monotonic() < end:
            waiting = {f"{self.state.gateway}/{name}" for name, module in self.modules.items() if _coming(module)}
            with contextlib.suppress(control.NotRunningError, control.ControlError):  # a hub that restarts just now
                waiting -= {client["id"] for client in (await hub.get("/status"))["clients"]}
                if not waiting:
                    return
            await asyncio.sleep(ASK_EVERY_S)
        LOG.warning("not connected after %g s: %s; leaf devices start", LEAVES_WAIT_S, ", ".join(sorted(waiting)))


def _coming(keeper: Keeper) -> bool:
    """It runs and has not failed yet: worth waiting for."""
    return keeper.state is Runtime.RUNNING and keeper.exit_code is None
