"""How a module ends: in order, or by an error."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from modules.common.messages import Message

if TYPE_CHECKING:
    from tests.modules.conftest import Make, Play, PlayedTransport, Reading, Until


def test_stopping_finishes_the_message_at_hand_commits_and_says_goodbye(
    make_edge: Make, reading: Reading, transport: PlayedTransport, play: Play, until: Until
) -> None:
    edge, story, stopping = make_edge(), [], asyncio.Event()

    async def handler(_message: Message) -> None:
        story.append("begun")
        await stopping.wait()
        story.append("handled")

    async def commit() -> None:
        story.append("committed")
        edge.offer("windows", reading(kind="window"))

    async def part() -> None:
        transport.deliver("readings", reading(0))
        transport.deliver("readings", reading(1))
        await until(lambda: story)
        edge.stop()
        stopping.set()

    edge.on_input("readings", handler)
    edge.on_stop(commit)
    play(edge, part)
    assert story == ["begun", "handled", "committed"]
    assert len(transport.acknowledged) == 1
    assert len(transport.outputs("windows")) == 1
    assert transport.closed


def test_a_background_task_that_fails_stops_the_module(make_edge: Make, transport: PlayedTransport) -> None:
    edge = make_edge()

    async def fail() -> None:
        raise OSError("no camera")

    edge.background("reader", fail)
    with pytest.raises(OSError, match="no camera"):
        asyncio.run(edge.run())
    assert transport.closed


def test_a_module_that_can_acknowledge_nothing_more_stops_instead_of_going_deaf(
    make_edge: Make, reading: Reading, transport: PlayedTransport, monkeypatch: pytest.MonkeyPatch
) -> None:
    edge = make_edge()

    def broken(_self: object) -> bool:
        raise AttributeError("the SDK has changed")

    async def handler(_message: Message) -> None:
        monkeypatch.setattr("modules.common.transport.Delivery.acknowledge", property(broken))

    async def deliver() -> None:
        await asyncio.sleep(0.05)
        transport.deliver("readings", reading())

    edge.on_input("readings", handler)
    edge.background("sender", deliver)
    with pytest.raises(AttributeError, match="has changed"):
        asyncio.run(edge.run())
