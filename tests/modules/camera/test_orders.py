"""What the camera module can be told and what it shows, before an edgeHub that the test plays."""

import os
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson
import pytest

from modules.camera.module import CameraModule
from modules.camera.motion import GateRules
from modules.camera.settings import CameraSettings
from modules.camera.watch import Watch
from modules.common.edge import Edge
from modules.common.messages import json_message

if TYPE_CHECKING:
    from tests.modules.conftest import PlayedTransport

Play = Callable[[Any, Callable[[], Awaitable[None]]], None]
Until = Callable[[Callable[[], object]], Awaitable[None]]


@pytest.fixture
def edge(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, transport: "PlayedTransport") -> Edge[CameraSettings]:
    monkeypatch.setenv("MILLWATCH_VIEW_PORT", "0")
    state = tmp_path / "state"
    state.mkdir()
    return Edge("camera", CameraSettings, state_dir=state, transport=transport, heartbeat_s=60)


def command(transport: "PlayedTransport", **document: object) -> None:
    message = json_message(document, kind="command", source="status", seq=0, time=datetime.now(UTC))
    transport.deliver("commands", message)


def gates(transport: "PlayedTransport", **cameras: dict[str, object]) -> None:
    source = {"type": "conveyor", "rate_hz": 50}
    every = {name: {"source": source, "heartbeat_s": 1, **more} for name, more in cameras.items()}
    transport.desired = {"$version": 1, "settings": {"cameras": every}}


def test_the_threshold_is_set_as_a_local_change_without_a_new_connection(
    edge: Edge[CameraSettings], transport: "PlayedTransport", play: Play, until: Until
) -> None:
    module = CameraModule(edge)
    gates(transport, a={}, b={})

    async def part() -> None:
        await until(lambda: set(module._watches) == {"a", "b"})
        before = dict(module._watches)
        status, answer = await transport.call(
            "setThreshold", {"source": "camera/a", "threshold": 25, "who": "anna", "why": "dust"}
        )
        assert (status, answer) == (200, {"asked": ["a"]})
        assert edge.settings.cameras["a"].gate.threshold == 25
        assert edge.settings.cameras["b"].gate.threshold is None
        assert dict(module._watches) == before
        await until(lambda: module._watches["a"].tuner.document()["threshold"] == 25)
        await until(lambda: "cameras/a/gate/threshold" in transport.twin_reported.get("localSettings", {}))
        kept = transport.twin_reported["localSettings"]["cameras/a/gate/threshold"]
        assert (kept["value"], kept["who"], kept["why"], kept["state"]) == (25, "anna", "dust", "in force")
        assert (await transport.call("setThreshold", {"source": "a", "threshold": 999}))[0] == 400
        assert (await transport.call("setThreshold", {"source": "nobody", "threshold": 9}))[0] == 404
        assert (await transport.call("setThreshold", {"source": "a"}))[0] == 400
        command(transport, verb="setThreshold", source="b", threshold=31, who="ben")
        await until(lambda: edge.settings.cameras["b"].gate.threshold == 31)
        assert (await transport.call("setThreshold", {"source": "a", "threshold": None}))[0] == 200
        assert edge.settings.cameras["a"].gate.threshold is None

    play(edge, part)


def _fired(watch: Watch, times: int) -> bool:
    return watch.tuner.triggers >= times


@pytest.mark.parametrize("threshold", [30, 255])
def test_a_threshold_that_is_set_and_taken_back_while_parts_pass_does_not_blind_the_camera(
    edge: Edge[CameraSettings], transport: "PlayedTransport", play: Play, until: Until, threshold: int
) -> None:
    module = CameraModule(edge)
    gates(transport, a={})

    async def part() -> None:
        await until(lambda: module._watches.get("a") is not None and module._watches["a"].tuner.triggers >= 2)
        watch = module._watches["a"]
        assert (await transport.call("setThreshold", {"source": "a", "threshold": threshold}))[0] == 200
        await until(lambda: watch.tuner.figures()["threshold"] == threshold)
        seen = watch.state.frames
        await until(lambda: watch.state.frames > seen + 60)  # two parts and more
        assert (await transport.call("setThreshold", {"source": "a", "threshold": None}))[0] == 200
        await until(lambda: watch.tuner.figures()["threshold"] == GateRules().lowest_threshold)
        for verb in (None, "snapshotBackground"):
            if verb is not None:
                assert (await transport.call(verb, {"source": "a"}))[0] == 200
            await until(partial(_fired, watch, watch.tuner.triggers + 3))
        noise = watch.tuner.figures()["noise"]
        assert isinstance(noise, float) and noise < 1

    play(edge, part)


def test_what_cannot_be_carried_out_is_refused_and_counted(
    edge: Edge[CameraSettings], transport: "PlayedTransport", play: Play, until: Until
) -> None:
    module = CameraModule(edge)
    gates(transport, a={})

    async def part() -> None:
        await until(lambda: module._watches)
        for document in (
            {"verb": "dance"},
            {"verb": "captureNow", "source": "nobody"},
            {"verb": "setThreshold", "source": "a", "threshold": "much"},
            {"verb": "partHere", "source": "a"},
            {"verb": "partHere", "source": "a", "time": "soon"},
        ):
            command(transport, **document)
        await until(lambda: len(transport.acknowledged) == 5)
        text = edge.metrics.render().decode()
        for reason in ("unknown_command", "unknown_camera", "refused_setting", "wrong_shape"):
            assert f'reason="{reason}"' in text
        assert (await transport.call("partHere", {"source": "a"}))[0] == 400

    play(edge, part)


def test_a_frame_when_asked_and_when_the_sensor_says(
    edge: Edge[CameraSettings], transport: "PlayedTransport", play: Play, until: Until
) -> None:
    module = CameraModule(edge)
    gates(transport, line={"gate": {"mode": "sensor"}})

    async def part() -> None:
        await until(lambda: module._watches and module._watches["line"].state.frames > 3)
        assert transport.outputs("frames") == []
        command(transport, verb="partHere", source="camera/line", item="A7")
        await until(lambda: transport.outputs("frames"))
        command(transport, verb="captureNow", source="line")
        await until(lambda: len(transport.outputs("frames")) == 2)
        first, second = transport.outputs("frames")
        assert first.properties["item"] == "A7" and first.properties["reason"] == "sensor"
        assert second.properties["reason"] == "captureNow"

    play(edge, part)


def test_views_and_health_tell_of_the_gate(
    edge: Edge[CameraSettings], transport: "PlayedTransport", play: Play, until: Until
) -> None:
    module = CameraModule(edge)
    gates(transport, line={})

    async def part() -> None:
        await until(lambda: module._watches and module._watches["line"].tuner.document()["areas"])
        kind, body = module._view_gate({"source": "line"})
        assert kind == "application/json" and orjson.loads(body)["noise"] > 0
        kind, body = await module._view_gate_picture({})
        assert kind == "image/jpeg" and body.startswith(b"\xff\xd8")
        with pytest.raises(LookupError):
            module._view_gate({"source": "nobody"})
        # The gate learns on meanwhile.
        await until(lambda: module._cameras()["line"]["gate"] == module._watches["line"].tuner.figures())

    play(edge, part)


def test_nothing_of_any_picture_is_on_the_disk_and_erase_empties_memory(
    edge: Edge[CameraSettings],
    transport: "PlayedTransport",
    play: Play,
    until: Until,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    module = CameraModule(edge)
    gates(transport, line={"event": {"before_s": 5}})

    async def part() -> None:
        await until(lambda: module._watches and len(module._watches["line"]._ring) > 0)
        await transport.call("captureNow")
        await until(lambda: module._watches["line"].state.sent > 0 and module._latest)
        before = datetime.now(UTC)
        kept = list(module._watches["line"]._ring._frames)  # held here, so that no other can have its id
        oldest = {id(frame) for frame in kept}
        assert await transport.call("erase", {"source": "camera/l*"}) == (200, {"asked": ["line"]})
        watch = module._watches["line"]
        assert not oldest & {id(frame) for frame in list(watch._ring._frames)}
        await until(lambda: watch.newest is not None and watch.newest.captured > before)

    play(edge, part)
    found = [Path(folder) / name for folder, _, names in os.walk(tmp_path) for name in names]
    assert {path.name.split(".")[0] for path in found} <= {"settings", "local"}
    assert not any(path.stat().st_size > 5_000 for path in found)
