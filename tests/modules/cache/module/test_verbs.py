"""Every verb, asked by direct method, by command and over the socket: answers, and what is wrong in words."""

from __future__ import annotations

import asyncio
import json
from base64 import b64decode
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

import pytest

from modules.cache import control, keytender
from modules.cache.store.house import House
from modules.common.messages import Message, json_message

if TYPE_CHECKING:
    from tests.modules.cache.module.conftest import Line

Make = Callable[..., Message]
Until = Callable[[Callable[[], bool]], Awaitable[None]]
ALWAYS = {"from": "2020-01-01T00:00:00Z", "to": "2100-01-01T00:00:00Z"}
VERBS = {"stats", "verify", "inspect", "export", "replay", "flush", "pause", "resume", "erase", "rotate"}


async def keep(line: Line, until: Until, *messages: Message) -> None:
    before = len(line.transport.acknowledged)
    for message in messages:
        line.transport.deliver("telemetry", message)
    await until(lambda: len(line.transport.acknowledged) == before + len(messages))


async def ask(line: Line, verb: str, payload: object = None) -> Any:
    status, answer = await line.transport.call(verb, payload)
    assert status == 200, answer
    return answer


def test_every_verb_is_a_method_a_command_and_on_the_socket(line: Line) -> None:
    assert set(line.module._verbs.handlers) == VERBS
    assert set(line.edge._methods.handlers) >= VERBS


@pytest.mark.parametrize(
    ("verb", "payload", "text"),
    [
        ("stats", {"x": 1}, "stats: x: Extra inputs"),
        ("verify", [], "verify: its arguments are a JSON object"),
        ("inspect", {"priority": 7}, "inspect: priority: Input should be 0, 1 or 2"),
        ("inspect", {"count": 1000}, "inspect: count"),
        ("export", {"after": -1}, "export: after"),
        ("erase", {"source": "x"}, "who: Field required"),
        ("erase", {"source": "", "who": "Ada"} | ALWAYS, "erase: source"),
        ("erase", {"source": "x", "who": "Ada", "from": "2026-01-02T00:00:00Z", "to": "2026-01-01T00:00:00Z"}, "`to`"),
        ("erase", {"source": "x", "who": "Ada", "from": "yesterday", "to": "today"}, "from: Input should be a valid"),
        (
            "erase",
            {"source": "x", "who": "Ada", "from": "2026-01-02T00:00:00", "to": "2026-01-03T00:00:00"},
            "timezone",
        ),
        ("replay", {}, "replay: from: Field required"),
        ("replay", {"stop": "perhaps"}, "replay: stop"),
        ("rotate", {"key": 3}, "rotate: key"),
    ],
)
def test_bad_arguments_are_refused_in_words(line: Line, until: Until, verb: str, payload: object, text: str) -> None:
    async def play() -> None:
        async with line.running():
            await until(line.module._opened.is_set)
            status, answer = await line.transport.call(verb, payload)
            assert status == 400
            assert text in str(answer)

    asyncio.run(play())


def test_export_gives_every_record_a_page_at_a_time(line: Line, until: Until, make_message: Make) -> None:
    messages = [make_message("window", body=b'{"n":%d}' % n) for n in range(7)]
    messages.append(make_message("window", body=b"\xff" * 60_000))
    messages.append(make_message("window", body=b"\xfe" * 60_000))

    async def play() -> None:
        async with line.running():
            await until(line.module._opened.is_set)
            await ask(line, "pause")
            await keep(line, until, *messages)
            found: list[Any] = []
            after = pages = 0
            while True:
                page = await ask(line, "export", {"priority": 1, "count": 5, "after": after})
                if not page["records"]:
                    break
                found, after, pages = found + page["records"], page["next"], pages + 1
            assert [b64decode(record["body"]) for record in found] == [message.body for message in messages]
            assert [record["properties"] for record in found] == [message.facts() for message in messages]
            assert pages == 3, "five; two small and a large one; the other large one"
            assert (await ask(line, "stats"))["depth"] == 9

    asyncio.run(play())


def test_erase_says_what_went_and_the_page_of_records_is_without_it(
    line: Line, house: House, until: Until, make_message: Make
) -> None:
    (house.root / "set-aside-x-key").mkdir(parents=True)

    async def play() -> None:
        async with line.running():
            await until(line.module._opened.is_set)
            await ask(line, "pause")
            await keep(line, until, *[make_message("window", source=source) for source in ("a/1", "b", "a/2")])
            answer = await ask(line, "erase", {"source": "a/*", "who": "Ada", "why": "request 17"} | ALWAYS)
            assert (answer["state"], answer["stored"], answer["who"]) == ("done", 2, "Ada")
            assert answer["set_aside"] == ["set-aside-x-key"], "it may hold more, and no erasure reaches it"
            found = await ask(line, "inspect", {"priority": 1})
            assert [record["source"] for record in found["records"]] == ["b"]
            stats = await ask(line, "stats")
            assert stats["erasures"][0]["why"] == "request 17"
            assert {(drop["reason"], drop["n"]) for drop in stats["dropped"]} == {("erased", 2)}
            await ask(line, "resume")
            await until(lambda: len(line.transport.outputs("upstream1")) == 1)

    asyncio.run(play())


def test_replay_by_method(line: Line, until: Until, make_message: Make) -> None:
    async def play() -> None:
        async with line.running():
            await until(line.module._opened.is_set)
            line.transport.patch({"settings": {"retention_hours": {"aggregates": 1}}, "$version": 2})
            await until(lambda: bool(line.edge.settings.retention_hours.aggregates))
            await keep(line, until, make_message("window"), make_message("window", source="b"))
            await until(lambda: line.module._figures.get("depth") == 0 and bool(line.module._figures["last_confirmed"]))
            line.waiting = 1000
            name = (await ask(line, "replay", {"source": "b"} | ALWAYS))["replay"]
            status, answer = await line.transport.call("replay", ALWAYS)
            assert status == 409
            assert "stop" in str(answer)
            await until(lambda: bool(line.transport.outputs("upstream2")))
            assert line.transport.outputs("upstream2")[0].properties == {"replay": name}
            assert (await ask(line, "replay", {"stop": True}))["done"]

    asyncio.run(play())


def test_rotate_changes_the_key_and_drops_the_old_one_when_nothing_needs_it(
    line: Line, house: House, until: Until, make_message: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keytender, "_LOOK_S", 0.02)
    line.waiting = 1000

    async def play() -> None:
        async with line.running():
            await until(line.module._opened.is_set)
            await keep(line, until, make_message())
            assert await ask(line, "rotate") == {"key": 2, "keys": [1, 2]}
            await keep(line, until, make_message())
            await asyncio.sleep(0.1)
            assert (await ask(line, "stats"))["keys"] == [1, 2]
            line.waiting = 0
            await until(lambda: line.module._figures["keys"] == [2])
            await until(lambda: [key["number"] for key in json.loads(house.keys.text())["keys"]] == [2])

    asyncio.run(play())


def test_a_command_does_the_same_and_the_heartbeat_says_what_became_of_it(
    line: Line, until: Until, make_message: Make
) -> None:
    def command(**document: object) -> Message:
        return json_message(document, kind="command", source="status", seq=0, time=make_message().time)

    async def play() -> None:
        async with line.running():
            await until(line.module._opened.is_set)

            async def told(document: Message) -> Any:
                line.module._last_command = None
                line.transport.deliver("commands", document)
                await until(lambda: line.module._last_command is not None)
                return line.module._last_command

            for verb in sorted(VERBS - {"erase", "replay"}):
                said = await told(command(verb=verb, target="cache", who="Ada", why="because"))
                assert (said["verb"], said["ok"]) == (verb, True)
            said = await told(command(verb="erase", target="cache", source="a", who="Ada", **ALWAYS))
            assert said["answer"]["state"] == "done"
            said = await told(command(verb="replay", target="cache", who="Ada", **ALWAYS))
            assert said["ok"]
            said = await told(command(verb="erase", target="cache", source="a"))
            assert not said["ok"]
            assert "who" in said["error"]
            await until(lambda: line.edge.metrics.total(line.edge.metrics.rejected) == 1)
            assert line.edge._document()["facts"]["last_command"] == said  # type: ignore[index]

    asyncio.run(play())


def test_the_socket_answers_as_a_direct_method(line: Line, house: House, until: Until) -> None:
    async def play() -> None:
        async with line.running():
            await until(line.module._opened.is_set)
            await until((house.root / control.NAME).exists)
            status, stats = await asyncio.to_thread(control.ask, house.root, "stats", {})
            assert status == 200
            assert isinstance(stats, dict)
            assert stats["depth"] == 0
            assert (await asyncio.to_thread(control.ask, house.root, "inspect", {"priority": 9}))[0] == 400
            assert (await asyncio.to_thread(control.ask, house.root, "dance", {}))[0] == 400
            assert (house.root / control.NAME).stat().st_mode & 0o777 == 0o600

    asyncio.run(play())
    with pytest.raises(control.NotRunningError):
        control.ask(house.root, "stats", {})
