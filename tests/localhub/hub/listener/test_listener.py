"""The door under a flood: connections that never say who they are push out each other, and nobody else."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import pytest

from localhub.hub.listener import MOST_STRANGERS

if TYPE_CHECKING:
    from tests.localhub.hub.conftest import Hub, Module

Open = Callable[[str], socket.socket]


@pytest.fixture
def half_open(hub: Hub) -> Iterator[Open]:
    """Makes TCP connections from a given address that never begin TLS."""
    with contextlib.ExitStack() as stack:

        def make(source: str) -> socket.socket:
            made = stack.enter_context(
                socket.create_connection((hub.state.address, 8883), 60, source_address=(source, 0))
            )
            made.settimeout(60)
            return made

        yield make


def test_half_open_connections_make_room_for_those_who_want_in(
    hub: Hub,
    half_open: Open,
    module: Callable[..., Module],
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("localhub.hub.listener.HANDSHAKE_WITHIN_S", 300.0)  # not what anybody is let go for here
    quiet = half_open("127.0.0.7")
    flood = [half_open("127.0.0.6") for _ in range(3 * MOST_STRANGERS)]
    assert flood[0].recv(1) == b""  # the oldest of the flood had to go
    beta, alpha = module("beta"), module("alpha")
    beta.listen()
    alpha.send("x", b"through the flood")
    assert beta.receive() == [b"through the flood"]
    listener = hub.broker._listener
    assert listener is not None
    assert hub.call(lambda: len(listener._strangers)) <= MOST_STRANGERS
    quiet.settimeout(0.05)
    with pytest.raises(TimeoutError):  # it did not flood, and may still make up its mind
        quiet.recv(1)
    assert any("never say CONNECT" in record.getMessage() for record in caplog.records)


def test_a_handshake_that_takes_too_long_is_ended(
    hub: Hub, half_open: Open, monkeypatch: pytest.MonkeyPatch, eventually: Callable[..., None]
) -> None:
    monkeypatch.setattr("localhub.hub.listener.HANDSHAKE_WITHIN_S", 0.0)
    assert half_open("127.0.0.6").recv(1) == b""
    listener = hub.broker._listener
    assert listener is not None
    eventually(lambda: hub.call(lambda: len(listener._strangers)) == 0)
