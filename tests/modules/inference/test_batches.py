"""Several parts in one message: judged in one run, each with a verdict of its own, once."""

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import onnx

from modules.common.messages import Alert, Message, Waveform, derived_id, new_id
from modules.inference.engine import Engine

MakePackage = Callable[..., Path]
Frame = Callable[..., Message]
Batch = Callable[..., Message]


def verdicts(transport: Any) -> int:
    return sum(each.document()["verdicts"] for each in transport.outputs("scores"))


def fixed(graph: onnx.ModelProto, count: int) -> onnx.ModelProto:
    """The same graph with a batch that is written down."""
    for tensor in (*graph.graph.input, *graph.graph.output):
        tensor.type.tensor_type.shape.dim[0].dim_value = count
    return graph


class Counting(Engine):
    """Counts how often the child is asked."""

    asked = 0

    async def judge(self, name: str, items: Any) -> Any:
        type(self).asked += 1
        return await super().judge(name, items)


def test_each_part_has_its_own_verdict_with_an_id_that_does_not_depend_on_the_batch(
    run_module: Any,
    transport: Any,
    make_package: MakePackage,
    frame: Frame,
    batch: Batch,
    bright: bytes,
    dark: bytes,
) -> None:
    parts = [frame(body, item=f"part-{n}") for n, body in enumerate((bright, dark, bright, bright))]
    Counting.asked = 0

    async def part(line: Any) -> None:
        await line.deliver(batch(*parts))
        assert Counting.asked == 1
        await line.deliver(batch(*parts), batch(parts[1], parts[0]), parts[2])  # redelivered, and otherwise packed

    run_module(part, engine=Counting(), tile=make_package())
    assert Counting.asked == 1
    sent = transport.outputs("alerts")
    assert [Alert.parse(each.document()).item for each in sent] == ["part-0", "part-2", "part-3"]
    wanted = [derived_id(parts[n].message_id, "inference", "alerts", 0) for n in (0, 2, 3)]
    assert [each.message_id for each in sent] == wanted
    assert verdicts(transport) == 4


def test_a_bad_part_is_counted_and_the_others_are_judged(
    run_module: Any, transport: Any, make_package: MakePackage, frame: Frame, batch: Batch, bright: bytes
) -> None:
    strange = Waveform(samples=b"\0" * 4, rate_hz=1.0, unit="m/s2", time=frame(b"").time, source="press", seq=0)

    async def part(line: Any) -> None:
        torn, elsewhere = frame(bright[:40]), frame(bright, source="elsewhere/1")
        await line.deliver(batch(torn, frame(bright, item="good"), elsewhere, strange.message()))

    edge = run_module(part, tile=make_package())
    assert [Alert.parse(each.document()).item for each in transport.outputs("alerts")] == ["good"]
    text = edge.metrics.render().decode()
    for reason in ("corrupt_picture", "no_model", "unknown_kind"):
        assert f'reason="{reason}"' in text


def test_a_part_that_hangs_the_only_model_costs_the_others_of_its_batch_nothing(
    run_module: Any,
    transport: Any,
    make_package: MakePackage,
    hanging: onnx.ModelProto,
    frame: Frame,
    batch: Batch,
    bright: bytes,
    dark: bytes,
) -> None:
    async def part(line: Any) -> None:
        await line.deliver(batch(frame(dark), frame(bright), frame(dark)))

    edge = run_module(part, tile=make_package(graph=hanging), settings={"judge_s": 1.0})
    assert verdicts(transport) == 2
    assert 'reason="model_failed"' in edge.metrics.render().decode()


def test_a_network_of_a_fixed_batch_judges_as_many_as_come(
    run_module: Any,
    transport: Any,
    make_package: MakePackage,
    pictures_model: Callable[..., onnx.ModelProto],
    picture_card: Callable[..., dict[str, Any]],
    frame: Frame,
    batch: Batch,
    bright: bytes,
    dark: bytes,
) -> None:
    one = make_package("one", graph=fixed(pictures_model([0.0, 5.0]), 1))
    three = make_package("three", picture_card(sources=["line2"]), fixed(pictures_model([0.0, 5.0]), 3))

    async def part(line: Any) -> None:
        for source in ("camera/line1", "line2"):
            parts = [frame(body, source=source, item=f"{source} {n}") for n, body in enumerate([dark, bright] * 2)]
            await line.deliver(batch(*parts))
        models: Any = line.module.telling.models()["models"]
        assert (models["one"]["batch"], models["three"]["batch"]) == (1, 3)

    run_module(part, three=three, one=one)
    said = [Alert.parse(each.document()).item for each in transport.outputs("alerts")]
    assert said == ["camera/line1 1", "camera/line1 3", "line2 1", "line2 3"]


def test_the_windows_of_several_blocks_and_sensors_are_one_run(
    run_module: Any,
    transport: Any,
    make_package: MakePackage,
    waves_model: Callable[[int, list[float]], onnx.ModelProto],
    wave_card: Callable[..., dict[str, Any]],
    frame: Frame,
    batch: Batch,
) -> None:
    begin = frame(b"").time

    def block(source: str, second: float, level: float) -> Message:
        return Waveform(
            samples=np.full(150, level, "<f4").tobytes(),
            rate_hz=100.0,
            unit="m/s2",
            time=begin + timedelta(seconds=second),
            source=source,
            seq=0,
        ).message(new_id())

    blocks = [block(source, 1.5 * n, level) for n in range(2) for source, level in (("press1", 9.0), ("press2", -9.0))]
    Counting.asked = 0

    async def part(line: Any) -> None:
        await line.deliver(batch(*blocks), batch(*blocks), to="waveforms")

    run_module(part, engine=Counting(), wave=make_package("w", wave_card(), waves_model(100, [0.0, 0.0])))
    assert Counting.asked == 1
    (sent,) = transport.outputs("alerts")
    assert (sent.source, sent.message_id) == ("press1", derived_id(blocks[2].message_id, "inference", "alerts", 0))
    assert verdicts(transport) == 6
