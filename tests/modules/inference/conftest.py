"""Packages made up for tests: tiny networks whose answers are known."""

import asyncio
import hashlib
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import onnx
import orjson
import pytest
from onnx import TensorProto, helper, numpy_helper

from modules.common.edge import Edge
from modules.common.messages import Message, encode_member, json_message, new_id, pack
from modules.inference.engine import Engine
from modules.inference.module import InferenceModule
from modules.inference.settings import InferenceSettings, Package
from tests.waiting import holds

MakePackage = Callable[..., Path]


def picture_graph(bias: list[float], side: int = 4) -> onnx.ModelProto:
    """Scores = (mean brightness, -mean brightness) + bias, for pictures (n, 1, side, side)."""
    weight = np.array([[1.0], [-1.0]], np.float32)
    nodes = [
        helper.make_node("ReduceMean", ["picture", "axes"], ["mean"], keepdims=0),
        helper.make_node("Gemm", ["mean", "weight", "bias"], ["scores"], transB=1),
    ]
    graph = helper.make_graph(
        nodes,
        "made up",
        [helper.make_tensor_value_info("picture", TensorProto.FLOAT, ["n", 1, side, side])],
        [helper.make_tensor_value_info("scores", TensorProto.FLOAT, ["n", 2])],
        [
            numpy_helper.from_array(np.array([2, 3], np.int64), "axes"),
            numpy_helper.from_array(weight, "weight"),
            numpy_helper.from_array(np.array(bias, np.float32), "bias"),
        ],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)


def wave_graph(count: int, bias: list[float]) -> onnx.ModelProto:
    """Scores = bias + mean of the samples * (-1, 1), for windows (n, 1, count)."""
    weight = np.array([[-1.0], [1.0]], np.float32)
    nodes = [
        helper.make_node("ReduceMean", ["wave", "axes"], ["mean"], keepdims=0),
        helper.make_node("Gemm", ["mean", "weight", "bias"], ["scores"], transB=1),
    ]
    graph = helper.make_graph(
        nodes,
        "made up",
        [helper.make_tensor_value_info("wave", TensorProto.FLOAT, ["n", 1, count])],
        [helper.make_tensor_value_info("scores", TensorProto.FLOAT, ["n", 2])],
        [
            numpy_helper.from_array(np.array([2], np.int64), "axes"),
            numpy_helper.from_array(weight, "weight"),
            numpy_helper.from_array(np.array(bias, np.float32), "bias"),
        ],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)


def picture_document(**changes: Any) -> dict[str, Any]:
    """A card for `picture_graph`."""
    return {
        "format": 1,
        "name": "made-up",
        "version": "1.0.0",
        "title": "Bright pictures are defective",
        "task": "picture",
        "sources": ["camera/*"],
        "input": {"name": "picture", "shape": [1, 4, 4]},
        "output": {"scores": "scores"},
        "prepare": {"kind": "picture", "width": 4, "height": 4, "scale": 0.05},
        "labels": ["defect", "ok"],
        "ok_label": "ok",
        **changes,
    }


def wave_document(**changes: Any) -> dict[str, Any]:
    """A card for `wave_graph` of 100 samples at 100 Hz."""
    return {
        "format": 1,
        "name": "made-up-wave",
        "version": "1.0.0",
        "title": "Positive means are faults",
        "task": "waveform",
        "sources": ["press*"],
        "input": {"name": "wave", "shape": [1, 100]},
        "output": {"scores": "scores"},
        "prepare": {"kind": "wave", "seconds": 1.0, "hop": 1.0, "rate_hz": [50, 200]},
        "labels": ["normal", "fault"],
        "ok_label": "normal",
        "decision": {"average": 4, "raise_k": 2, "of_n": 3, "clear_k": 0, "severity": "critical"},
        **changes,
    }


@pytest.fixture
def make_package(tmp_path: Path) -> MakePackage:
    """A function that writes a package folder and returns it."""

    def make(
        name: str = "package", document: dict[str, Any] | None = None, graph: onnx.ModelProto | bytes | None = None
    ) -> Path:
        folder = tmp_path / name
        folder.mkdir()
        model = graph if graph is not None else picture_graph([0.0, 5.0])
        body = model if isinstance(model, bytes) else model.SerializeToString()
        (folder / "model.onnx").write_bytes(body)
        card = dict(document if document is not None else picture_document())
        card.setdefault("files", {"model.onnx": hashlib.sha256(body).hexdigest()})
        (folder / "card.json").write_bytes(orjson.dumps(card))
        return folder

    return make


@pytest.fixture
def picture_card() -> Callable[..., dict[str, Any]]:
    return picture_document


@pytest.fixture
def wave_card() -> Callable[..., dict[str, Any]]:
    return wave_document


@pytest.fixture
def waves_model() -> Callable[[int, list[float]], onnx.ModelProto]:
    return wave_graph


@pytest.fixture
def pictures_model() -> Callable[..., onnx.ModelProto]:
    return picture_graph


def trap_graph(nodes: list[onnx.NodeProto], side: int = 4) -> onnx.ModelProto:
    """`picture_graph` whose scores go through `nodes` (from ``safe`` and ``mean`` to ``scores``)."""
    graph = picture_graph([0.0, 5.0], side).graph
    graph.node[1].output[0] = "safe"
    graph.node.extend(nodes)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)


def constant(name: str, value: Any) -> onnx.NodeProto:
    return helper.make_node("Constant", [], [name], value=numpy_helper.from_array(np.asarray(value), name))


@pytest.fixture
def hanging() -> onnx.ModelProto:
    """Never answers for a bright picture (mean above 5), at once for a dark one."""
    body = helper.make_graph(
        [helper.make_node("Identity", ["go"], ["go_on"]), helper.make_node("Add", ["was", "none"], ["now"])],
        "body",
        [
            helper.make_tensor_value_info("round", TensorProto.INT64, []),
            helper.make_tensor_value_info("go", TensorProto.BOOL, []),
            helper.make_tensor_value_info("was", TensorProto.FLOAT, None),
        ],
        [
            helper.make_tensor_value_info("go_on", TensorProto.BOOL, []),
            helper.make_tensor_value_info("now", TensorProto.FLOAT, None),
        ],
        [numpy_helper.from_array(np.array(0.0, np.float32), "none")],
    )
    return trap_graph(
        [
            constant("five", np.array(5.0, np.float32)),
            constant("rounds", np.array(2**62, np.int64)),
            helper.make_node("ReduceMax", ["mean"], ["brightest"], keepdims=0),
            helper.make_node("Greater", ["brightest", "five"], ["bright"]),
            helper.make_node("Loop", ["rounds", "bright", "safe"], ["scores"], body=body),
        ]
    )


@pytest.fixture
def greedy() -> onnx.ModelProto:
    """Asks for 4 GB for a bright picture."""
    return trap_graph(
        [
            constant("five", np.array(5.0, np.float32)),
            constant("little", np.array([1], np.int64)),
            constant("much", np.array([1 << 30], np.int64)),
            constant("zero", np.array([0.0], np.float32)),
            helper.make_node("ReduceMax", ["mean"], ["brightest"], keepdims=0),
            helper.make_node("Greater", ["brightest", "five"], ["bright"]),
            helper.make_node("Where", ["bright", "much", "little"], ["size"]),
            helper.make_node("Expand", ["zero", "size"], ["room"]),
            helper.make_node("ReduceMax", ["room"], ["nothing"], keepdims=0),
            helper.make_node("Add", ["safe", "nothing"], ["scores"]),
        ]
    )


@pytest.fixture
def undefined() -> onnx.ModelProto:
    """Answers NaN for a bright picture."""
    return trap_graph(
        [
            constant("five", np.array(5.0, np.float32)),
            helper.make_node("Sub", ["five", "mean"], ["left"]),
            helper.make_node("Sqrt", ["left"], ["root"]),
            helper.make_node("Mul", ["root", "safe"], ["scores"]),
        ]
    )


@pytest.fixture
def wrong_shape() -> onnx.ModelProto:
    """Answers with four scores for two labels."""
    return trap_graph([helper.make_node("Concat", ["safe", "safe"], ["scores"], axis=1)])


def jpeg(level: int) -> bytes:
    """A picture of one grey level."""
    return cv2.imencode(".jpg", np.full((8, 8), level, np.uint8))[1].tobytes()


@pytest.fixture
def bright() -> bytes:
    """Mean 12.75 after `picture_document`'s scaling."""
    return jpeg(255)


@pytest.fixture
def dark() -> bytes:
    return jpeg(0)


TIME = datetime(2026, 1, 2, tzinfo=UTC)


@pytest.fixture
def frame() -> Callable[..., Message]:
    """A picture as the camera sends it."""

    def make(body: bytes, *, source: str = "camera/line1", item: str = "part-1") -> Message:
        return Message(
            body=body,
            kind="frame",
            source=source,
            seq=0,
            time=TIME,
            message_id=new_id(),
            content_type="image/jpeg",
            properties={"item": item},
        )

    return make


@pytest.fixture
def batch() -> Callable[..., Message]:
    """Several messages in one, as the camera sends the parts of one moment."""

    def make(*messages: Message) -> Message:
        kinds = [each.kind for each in messages]
        return pack(messages[0], [encode_member(each) for each in messages], kinds, seq=0, compress=False)

    return make


@pytest.fixture
def command() -> Callable[..., Message]:
    """A command as the page sends it."""

    def make(verb: str, **arguments: object) -> Message:
        document = {"verb": verb, "target": "inference", **arguments}
        return json_message(document, kind="command", source="status", seq=0, time=TIME)

    return make


@dataclass
class Line:
    """What a test may do: deliver and wait for the acknowledgement, wait for a version, look and call."""

    module: InferenceModule
    edge: Edge[InferenceSettings]
    transport: Any

    async def deliver(self, *messages: Message, to: str = "frames") -> None:
        before = len(self.transport.acknowledged)
        for message in messages:
            self.transport.deliver(to, message)
        await self.until(lambda: len(self.transport.acknowledged) >= before + len(messages))

    async def runs(self, version: str, count: int = 1) -> None:
        def there() -> bool:
            models: Any = self.module.telling.models()["models"]
            return len(models) == count and all(each.get("version") == version for each in models.values())

        await self.until(there)

    async def until(self, condition: Callable[[], object]) -> None:
        async with asyncio.timeout(60):
            while not holds(condition):  # noqa: ASYNC110 - what is waited for is in the code under test
                await asyncio.sleep(0.005)

    def set(self, version: int, **settings: object) -> None:
        self.transport.patch({"settings": settings, "$version": version})


RunModule = Callable[..., Edge[InferenceSettings]]


@pytest.fixture
def run_module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, transport: Any, play: Callable[..., None]) -> RunModule:
    """Run the module on packages with settings; the test's part gets a `Line`."""
    monkeypatch.setenv("MILLWATCH_VIEW_PORT", "0")

    def run(
        part: Callable[[Line], Awaitable[None]],
        *,
        settings: dict[str, Any] | None = None,
        engine: Engine | None = None,
        wait: bool = True,
        clock: Callable[[], float] = time.monotonic,
        **packages: Path,
    ) -> Edge[InferenceSettings]:
        wanted = {name: Package(path=path).model_dump(mode="json") for name, path in packages.items()}
        given = {"packages": wanted, "judge_s": 10.0, "random_share": 0.0, **(settings or {})}
        transport.desired = {"settings": given, "$version": 1}
        edge = Edge("inference", InferenceSettings, state_dir=tmp_path / "state", transport=transport, heartbeat_s=60)
        line = Line(InferenceModule(edge, engine or Engine(), clock=clock), edge, transport)

        async def judged() -> None:
            if wait:
                await line.runs("1.0.0", len(packages))
            await part(line)

        play(edge, judged, 120)
        return edge

    return run
