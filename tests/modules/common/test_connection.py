"""Staying connected, and being known to edgeHub again."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from modules.common.messages import Message

if TYPE_CHECKING:
    from tests.modules.conftest import Make, Play, PlayedTransport, Until


def test_lost_subscriptions_are_made_again_and_kept_ones_are_not(
    make_edge: Make, transport: PlayedTransport, play: Play, until: Until
) -> None:
    edge = make_edge()

    async def handler(_message: Message) -> None:
        pass

    async def part() -> None:
        await until(lambda: transport.subscribed == ["twin", "methods", "inputs"])
        transport.down()
        transport.up(session=True)
        await until(lambda: transport.pulls == 2)
        assert len(transport.subscribed) == 3
        transport.down()
        transport.up(session=False)
        await until(lambda: len(transport.subscribed) == 6)

    edge.on_input("readings", handler)
    play(edge, part)


def test_the_first_connection_is_sought_for_ever_and_the_outage_said_once(
    make_edge: Make,
    transport: PlayedTransport,
    play: Play,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr("modules.common.connection._FIRST_WAIT", 0.001)
    monkeypatch.setattr("modules.common.connection._LONGEST_WAIT", 0.002)
    transport.refuse = 8
    with caplog.at_level("INFO"):
        play(make_edge(), lambda: asyncio.sleep(0))
    said = [record.getMessage() for record in caplog.records if "edgeHub" in record.getMessage()]
    assert len(said) == 2
    assert "cannot be reached" in said[0]
    assert "is back" in said[1]
