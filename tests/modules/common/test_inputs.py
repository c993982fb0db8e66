"""Messages in: order, acknowledgement, redelivery, poison."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from modules.common.messages import BadMessage, Message

if TYPE_CHECKING:
    from tests.modules.conftest import Make, Play, PlayedTransport, Reading, Until


def test_a_message_is_acknowledged_only_when_its_handler_has_returned(
    make_edge: Make, reading: Reading, transport: PlayedTransport, play: Play, until: Until
) -> None:
    edge, message = make_edge(), reading()
    begun, finish = asyncio.Event(), asyncio.Event()

    async def handler(_message: Message) -> None:
        begun.set()
        await finish.wait()

    async def part() -> None:
        transport.deliver("readings", message)
        await begun.wait()
        assert transport.acknowledged == []
        finish.set()
        await until(lambda: transport.acknowledged == [message.message_id])

    edge.on_input("readings", handler)
    play(edge, part)


def test_order_is_kept_although_handlers_wait(
    make_edge: Make, reading: Reading, transport: PlayedTransport, play: Play, until: Until
) -> None:
    edge, seen, messages = make_edge(), [], [reading(seq) for seq in range(20)]

    async def handler(message: Message) -> None:
        await asyncio.sleep(0.002 if message.seq % 3 == 0 else 0)
        seen.append(message.seq)

    async def part() -> None:
        for message in messages:
            transport.deliver("readings", message)
        await until(lambda: len(transport.acknowledged) == 20)

    edge.on_input("readings", handler)
    play(edge, part)
    assert seen == list(range(20))
    assert transport.acknowledged == [message.message_id for message in messages]


def test_an_ack_never_crosses_to_another_connection_and_the_redelivery_is_handled_again(
    make_edge: Make, reading: Reading, transport: PlayedTransport, play: Play, until: Until
) -> None:
    edge, message, seen = make_edge(), reading(), []
    finish = asyncio.Event()

    async def handler(message: Message) -> None:
        seen.append(message.message_id)
        await finish.wait()

    async def part() -> None:
        transport.deliver("readings", message)
        transport.deliver("readings", reading(1))  # waits behind it, and goes with its connection
        await until(lambda: seen)
        transport.down()
        transport.up(session=True)
        finish.set()
        await asyncio.sleep(0.02)
        assert transport.acknowledged == []
        transport.deliver("readings", message)
        await until(lambda: transport.acknowledged == [message.message_id])

    edge.on_input("readings", handler)
    play(edge, part)
    assert seen == [message.message_id, message.message_id]


def test_what_can_never_be_handled_is_counted_acknowledged_and_passed_by(
    make_edge: Make, reading: Reading, transport: PlayedTransport, play: Play, until: Until
) -> None:
    edge, good, seen = make_edge(), reading(3), []

    async def handler(message: Message) -> None:
        if message.seq == 0:
            raise BadMessage("nan", "press4")
        seen.append(message.seq)

    async def part() -> None:
        transport.deliver("readings", reading(0))
        transport.deliver("readings", reading(1), kind="gossip")
        transport.deliver("elsewhere", reading(2))
        transport.deliver("readings", good)
        await until(lambda: len(transport.acknowledged) == 4)

    edge.on_input("readings", handler)
    play(edge, part)
    assert seen == [3]
    text = edge.metrics.render().decode()
    for name, reason in (("readings", "nan"), ("readings", "unknown_kind"), ("elsewhere", "no_such_input")):
        assert f'input="{name}",module_name="vibration",reason="{reason}"' in text or reason in text
    assert edge.metrics.total(edge.metrics.rejected) == 3


def test_a_handler_that_keeps_failing_costs_its_message_not_the_line(
    make_edge: Make,
    reading: Reading,
    transport: PlayedTransport,
    play: Play,
    until: Until,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("modules.common.inputs._RETRY_AFTER", (0.001, 0.001, 0.001))
    edge, poison, tries = make_edge(), reading(0), []

    async def handler(message: Message) -> None:
        if message.seq == 0:
            tries.append(message)
            raise RuntimeError("poison")

    async def part() -> None:
        transport.deliver("readings", poison)
        transport.deliver("readings", reading(1))
        await until(lambda: len(transport.acknowledged) == 2)

    edge.on_input("readings", handler)
    play(edge, part)
    assert len(tries) == 4
    assert (tmp_path / "dead" / f"{poison.message_id}.bin").read_bytes() == poison.body
    facts = json.loads((tmp_path / "dead" / f"{poison.message_id}.json").read_bytes())
    assert (facts["input"], facts["properties"]["source"]) == ("readings", "press4")


def test_a_failure_that_passes_is_tried_again_in_place(
    make_edge: Make,
    reading: Reading,
    transport: PlayedTransport,
    play: Play,
    until: Until,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("modules.common.inputs._RETRY_AFTER", (0.001, 0.001, 0.001))
    edge, tries = make_edge(), []

    async def handler(message: Message) -> None:
        tries.append(message)
        if len(tries) < 3:
            raise OSError("disk busy")

    async def part() -> None:
        transport.deliver("readings", reading())
        await until(lambda: len(transport.acknowledged) == 1)

    edge.on_input("readings", handler)
    play(edge, part)
    assert edge.metrics.total(edge.metrics.dead) == 0
