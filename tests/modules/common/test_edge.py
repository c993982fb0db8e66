"""What a module may rely on, with the network played by the test."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from modules.common.messages import BadMessage, Message, json_message, new_id
from modules.common.methods import MethodError
from modules.common.settings import Settings, SettingsError
from modules.common.transport import TransportDownError

if TYPE_CHECKING:
    from tests.modules.conftest import PlayedTransport

NOW = datetime(2026, 1, 2, tzinfo=UTC)
Make = Callable[[], Any]
Play = Callable[[Any, Callable[[], Awaitable[None]]], None]
Until = Callable[[Callable[[], object]], Awaitable[None]]


def reading(seq: int = 0, kind: str = "readings") -> Message:
    return json_message({"n": seq}, kind=kind, source="press4", seq=seq, time=NOW, message_id=new_id())


def test_a_message_is_acknowledged_only_when_its_handler_has_returned(
    make_edge: Make, transport: "PlayedTransport", play: Play, until: Until
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
    make_edge: Make, transport: "PlayedTransport", play: Play, until: Until
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
    make_edge: Make, transport: "PlayedTransport", play: Play, until: Until
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
    make_edge: Make, transport: "PlayedTransport", play: Play, until: Until
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
    transport: "PlayedTransport",
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
    make_edge: Make, transport: "PlayedTransport", play: Play, until: Until, monkeypatch: pytest.MonkeyPatch
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


def test_send_waits_for_edgehub_however_long_it_is_away(
    make_edge: Make, transport: "PlayedTransport", play: Play
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
    make_edge: Make, transport: "PlayedTransport", play: Play
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
    make_edge: Make, transport: "PlayedTransport", play: Play, until: Until
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


def test_lost_subscriptions_are_made_again_and_kept_ones_are_not(
    make_edge: Make, transport: "PlayedTransport", play: Play, until: Until
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
    transport: "PlayedTransport",
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


def test_settings_come_from_the_twin_and_are_reported(
    make_edge: Make, transport: "PlayedTransport", play: Play, until: Until
) -> None:
    transport.desired = {"settings": {"limit": 20}, "$version": 7}
    edge, told = make_edge(), []
    edge.on_settings(lambda new: told.append((new.limit, edge.settings.limit)))

    async def part() -> None:
        assert edge.settings.limit == 20
        transport.patch({"settings": {"limit": 30}, "$version": 8})
        await until(lambda: edge.settings.limit == 30)
        transport.patch({"settings": {"limit": "high"}, "$version": 9})
        await until(lambda: len(transport.reported) == 3)
        assert edge.settings.limit == 30

    play(edge, part)
    assert told == [(20, 10), (30, 20)]
    states: list[Any] = [patch["settings"] for patch in transport.reported]
    assert [(state["version"], state["ok"]) for state in states] == [(7, True), (8, True), (9, False)]
    assert "limit" in states[2]["error"]


def test_a_gap_in_the_versions_pulls_the_whole_twin(
    make_edge: Make, transport: "PlayedTransport", play: Play, until: Until
) -> None:
    edge = make_edge()

    async def part() -> None:
        transport.desired = {"settings": {"limit": 5}, "$version": 4}
        transport.patch({"settings": {"names": {"a": 1}}, "$version": 4})
        await until(lambda: edge.settings.limit == 5)
        assert edge.settings.names == {}
        assert transport.pulls == 2

    play(edge, part)


@pytest.mark.parametrize("error", [SettingsError("too hot"), RuntimeError("a bug")])
def test_a_module_may_refuse_and_keeps_what_it_had(
    error: Exception, make_edge: Make, transport: "PlayedTransport", play: Play, until: Until
) -> None:
    edge = make_edge()

    def refuse(_new: Settings) -> None:
        raise error

    async def part() -> None:
        transport.patch({"settings": {"limit": 30}, "$version": 2})
        await until(lambda: len(transport.reported) == 2)
        assert edge.settings.limit == 10

    edge.on_settings(refuse)
    play(edge, part)
    last: Any = transport.reported[-1]["settings"]
    assert last["ok"] is False
    assert str(error) in last["error"]


def test_the_last_good_twin_is_used_when_edgehub_is_away_at_the_start(
    make_edge: Make, transport: "PlayedTransport", play: Play
) -> None:
    transport.desired = {"settings": {"limit": 77}, "$version": 3}
    play(make_edge(), lambda: asyncio.sleep(0))
    assert make_edge().settings.limit == 77


def test_methods_answer_fail_and_are_unknown(make_edge: Make, transport: "PlayedTransport", play: Play) -> None:
    edge = make_edge()

    async def double(payload: Any) -> object:
        if not isinstance(payload, int):
            raise MethodError(400, "a number, please")
        return payload * 2 if payload < 100 else payload / 0

    async def part() -> None:
        assert await transport.call("double", 4) == (200, 8)
        assert await transport.call("double", "x") == (400, {"error": "a number, please"})
        assert (await transport.call("double", 100))[0] == 500
        assert (await transport.call("unheard"))[0] == 404
        status, pong = await transport.call("ping")
        assert (status, isinstance(pong, dict) and pong["module"]) == (200, "vibration")
        status, document = await transport.call("getStatus")
        assert status == 200
        assert isinstance(document, dict)
        assert document["settings"] == {"version": 1, "ok": True, "error": ""}
        assert "view" not in document

    edge.on_method("double", double)
    play(edge, part)


def test_the_heartbeat_says_how_the_module_is_and_where_its_view_is(
    make_edge: Make, transport: "PlayedTransport", play: Play, until: Until
) -> None:
    edge = make_edge()
    edge.health(lambda: {"state": "warn", "text": "camera line1 is dark", "cameras": 2})
    edge.health(lambda: {str(1 // 0): 1})
    edge.view("spectrum", lambda query: ("text/plain", query["of"].encode()))

    async def part() -> None:
        await until(lambda: transport.outputs("health"))
        health: Any = transport.outputs("health")[-1].document()
        assert (health["module"], health["state"], health["facts"]) == ("vibration", "warn", {"cameras": 2})
        async with httpx.AsyncClient(base_url=health["view"]["url"], trust_env=False) as client:
            token = {"Authorization": f"Bearer {health['view']['token']}"}
            assert (await client.get("/metrics")).text.count("millwatch_connected") > 0
            assert (await client.get("/view/spectrum?of=press4")).status_code == 401
            assert (await client.get("/view/spectrum?of=press4", headers=token)).text == "press4"
            assert (await client.get("/view/spectrum", headers=token)).status_code == 404
            assert (await client.get("/view/nothing", headers=token)).status_code == 404
            assert (await client.post("/metrics")).status_code == 405
            assert (await client.get("/")).status_code == 404

    play(edge, part)


def test_stopping_finishes_the_message_at_hand_commits_and_says_goodbye(
    make_edge: Make, transport: "PlayedTransport", play: Play, until: Until
) -> None:
    edge, story = make_edge(), []

    async def handler(_message: Message) -> None:
        story.append("begun")
        await asyncio.sleep(0.02)
        story.append("handled")

    async def commit() -> None:
        story.append("committed")
        edge.offer("windows", reading(kind="window"))

    async def part() -> None:
        transport.deliver("readings", reading(0))
        transport.deliver("readings", reading(1))
        await until(lambda: story)

    edge.on_input("readings", handler)
    edge.on_stop(commit)
    play(edge, part)
    assert story == ["begun", "handled", "committed"]
    assert len(transport.acknowledged) == 1
    assert len(transport.outputs("windows")) == 1
    assert transport.closed


def test_a_background_task_that_fails_stops_the_module(make_edge: Make, transport: "PlayedTransport") -> None:
    edge = make_edge()

    async def fail() -> None:
        raise OSError("no camera")

    edge.background("reader", fail)
    with pytest.raises(OSError, match="no camera"):
        asyncio.run(edge.run())
    assert transport.closed


def test_a_module_that_can_acknowledge_nothing_more_stops_instead_of_going_deaf(
    make_edge: Make, transport: "PlayedTransport", monkeypatch: pytest.MonkeyPatch
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


def test_every_id_is_in_the_ledger_before_it_is_sent(
    make_edge: Make, play: Play, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MILLWATCH_LEDGER", str(tmp_path / "ledger"))
    edge, sent, offered = make_edge(), reading(kind="alert"), reading(kind="sample")

    async def part() -> None:
        await edge.send("alerts", sent)
        edge.offer("samples", offered)

    play(edge, part)
    lines = (tmp_path / "ledger" / "vibration.ids").read_text().splitlines()
    assert {f"alerts {sent.message_id}", f"samples {offered.message_id}"} <= set(lines)
