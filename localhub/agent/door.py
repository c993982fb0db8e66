"""The door through which containers reach the hub, which is a process bound to loopback.

It listens on the gateway address of the containers' own network and on no other interface, and passes connections on:
8883 and 443 to the hub, 9600 to the metrics of hub or agent by the name that was asked for (edgeHub, edgeAgent).
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import re
from collections.abc import AsyncIterator, Callable, Mapping

MQTT, HTTPS, METRICS = 8883, 443, 9600
Address = tuple[str, int]
Targets = Mapping[int, Callable[[str], Address | None]]
"""By port: the host name that a client asked for ('' where none is looked for) -> where it is passed on to."""

_HOST = re.compile(rb"\r\nhost:[ \t]*([^:\r\n]*)", re.IGNORECASE)
_CHUNK = 65536

LOG = logging.getLogger(__name__)


@contextlib.asynccontextmanager
async def opened(at: str, targets: Targets) -> AsyncIterator[None]:
    """Listen at `at` while the block runs. Raises OSError when MQTT's port cannot be had; without others it goes on."""
    async with contextlib.AsyncExitStack() as stack:
        connections: set[asyncio.Task[None]] = set()
        for port, target in targets.items():

            async def pass_on(
                reader: asyncio.StreamReader,
                writer: asyncio.StreamWriter,
                target: Callable[[str], Address | None] = target,
                asks: bool = port == METRICS,  # noqa: FBT001  bound at definition, one for each port
            ) -> None:
                task = asyncio.current_task()
                assert task is not None
                connections.add(task)
                task.add_done_callback(connections.discard)
                with contextlib.closing(writer):
                    await _pass_on(reader, writer, target, asks=asks)

            try:
                server = await asyncio.start_server(pass_on, at, port, limit=2 * _CHUNK)
            except OSError as error:
                if port == MQTT:
                    raise
                LOG.warning("containers cannot reach port %d: %s", port, error)
                continue
            stack.callback(server.close)
        yield
        for task in list(connections):
            task.cancel()
        await asyncio.gather(*connections, return_exceptions=True)


async def _pass_on(
    reader: asyncio.StreamReader,
    writer: asyncio.StreamWriter,
    target: Callable[[str], Address | None],
    *,
    asks: bool,
) -> None:
    """One connection from its first byte to its last."""
    head, name = b"", ""
    if asks:
        try:
            head = await reader.readuntil(b"\r\n\r\n")
        except (OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            return
        found = _HOST.search(head)
        name = found[1].decode("ascii", "replace").strip().lower() if found else ""
    address = target(name)
    if address is None:
        return
    try:
        inner_reader, inner_writer = await asyncio.open_connection(*address, limit=2 * _CHUNK)
    except OSError:
        return  # the hub restarts: the client sees a closed connection, as it would see edgeHub's
    with contextlib.closing(inner_writer):
        inner_writer.write(head)
        there = asyncio.create_task(_copy(reader, inner_writer))
        back = asyncio.create_task(_copy(inner_reader, writer))
        try:
            await asyncio.wait({there, back}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            there.cancel()
            back.cancel()
            await asyncio.gather(there, back, return_exceptions=True)


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Until one side closes; a slow receiver slows the sender."""
    with contextlib.suppress(OSError):
        while data := await reader.read(_CHUNK):
            writer.write(data)
            await writer.drain()
