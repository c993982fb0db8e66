"""What an ONNX file says of itself: operators, opsets, weights kept elsewhere. Read without the `onnx` package.

Only the few fields of the protobuf that are needed are walked (onnx.proto: ModelProto, GraphProto, NodeProto,
TensorProto), and nothing is loaded: a file that would crash a runtime can be described all the same.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5  # wire types (protobuf encoding)
_MODEL_PRODUCER, _MODEL_GRAPH, _MODEL_OPSET = 2, 7, 8
_GRAPH_NODE, _GRAPH_INITIALIZER = 1, 5
_NODE_OP, _NODE_DOMAIN, _NODE_ATTRIBUTE = 4, 7, 5
_ATTRIBUTE_GRAPH, _ATTRIBUTE_GRAPHS = 6, 11
_OPSET_DOMAIN, _OPSET_VERSION = 1, 2
_TENSOR_EXTERNAL: Final = 13
_ENTRY_KEY, _ENTRY_VALUE = 1, 2

Value = int | memoryview


class NotOnnxError(ValueError):
    """A file that is no ONNX model."""


@dataclass(frozen=True, slots=True)
class OnnxFile:
    """The facts of one file."""

    size: int  # bytes
    producer: str
    opsets: dict[str, int]  # by domain; ONNX's own is `ai.onnx`
    operators: dict[str, int]  # how often each stands in the graph and in graphs within it
    elsewhere: tuple[str, ...]  # files that hold weights, beside this one


def read_onnx(path: Path) -> OnnxFile:
    """Describe a file. Raises NotOnnxError, OSError."""
    body = path.read_bytes()
    producer, opsets = "", {}
    operators: Counter[str] = Counter()
    elsewhere: set[str] = set()
    try:
        for field, value in _fields(memoryview(body)):
            if field == _MODEL_PRODUCER:
                producer = _text(value)
            elif field == _MODEL_OPSET:
                opset = dict(_fields(_inner(value)))
                opsets[_domain(opset.get(_OPSET_DOMAIN))] = int(opset.get(_OPSET_VERSION, 0))
            elif field == _MODEL_GRAPH:
                _walk(_inner(value), operators, elsewhere)
    except (IndexError, ValueError, TypeError) as error:
        raise NotOnnxError(f"{path.name} is no ONNX model") from error
    if not opsets or not operators:
        raise NotOnnxError(f"{path.name} is no ONNX model: it has no graph or names no opset")
    return OnnxFile(len(body), producer, opsets, dict(operators.most_common()), tuple(sorted(elsewhere)))


def _walk(graph: memoryview, operators: Counter[str], elsewhere: set[str]) -> None:
    for field, value in _fields(graph):
        if field == _GRAPH_NODE:
            _node(_inner(value), operators, elsewhere)
        elif field == _GRAPH_INITIALIZER:
            for inner, entry in _fields(_inner(value)):
                if inner == _TENSOR_EXTERNAL:
                    pair = dict(_fields(_inner(entry)))
                    if _text(pair[_ENTRY_KEY]) == "location":
                        elsewhere.add(_text(pair[_ENTRY_VALUE]))


def _node(node: memoryview, operators: Counter[str], elsewhere: set[str]) -> None:
    name, domain = "", "ai.onnx"
    for field, value in _fields(node):
        if field == _NODE_OP:
            name = _text(value)
        elif field == _NODE_DOMAIN:
            domain = _domain(value)
        elif field == _NODE_ATTRIBUTE:
            for inner, graph in _fields(_inner(value)):
                if inner in (_ATTRIBUTE_GRAPH, _ATTRIBUTE_GRAPHS) and isinstance(graph, memoryview):
                    _walk(graph, operators, elsewhere)
    operators[name if domain == "ai.onnx" else f"{domain}.{name}"] += 1


def _fields(message: memoryview) -> Iterator[tuple[int, Value]]:
    at = 0
    while at < len(message):
        key, at = _varint(message, at)
        kind = key & 7
        if kind == _VARINT:
            number, at = _varint(message, at)
            yield key >> 3, number
        elif kind in (_FIXED64, _FIXED32):
            at += 8 if kind == _FIXED64 else 4
        elif kind == _BYTES:
            length, at = _varint(message, at)
            if at + length > len(message):
                raise ValueError("a field ends early")
            yield key >> 3, message[at : at + length]
            at += length
        else:
            raise ValueError("an unknown wire type")


def _varint(message: memoryview, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = message[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
        shift += 7
        if shift > 63:
            raise ValueError("a number is too long")


def _inner(value: Value) -> memoryview:
    if not isinstance(value, memoryview):
        raise TypeError("a number where a message should be")
    return value


def _text(value: Value) -> str:
    return bytes(_inner(value)).decode()


def _domain(value: Value | None) -> str:
    return (_text(value) if value is not None else "") or "ai.onnx"
