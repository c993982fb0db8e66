"""The whole line as a child process: started, asked, and stopped from outside, as a user would.

Playback, benchmarks and system tests all stand on this. It speaks to localhub by its command line and its control
sockets (JSON over HTTP on unix sockets), so that it shows what anyone can do with a localhub of their own.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Self

import httpx

from devices.arrival import messages

ROOT = Path(__file__).resolve().parents[1]
MANIFEST = ROOT / "deployment.template.json"


class LineError(Exception):
    """The line did not start, or ended early; the text holds what it said last."""


# Below those that systems give to outgoing connections: of these, one that was free a moment ago may be the near end of
# somebody's connection when it is to be listened on.
PORTS = range(10_000, 30_000)
_numbers = itertools.count(os.getpid() * 7919)  # processes that run at once begin at different places


def free_port() -> int:
    """A TCP port of 127.0.0.1 that nobody listens on now; another one at each call."""
    while True:
        port = PORTS[next(_numbers) % len(PORTS)]
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port


class Line:
    """One running localhub with the modules of a manifest. A context manager: leaving it stops everything.

    ``leaves`` names the leaf devices to start (None: those that start by themselves). ``environment`` is added to the
    child's; ``log`` takes its output, None leaves it on this terminal. ``containers``: modules run from their images.
    """

    def __init__(
        self,
        *,
        state: Path,
        address: str = "127.0.0.1",
        page_port: int | None = None,
        manifest: Path = MANIFEST,
        config: Path | None = None,
        layers: Sequence[Path] = (),
        leaves: Sequence[str] | None = None,
        environment: Mapping[str, str] | None = None,
        log: Path | None = None,
        containers: bool = False,
    ) -> None:
        self.state = state
        self.address = address
        self.page_port = page_port or free_port()
        self._log = log
        self._command = [sys.executable, "-m", "localhub", "run", os.fspath(manifest)]
        self._command += ["--state", os.fspath(state), "--address", address]
        self._command += ["--page", f"http://127.0.0.1:{self.page_port}"]
        self._command += ["--config", os.fspath(config)] if config else []
        for layer in layers:
            self._command += ["--layer", os.fspath(layer)]
        if leaves is not None:
            self._command += [part for name in leaves for part in ("--leaf", name)] or ["--no-leaves"]
        if containers:
            self._command += ["--containers"]
        if log is not None:
            self._command += ["--plain"]
        self._environment = {**os.environ, "MILLWATCH_STATUS_PORT": str(self.page_port), **(environment or {})}
        self._process: subprocess.Popen[bytes] | None = None
        self._page = httpx.Client(base_url=f"http://127.0.0.1:{self.page_port}", timeout=10)
        self._sockets: dict[str, httpx.Client] = {}

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> None:
        """Start and return at once; `wait_ready` waits."""
        output = self._log.open("ab") if self._log else None
        try:
            self._process = subprocess.Popen(
                self._command, cwd=ROOT, env=self._environment, stdout=output, stderr=output, start_new_session=True
            )
        finally:
            if output is not None:
                output.close()

    def stop(self, timeout_s: float = 20.0) -> int:
        """End it as Ctrl-C would; its exit status."""
        for client in (self._page, *self._sockets.values()):
            client.close()
        self._sockets.clear()
        self._page = httpx.Client(base_url=f"http://127.0.0.1:{self.page_port}", timeout=10)
        if self._process is None:
            return 0
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGINT)
        try:
            return self._process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
            raise LineError(f"the line did not stop within {timeout_s} s\n{self._said()}") from None

    def kill(self) -> None:
        """SIGKILL the supervisor: what stays behind is for localhub to end."""
        assert self._process is not None
        self._process.kill()
        self._process.wait()

    def _said(self) -> str:
        if self._log is None or not self._log.exists():
            return ""
        return self._log.read_text(encoding="utf-8", errors="replace")[-4000:]

    def wait(self, what: str, until: Callable[[], Any], timeout_s: float = 60.0, every_s: float = 0.1) -> Any:
        """Call ``until`` again and again until it gives something true, which is returned; LineError after that time.

        An answer that does not come yet (nobody listens, a module still starts) counts as not true.
        """
        end = time.monotonic() + timeout_s
        last: object = None
        while time.monotonic() < end:
            if self._process is None or self._process.poll() is not None:
                code = None if self._process is None else self._process.returncode
                raise LineError(f"the line ended (status {code}) while waiting for {what}\n{self._said()}")
            try:
                last = until()
            except (httpx.HTTPError, OSError, KeyError) as error:
                last = error
            else:
                if last:
                    return last
            time.sleep(every_s)
        raise LineError(f"no {what} within {timeout_s} s; last: {last!r}\n{self._said()}")

    def wait_ready(self, timeout_s: float = 60.0) -> None:
        """Wait until the status page answers and every module has sent its first heartbeat."""

        def beating() -> bool:
            heard = {each["name"] for each in self.api("/api/v1/modules")["modules"] if each.get("state")}
            return set(self.manifest_modules()) <= heard

        self.wait("status page with every module's heartbeat", beating, timeout_s)

    def manifest_modules(self) -> list[str]:
        """The names of the modules that run."""
        content = json.loads((self.state / "manifest.json").read_text(encoding="utf-8"))
        content = content.get("modulesContent", content)
        return list(content["$edgeAgent"]["properties.desired"]["modules"])

    def api(self, path: str, **query: object) -> Any:
        """GET from the status module's REST interface."""
        answer = self._page.get(path, params={key: str(value) for key, value in query.items()})
        answer.raise_for_status()
        return answer.json()

    def control(self, process: str, path: str, body: object | None = None, *, method: str = "", **query: object) -> Any:
        """Ask hub, cloud, agent or supervisor over its control socket: GET, or POST with a body."""
        if process not in self._sockets:
            run = json.loads((self.state / "localhub.json").read_text(encoding="utf-8"))["run"]
            transport = httpx.HTTPTransport(uds=os.path.join(run, f"{process}.sock"))  # noqa: PTH118 - httpx takes text
            self._sockets[process] = httpx.Client(transport=transport, base_url="http://localhub", timeout=30)
        verb = method or ("GET" if body is None else "POST")
        params = {key: str(value) for key, value in query.items()}
        answer = self._sockets[process].request(verb, path, json=body, params=params)
        answer.raise_for_status()
        return answer.json()

    def arrivals(self, after: int = 0) -> Iterator[dict[str, Any]]:
        """Every message that reached the cloud behind arrival number ``after``, in order, repeats included.

        The members of a batch come one by one, with the number of its arrival.
        """
        while page := self.control("cloud", "/arrivals", after=after, limit=500):
            for arrival in page:
                yield from messages(arrival)
            after = page[-1]["number"]

    def command(self, *words: str, timeout_s: float = 60.0) -> subprocess.CompletedProcess[str]:
        """``python -m localhub WORDS --state ...``, as a user types it."""
        return subprocess.run(
            [sys.executable, "-m", "localhub", *words, "--state", os.fspath(self.state)],
            cwd=ROOT,
            env=self._environment,
            capture_output=True,
            text=True,
            timeout=timeout_s,
            check=False,
        )
