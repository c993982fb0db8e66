"""The command line's way to a running cache: a socket in its state folder, a line of JSON there and one back."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import os
import socket
from collections.abc import Awaitable, Callable, Iterator, Mapping
from pathlib import Path

import orjson

from modules.common.methods import MethodError

log = logging.getLogger(__name__)

NAME = "control.sock"
_TIMEOUT_S = 60.0
_LONGEST_LINE = 1024 * 1024

Handlers = Mapping[str, Callable[[object], Awaitable[object]]]


class NotRunningError(Exception):
    """No cache listens in this folder."""


class Control:
    """Serves verbs to whoever may enter the state folder, which is its owner."""

    def __init__(self, folder: Path, handlers: Handlers) -> None:
        self._folder = folder
        self._handlers = handlers
        self._server: asyncio.Server | None = None

    async def start(self) -> None:
        """Listen; where that cannot be, the cache goes on without."""
        try:
            listener = _listener(self._folder)
            self._server = await asyncio.start_unix_server(self._serve, sock=listener, limit=_LONGEST_LINE)
        except OSError as error:
            log.warning("no commands from the command line: %s", error)

    def stop(self) -> None:
        """Listen no more."""
        if self._server is not None:
            self._server.close()
            (self._folder / NAME).unlink(missing_ok=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            writer.write(orjson.dumps(await self._answer(await reader.readline())) + b"\n")
            await writer.drain()
        except (ConnectionError, ValueError) as error:
            log.warning("a command from the command line was cut short: %s", error)
        finally:
            writer.close()

    async def _answer(self, line: bytes) -> dict[str, object]:
        try:
            asked = orjson.loads(line)
            handler = self._handlers[asked["verb"]]
        except (orjson.JSONDecodeError, KeyError, TypeError) as error:
            return {"status": 400, "payload": {"error": f"not a command: {error}"}}
        try:
            return {"status": 200, "payload": await handler(asked.get("arguments"))}
        except MethodError as error:
            return {"status": error.status, "payload": {"error": str(error)}}


def ask(folder: Path, verb: str, arguments: Mapping[str, object]) -> tuple[int, object]:
    """Have a running cache carry out a verb: status and answer as a direct method's. Blocks. Raises NotRunningError."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as line:
        line.settimeout(_TIMEOUT_S)
        try:
            with _short(folder) as short:
                line.connect(str(Path(short, NAME)))
        except (FileNotFoundError, NotADirectoryError, ConnectionRefusedError) as error:
            raise NotRunningError(f"no cache runs in {folder}") from error
        line.sendall(json.dumps({"verb": verb, "arguments": arguments}).encode() + b"\n")
        with line.makefile("rb") as answers:
            answer = json.loads(answers.readline() or b'{"status": 503, "payload": {"error": "the cache has stopped"}}')
    return int(answer["status"]), answer["payload"]


def _listener(folder: Path) -> socket.socket:
    """The socket, for its owner only."""
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        with _short(folder) as short:
            path = Path(short, NAME)
            path.unlink(missing_ok=True)  # left by one that was killed; the store's lock keeps a second one out
            listener.bind(str(path))
            path.chmod(0o600)
        listener.listen()
    except OSError:
        listener.close()
        raise
    return listener


@contextlib.contextmanager
def _short(folder: Path) -> Iterator[str]:
    """The folder under a name that fits a socket's address, however deep it lies (Linux)."""
    if not Path("/proc/self/fd").is_dir():
        yield str(folder)
        return
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield f"/proc/self/fd/{descriptor}"
    finally:
        os.close(descriptor)
