"""The module between its inputs and outputs, with edgeHub played by the test and the models real."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import onnx
import pytest

from modules.common.edge import Edge
from modules.common.messages import Alert, Message, new_id
from modules.inference.engine import Engine
from modules.inference.module import InferenceModule
from modules.inference.settings import InferenceSettings, Package

MakePackage = Callable[..., Path]


def frame(body: bytes, *, source: str = "camera/line1", item: str = "part-1") -> Message:
    return Message(
        body=body,
        kind="frame",
        source=source,
        seq=0,
        time=datetime(2026, 1, 2, tzinfo=UTC),
        message_id=new_id(),
        content_type="image/jpeg",
        properties={"item": item},
    )


@dataclass
class Line:
    """What a test may do: deliver pictures and wait for their acknowledgement, wait for a version of the models."""

    deliver: Callable[..., Awaitable[None]]
    runs: Callable[[str], Awaitable[None]]


@pytest.fixture
def run_module(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, transport: Any, play: Callable[..., None], until: Any
) -> Callable[..., Edge[InferenceSettings]]:
    """Run the module on packages; the test's part may deliver and wait until all has been acknowledged."""
    monkeypatch.setenv("MILLWATCH_VIEW_PORT", "0")

    def run(part: Callable[[Line], Awaitable[None]], **packages: Path) -> Edge[InferenceSettings]:
        wanted = {name: Package(path=path).model_dump(mode="json") for name, path in packages.items()}
        transport.desired = {"settings": {"packages": wanted, "judge_s": 1.0}, "$version": 1}
        edge = Edge("inference", InferenceSettings, state_dir=tmp_path / "state", transport=transport, heartbeat_s=60)
        module = InferenceModule(edge, Engine())

        def runs(version: str) -> bool:
            models: Any = module.facts()["models"]
            return models.keys() == packages.keys() and all(each["version"] == version for each in models.values())

        async def deliver(*messages: Message) -> None:
            before = len(transport.acknowledged)
            for message in messages:
                transport.deliver("frames", message)
            async with asyncio.timeout(30):
                while len(transport.acknowledged) < before + len(messages):  # noqa: ASYNC110 - what is waited for is there
                    await asyncio.sleep(0.005)

        async def judged() -> None:
            await until(lambda: runs("1.0.0"))
            await part(Line(deliver, lambda version: until(lambda: runs(version))))

        play(edge, judged)
        return edge

    return run


def test_a_defect_becomes_an_alert_and_an_ok_part_none(
    run_module: Any, transport: Any, make_package: MakePackage, bright: bytes, dark: bytes
) -> None:
    async def part(line: Line) -> None:
        await line.deliver(frame(dark), frame(bright, item="part-2"), frame(dark))

    run_module(part, tile=make_package())
    (sent,) = transport.outputs("alerts")
    alert = Alert.parse(sent.document())
    assert (alert.source, alert.label, alert.item) == ("camera/line1", "defect", "part-2")


def test_a_redelivered_picture_is_scored_once(
    run_module: Any, transport: Any, make_package: MakePackage, bright: bytes
) -> None:
    message = frame(bright)

    async def part(line: Line) -> None:
        await line.deliver(message)
        await line.deliver(message)

    run_module(part, tile=make_package())
    assert len(transport.outputs("alerts")) == 1
    scores = [each.document() for each in transport.outputs("scores")]
    assert sum(each["verdicts"] for each in scores) == 1


def test_no_message_is_lost_nor_scored_twice_while_a_model_hangs_and_the_last_good_one_takes_over(
    run_module: Any,
    transport: Any,
    make_package: MakePackage,
    picture_card: Callable[..., dict[str, Any]],
    hanging: onnx.ModelProto,
    dark: bytes,
    bright: bytes,
) -> None:
    good = make_package("good")
    bad = make_package("bad", picture_card(version="2.0.0"), hanging)
    messages = [frame(dark), *(frame(bright, item=f"part-{number}") for number in range(4)), frame(dark)]

    async def part(line: Line) -> None:
        await line.deliver(frame(dark))
        transport.patch({"settings": {"packages": {"tile": {"path": str(bad)}}}, "$version": 2})
        await line.runs("2.0.0")
        await line.deliver(*messages)

    run_module(part, tile=good)
    assert len(transport.acknowledged) == 7
    alerts = [Alert.parse(each.document()) for each in transport.outputs("alerts")]
    assert [alert.item for alert in alerts] == ["part-0", "part-1", "part-2", "part-3"]
    assert {each.model for each in transport.outputs("alerts")} == {"made-up/1.0.0"}


def test_what_no_model_judges_is_counted_and_does_not_stop_the_rest(
    run_module: Any, transport: Any, make_package: MakePackage, bright: bytes
) -> None:
    async def part(line: Line) -> None:
        await line.deliver(frame(b"\xff\xd8 torn"), frame(bright, source="elsewhere/1"), frame(bright))

    edge = run_module(part, tile=make_package())
    assert len(transport.outputs("alerts")) == 1
    text = edge.metrics.render().decode()
    assert 'reason="corrupt_picture"' in text
    assert 'reason="no_model"' in text
