"""What a bare ONNX file tells of the card it needs, what has to be guessed, and what only its maker knows. No output.

`draft` writes down a card that runs; the guesses and the open questions come beside it, in words.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np
import onnxruntime as ort

from modules.inference.errors import ModelError, without_paths

PLACEHOLDER: Final = "label-"
_TYPES: Final = {"tensor(float)": "float32", "tensor(float16)": "float16", "tensor(uint8)": "uint8"}
_CHANNELS: Final = {1: "grey", 3: "rgb"}
_SIDE: Final = 224  # where the file leaves width and height open
_PICTURE_RANK, _WAVE_RANKS = 4, (2, 3)
_SUM: Final = 1e-3


@dataclass(frozen=True, slots=True)
class Tensor:
    """An input or output: sides are numbers, or None where the file leaves them open."""

    name: str
    shape: tuple[int | None, ...]
    type: str


@dataclass(frozen=True, slots=True)
class Facts:
    """What a file takes and gives."""

    inputs: list[Tensor]
    outputs: list[Tensor]

    def told(self, tensors: Sequence[Tensor]) -> str:
        """In words."""
        return ", ".join(
            f"{each.name} ({', '.join('?' if side is None else str(side) for side in each.shape)}) {each.type}"
            for each in tensors
        )

    def obstacles(self) -> list[str]:
        """What the module could not do with this file, and what to do about it."""
        found = []
        if len(self.inputs) != 1:
            names = self.told(self.inputs) or "none"
            found.append(f"the module gives one input, this takes {names}: export it with the others as constants")
        first = self.inputs[0] if self.inputs else None
        if first is not None and first.type not in _TYPES:
            found.append(f"input {first.name} is {first.type}; float32, float16 and uint8 can be given")
        if first is not None and len(first.shape) not in (*_WAVE_RANKS, _PICTURE_RANK):
            found.append(f"input {first.name} has {len(first.shape)} axes; pictures have 4, waveforms 2 or 3")
        if self.scores is None:
            found.append(
                f"no output of scores, shape (n, labels), among {self.told(self.outputs)}: only classifiers run"
            )
        return found

    @property
    def scores(self) -> Tensor | None:
        """The output that can be scores: two axes, or more of length one; the last number is the labels'."""
        fitting = [
            each
            for each in self.outputs
            if each.type in ("tensor(float)", "tensor(float16)")
            and len(each.shape) > 1
            and each.shape[1] is not None
            and all(side == 1 for side in each.shape[2:])
        ]
        return fitting[0] if fitting else None

    @property
    def heat(self) -> Tensor | None:
        """The output that can be a heat map."""
        maps = [
            each
            for each in self.outputs
            if len(each.shape) == 3 or (len(each.shape) == _PICTURE_RANK and each.shape[1] == 1)
        ]
        return next((each for each in maps if each is not self.scores and each.type == "tensor(float)"), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Answers:
    """What the file's owner says; None or empty: guess, and ask."""

    name: str
    title: str = ""
    labels: tuple[str, ...] = ()
    ok: str | None = None
    sources: tuple[str, ...] = ()
    size: tuple[int, int] | None = None  # width, height
    colour: str | None = None
    scale: float | None = None
    mean: tuple[float, ...] = ()
    std: tuple[float, ...] = ()
    activation: str | None = None
    rate: float | None = None  # Hz, of a waveform model


@dataclass(slots=True)
class Draft:
    """A card's document; what was guessed; what is still to be said."""

    card: dict[str, Any]
    guessed: list[str] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)


def facts_of(path: Path) -> Facts:
    """What the file takes and gives, by ONNX Runtime. Raises ModelError when it does not load."""
    return _facts(_session(path))


def draft(path: Path, answers: Answers) -> Draft:
    """A card for `path`. Raises ModelError with every obstacle in words."""
    session = _session(path)
    facts = _facts(session)
    if obstacles := facts.obstacles():
        raise ModelError("; ".join(obstacles))
    scores = facts.scores
    assert scores is not None
    made = Draft(
        {"format": 1, "name": answers.name, "version": "1.0.0", "title": answers.title or f"{path.stem}, as it came"}
    )
    entrance = facts.inputs[0]
    shape = (
        _picture(entrance, answers, made) if len(entrance.shape) == _PICTURE_RANK else _wave(entrance, answers, made)
    )
    dtype = _TYPES[entrance.type]
    made.card["input"] = {"name": entrance.name, "shape": list(shape), "dtype": dtype}
    made.card["sources"] = list(answers.sources)
    if not answers.sources:
        made.asked.append("which sources it judges: --sources 'camera/line2,camera/line3' (patterns)")
    count = max(2, int(scores.shape[1] or 0))
    made.card["output"] = {"scores": scores.name, "activation": _activation(session, made, answers)}
    if facts.heat is not None and made.card["task"] == "picture":
        made.card["output"]["heat"] = facts.heat.name
        made.guessed.append(f"output {facts.heat.name} is a heat map")
    _labels(count, answers, made)
    made.asked.append("what it was trained on and under which terms, and how well it does: training, accuracy")
    return made


def _session(path: Path) -> ort.InferenceSession:
    options = ort.SessionOptions()
    options.log_severity_level = 4
    try:
        return ort.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    except Exception as error:  # the runtime raises many types of its own
        raise ModelError(f"{path.name} does not load: {without_paths(error, path.parent)[:300]}") from error


def _facts(session: ort.InferenceSession) -> Facts:
    inputs, outputs = (
        [
            Tensor(each.name, tuple(side if isinstance(side, int) else None for side in each.shape), each.type)
            for each in some
        ]
        for some in (session.get_inputs(), session.get_outputs())
    )
    return Facts(inputs, outputs)


def _picture(entrance: Tensor, answers: Answers, made: Draft) -> tuple[int, ...]:
    """Fill in `prepare` of a picture model; the input's shape without the batch."""
    sides = entrance.shape[1:]
    layout = "hwc" if sides[0] not in _CHANNELS and sides[2] in _CHANNELS else "chw"
    channels, height, width = (sides[2], sides[0], sides[1]) if layout == "hwc" else sides
    if channels not in _CHANNELS:
        raise ModelError(f"input {entrance.name} has {channels} channels; pictures have 1 or 3")
    if answers.size is None and None in (height, width):
        made.asked.append(
            f"the size it was trained at, which the file leaves open: --size WIDTHxHEIGHT ({_SIDE}x{_SIDE} now)"
        )
    wanted = answers.size or (_SIDE, _SIDE)
    width, height = width or wanted[0], height or wanted[1]
    colour = answers.colour or _CHANNELS[channels]
    if answers.colour is None and channels > 1:
        made.guessed.append("colours are in the order rgb: --colour bgr if they are not")
    raw = entrance.type == "tensor(uint8)"
    if answers.scale is None and not raw:
        made.guessed.append("pixels are divided by 255: --scale 1 if they are not")
    if not (answers.mean and answers.std) and not raw:
        made.asked.append("mean and deviation per channel, after scaling, if training took them: --mean --std")
    made.card["task"] = "picture"
    made.card["prepare"] = {
        "kind": "picture",
        "colour": colour,
        "width": width,
        "height": height,
        "scale": 1 / 255 if answers.scale is None else answers.scale,
        "mean": list(answers.mean or (0.0,)),
        "std": list(answers.std or (1.0,)),
        "layout": layout,
    }
    return (height, width, channels) if layout == "hwc" else (channels, height, width)


def _wave(entrance: Tensor, answers: Answers, made: Draft) -> tuple[int, ...]:
    """Fill in `prepare` of a waveform model."""
    sides = entrance.shape[1:]
    count = sides[-1]
    if count is None or any(side != 1 for side in sides[:-1]):
        raise ModelError(
            f"input {entrance.name} is {', '.join(map(str, sides))}: one channel of a fixed number of samples is wanted"
        )
    rate = answers.rate or float(count)
    if answers.rate is None:
        made.asked.append(f"the sampling rate it was trained at: --rate HZ ({rate:g} now, so that a window is 1 s)")
    made.card["task"] = "waveform"
    made.card["prepare"] = {
        "kind": "wave",
        "seconds": count / rate,
        "hop": 1.0,
        "rate_hz": [rate * 0.999, rate * 1.001],
        "standardise": False,
    }
    made.guessed.append("samples are given as they come: set prepare.standardise if training standardised each window")
    return tuple(1 if side is None else side for side in sides)


def _activation(session: ort.InferenceSession, made: Draft, answers: Answers) -> str:
    """What makes probabilities of the scores, by what it answers to noise."""
    if answers.activation is not None:
        return answers.activation
    entrance = made.card["input"]
    first = session.get_inputs()[0].shape[0]
    shape = (first if isinstance(first, int) else 1, *entrance["shape"])
    noise = np.random.default_rng(0).random(shape) * (255 if entrance["dtype"] == "uint8" else 1)
    scores = _facts(session).scores
    assert scores is not None
    try:
        found = session.run([scores.name], {entrance["name"]: noise.astype(entrance["dtype"])})[0]
    except Exception as error:  # as above
        raise ModelError(f"it refuses an input of shape {shape}: {without_paths(error)[:300]}") from error
    rows = np.asarray(found, np.float64).reshape(shape[0], -1)
    if not np.isfinite(rows).all():
        raise ModelError("it answers noise with NaN or infinity")
    if rows.min() >= 0 and rows.max() <= 1 + _SUM:
        adds_up = bool((np.abs(rows.sum(axis=1) - 1) < _SUM).all()) and rows.shape[1] > 1
        made.guessed.append(
            "scores are probabilities already"
            + ("" if adds_up else ", each label's by itself")
            + ": --activation if not"
        )
        return "none" if adds_up else "probability"
    made.guessed.append("scores become probabilities by softmax: --activation sigmoid if each label stands by itself")
    return "sigmoid" if rows.shape[1] == 1 else "softmax"


def _labels(count: int, answers: Answers, made: Draft) -> None:
    labels = answers.labels or tuple(f"{PLACEHOLDER}{number}" for number in range(count))
    if len(labels) != count:
        raise ModelError(f"{len(labels)} labels for {count} scores")
    made.card["labels"] = list(labels)
    if not answers.labels:
        made.asked.append(f"what its {count} scores stand for, in order: --labels FILE (one a line) or 'a,b,c'")
    ok = answers.ok
    if ok is None and made.card["task"] == "waveform":
        ok = labels[0]
        made.asked.append(f"which label says that nothing is wrong: --ok LABEL ({ok} now)")
    elif ok is None:
        made.asked.append("which label says that nothing is wrong: --ok LABEL (none now: every picture is an alert)")
    if ok is not None:
        if ok not in labels:
            raise ModelError(f"--ok {ok} is none of the labels")
        made.card["ok_label"] = ok


def window_samples(card: dict[str, Any]) -> int:
    """Samples of one window of a drafted waveform card."""
    return math.prod(card["input"]["shape"])
