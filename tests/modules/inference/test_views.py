"""What the page can see of the models: view/models, view/last, view/heatmap."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import httpx
import numpy as np
import onnx
from onnx import helper

from modules.common.messages import Message, derived_id
from modules.inference.shown import Last, Shown

MakePackage = Callable[..., Path]


def with_heat(graph: onnx.ModelProto) -> onnx.ModelProto:
    """The same scores, and the picture itself as its heat map."""
    graph.graph.node.append(helper.make_node("Squeeze", ["picture", "channel"], ["heat"]))
    graph.graph.initializer.append(onnx.numpy_helper.from_array(np.array([1], np.int64), "channel"))
    graph.graph.output.append(helper.make_tensor_value_info("heat", onnx.TensorProto.FLOAT, ["n", 4, 4]))
    return graph


def test_the_page_sees_the_models_the_last_verdict_and_where_the_defect_is(
    run_module: Any,
    make_package: MakePackage,
    pictures_model: Callable[..., onnx.ModelProto],
    picture_card: Callable[..., dict[str, Any]],
    frame: Callable[..., Message],
    bright: bytes,
    dark: bytes,
) -> None:
    card = picture_card(output={"scores": "scores", "heat": "heat"})
    hot = make_package("hot", card, with_heat(pictures_model([0.0, 5.0])))
    plain = make_package("plain", picture_card(sources=["line2"]))
    seen: dict[str, Any] = {}
    message = frame(bright, item="part-3")

    async def part(line: Any) -> None:
        await line.deliver(message, frame(dark, source="line2"))
        headers = {"Authorization": f"Bearer {line.edge._views.token}"}
        async with httpx.AsyncClient(base_url=line.edge._views.url, headers=headers, timeout=30) as client:
            for path in ("models", "last?source=camera/line1", "last?source=line2", "last?source=nobody"):
                seen[path] = await client.get(f"/view/{path}")
            for source in ("camera/line1", "line2", "nobody"):
                seen[source] = await client.get("/view/heatmap", params={"source": source})

    run_module(part, plain=plain, hot=hot)
    models = seen["models"].json()["models"]
    assert (models["hot"]["precision"], models["hot"]["provider"]) == ("fp32", "CPUExecutionProvider")
    assert models["hot"]["latency"]["p99_ms"] >= models["hot"]["latency"]["mean_ms"] > 0
    assert models["hot"]["card"]["labels"] == ["defect", "ok"]
    last = seen["last?source=camera/line1"].json()
    assert (last["label"], last["item"], last["heat"]) == ("defect", "part-3", True)
    assert last["alert"] == derived_id(message.message_id, "inference", "alerts", 0)
    assert (seen["last?source=line2"].json()["heat"], seen["last?source=line2"].json()["alert"]) == (False, None)
    assert [seen[each].status_code for each in ("last?source=nobody", "line2", "nobody")] == [404] * 3
    assert seen["camera/line1"].headers["content-type"] == "image/jpeg"
    picture = np.asarray(cv2.imdecode(np.frombuffer(seen["camera/line1"].content, np.uint8), cv2.IMREAD_COLOR), int)
    assert picture.shape == (8, 8, 3)
    assert (picture[:, :, 2] - picture[:, :, 0])[2:6, 2:6].mean() > 30  # all of it is hot


def test_the_last_pictures_are_bounded_by_bytes() -> None:
    shown = Shown(room=1000)
    for number in range(10):
        shown.note(f"camera/{number % 5}", Last({"n": number}, "tile", b"x" * 300))
    assert [number for number in range(5) if _has(shown, f"camera/{number}")] == [2, 3, 4]
    shown.note("camera/9", Last({}, "tile", b"x" * 5000))  # larger than all: the newest stays whatever it takes
    assert len(shown.of("camera/9").picture) == 5000
    assert not _has(shown, "camera/4")


def _has(shown: Shown, source: str) -> bool:
    try:
        return bool(shown.of(source).picture)
    except LookupError:
        return False
