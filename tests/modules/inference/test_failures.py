"""Models that go wrong at work: the module says so, the last good one takes over, and no path leaves the gateway."""

import asyncio
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import orjson
import pytest

from modules.common.messages import Alert, Message
from modules.inference.engine import Answer, Engine
from modules.inference.errors import ChildGoneError, without_paths

MakePackage = Callable[..., Path]
Frame = Callable[..., Message]

TRAP = """
import ctypes, sys
sys.path.insert(0, ".")
from modules.inference import child
from modules.inference.runner import Runner

judge_each, held = Runner.judge_each, []

def trapped(self, items):
    if self.card.version == "2.0.0":
        {trap}
    return judge_each(self, items)

Runner.judge_each = trapped
child.main()
"""
LEAK = "held.append(bytearray(200 << 20))"
CRASH = "ctypes.string_at(1)"


def trapped(folder: Path, trap: str) -> tuple[str, ...]:
    """The command of a child whose models of version 2.0.0 do `trap` at each judgement."""
    script = folder / "child.py"
    script.write_text(TRAP.format(trap=trap), encoding="utf-8")
    return (sys.executable, str(script))


@pytest.mark.parametrize(
    ("trap", "graph", "told"),
    [
        (CRASH, None, "the process ended (-11)"),
        (LEAK, None, "memory_mb allows 1024"),
        ("", "undefined", "NaN or infinity"),
        ("", "greedy", "memory_mb allows 1024"),
    ],
    ids=["segfault", "leak", "nan", "greedy"],
)
def test_the_last_good_model_takes_over_and_every_picture_has_one_verdict(
    run_module: Any,
    transport: Any,
    make_package: MakePackage,
    picture_card: Callable[..., dict[str, Any]],
    request: pytest.FixtureRequest,
    frame: Frame,
    bright: bytes,
    dark: bytes,
    tmp_path: Path,
    trap: str,
    graph: str | None,
    told: str,
) -> None:
    good = make_package("good")
    wrong = make_package("bad", picture_card(version="2.0.0"), request.getfixturevalue(graph) if graph else None)
    seen: dict[str, Any] = {}

    async def part(line: Any) -> None:
        line.set(2, packages={"tile": {"path": str(wrong)}})
        await line.runs("2.0.0")
        await line.deliver(*(frame(bright if n % 2 else dark, item=f"part-{n}") for n in range(10)))
        seen.update(line.module.telling.models()["models"]["tile"])

    engine = Engine(command=trapped(tmp_path, trap), judge_s=5.0) if trap else Engine()
    run_module(part, engine=engine, settings={"judge_s": 5.0}, tile=good)
    assert seen["instead_of"] == "bad"
    assert told in seen["because"]
    items = [Alert.parse(each.document()).item for each in transport.outputs("alerts")]
    assert items == [f"part-{n}" for n in range(1, 10, 2)]
    assert sum(each.document()["verdicts"] for each in transport.outputs("scores")) == 10
    assert len(transport.acknowledged) == 10


async def forever(engine: Engine, body: bytes) -> None:
    while True:
        await engine.judge("leaky", [(body, {})])


def test_a_leak_is_given_back_with_the_process(
    make_package: MakePackage, picture_card: Callable[..., dict[str, Any]], tmp_path: Path, dark: bytes
) -> None:
    async def part() -> None:
        engine = Engine(command=trapped(tmp_path, LEAK))
        try:
            await engine.load("leaky", make_package("leaky", picture_card(version="2.0.0")))
            await engine.load("good", make_package("good"))
            with pytest.raises(ChildGoneError, match="memory"):
                await asyncio.wait_for(forever(engine, dark), 60)
            assert isinstance((await engine.judge("good", [(dark, {})]))[0], Answer)
            assert engine.restarts == 1
            assert 0 < engine.rss_bytes < 300e6
        finally:
            await engine.close()

    asyncio.run(part())


def broken(make_package: MakePackage, card: Callable[..., dict[str, Any]]) -> dict[str, Path]:
    """Packages that do not load, each for a reason of its own."""
    empty = make_package("empty")
    (empty / "card.json").unlink()
    bare = make_package("bare", card(files={}))
    (bare / "model.onnx").unlink()
    golden = make_package("golden")
    (golden / "golden.npz").write_bytes(b"no archive")
    field = make_package("field", card(colour="loud"))
    lost = make_package("lost")
    (lost / "model.onnx").unlink()
    return {
        "empty": empty,
        "bare": bare,
        "golden": golden,
        "field": field,
        "lost": lost,
        "torn": make_package("torn", graph=b"no model at all"),
        "liar": make_package("liar", card(input={"name": "picture", "shape": [1, 9, 9]})),
        "nowhere": golden.with_name("my models") / "not there",
    }


def test_no_path_of_the_gateway_leaves_the_module(
    run_module: Any,
    transport: Any,
    make_package: MakePackage,
    picture_card: Callable[..., dict[str, Any]],
    tmp_path: Path,
) -> None:
    good, packages = make_package("good"), broken(make_package, picture_card)
    seen: list[bytes] = []

    async def part(line: Any) -> None:
        wanted = {name: {"path": str(path)} for name, path in packages.items()}
        line.set(2, packages={**wanted, "tile": {"path": str(packages["torn"])}})
        await line.until(lambda: len(transport.twin_reported.get("models", {})) == len(packages) + 1)
        outgoing = line.module._outgoing
        facts = line.module.telling.facts(line.module._waves, outgoing.kept, outgoing.labelled)
        assert {each["state"] for name, each in facts["models"].items() if name != "tile"} == {"fail"}
        assert facts["models"]["tile"]["instead_of"] == "torn"
        seen.append(orjson.dumps([facts, line.module.telling.models()]))

    run_module(part, tile=good)
    seen += [orjson.dumps(transport.reported), *(message.body for _, message in transport.sent)]
    for text in seen:
        assert str(tmp_path).encode() not in text
        assert str(tmp_path.parent).encode() not in text


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("Load model from /models/tile 2/model.onnx failed", "Load model from model.onnx failed"),
        ("/onnxruntime_src/core/framework/op_kernel.cc:83 bad", "op_kernel.cc:83 bad"),
        ("camera/line1 and 3/4 stay, 5 m/s too", "camera/line1 and 3/4 stay, 5 m/s too"),
        ("/models/tile 2 holds neither", "tile 2 holds neither"),
    ],
)
def test_a_text_without_paths_still_says_which_file(text: str, plain: str) -> None:
    assert without_paths(text, Path("/models/tile 2")) == plain


def test_a_package_that_is_no_longer_wanted_is_dropped(
    run_module: Any, make_package: MakePackage, picture_card: Callable[..., dict[str, Any]]
) -> None:
    async def part(line: Any) -> None:
        line.set(2, packages={"other": None})
        await line.runs("1.0.0", 1)

    run_module(part, tile=make_package("a"), other=make_package("b", picture_card(name="other")))


def test_a_graph_that_cannot_keep_its_promise_of_a_free_batch_is_run_one_by_one(
    make_package: MakePackage, dark: bytes
) -> None:
    node, tensor = onnx.helper.make_node, onnx.helper.make_tensor_value_info
    graph = onnx.helper.make_graph(
        [node("Reshape", ["picture", "flat"], ["row"]), node("MatMul", ["row", "weight"], ["scores"])],
        "reshapes to a batch of one",
        [tensor("picture", onnx.TensorProto.FLOAT, ["n", 1, 4, 4])],
        [tensor("scores", onnx.TensorProto.FLOAT, ["n", 2])],
        [
            onnx.numpy_helper.from_array(np.array([1, 16], "int64"), "flat"),
            onnx.numpy_helper.from_array(np.ones((16, 2), "float32"), "weight"),
        ],
    )
    model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 18)], ir_version=9)

    async def part() -> None:
        engine = Engine()
        try:
            loaded = await engine.load("odd", make_package(graph=model))
            assert loaded["batch"] == 1
            assert len(await engine.judge("odd", [(dark, {})] * 3)) == 3
        finally:
            await engine.close()

    asyncio.run(part())
