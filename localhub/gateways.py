"""The gateways that were added to a run: each has a hub and an agent of its own, and joins the run's cloud.

Each is a state folder below the run's (`gateways/NAME`) with a supervisor in this process, so every command takes it as
its --state. What it was added with is kept there: the next run begins with it again.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import shutil
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final, Self

from localhub import address, control
from localhub.exits import CannotStartError, Exit
from localhub.prepare import Options, Prepared, prepare
from localhub.state import State, write_atomic
from localhub.supervisor import Supervisor

WANTED: Final = "added.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What a gateway is added with. Without a manifest it begins empty and follows what the cloud deploys to it."""

    name: str
    manifest: str | None = None
    layers: list[str] = field(default_factory=list)
    config: str | None = None
    address: str | None = None

    @classmethod
    def of(cls, document: object) -> Self:
        """From JSON; raises control.Refused."""
        try:
            wanted = cls(**document)  # type: ignore[arg-type]
        except TypeError as error:
            raise control.Refused(400, f"a gateway is added with its name and more: {error}") from error
        if not isinstance(wanted.name, str) or not wanted.name or "/" in wanted.name:
            raise control.Refused(400, f"{wanted.name!r} is no name of a gateway")
        return wanted


class Gateways:
    """Those of one run. `say` takes a line for the person at the terminal."""

    def __init__(self, first: Supervisor, say: Callable[[str], None]) -> None:
        self._first, self._say = first, say
        self._added: dict[str, _Added] = {}
        self._turn = asyncio.Lock()

    @property
    def pids(self) -> set[int]:
        """Of the processes of all gateways, the first one's too."""
        supervisors = [self._first, *(added.supervisor for added in self._added.values())]
        return {pid for supervisor in supervisors for pid in supervisor.pids}

    async def resume(self) -> None:
        """Start those that were added to an earlier run with this state folder; what cannot start is said."""
        for folder in self._first.state.gateways:
            try:
                await self.add(Wanted(**json.loads((folder / WANTED).read_bytes())))
            except (CannotStartError, OSError, ValueError, TypeError) as error:
                self._say(f"the gateway in {folder} is not started: {error}")

    async def add(self, wanted: Wanted) -> State:
        """Add one; returns when it runs. Raises CannotStartError."""
        async with self._turn:  # one after the other: an address is free until it is taken
            if wanted.name in self._added or wanted.name == self._first.state.gateway:
                raise CannotStartError(f"a gateway {wanted.name} runs already", Exit.BUSY)
            prepared = await asyncio.to_thread(prepare, self._options(wanted))
            state = prepared.state
            write_atomic(state.root / WANTED, json.dumps(asdict(wanted)).encode())
            added = _Added(prepared, Supervisor(state, prepared.records, others=lambda: self.pids))
            self._added[wanted.name] = added
            try:
                await self._tell_cloud(wanted.name)
                await added.start()
            except BaseException:
                await self._stop(wanted.name)
                raise
            self._say(f"gateway {wanted.name} at {state.address}:8883, state {state.root}")
            added.watch(self._stop_when_asked(wanted.name))
            return state

    async def remove(self, name: str) -> None:
        """Stop one, if it runs, and forget its state folder; its twins stay in the cloud. Raises KeyError."""
        async with self._turn:
            root = self._first.state.gateway_folder(name)
            if name in self._added:
                await self._stop(name)
            elif root not in self._first.state.gateways:
                raise KeyError(name)
            await asyncio.to_thread(shutil.rmtree, root)
            await self._tell_cloud(name)

    async def stop_modules(self) -> None:
        """Stop the modules of all."""
        await asyncio.gather(*(added.supervisor.stop_modules() for added in self._added.values()))

    async def stop(self) -> None:
        """Stop all."""
        await asyncio.gather(*(self._stop(name) for name in list(self._added)))

    def kill(self) -> None:
        """Stop all at once."""
        for added in self._added.values():
            added.supervisor.kill()

    def routes(self) -> list[Any]:
        """Of the first gateway's control socket."""

        async def add(call: control.Call) -> object:
            wanted = Wanted.of(call.body)
            try:
                state = await self.add(wanted)
            except CannotStartError as error:
                raise control.Refused(409, str(error)) from error
            return _facts(state)

        async def remove(call: control.Call) -> object:
            try:
                await self.remove(call.path["name"])
            except KeyError:
                raise control.Refused(404, f"no gateway {call.path['name']} was added") from None
            return {}

        async def listed(_call: control.Call) -> object:
            supervisors = [self._first, *(added.supervisor for added in self._added.values())]
            statuses = await asyncio.gather(*(supervisor.status() for supervisor in supervisors))
            states = [supervisor.state for supervisor in supervisors]
            return [_facts(state) | _doing(status) for state, status in zip(states, statuses, strict=True)]

        return [
            control.post("/gateways", add),
            control.get("/gateways", listed),
            control.post("/gateways/{name}/remove", remove),
        ]

    def _options(self, wanted: Wanted) -> Options:
        first = self._first.state
        root = first.gateway_folder(wanted.name)
        earlier = State.load(root).address if root in first.gateways else None
        return Options(
            manifest=None if wanted.manifest is None else Path(wanted.manifest),
            layers=[Path(layer) for layer in wanted.layers],
            config=None if wanted.config is None else Path(wanted.config),
            state=root,
            address=wanted.address or _address(first.address, earlier),
            strict=first.strict,
            leaves=[],
            gateway=wanted.name,
            joins=first,
        )

    async def _tell_cloud(self, name: str) -> None:
        await control.AsyncClient(self._first.state.cloud_socket).post("/gateway", {"name": name})

    async def _stop_when_asked(self, name: str) -> None:
        await self._added[name].supervisor.stopping.wait()
        async with self._turn:
            await self._stop(name)
        self._say(f"gateway {name} is stopped")

    async def _stop(self, name: str) -> None:
        await self._added.pop(name).stop()


class _Added:
    """One gateway that runs."""

    def __init__(self, prepared: Prepared, supervisor: Supervisor) -> None:
        self.supervisor = supervisor
        self._lock = prepared.lock
        self._serving = contextlib.AsyncExitStack()
        self._watcher: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Start its processes and answer on its control socket."""
        await self.supervisor.start()
        await self._serving.enter_async_context(self.supervisor.serving())

    def watch(self, asked: Any) -> None:
        """Have a coroutine wait for its end."""
        self._watcher = asyncio.create_task(asked)

    async def stop(self) -> None:
        """Stop its processes; its folder may be taken by another run."""
        if self._watcher is not None and self._watcher is not asyncio.current_task():
            self._watcher.cancel()
        await self.supervisor.stop()
        await self._serving.aclose()
        self.supervisor.state.remove_run_folder()
        os.close(self._lock)


def _address(first: str, earlier: str | None) -> str:
    """Where a gateway had been, if that is free, else the next free address."""
    if earlier is not None and address.is_free(earlier):
        return earlier
    found = address.another(first)
    if found is None:
        raise CannotStartError(f"no address after {first} has its port 8883 free", Exit.BUSY)
    return found


def _facts(state: State) -> dict[str, Any]:
    return {"gateway": state.gateway, "address": state.address, "state": str(state.root)}


def _doing(status: Mapping[str, Any]) -> dict[str, Any]:
    hub, agent = status.get("hub") or {}, status.get("agent") or {}
    return {
        "link": hub.get("link", {}).get("state", "unknown"),
        "modules": {unit["name"]: unit["state"] for unit in agent.get("modules", [])},
        "processes": status["processes"],
    }
