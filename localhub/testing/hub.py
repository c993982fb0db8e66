"""A running localhub in the hands of a test."""

from __future__ import annotations

import base64
import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from localhub import address
from localhub.agent.logs import tail
from localhub.agent.orphans import dies_with_parent
from localhub.control.client import AsyncClient, Client, ControlError, NotRunningError
from localhub.deployed import check_module
from localhub.state import State, StateError
from localhub.testing.capture import WITHIN_S, Captured, Message, NotInTimeError, Watcher, until

START_S = 60.0
STOP_S = 15.0
ASK_S = 30.0
LOG_LINES = 15


class HubFailedError(Exception):
    """localhub did not start; the text is what it said."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a direct method answered."""

    status: int
    payload: Any


class Hub:
    """What a test may look at and do. Modules are named as in the manifest; times are in seconds."""

    def __init__(self, state: State) -> None:
        self.state = state
        self._hub = Client(state.hub_socket, timeout_s=ASK_S)
        self._cloud = Client(state.cloud_socket, timeout_s=ASK_S)
        self._agent = Client(state.agent_socket, timeout_s=ASK_S)
        self._supervisor = Client(state.supervisor_socket, timeout_s=ASK_S)
        self._watcher = Watcher(AsyncClient(state.hub_socket), ASK_S)
        self._added: list[Hub] = []

    # Messages.

    def watch(self, pattern: str, where: str | None = None) -> Captured:
        """Capture what MODULE/OUTPUT sends from now on (`*` in either place, `$upstream`), if it meets a condition.

        `where` is a condition as routes have it. Raises ControlError when it is none.
        """
        captured = Captured(pattern, self.explain)
        query = {"pattern": pattern} | ({} if where is None else {"where": where})
        self._watcher.watch(captured, query)
        return captured

    def send(self, target: str, body: object, properties: Mapping[str, str] | None = None) -> None:
        """Put a message into MODULE/INPUT; bytes and text as they are, anything else as JSON. On disk when it returns.

        Property names with `$.` are system properties, as in a topic: `{"$.ct": "application/json"}`. Raises
        UnknownModuleError.
        """
        module, _, name = target.partition("/")
        check_module(self.state.manifest, module)
        data = body if isinstance(body, bytes) else (body if isinstance(body, str) else json.dumps(body)).encode()
        message = {"body_b64": base64.b64encode(data).decode(), "properties": dict(properties or {})}
        self._hub.post("/inject", {"module": module, "input": name, **message})

    def arrivals(self) -> list[Message]:
        """Every message that has arrived in the cloud, oldest first, repeats too; `time` is that of the arrival.

        Of a gateway that was added: what came from it.
        """
        found: list[Message] = []
        last = 0
        whose = {} if self.state.cloud is None else {"gateway": self.state.gateway}
        while page := self._cloud.get("/arrivals", after=last, raw=1, **whose):
            found += [_arrival(document) for document in page]
            last = page[-1]["number"]
        return found

    # Twins and methods.

    def desired(self, module: str) -> dict[str, Any]:
        """Desired properties as the hub has them, `$version` with them."""
        return dict(self._hub.get(f"/twin/{module}")["desired"])

    def reported(self, module: str) -> dict[str, Any]:
        """Reported properties as the hub has them, `$version` with them."""
        return dict(self._hub.get(f"/twin/{module}")["reported"])

    def set_desired(self, module: str, patch: Mapping[str, Any]) -> int:
        """Patch desired properties in the cloud; the new `$version`. Raises ControlError for a bad patch."""
        return int(self._cloud.patch(f"/twin/{self.state.gateway}/{module}", dict(patch))["desired"]["$version"])

    def apply(self, manifest: Path, layers: Sequence[Path] = ()) -> None:
        """Deploy another manifest while it runs, as set-modules does. Raises ManifestError for one that `run` refuses.

        Returns when the agent has made it so, or refused it: `reported("$edgeAgent")` says which. With the link down
        that is later: it returns when the cloud has it.
        """
        from localhub.manifest.deployment import load_deployment  # noqa: PLC0415  most tests apply nothing

        content = load_deployment(manifest, layers).effective()
        self._cloud.post("/apply", {"device": self.state.gateway, "modulesContent": content})
        if self._hub.get("/status")["link"]["state"] == "up":
            version = int(self._cloud.get(f"/twin/{self.state.gateway}/$edgeAgent")["desired"]["$version"])
            self.until(lambda: self.reported("$edgeAgent").get("lastDesiredVersion", 0) >= version, ASK_S, "the agent")

    def wait_reported(self, module: str, expected: Mapping[str, Any], within_s: float = WITHIN_S) -> dict[str, Any]:
        """Wait until reported properties hold all of `expected`; what is reported. Raises NotInTimeError."""
        self.until(lambda: _holds(self.reported(module), expected), within_s, f"{module} reported {expected}")
        return self.reported(module)

    def call(self, module: str, method: str, payload: object = None, timeout_s: float = 30.0) -> Answer:
        """Invoke a direct method, past the cloud. Raises ControlError when the module is away (404) or silent (504)."""
        body = {"module": module, "name": method, "payload": payload, "timeout_s": timeout_s}
        answer = Client(self.state.hub_socket, timeout_s=timeout_s + ASK_S).post("/method", body)
        return Answer(answer["status"], answer["payload"])

    # More gateways.

    def add_gateway(self, name: str, manifest: Path | None = None, *, config: Path | None = None) -> Hub:
        """Add a gateway with a hub and an agent of its own, which joins this one's cloud; returns when it runs.

        Without a manifest it runs what the cloud deploys to it. `config` is its localhub.toml. Raises ControlError.
        """
        wanted = {"name": name, "manifest": manifest and str(manifest), "config": config and str(config)}
        facts = Client(self.state.supervisor_socket, timeout_s=START_S).post("/gateways", wanted)
        added = Hub(State.load(Path(facts["state"])))
        self._added.append(added)
        return added

    # Faults.

    def link(
        self,
        setting: str,
        *,
        bytes_per_s: float | None = None,
        latency_ms: float | None = None,
        loss_percent: float | None = None,
    ) -> None:
        """Set the link to the cloud `up`, `down` or `slow`; bandwidth, latency and loss are those of each way."""
        slow = {"bytes_per_s": bytes_per_s, "latency_ms": latency_ms, "loss_percent": loss_percent}
        given = {"state": setting, **slow}
        self._hub.post("/link", {key: value for key, value in given.items() if value is not None})

    def restart(self, name: str, *, kill: bool = False) -> None:
        """Restart `hub`, `cloud`, `agent` or a module, in order or with SIGKILL; returns when it runs again."""
        if name in ("hub", "cloud", "agent"):
            self._supervisor.post(f"/restart/{name}{'?kill=1' if kill else ''}")
            return
        before = self.module(name)
        self._agent.post(f"/module/{name}/{'kill' if kill else 'restart'}")
        self.until(lambda: self._started_again(name, before), ASK_S, f"the restart of {name}")

    def drop(self, module: str | None = None) -> None:
        """Break a module's connection (`DEVICE/` for a leaf device; None: everybody's), as a network does."""
        self.fault("drop", module)

    def refuse(self, code: int, *, times: int = 1, module: str | None = None) -> None:
        """Answer the next CONNECTs with a CONNACK code, 1 to 5; 3 is the one that the SDK tries again after."""
        self.fault("refuse", module, code=code, times=times)

    def delay_pubacks(self, seconds: float, module: str | None = None) -> None:
        """Send every PUBACK late; 0: at once again."""
        self.fault("puback", module, delay_ms=seconds * 1000)

    def lose_session(self, module: str) -> None:
        """Forget what a module has subscribed to, and break its connection."""
        self.fault("session", module)

    def expire_tokens(self, module: str | None = None) -> None:
        """Take the tokens in use for expired, and break their connections."""
        self.fault("tokens", module)

    def disk(self, setting: str) -> None:
        """Have the hub's disk be `full`, so that nothing is acknowledged, or `free` again."""
        self.fault("disk", full={"full": True, "free": False}[setting])

    def clock(self, offset_s: float, *, modules: bool = False) -> None:
        """Put the hub's clock wrong by so many seconds; 0: right again.

        With `modules` theirs too: those that run are started again under libfaketime. Raises ControlError where the
        machine does not have it.
        """
        if modules:
            self._agent.post("/clock", {"offset_s": offset_s})
        self.fault("clock", offset_s=offset_s)

    def environment(self, name: str) -> dict[str, str]:
        """The variables of a module or leaf device, as `localhub env NAME` prints them; raises ControlError."""
        return dict(self._agent.get(f"/env/{name}"))

    def fault(self, kind: str, client: str | None = None, **facts: object) -> dict[str, Any]:
        """Any fault that POST /fault knows; raises ControlError."""
        body = {"kind": kind, **facts} | ({} if client is None else {"client": client})
        return dict(self._hub.post("/fault", body))

    def recover(self) -> None:
        """No more faults, the link up, nothing captured any more: what the `hub` fixture does after each test."""
        self._watcher.forget()
        self._agent.post("/clock", {"offset_s": 0})
        self.fault("clear")
        self.link("up")

    # Looking.

    def module(self, name: str) -> dict[str, Any]:
        """How a module or leaf device does: state, pid, restarts, exit_code, rss and so on. Raises KeyError."""
        status = self._agent.get("/status")
        units = {unit["name"]: dict(unit) for unit in [*status["modules"], *status["leaves"]]}
        return units[name]

    def connected(self, module: str) -> bool:
        """Whether a module is connected to the hub."""
        try:
            clients = self._hub.get("/status")["clients"]
        except NotRunningError:
            return False
        return f"{self.state.gateway}/{module}" in [client["id"] for client in clients]

    def wait_connected(self, *modules: str, within_s: float = START_S) -> None:
        """Wait until modules are connected; None named: all that run. Raises NotInTimeError."""
        status = self._agent.get("/status")
        wanted = modules or [unit["name"] for unit in status["modules"] if unit["state"] == "running"]
        for name in wanted:
            self.until(lambda name=name: self.connected(name), within_s, f"the connection of {name}")  # type: ignore[misc]

    def logs(self, name: str, lines: int = 100) -> list[str]:
        """The last lines of a module, leaf device, or of hub, cloud, agent."""
        return tail(self.state.log(name), lines)

    def until(self, fact: Callable[[], object], within_s: float = WITHIN_S, what: str = "it") -> None:
        """Wait until `fact` is true; raises NotInTimeError, with the ends of the logs."""
        until(fact, within_s, self.explain, what)

    def explain(self) -> str:
        """How the modules do and what they said last, for a test that failed."""
        try:
            status = self._agent.get("/status")
            dropped = self._hub.get("/status")["counters"]["dropped"]
        except (NotRunningError, ControlError) as error:
            return f"localhub does not answer: {error}"
        lines = [f"dropped by the hub: {dropped}"]
        for unit in [*status["modules"], *status["leaves"]]:
            lines.append(f"{unit['name']} {unit['state']} (exit code {unit['exit_code']}); its log ends:")
            lines += [f"    {line}" for line in self.logs(unit["name"], LOG_LINES)]
        return "\n".join(lines)

    def close(self) -> None:
        """Stop watching; localhub itself goes on."""
        for hub in (self, *self._added):
            hub._watcher.close()  # noqa: SLF001  its own

    def _started_again(self, name: str, before: Mapping[str, Any]) -> bool:
        now = self.module(name)
        return bool(now["state"] == "running" and now["pid"] != before["pid"])


@contextlib.contextmanager
def running(
    manifest: Path,
    *,
    layers: Sequence[Path] = (),
    config: Path | None = None,
    at: str | None = None,
    environment: Mapping[str, str] | None = None,
    wait_for: Sequence[str] | None = None,
    strict: bool = False,
    leaves: Sequence[str] | None = None,
    state: Path | None = None,
    within_s: float = START_S,
) -> Iterator[Hub]:
    """Run a manifest while the block runs, on a free 127.x address; its modules are connected when the block begins.

    `config` is the localhub.toml if it is not beside the manifest, `at` an address of your own choice, `environment`
    what modules find in theirs, `wait_for` names those modules that will connect, if not all do, `strict` has it do as
    edgeHub does where the two differ, `leaves` are the leaf devices to start, if not those that start by themselves.
    All state is in a temporary folder, or in `state`, which is kept. Raises HubFailedError, NotInTimeError.
    """
    with tempfile.TemporaryDirectory(prefix="localhub-") as folder:
        root, said = state or Path(folder) / "state", Path(folder) / "said"
        words = ["run", str(manifest), "--state", str(root), "--address", at or _free_address(), "--plain"]
        for layer in layers:
            words += ["--layer", str(layer)]
        if strict:
            words.append("--strict")
        if leaves is not None:
            words += [word for name in leaves for word in ("--leaf", name)] or ["--no-leaves"]
        if config is not None:
            words += ["--config", str(config)]
        with said.open("wb") as output:
            process = subprocess.Popen(
                [sys.executable, "-m", "localhub", *words],
                stdout=output,
                stderr=subprocess.STDOUT,
                stdin=subprocess.DEVNULL,
                env={**os.environ, **(environment or {})},
                start_new_session=True,  # Ctrl-C is for the tests, which then stop it in order
                preexec_fn=dies_with_parent(signal.SIGTERM),  # noqa: PLW1509  takes no lock, see there
            )
        try:
            hub = Hub(_ready(process, root, said, within_s))
            try:
                if wait_for is None or wait_for:
                    hub.wait_connected(*(wait_for or ()), within_s=within_s)
                yield hub
            finally:
                hub.close()
        finally:
            _stop(process)


def _ready(process: subprocess.Popen[bytes], root: Path, said: Path, within_s: float) -> State:
    """Wait until everything answers."""
    end = time.monotonic() + within_s
    while True:
        if process.poll() is not None:
            raise HubFailedError(f"localhub ended with code {process.returncode}:\n{said.read_text(errors='replace')}")
        try:
            state = State.load(root)
            Client(state.supervisor_socket).get("/status")
        except (StateError, NotRunningError):
            if time.monotonic() > end:
                text = said.read_text(errors="replace")
                raise NotInTimeError(f"localhub was not up within {within_s:g} s:\n{text}") from None
            time.sleep(0.05)
        else:
            return state


def _stop(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(STOP_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _free_address() -> str:
    """A 127.x address whose port 8883 is free; where to look first depends on the process, for tests in parallel."""
    number = os.getpid()
    start = f"127.{100 + number % 100}.{number // 100 % 250}.1"
    found = address.another(start)
    if found is None:
        raise HubFailedError(f"no address after {start} has its port 8883 free")
    return found


def _arrival(document: Mapping[str, Any]) -> Message:
    return Message(
        base64.b64decode(document["body_b64"]),
        document["system"].get("outputName", ""),
        "/".join(filter(None, (document["device"], document["module"]))),
        document["properties"],
        document["system"],
        document["time"],
    )


def _holds(document: object, expected: object) -> bool:
    if isinstance(expected, Mapping) and isinstance(document, Mapping):
        return all(name in document and _holds(document[name], value) for name, value in expected.items())
    return document == expected
