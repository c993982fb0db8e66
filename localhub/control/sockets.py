"""Unix sockets by path: listen at one, ask whether one answers, learn who is at the other end."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import socket
import struct
from collections.abc import Iterator
from pathlib import Path

SOCKET_PATH_LIMIT = 103  # sun_path holds 104 bytes on macOS (108 on Linux), one of them the closing zero


def listen(path: Path, *, mode: int = 0o600) -> socket.socket:
    """A Unix socket that listens at `path`; errors as `serving`."""
    if len(os.fsencode(path)) > SOCKET_PATH_LIMIT:
        raise ValueError(f"{path} is too long for a Unix socket ({SOCKET_PATH_LIMIT} bytes); use a shorter --state")
    path.parent.mkdir(parents=True, exist_ok=True)
    if answers(path):
        raise FileExistsError(errno.EEXIST, "another localhub serves this state folder; stop it first", str(path))
    # Bound beside its name and moved into place: whoever finds the name finds a socket that listens, with its mode set.
    new = path.with_name(f"{path.name}.{os.getpid()}"[-40:])
    new.unlink(missing_ok=True)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        listener.bind(os.fspath(new))
        new.chmod(mode)
        listener.listen(128)
        new.rename(path)
    except BaseException:
        listener.close()
        new.unlink(missing_ok=True)
        raise
    listener.setblocking(False)
    return listener


@contextlib.contextmanager
def listening(path: Path, *, mode: int = 0o600) -> Iterator[socket.socket]:
    """`listen` for the length of a block; the name is gone afterwards."""
    listener = listen(path, mode=mode)
    try:
        yield listener
    finally:
        listener.close()
        path.unlink(missing_ok=True)


def answers(path: Path) -> bool:
    """Whether a process listens at the Unix socket `path`."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.settimeout(1)
        try:
            probe.connect(os.fspath(path))
        except OSError:
            return False
        return True


async def wait_for(path: Path, *, timeout_s: float) -> bool:
    """Wait until a process listens at `path`; False when it did not within `timeout_s` seconds."""
    loop = asyncio.get_running_loop()
    end = loop.time() + timeout_s
    while not answers(path):
        if loop.time() > end:
            return False
        await asyncio.sleep(0.01)  # a start takes some 300 ms; the socket itself is the only signal there is
    return True


def peer_pid(connection: socket.socket) -> int | None:
    """The process id at the other end of a Unix socket (unix(7), SO_PEERCRED); None where the system has none."""
    if connection.family != socket.AF_UNIX or not hasattr(socket, "SO_PEERCRED"):
        return None
    facts = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
    return int(struct.unpack("3i", facts)[0]) or None
