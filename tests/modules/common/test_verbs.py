"""Commands that every module takes beside its own."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from modules.common.messages import Message, json_message, new_id

if TYPE_CHECKING:
    from tests.modules.conftest import Make, Play, PlayedTransport, Until


def command(document: dict[str, Any]) -> Message:
    time = datetime(2026, 1, 2, tzinfo=UTC)
    return json_message(document, kind="command", source="status", seq=0, time=time, message_id=new_id())


def test_settings_are_set_and_cleared_by_command_and_the_modules_own_verbs_reach_it(
    make_edge: Make, transport: PlayedTransport, play: Play, until: Until
) -> None:
    edge, own = make_edge(), []

    async def handler(message: Message) -> None:
        own.append(message.document()["verb"])

    async def part() -> None:
        set_limit = command({"verb": "setLocal", "settings": {"limit": 33}, "who": "ben"})
        transport.deliver("commands", set_limit)
        transport.deliver("commands", command({"verb": "relearn"}))
        await until(lambda: own)
        assert edge.settings.limit == 33
        assert edge.local_settings()["limit"]["at"] == "2026-01-02T00:00:00.000Z"
        transport.patch({"settings": {"limit": 40}, "$version": 2})
        await until(lambda: edge.settings.limit == 40)
        transport.deliver("commands", set_limit)  # once more, as edgeHub may
        transport.deliver("commands", command({"verb": "setLocal", "settings": {"limit": "x"}}))
        await until(lambda: len(transport.acknowledged) == 4)
        assert edge.settings.limit == 40
        transport.deliver("commands", command({"verb": "clearLocal", "who": "ben"}))
        await until(lambda: not edge.local_settings())

    edge.on_input("commands", handler)
    play(edge, part)
    assert own == ["relearn"]
    assert edge.metrics.total(edge.metrics.rejected) == 1


def test_a_module_without_commands_of_its_own_takes_them_too(
    make_edge: Make, transport: PlayedTransport, play: Play, until: Until
) -> None:
    edge = make_edge()

    async def part() -> None:
        transport.deliver("commands", command({"verb": "setLocal", "settings": {"limit": 33}}))
        transport.deliver("commands", command({"verb": "dance"}))
        await until(lambda: len(transport.acknowledged) == 2)
        assert edge.settings.limit == 33

    play(edge, part)
    assert edge.metrics.total(edge.metrics.rejected) == 1
