"""A package taken apart and put together again: the part that stays as it is, and the head behind it.

The head is the last Gemm on the way to the scores, and what stands behind it, as long as that is linear. That it is, is
found out by asking it, not by knowing its operators.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import onnx
import onnxruntime as ort
import orjson
from numpy.typing import NDArray

from models.federated.head import CLIP, Floats, Head, Scale
from modules.inference.card import Card, read_card
from modules.inference.errors import BadInputError
from modules.inference.golden import NAME as GOLDEN
from modules.inference.golden import GoldenCase, read_golden, write_golden
from modules.inference.model import Model
from modules.inference.prepare import prepare
from modules.inference.runner import FILES, Runner

_TOLERANCE: Final = 1e-3


class NoHeadError(Exception):
    """A package whose last layer cannot be learnt apart; the text says why."""


@dataclass(frozen=True, slots=True)
class Base:
    """A package that gateways learn a head for."""

    folder: Path
    card: Card
    features: str  # the tensor that the head reads
    home: Head  # the package's own head, on scaled features
    scale: Scale
    digest: str  # SHA-256 of model.onnx and golden.npz: what a gateway must have, too

    def labels(self) -> tuple[str, ...]:
        """What the head tells apart."""
        return self.card.labels


class Eyes:
    """The part that stays as it is: inputs as they come off the wire, to scaled features."""

    def __init__(self, base: Base) -> None:
        self._base = base
        self._session = _session(_reading(_load(base.folder), base.features))

    def __call__(self, items: Sequence[tuple[bytes, Mapping[str, float]]]) -> Floats:
        """Scaled features, shape (n, features). Raises BadInputError for what the card does not take."""
        rows = [_raw(self._session, self._base.card, self._base.features, *each) for each in items]
        return self._base.scale(np.stack(rows)) if rows else np.empty((0, len(self._base.scale.mean)))


def read_base(folder: Path) -> Base:
    """Take a package apart. Raises CardError, ModelError (Runner's), NoHeadError."""
    Runner(folder, precision="fp32")  # the files are the card's, and the golden cases come out on this machine
    card = read_card(folder)
    if card.output.activation != "softmax" or card.task not in ("picture", "waveform"):
        raise NoHeadError(f"{card.id}: the activation is {card.output.activation}, and a head is learnt for softmax")
    if card.input.constants:
        raise NoHeadError(f"{card.id}: its network has further inputs")
    model = _load(folder)
    gemm = _last_gemm(model, card.output.scores)
    weight, bias = _asked(_tail(model, gemm.input[0], card.output.scores), _width(model, gemm))
    if weight.shape[0] != len(card.labels):
        raise NoHeadError(f"{card.id}: {weight.shape[0]} scores for {len(card.labels)} labels")
    session = _session(_reading(model, gemm.input[0]))
    try:
        cases = [_raw(session, card, gemm.input[0], case.body, case.facts) for case in read_golden(folder)]
        scale = Scale.of(np.stack(cases) if cases else np.empty((0, 1)))
    except (BadInputError, ValueError) as error:
        raise NoHeadError(f"{card.id}: the golden cases give the features no scale: {error}") from error
    cold = 1.0 / card.output.temperature  # what is written has none: it is in the weights
    home = Head(weight * scale.deviation * cold, (bias + weight @ scale.mean) * cold)
    digest = hashlib.sha256((folder / FILES["fp32"]).read_bytes() + (folder / GOLDEN).read_bytes()).hexdigest()
    return Base(folder, card, gemm.input[0], home, scale, digest)


def write_package(base: Base, head: Head, folder: Path, *, version: str, told: Mapping[str, Any]) -> Card:
    """The package with another head: network, golden cases anew, card. `told` goes under `training.federated`."""
    training = {
        **base.card.training,
        "federated": {"base": base.card.id, "base_sha256": base.digest, **told},
    }
    reference = base.card.reference.model_copy(update={"edges": (), "shares": ()})  # those were another head's scores
    card = base.card.model_copy(
        update={
            "version": version,
            "output": base.card.output.model_copy(update={"temperature": 1.0}),
            "reference": reference,
            "training": training,
            "accuracy": {"none": "measured by nobody yet: try it beside the base (fleet model trial)"},
        }
    )
    return _write(_joined(base, head), card, base.folder, folder)


def write_frozen(base: Base, card: Card, golden: Path, folder: Path) -> Card:
    """A package for `card` on the frozen network of another, with a head that finds every label as likely.

    The card may take inputs of another size where the network does; golden inputs come from the package `golden`.
    """
    width = len(base.scale.mean)
    blank = Head(np.zeros((len(card.labels), width)), np.zeros(len(card.labels)))
    model = _joined(base, blank, scaled=False)
    for dimension, size in zip(model.graph.input[0].type.tensor_type.shape.dim[1:], card.input.shape, strict=True):
        dimension.dim_value = size
    del model.graph.output[0].type.tensor_type.shape.dim[:]
    shape = model.graph.output[0].type.tensor_type.shape
    shape.dim.add().dim_param = "n"
    shape.dim.add().dim_value = len(card.labels)
    return _write(model, card, golden, folder)


def _write(network: Any, card: Card, golden: Path, folder: Path) -> Card:
    folder.mkdir(parents=True, exist_ok=True)
    onnx.checker.check_model(network)
    onnx.save(network, str(folder / FILES["fp32"]))
    card = card.model_copy(update={"files": {}})
    model = Model(card, folder / FILES["fp32"])
    cases = [
        GoldenCase(
            case.body,
            case.facts,
            case.label,
            {"fp32": model.probabilities(prepare(case.body, case.facts, card)[None])[0]},
        )
        for case in read_golden(golden)
    ]
    write_golden(folder, cases)
    names = (FILES["fp32"], GOLDEN)
    files = {name: hashlib.sha256((folder / name).read_bytes()).hexdigest() for name in names}
    whole = card.model_copy(update={"files": files})
    text = orjson.dumps(whole.model_dump(mode="json"), option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)
    (folder / "card.json").write_bytes(text)
    Runner(folder)  # as the module will load it
    return whole


def _load(folder: Path) -> Any:
    return onnx.load(str(folder / FILES["fp32"]))


def _session(model: Any) -> ort.InferenceSession:
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 3
    return ort.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])


def _raw(
    session: ort.InferenceSession, card: Card, features: str, body: bytes, facts: Mapping[str, float]
) -> NDArray[np.float64]:
    (answer,) = session.run([features], {card.input.name: prepare(body, facts, card)[None]})
    return np.asarray(answer[0], np.float64)


def _reading(model: Any, features: str) -> Any:
    """The network with one output more: what the head reads."""
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    copy.graph.output.append(onnx.helper.make_tensor_value_info(features, onnx.TensorProto.FLOAT, None))
    return copy


def _last_gemm(model: Any, scores: str) -> Any:
    """The nearest Gemm before the scores on every way back. Raises NoHeadError."""
    made_by = {name: node for node in model.graph.node for name in node.output}
    fixed = {each.name for each in model.graph.initializer}
    found: dict[str, Any] = {}
    todo, seen = [scores], set()
    while todo:
        name = todo.pop()
        if name in seen or name in fixed:
            continue
        seen.add(name)
        node = made_by.get(name)
        if node is None:
            raise NoHeadError(f"{name} comes to the scores past every Gemm")
        if node.op_type == "Gemm":
            found[node.output[0]] = node
        else:
            todo.extend(each for each in node.input if each)
    if len(found) != 1:
        raise NoHeadError(f"{len(found)} Gemm lead to the scores, and a head is one")
    return next(iter(found.values()))


def _width(model: Any, gemm: Any) -> int:
    weight = next((each for each in model.graph.initializer if each.name == gemm.input[1]), None)
    if weight is None:
        raise NoHeadError("the Gemm before the scores has no weights of its own")
    turned = any(each.name == "transB" and each.i for each in gemm.attribute)
    return int(weight.dims[1 if turned else 0])


def _tail(model: Any, features: str, scores: str) -> Any:
    """From the features to the scores, as a network of its own."""
    kept, needed = [], {scores}
    for node in reversed(model.graph.node):
        if needed & set(node.output) and features not in node.output:
            kept.append(node)
            needed |= set(node.input)
    graph = onnx.helper.make_graph(
        kept[::-1],
        "tail",
        [onnx.helper.make_tensor_value_info(features, onnx.TensorProto.FLOAT, None)],
        [onnx.helper.make_tensor_value_info(scores, onnx.TensorProto.FLOAT, None)],
        [each for each in model.graph.initializer if each.name in needed],
    )
    return onnx.helper.make_model(graph, opset_imports=model.opset_import, ir_version=model.ir_version)


def _asked(tail: Any, width: int) -> tuple[Floats, Floats]:
    """Weight (labels, width) and bias of a tail. Raises NoHeadError where it is not linear."""
    session = _session(tail)
    name = session.get_inputs()[0].name

    def said(rows: Floats) -> Floats:
        return np.concatenate([session.run(None, {name: row[None].astype(np.float32)})[0] for row in rows]).astype(
            float
        )

    bias = said(np.zeros((1, width)))[0]
    weight = (said(np.eye(width)) - bias).T
    probe = np.random.default_rng(0).normal(0, 3, (4, width))
    if not np.allclose(said(probe), probe @ weight.T + bias, rtol=_TOLERANCE, atol=_TOLERANCE):
        raise NoHeadError("what stands behind the last Gemm is not linear")
    return weight, bias


def _joined(base: Base, head: Head, *, scaled: bool = True) -> Any:
    """The network that stays as it is, and behind it scale (where features are to be scaled) and head."""
    model = _load(base.folder)
    graph, scores = model.graph, base.card.output.scores
    wanted = {each.name for each in graph.output if each.name != scores} | {base.features}
    kept = []
    for node in reversed(graph.node):
        if wanted & set(node.output):
            kept.append(node)
            wanted |= set(node.input)
    del graph.node[:]
    graph.node.extend(kept[::-1])
    used = [each for each in graph.initializer if each.name in wanted]
    del graph.initializer[:]
    graph.initializer.extend(used)
    del graph.value_info[:]
    mark = f"federated_{base.card.version}_"  # a network that was learnt for before has such names already
    fixed = {"weight": head.weight, "bias": head.bias}
    nodes, name, make = [], base.features, onnx.helper.make_node
    if scaled:
        fixed |= {"mean": base.scale.mean, "deviation": base.scale.deviation}
        fixed |= {"low": np.array(-CLIP), "high": np.array(CLIP)}
        nodes = [
            make("Sub", [name, f"{mark}mean"], [f"{mark}centred"]),
            make("Div", [f"{mark}centred", f"{mark}deviation"], [f"{mark}scaled"]),
            make("Clip", [f"{mark}scaled", f"{mark}low", f"{mark}high"], [f"{mark}clipped"]),
        ]
        name = f"{mark}clipped"
    graph.node.extend([*nodes, make("Gemm", [name, f"{mark}weight", f"{mark}bias"], [scores], transB=1)])
    graph.initializer.extend(
        onnx.numpy_helper.from_array(value.astype(np.float32), f"{mark}{key}") for key, value in fixed.items()
    )
    return model
