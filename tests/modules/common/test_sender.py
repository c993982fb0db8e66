"""Messages out: sent when edgeHub is there, bounded while it is not, in the ledger first."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from modules.common.messages import BadMessage, Message, new_id
from modules.common.transport import TransportDownError

if TYPE_CHECKING:
    from tests.modules.conftest import Make, Play, PlayedTransport, Reading, Until


NOW = datetime(2026, 1, 2, tzinfo=UTC)


def test_send_waits_for_edgehub_however_long_it_is_away(
    make_edge: Make, reading: Reading, transport: PlayedTransport, play: Play
) -> None:
    edge, message = make_edge(), reading(kind="alert")

    async def part() -> None:
        transport.down()
        sending = asyncio.create_task(edge.send("alerts", message))
        await asyncio.sleep(0.02)
        assert not sending.done()
        transport.up(session=True)
        await sending
        assert transport.outputs("alerts") == [message]

    play(edge, part)


def test_send_tries_again_when_the_connection_breaks_under_it(
    make_edge: Make, reading: Reading, transport: PlayedTransport, play: Play
) -> None:
    edge = make_edge()
    broken: list[Message] = []

    async def break_once(_output: str, message: Message) -> None:
        if message.kind == "alert" and not broken:
            broken.append(message)
            raise TransportDownError("broken")

    async def part() -> None:
        transport.before_send = break_once
        await edge.send("alerts", reading(kind="alert"))

    play(edge, part)
    assert len(transport.outputs("alerts")) == 1


def test_what_edgehub_could_never_take_is_refused_before_it_is_sent(make_edge: Make, play: Play) -> None:
    edge = make_edge()
    big = Message(body=b"x" * 262_000, kind="frame", source="c", seq=0, time=NOW, message_id=new_id())

    async def part() -> None:
        with pytest.raises(BadMessage, match="oversize"):
            await edge.send("frames", big)
        with pytest.raises(BadMessage, match="oversize"):
            edge.offer("frames", big)

    play(edge, part)


def test_old_frames_give_way_to_new_ones_and_are_counted(
    make_edge: Make, reading: Reading, transport: PlayedTransport, play: Play, until: Until
) -> None:
    edge = make_edge()

    async def part() -> None:
        transport.down()
        for seq in range(40):
            edge.offer("frames", reading(seq, kind="frame"))
        transport.up(session=True)
        await until(lambda: transport.outputs("frames") and transport.outputs("frames")[-1].seq == 39)

    play(edge, part)
    # One may already have left the outbox to wait for the connection.
    assert len(transport.outputs("frames")) in (16, 17)
    assert edge.metrics.total(edge.metrics.dropped) in (23, 24)


def test_every_id_is_in_the_ledger_before_it_is_sent(
    make_edge: Make, reading: Reading, play: Play, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MILLWATCH_LEDGER", str(tmp_path / "ledger"))
    edge, sent, offered = make_edge(), reading(kind="alert"), reading(kind="sample")

    async def part() -> None:
        await edge.send("alerts", sent)
        edge.offer("samples", offered)

    play(edge, part)
    lines = (tmp_path / "ledger" / "vibration.ids").read_text().splitlines()
    assert {f"alerts {sent.message_id}", f"samples {offered.message_id}"} <= set(lines)
