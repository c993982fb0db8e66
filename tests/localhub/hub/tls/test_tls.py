"""TLS straight on the socket: every byte arrives, in order, and a peer that does not read costs bounded memory."""

from __future__ import annotations

import asyncio
import contextlib
import random
import ssl
from collections.abc import Awaitable, Callable
from pathlib import Path

from localhub import certs
from localhub.hub.listener import Listener
from localhub.hub.tls import HIGH_WATER, MOST_HELD, TlsTransport
from localhub.hub.troubles import Handshakes
from localhub.state import State


class Server(asyncio.Protocol):
    """The hub's side: keeps what it hears."""

    def __init__(self) -> None:
        self.transport: TlsTransport
        self.heard = bytearray()
        self.paused: list[bool] = []
        self.lost: list[Exception | None] = []

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, TlsTransport)
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self.heard += data

    def pause_writing(self) -> None:
        self.paused.append(True)

    def resume_writing(self) -> None:
        self.paused.append(False)

    def connection_lost(self, exc: Exception | None) -> None:
        self.lost.append(exc)


Story = Callable[[Server, asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


def play(folder: Path, story: Story) -> None:
    """A server and one client on one loop."""
    state = State.prepare(folder / "state", address="127.0.0.1", https_port=None)
    certs.ensure(state)
    ours = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    ours.load_cert_chain(state.server_certificate, state.server_key)
    theirs = ssl.create_default_context(cafile=str(state.ca_certificate))

    async def run() -> None:
        loop = asyncio.get_running_loop()
        server = Server()
        listener = Listener(loop, ours, lambda: server, Handshakes(loop.time))
        listener.open("127.0.0.1", 0)
        assert listener._socket is not None
        port = listener._socket.getsockname()[1]
        reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=theirs, limit=1 << 16)
        try:
            while not hasattr(server, "transport"):  # noqa: ASYNC110 - the client's side is ready first
                await asyncio.sleep(0.001)
            await asyncio.wait_for(story(server, reader, writer), 30)
        finally:
            listener.close()
            server.transport.abort()
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()

    asyncio.run(run())  # uvloop's client loses what it has not read when the server says goodbye


async def heard(server: Server, data: bytes) -> None:
    """Wait for data at the server."""
    while len(server.heard) < len(data):  # noqa: ASYNC110 - play() has the limit of time
        await asyncio.sleep(0.001)
    assert server.heard == data


def noise(size: int) -> bytes:
    return random.Random(size).randbytes(size)


def test_all_sizes_go_both_ways(tmp_path: Path) -> None:
    async def story(server: Server, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for size in (1, 16_383, 16_384, 16_385, 200_000, 1_500_000):
            data = noise(size)
            server.heard.clear()
            writer.write(data)
            await heard(server, data)
            server.transport.write(data)
            assert await reader.readexactly(size) == data

    play(tmp_path, story)


def test_a_slow_reader_is_waited_for_and_gets_everything(tmp_path: Path) -> None:
    async def story(server: Server, reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
        sent = bytearray()
        while not server.paused:
            part = noise(8_192)
            sent += part
            server.transport.write(part)
            await asyncio.sleep(0)
        assert HIGH_WATER < len(server.transport._held) < MOST_HELD
        server.transport.write(b"the end")
        assert await reader.readexactly(len(sent) + 7) == sent + b"the end"
        assert server.paused == [True, False]
        assert not server.lost

    play(tmp_path, story)


def test_a_peer_that_never_reads_is_let_go(tmp_path: Path) -> None:
    async def story(server: Server, _reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
        most = 0
        while not server.lost:
            server.transport.write(noise(65_536))
            most = max(most, len(server.transport._held))
            await asyncio.sleep(0)
        assert most <= MOST_HELD + 65_536
        assert isinstance(server.lost[0], TimeoutError)

    play(tmp_path, story)


def test_what_was_written_before_close_arrives_and_paused_reading_leaves_it_to_the_peer(tmp_path: Path) -> None:
    async def story(server: Server, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        server.transport.pause_reading()
        writer.write(b"later")
        await asyncio.sleep(0.02)
        assert server.heard == b""
        server.transport.resume_reading()
        await heard(server, b"later")
        data = noise(700_000)
        server.transport.write(data)
        server.transport.close()
        assert await reader.read(-1) == data
        assert server.lost == [None]

    play(tmp_path, story)
