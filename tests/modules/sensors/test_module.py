"""The module over a played edgeHub: sources start, change, fail and are told of; one more protocol is one more line."""

import json
import subprocess
import sys
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from types import ModuleType
from typing import Any, Literal

import pytest

from modules.common import outbox
from modules.common.edge import Edge
from modules.common.messages import Waveform, senml
from modules.sensors import sources
from modules.sensors.module import SensorsModule
from modules.sensors.point import Point
from modules.sensors.settings import SensorsSettings
from modules.sensors.sources.base import Feed, SourceError, SourceSettings
from tests.modules.conftest import PlayedTransport, Until

ROOT = Path(__file__).parents[3]


class Played(SourceSettings):
    """A protocol of one file: what it says is in the list of its point's address."""

    type: Literal["played"]
    answers = True

    def make(self, points: tuple[Point, ...]) -> "PlayedSource":
        return PlayedSource(points)


class PlayedSource:
    said: dict[str, list[object]] = {}  # noqa: RUF012 - the test's hand in it
    broken: set[str] = set()  # noqa: RUF012
    runs: list[str] = []  # noqa: RUF012
    feeds: list[Feed] = []  # noqa: RUF012

    def __init__(self, points: tuple[Point, ...]) -> None:
        self._points = points

    async def run(self, feed: Feed) -> None:
        self.runs.append(self._points[0].address)
        self.feeds.append(feed)
        feed.connected()
        while True:
            asked = await feed.asked(0.01)
            for point in self._points:
                if point.address in self.broken:
                    raise SourceError("no answer from 192.0.2.7")
                waiting = self.said.setdefault(point.address, [])
                while waiting:
                    feed.take(point, waiting.pop(0))
            if asked:
                feed.answered()


@pytest.fixture(autouse=True)
def played(monkeypatch: pytest.MonkeyPatch) -> None:
    """A protocol is added as it would be in the tree: a file, and a line in KINDS."""
    file = ModuleType("modules.sensors.sources.played")
    file.Played = Played  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, file.__name__, file)
    monkeypatch.setitem(sources.KINDS.places, "played", "played.Played")
    for shared in (PlayedSource.said, PlayedSource.broken, PlayedSource.runs, PlayedSource.feeds):
        shared.clear()


@pytest.fixture
def edge(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, transport: PlayedTransport) -> Edge[SensorsSettings]:
    monkeypatch.setenv("MILLWATCH_VIEW_PORT", "0")
    monkeypatch.setenv("MILLWATCH_BATCH_S", "0.01")
    edge = Edge("sensors", SensorsSettings, state_dir=tmp_path, transport=transport, heartbeat_s=60)
    SensorsModule(edge)
    return edge


def source(address: str, **more: Any) -> dict[str, Any]:
    points = [{"name": f"{address}/oil", "address": address, "unit": "Cel", "interval_s": 0}]
    return {"type": "played", "points": points, "retry_s": 0.3} | more


def wanted(transport: PlayedTransport, **named: dict[str, Any]) -> None:
    transport.desired = {"settings": {"sources": named}, "$version": 1}


def sent(transport: PlayedTransport) -> dict[str, list[float]]:
    found: dict[str, list[float]] = {}
    for message in transport.outputs("readings"):
        batch = senml.decode(message.body)
        for name, value in zip(batch.names, batch.values, strict=True):
            found.setdefault(name, []).append(value)
    return found


async def health(transport: PlayedTransport) -> dict[str, Any]:
    _, document = await transport.call("getStatus")
    assert isinstance(document, dict)
    return document


Play = Callable[..., None]


def test_what_a_source_says_is_sent_as_its_readings(
    edge: Edge[SensorsSettings], transport: PlayedTransport, play: Play, until: Until
) -> None:
    wanted(transport, press=source("a"))
    PlayedSource.said["a"] = [1, 2]

    async def part() -> None:
        await until(lambda: sent(transport) == {"a/oil": [1, 2]})
        (message, *_) = transport.outputs("readings")
        assert (message.source, message.kind, message.seq) == ("sensors/press", "readings", 0)
        assert message.content_type == "application/senml+json"
        assert (await health(transport))["state"] == "ok"

    play(edge, part)


def test_a_waveform_goes_to_its_own_output(
    edge: Edge[SensorsSettings], transport: PlayedTransport, play: Play, until: Until
) -> None:
    point = {"name": "fan", "address": "a", "rate_hz": 100, "unit": "m/s2"}
    wanted(transport, fan=source("a", points=[point]))
    PlayedSource.said["a"] = [[1.0, 2.0], [1.0, float("nan")]]

    async def part() -> None:
        await until(lambda: transport.outputs("waveforms"))
        wave = Waveform.of(transport.outputs("waveforms")[0])
        assert (wave.source, wave.count, wave.rate_hz) == ("fan", 2, 100)
        assert (await health(transport))["facts"]["sources"]["fan"]["dropped"] == {"nan": 1}

    play(edge, part)


def test_a_dead_source_is_told_by_name_and_disturbs_no_other(
    edge: Edge[SensorsSettings], transport: PlayedTransport, play: Play, until: Until
) -> None:
    wanted(transport, press=source("a"), oven=source("b"))

    async def part() -> None:
        await until(lambda: len(PlayedSource.runs) == 2)
        PlayedSource.broken.add("a")
        beats = len(transport.outputs("health"))
        await until(lambda: len(transport.outputs("health")) > beats)
        told = transport.outputs("health")[-1].document()
        assert told["state"] == "warn"
        assert told["text"] == "press is dead: no answer from 192.0.2.7"
        facts = (await health(transport))["facts"]["sources"]["press"]
        assert (facts["state"], facts["why"], facts["outages"]) == ("dead", "no answer from 192.0.2.7", 1)
        assert facts["since"].endswith("Z")
        PlayedSource.said["b"] = [5]
        await until(lambda: sent(transport).get("b/oil") == [5])
        PlayedSource.broken.add("b")
        await until(lambda: transport.outputs("health")[-1].document()["state"] == "fail")
        PlayedSource.broken.clear()
        PlayedSource.said["a"] = [6]
        await until(lambda: sent(transport).get("a/oil") == [6])
        await until(lambda: transport.outputs("health")[-1].document()["state"] == "ok")

    play(edge, part)


def test_values_left_out_are_a_warning(
    edge: Edge[SensorsSettings], transport: PlayedTransport, play: Play, until: Until
) -> None:
    wanted(transport, press=source("a"))
    PlayedSource.said["a"] = ["hot", float("nan"), float("nan"), 3]

    async def part() -> None:
        await until(lambda: sent(transport) == {"a/oil": [3]})
        document = await health(transport)
        assert (document["state"], document["text"]) == ("warn", "press: values left out: nan 2, wrong_type 1")
        total = (
            'millwatch_values_dropped_total{edge_device="",iothub="",module_name="sensors",reason="nan",source="press"}'
        )
        assert f"{total} 2.0" in edge.metrics.render().decode()

    play(edge, part)


def test_a_change_of_one_source_leaves_the_others_running(
    edge: Edge[SensorsSettings], transport: PlayedTransport, play: Play, until: Until
) -> None:
    wanted(transport, press=source("a"), oven=source("b"))

    async def part() -> None:
        await until(lambda: sorted(PlayedSource.runs) == ["a", "b"])
        transport.patch({"settings": {"sources": {"press": source("c"), "oven": None}}, "$version": 2})
        await until(lambda: sorted(PlayedSource.runs) == ["a", "b", "c"])
        assert set((await health(transport))["facts"]["sources"]) == {"press"}
        transport.patch({"settings": {"sources": {"lift": source("d")}}, "$version": 3})
        await until(lambda: PlayedSource.runs[-1] == "d")
        assert len(PlayedSource.runs) == 4

    play(edge, part)


def test_a_list_of_points_from_a_file(
    edge: Edge[SensorsSettings], transport: PlayedTransport, play: Play, until: Until, tmp_path: Path
) -> None:
    text = "name,address,scale\nx/1,a,2\n"
    (tmp_path / "points.csv").write_text(text)
    good = {"file": "points.csv", "sha256": sha256(text.encode()).hexdigest()}
    wanted(transport, press=source("b", point_list=good))
    PlayedSource.said["a"] = [4]

    async def part() -> None:
        await until(lambda: sent(transport) == {"x/1": [8]})
        bad = good | {"sha256": "0" * 64}
        transport.patch({"settings": {"sources": {"press": source("b", point_list=bad)}}, "$version": 2})
        await until(lambda: transport.twin_reported["settings"]["version"] == 2)
        assert "sources.press: points.csv: its SHA-256 is" in str(transport.twin_reported["settings"]["error"])
        PlayedSource.said["a"] = [5]
        await until(lambda: sent(transport) == {"x/1": [8, 10]})

    play(edge, part)


def test_a_list_that_cannot_be_used_at_the_start_costs_its_source_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, transport: PlayedTransport, play: Play, until: Until
) -> None:
    missing = {"file": "nowhere.csv", "sha256": "0" * 64}
    monkeypatch.setenv("MILLWATCH_VIEW_PORT", "0")
    monkeypatch.setenv("MILLWATCH_SOURCES", json.dumps({"press": source("a", point_list=missing), "oven": source("b")}))
    edge = Edge("sensors", SensorsSettings, state_dir=tmp_path, transport=transport, heartbeat_s=60)
    SensorsModule(edge)
    PlayedSource.said["b"] = [1]

    async def part() -> None:
        await until(lambda: sent(transport) == {"b/oil": [1]})
        document = await health(transport)
        assert document["facts"]["sources"]["press"]["state"] == "refused"
        assert "nowhere.csv" in document["text"]

    play(edge, part)


@pytest.fixture
def small_outbox(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(outbox.RULES, "readings", outbox.Rule(3, 1 << 20))


@pytest.mark.usefixtures("small_outbox")
def test_what_comes_while_edgehub_is_away_is_bounded_and_what_goes_for_it_counted(
    edge: Edge[SensorsSettings], transport: PlayedTransport, play: Play, until: Until
) -> None:
    wanted(transport, press=source("a"))

    def taken() -> float:
        found = edge.metrics.registry.get_sample_value("millwatch_readings_total", {"source": "press"})
        return found or 0

    async def part() -> None:
        await until(lambda: PlayedSource.runs)
        transport.down()
        for number in range(6):
            PlayedSource.said["a"] = [number]
            await until(lambda number=number: taken() == number + 1)  # type: ignore[misc]
        assert edge.metrics.total(edge.metrics.dropped) >= 2
        transport.up()
        await until(lambda: sent(transport).get("a/oil", [0])[-3:] == [3, 4, 5])
        assert len(sent(transport)["a/oil"]) <= 4

    play(edge, part)


@pytest.mark.usefixtures("small_outbox")
def test_there_is_no_room_while_edgehub_is_away_and_the_outbox_full(
    edge: Edge[SensorsSettings], transport: PlayedTransport, play: Play, until: Until
) -> None:
    wanted(transport, press=source("a"))

    async def part() -> None:
        await until(lambda: PlayedSource.feeds)
        feed = PlayedSource.feeds[0]
        assert feed.room()
        transport.down()
        number = 0
        while feed.room():
            number += 1
            PlayedSource.said["a"] = [number]
            await until(
                lambda number=number: (
                    edge.metrics.registry.get_sample_value(  # type: ignore[misc]
                        "millwatch_readings_total", {"source": "press"}
                    )
                    == number
                )
            )
        assert edge.metrics.total(edge.metrics.dropped) == 0  # who pushes is turned away before anything is lost
        transport.up()
        await until(feed.room)

    play(edge, part)


def test_read_now_answers_with_what_is_newest(
    edge: Edge[SensorsSettings], transport: PlayedTransport, play: Play, until: Until
) -> None:
    wanted(transport, press=source("a"))

    async def part() -> None:
        await until(lambda: PlayedSource.runs)
        PlayedSource.said["a"] = [7]
        status, answer = await transport.call("readNow", {"source": "press"})
        assert status == 200
        assert isinstance(answer, dict)
        assert [(each["name"], each["value"], each["unit"]) for each in answer["readings"]] == [("a/oil", 7, "Cel")]
        status, answer = await transport.call("readNow", {"source": "lift"})
        assert (status, answer) == (404, {"error": "no source lift; there are: press"})

    play(edge, part)


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"type": "telepathy"}, "type must be one of"),
        (
            {"type": "modbus-tcp", "host": "x", "points": [{"name": "a", "address": "4711"}]},
            "points.0: Value error, address",
        ),
        ({"type": "mqtt", "host": "x", "password": "y"}, "password: Extra inputs are not permitted"),
    ],
)
def test_settings_that_make_no_sense_are_refused_in_words(
    edge: Edge[SensorsSettings],
    transport: PlayedTransport,
    play: Play,
    until: Until,
    settings: dict[str, Any],
    said: str,
) -> None:
    wanted(transport, press=settings)

    async def part() -> None:
        await until(lambda: transport.twin_reported.get("settings"))
        assert said in transport.twin_reported["settings"]["error"]

    play(edge, part)


def test_no_library_of_a_protocol_is_loaded_before_it_is_used() -> None:
    program = (
        "import sys; import modules.sensors.module; from modules.sensors.sources import KINDS;"
        "heavy = {'pymodbus', 'asyncua', 'aiocoap', 'serial', 'serial_asyncio_fast', 'uvicorn', 'starlette'};"
        "assert not heavy & set(sys.modules), heavy & set(sys.modules);"
        "KINDS.settings_of('modbus-tcp');"
        "assert not heavy & set(sys.modules) - {'pymodbus', 'serial'}"
    )
    subprocess.run([sys.executable, "-c", program], check=True, cwd=ROOT)


def test_every_protocol_of_the_table_is_there() -> None:
    for kind in sources.KINDS.places:
        assert issubclass(sources.KINDS.settings_of(kind), SourceSettings)
