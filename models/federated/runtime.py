"""Flower's processes, and what stands in for its executors.

Stock SuperLink and SuperNode carry the messages, and our own installed code answers them. Flower's own executor unpacks
the archive of code that came with a run and runs it, on the server and on every node: whoever can start a run could run
code on the gateways. So both processes are started with `--isolation process`, and the tasks are taken here; the
archive is not opened. Pinned to the Flower of requirements/federated.in, for these are its inner interfaces.
"""

from __future__ import annotations

import ctypes
import os
import secrets
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import httpx
from flwr.app import Error, Message
from flwr.cli.build import build_fab_from_disk
from flwr.common.constant import ErrorCode, SubStatus
from flwr.common.serde import run_from_proto
from flwr.proto.control_pb2 import StartRunRequest
from flwr.proto.fab_pb2 import Fab
from flwr.proto.runtime_pb2 import AcquireTaskRequest, PullTaskInputRequest, PushTaskOutputRequest
from flwr.serverapp import Grid
from flwr.supercore.constant import TaskType
from flwr.supercore.control.control_http_client import ControlHttpClient
from flwr.supercore.heartbeat import HeartbeatSender, make_task_heartbeat_fn_http
from flwr.supercore.interceptors import (
    RuntimeTokenHttpInterceptor,
    RuntimeVersionHttpInterceptor,
    SuperExecAuthHttpInterceptor,
)
from flwr.supercore.retry import make_simple_http_retry_invoker
from flwr.supercore.runtime import RuntimeHttpClient
from flwr.supercore.task_identity import TaskIdentity
from flwr.superlink.grid import HttpGrid
from flwr.supernode.runtime.run_clientapp import pull_task_input, push_message, push_task_output

APP: Final = Path(__file__).parent / "app"
_POLL_S: Final = 0.5
_PR_SET_PDEATHSIG: Final = 1  # linux/prctl.h
_ACQUIRE: Final = frozenset({"/flwr.proto.Runtime/AcquireTask"})
# Flower tells its makers of each start, and asks them for news, unless told not to.
QUIET: Final = {"FLWR_TELEMETRY_ENABLED": "0", "FLWR_DISABLE_UPDATE_CHECK": "1"}


@dataclass(frozen=True, slots=True)
class Tls:
    """Where certificates are; without `ca` the link is plain, and does not leave the machine."""

    ca: Path | None = None
    certificate: Path | None = None
    key: Path | None = None

    def server(self) -> list[str]:
        """Arguments of flower-superlink."""
        if self.ca is None or self.certificate is None or self.key is None:
            return ["--insecure"]
        paths = {"--ssl-ca-certfile": self.ca, "--ssl-certfile": self.certificate, "--ssl-keyfile": self.key}
        return [word for name, path in paths.items() for word in (name, str(path))]

    def client(self) -> list[str]:
        """Arguments of flower-supernode."""
        return ["--insecure"] if self.ca is None else ["--root-certificates", str(self.ca)]

    def check(self, address: str) -> None:
        """Raises ValueError for a plain link to another machine, host:port."""
        if self.ca is None and not address.startswith(("127.", "localhost:")):
            raise ValueError(f"no plain link to {address}: give it --ca")

    @property
    def options(self) -> dict[str, Any]:
        """How Flower's HTTP clients take the same."""
        return {"insecure": self.ca is None, "root_certificates": self.ca.read_bytes() if self.ca else None}


class RefusedError(Exception):
    """Raised by a gateway that does not take part in a round; the text says why, and goes to the server."""


class GoneError(Exception):
    """A Flower process has ended; the text says which."""


@contextmanager
def process(words: list[str], home: Path) -> Iterator[subprocess.Popen[bytes]]:
    """One of Flower's programs, ended with the block."""
    home.mkdir(parents=True, exist_ok=True)
    program = Path(sys.executable).with_name(words[0])
    environment = {**os.environ, **QUIET, "FLWR_HOME": str(home)}
    # What they say is told beside our own words; only our result is on stdout.
    child = subprocess.Popen([str(program), *words[1:]], env=environment, stdout=2, preexec_fn=_dies_with_us)  # noqa: PLW1509  takes no lock
    try:
        yield child
    finally:
        child.terminate()
        try:
            child.wait(20)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()


def _dies_with_us() -> None:
    if sys.platform == "linux":  # elsewhere one that is left behind by kill -9 goes on until somebody ends it
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)


@contextmanager
def superlink(address: str, tls: Tls, home: Path) -> Iterator[tuple[subprocess.Popen[bytes], bytes]]:
    """A SuperLink at host:port; with it the secret without which no task can be taken."""
    home.mkdir(parents=True, exist_ok=True)
    secret, path = secrets.token_bytes(32), home / "secret"
    path.touch(mode=0o600)
    path.write_bytes(secret)
    host, _, port = address.rpartition(":")
    words = ["flower-superlink", *tls.server(), "--isolation", "process", "--host", host, "--port", port]
    words += ["--disable-runtime-dependency-installation", "--superexec-auth-secret-file", str(path)]
    with process(words, home) as child:
        yield child, secret


@contextmanager
def supernode(link: str, tls: Tls, here: str, home: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A SuperNode of the SuperLink at `link`, whose own tasks are had at `here`."""
    host, _, port = here.rpartition(":")
    words = ["flower-supernode", *tls.client(), "--superlink", link, "--isolation", "process"]
    with process([*words, "--host", host, "--port", port], home) as child:
        yield child


def start_run(address: str, tls: Tls, alive: Callable[[], bool]) -> int:
    """Begin a run as soon as the SuperLink answers; its number. Raises httpx.HTTPStatusError, GoneError."""
    archive = build_fab_from_disk(APP)
    interceptors = [RuntimeVersionHttpInterceptor(component_name="flwr CLI")]
    client = ControlHttpClient.from_server_address(address, **tls.options, interceptors=interceptors)
    try:
        while alive():
            try:
                answer = client.StartRun(StartRunRequest(fab=Fab(content=archive)))
            except httpx.TransportError:  # not up yet
                time.sleep(_POLL_S)
            else:
                return int(answer.run_id)
        raise GoneError("flower-superlink has ended: its own words are above")
    finally:
        client.close()


@contextmanager
def grid(address: str, tls: Tls, secret: bytes, run: int) -> Iterator[Grid]:
    """The server's side of a run: the gateways, as Flower's strategies take them."""
    # Tasks of other runs, which somebody else may have begun, are taken too, and let lie.
    while (token := _token(address, tls, secret, TaskType.SERVER_APP, run)) is None:
        time.sleep(_POLL_S)
    found = HttpGrid(address, **tls.options, token=token)
    client = found._runtime_client  # noqa: SLF001  Flower's own executor does the same
    beat = HeartbeatSender(make_task_heartbeat_fn_http(client))
    beat.start()
    status = SubStatus.FAILED
    try:
        asked = client.PullTaskInput(PullTaskInputRequest())
        _identify(asked.task_id, asked.run.run_id, asked.context.node_id)
        found.set_run(run_from_proto(asked.run))
        yield found
        status = SubStatus.COMPLETED
    finally:
        client.PushTaskOutput(PushTaskOutputRequest(sub_status=status, details=""))
        beat.stop()
        found.close()


def answer_tasks(
    here: str, reply: Callable[[Message], Message], alive: Callable[[], bool], told: Callable[[str], None]
) -> int:
    """A gateway's side: take each task of the SuperNode at `here` and answer it, as long as it is alive; how many.

    The archive of code that comes with the task is dropped unread.
    """
    taken = 0
    while alive():
        try:
            token = _token(here, Tls(), None, TaskType.CLIENT_APP)
        except httpx.HTTPError:  # not up yet
            token = None
        if token is None:
            time.sleep(_POLL_S)
            continue
        _answer(here, token, reply, told)
        taken += 1
    return taken


def _answer(here: str, token: str, reply: Callable[[Message], Message], told: Callable[[str], None]) -> None:
    client = _client(here, Tls(), [RuntimeTokenHttpInterceptor(token)])
    beat = HeartbeatSender(make_task_heartbeat_fn_http(client))
    beat.start()
    try:
        message, context, _, _ = pull_task_input(client)
        try:
            said, status, details = reply(message), SubStatus.COMPLETED, ""
        except Exception as error:  # noqa: BLE001  whatever it was, the server must hear of it, or it waits
            told(f"not answered: {error}")
            # What went wrong may speak of a sample, so the server learns its kind; a refusal is written for it.
            status, details = SubStatus.FAILED, str(error) if isinstance(error, RefusedError) else type(error).__name__
            said = Message(Error(ErrorCode.CLIENT_APP_RAISED_EXCEPTION, details), reply_to=message)
        push_message(client, said, context)
        push_task_output(client=client, context=context, sub_status=status, details=details)
    except httpx.HTTPError as error:
        told(f"a task could not be taken or answered: {error}")
    finally:
        beat.stop()
        client.close()


def _identify(task: int, run: int, node: int) -> None:
    TaskIdentity.task_id, TaskIdentity.run_id, TaskIdentity.node_id = task, run, node


def _client(address: str, tls: Tls, interceptors: list[Any], *, patient: bool = True) -> RuntimeHttpClient:
    return RuntimeHttpClient.from_server_address(
        server_address=address,
        **tls.options,
        interceptors=[RuntimeVersionHttpInterceptor(component_name="SuperExec"), *interceptors],
        retry_invoker=make_simple_http_retry_invoker() if patient else None,
    )


def _token(address: str, tls: Tls, secret: bytes | None, kind: str, run: int | None = None) -> str | None:
    guards = [SuperExecAuthHttpInterceptor(master_secret=secret, protected_methods=_ACQUIRE)] if secret else []
    client = _client(address, tls, guards, patient=False)
    try:
        found = client.AcquireTask(AcquireTaskRequest(supported_task_types=[kind]))
    finally:
        client.close()
    if not found.HasField("task") or not found.token or (run is not None and found.task.run_id != run):
        return None
    return str(found.token)
