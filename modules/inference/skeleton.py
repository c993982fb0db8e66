"""What a bare ONNX file tells of the card it needs, what has to be guessed, and what only its maker knows. No output.

`draft` writes down a card that runs; the guesses and the open questions come beside it, in words.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np
import onnxruntime as ort

from modules.inference.bare import CONSTANTS, PICTURE_RANK, TYPES, Tensor, facts_in, session_of
from modules.inference.errors import ModelError, without_paths

PLACEHOLDER: Final = "label-"
_CHANNELS: Final = {1: "grey", 3: "rgb"}
_SIDE: Final = 224  # where the file leaves width and height open
_SUM: Final = 1e-3


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
    count: int | None = None  # samples of a window, where the file leaves it open
    constants: Mapping[str, float] = field(default_factory=dict)  # values of further inputs


@dataclass(slots=True)
class Draft:
    """A card's document; what was guessed; what is still to be said."""

    card: dict[str, Any]
    guessed: list[str] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)


def draft(path: Path, answers: Answers) -> Draft:
    """A card for `path`. Raises ModelError with every obstacle in words."""
    session = session_of(path)
    facts = facts_in(session)
    if obstacles := facts.obstacles():
        raise ModelError("; ".join(obstacles))
    scores = facts.scores
    assert scores is not None
    made = Draft(
        {"format": 1, "name": answers.name, "version": "1.0.0", "title": answers.title or f"{path.stem}, as it came"}
    )
    entrance = facts.inputs[0]
    shape = _picture(entrance, answers, made) if len(entrance.shape) == PICTURE_RANK else _wave(entrance, answers, made)
    dtype = TYPES[entrance.type]
    made.card["input"] = {"name": entrance.name, "shape": list(shape), "dtype": dtype}
    if len(facts.inputs) > 1:
        made.card["input"]["constants"] = _constants(facts.inputs[1:], answers, made)
    made.card["sources"] = list(answers.sources)
    if not answers.sources:
        made.asked.append("which sources it judges: --sources 'camera/line2,camera/line3' (patterns)")
    count = max(2, int(scores.shape[1] or 0) if len(scores.shape) > 1 else 1)
    made.card["output"] = {"scores": scores.name, "activation": _activation(session, made, answers)}
    if facts.heat is not None and made.card["task"] == "picture":
        made.card["output"]["heat"] = facts.heat.name
        made.guessed.append(f"output {facts.heat.name} is a heat map")
    _labels(count, answers, made)
    made.asked.append("what it was trained on and under which terms, and how well it does: training, accuracy")
    return made


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
    count = sides[-1] or answers.count
    if count is None or any(side != 1 for side in sides[:-1]):
        raise ModelError(
            f"input {entrance.name} is {', '.join(map(str, sides))}: one channel of a fixed number of samples is wanted"
            ": say --samples N"
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
    return (*(1 for _ in sides[:-1]), count)


def _activation(session: ort.InferenceSession, made: Draft, answers: Answers) -> str:
    """What makes probabilities of the scores, by what it answers to noise."""
    if answers.activation is not None:
        return answers.activation
    entrance = made.card["input"]
    first = session.get_inputs()[0].shape[0]
    shape = (first if isinstance(first, int) else 1, *entrance["shape"])
    noise = np.random.default_rng(0).random(shape) * (255 if entrance["dtype"] == "uint8" else 1)
    scores = facts_in(session).scores
    assert scores is not None
    try:
        given = {
            name: np.full(each["shape"], each["value"], each["dtype"])
            for name, each in entrance.get("constants", {}).items()
        }
        found = session.run([scores.name], {entrance["name"]: noise.astype(entrance["dtype"]), **given})[0]
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


def _constants(further: Sequence[Tensor], answers: Answers, made: Draft) -> dict[str, Any]:
    """What the other inputs are always given: nought, where nothing else was said."""
    found = {}
    for each in further:
        shape = [1 if side is None else side for side in each.shape]
        value = answers.constants.get(each.name, 0.0)
        found[each.name] = {"shape": shape, "dtype": CONSTANTS[each.type], "value": value}
        if each.name not in answers.constants:
            made.asked.append(f"what input {each.name}, {shape}, is to be always: --constant {each.name}=VALUE (0 now)")
    return found


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
