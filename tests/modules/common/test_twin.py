"""Settings from the twin and set here, as a module meets them."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from modules.common.local import LocalSetting, Said, to_json
from modules.common.settings import Settings, SettingsError
from modules.common.snapshot import Snapshot

if TYPE_CHECKING:
    from tests.modules.conftest import Make, Play, PlayedTransport, Until


def test_settings_come_from_the_twin_and_are_reported(
    make_edge: Make, transport: PlayedTransport, play: Play, until: Until
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
    make_edge: Make, transport: PlayedTransport, play: Play, until: Until
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
    error: Exception, make_edge: Make, transport: PlayedTransport, play: Play, until: Until
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
    make_edge: Make, transport: PlayedTransport, play: Play
) -> None:
    transport.desired = {"settings": {"limit": 77}, "$version": 3}
    play(make_edge(), lambda: asyncio.sleep(0))
    assert make_edge().settings.limit == 77


def in_force(twin: dict[str, Any]) -> dict[str, Any]:
    return {name: each["state"] for name, each in (twin.get("localSettings") or {}).items()}


def test_a_change_here_holds_until_the_cloud_says_otherwise_and_all_of_it_is_reported(
    make_edge: Make, transport: PlayedTransport, play: Play, until: Until
) -> None:
    transport.desired = {"settings": {"limit": 20}, "$version": 7}
    edge, told = make_edge(), []
    edge.on_settings(lambda new: told.append(new.limit))

    async def part() -> None:
        payload = {"settings": {"limit": 25, "names": {"a": 1}}, "who": "anna", "why": "glare"}
        status, answer = await transport.call("setLocal", payload)
        assert status == 200
        assert isinstance(answer, dict)
        assert answer["localSettings"]["limit"]["base"] == 7
        assert (edge.settings.limit, edge.settings.names) == (25, {"a": 1})
        transport.patch({"settings": {"names": {"b": 2}}, "$version": 8})
        await until(lambda: edge.settings.names == {"a": 1, "b": 2})
        assert edge.settings.limit == 25
        transport.patch({"settings": {"limit": 30}, "$version": 9})
        await until(lambda: edge.settings.limit == 30)
        await until(lambda: in_force(transport.twin_reported) == {"limit": "overridden", "names/a": "in force"})
        limit = transport.twin_reported["localSettings"]["limit"]
        assert (limit["value"], limit["version"], limit["cloud"], limit["who"]) == (25, 9, 30, "anna")
        assert transport.twin_reported["settings"]["local"] == 1
        assert (await transport.call("clearLocal", {"who": "anna"}))[0] == 200
        await until(lambda: in_force(transport.twin_reported) == {})
        assert edge.settings.names == {"b": 2}

    play(edge, part)
    assert told == [20, 25, 25, 30, 30]


def test_it_outlives_a_kill_and_the_cloud_wins_at_the_next_pull(
    make_edge: Make, transport: PlayedTransport, play: Play, until: Until, caplog: pytest.LogCaptureFixture
) -> None:
    async def change() -> None:
        assert (await transport.call("setLocal", {"settings": {"limit": 25}}))[0] == 200

    transport.desired = {"settings": {"limit": 20}, "$version": 7}
    play(make_edge(), change)
    again = make_edge()  # nothing of the first is used but its files, as after a kill
    assert again.settings.limit == 25
    assert again.local_settings()["limit"]["who"] == "somebody"

    async def look() -> None:
        await until(lambda: in_force(transport.twin_reported) == {"limit": "overridden"})
        assert again.settings.limit == 40

    transport.desired = {"settings": {"limit": 40}, "$version": 12}
    transport.twin_reported["localSettings"]["ghost"] = {"value": 1}
    play(again, look)
    assert "ghost" not in transport.twin_reported["localSettings"]
    assert "not set here any more: ghost" in caplog.text
    assert make_edge().settings.limit == 40


def test_a_change_here_that_cannot_be_used_or_kept_changes_nothing(
    make_edge: Make, transport: PlayedTransport, play: Play, monkeypatch: pytest.MonkeyPatch
) -> None:
    edge, told = make_edge(), []

    def handler(new: Any) -> None:
        if new.limit == 13:
            raise SettingsError("not thirteen")
        told.append(new.limit)

    def full(_self: object, _body: bytes) -> None:
        raise OSError(28, "No space left on device")

    async def part() -> None:
        for bad, why in (
            ({"limit": "x"}, "limit"),
            ({"limt": 3}, "limt"),
            ({"limit": 13}, "thirteen"),
            (7, "name the"),
        ):
            status, answer = await transport.call("setLocal", {"settings": bad})
            assert status == 400
            assert why in str(answer)
        monkeypatch.setattr("modules.common.snapshot.Snapshot.save", full)
        status, answer = await transport.call("setLocal", {"settings": {"limit": 14}})
        assert status == 500
        assert "No space left" in str(answer)
        assert edge.settings.limit == 10
        assert edge.local_settings() == {}

    edge.on_settings(handler)
    play(edge, part)
    assert told == [14, 10]


def test_a_bad_twin_leaves_room_for_changes_here(make_edge: Make, transport: PlayedTransport, play: Play) -> None:
    transport.desired = {"settings": {"limit": "high"}, "$version": 3}
    edge = make_edge()

    async def part() -> None:
        assert (await transport.call("setLocal", {"settings": {"limit": 5}}))[0] == 200
        assert edge.settings.limit == 5
        assert transport.twin_reported["settings"]["ok"] is False

    play(edge, part)


def test_what_a_new_version_of_the_module_does_not_know_gives_way_and_is_told(
    make_edge: Make, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    old = tuple(LocalSetting((name,), 25, 1, Said(0), "anna", "", "") for name in ("limit", "gone"))
    Snapshot(tmp_path / "local.snapshot").save(to_json(old))
    edge = make_edge()
    assert edge.settings.limit == 25
    assert in_force({"localSettings": edge.local_settings()}) == {"limit": "in force", "gone": "overridden"}
    assert "gone = 25 of anna gives way: it does not fit" in caplog.text
