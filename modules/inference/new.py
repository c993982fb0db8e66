"""``python -m modules.inference new MODEL.onnx``: a package from a bare ONNX file, with what the file tells.

Writes the card, copies the model, and makes golden cases by running it. What the file does not tell is asked for in
words; say it and run the command again, or edit card.json.
"""

import argparse
import hashlib
import shutil
import sys
from pathlib import Path
from typing import Any, Final

import cv2
import numpy as np
import orjson

from modules.inference.card import Card, CardError, read_card
from modules.inference.errors import ModelError
from modules.inference.golden import NAME, GoldenCase, write_golden
from modules.inference.looks import usual
from modules.inference.prepare import prepare_and_look
from modules.inference.runner import FILES, Runner
from modules.inference.skeleton import Answers, Draft, draft, window_samples

_CASES: Final = 8
_ENOUGH: Final = 20  # examples, for the usual range of an input's statistics
_PICTURES: Final = (".jpg", ".jpeg", ".png", ".bmp")

Example = tuple[bytes, dict[str, float]]


def command(arguments: list[str]) -> int:
    """Write a package; 0 when it runs, 1 when not."""
    options = _parser().parse_args(arguments)
    model: Path = options.model
    name = options.name or "".join(c if c.isalnum() or c in "._-" else "-" for c in model.stem.lower()).strip("._-")
    folder: Path = options.out or Path(name)
    if (folder / "card.json").exists() and not options.force:
        sys.stdout.write(f"no    {folder}/card.json is there: --force writes it anew\n")
        return 1
    try:
        made = draft(model, _answers(options, name))
        count = write(folder, model, made, _examples(options.examples))
    except (ModelError, CardError, OSError) as error:
        sys.stdout.write(f"no    {error}\n")
        return 1
    lines = [
        f"wrote {folder}: card.json, {FILES['fp32']}, {NAME} with {count} cases",
        *(f"guessed: {text}" for text in made.guessed),
        *(f"to say:  {text}" for text in made.asked),
        f"next:    python -m modules.inference check {folder}",
    ]
    sys.stdout.write("\n".join(lines) + "\n")
    return 0


def write(folder: Path, model: Path, made: Draft, examples: list[Example]) -> int:
    """Write the folder; how many golden cases it has. Raises CardError, ModelError when it does not run."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / NAME).unlink(missing_ok=True)
    target = folder / FILES["fp32"]
    if model.resolve() != target.resolve():
        shutil.copyfile(model, target)
    for extra in model.parent.glob(f"{model.name}.data"):  # weights that were kept beside the file
        shutil.copyfile(extra, folder / extra.name)
    _write_card(folder, made.card)
    runner = Runner(folder)
    bodies = examples or _invented(runner.card, made.card)
    ranges = _usual(bodies, runner.card) if len(examples) >= _ENOUGH else {}
    if ranges:
        made.card["reference"] = {"input": ranges}
    elif not examples:
        made.asked.append("some real inputs: --examples FOLDER; golden cases are made of noise until then")
    cases = [GoldenCase(body, facts, "", {"fp32": runner.judge([(body, facts)])[0]}) for body, facts in bodies[:_CASES]]
    write_golden(folder, cases)
    names = [FILES["fp32"], NAME]
    made.card["files"] = {each: hashlib.sha256((folder / each).read_bytes()).hexdigest() for each in names}
    _write_card(folder, made.card)
    Runner(folder)  # as the module will load it
    return len(cases)


def _write_card(folder: Path, document: dict[str, Any]) -> None:
    path = folder / "card.json"
    path.write_bytes(orjson.dumps(document, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE))
    read_card(folder)


def _usual(examples: list[Example], card: Card) -> dict[str, tuple[float, float]]:
    """The usual range of each statistic of the examples."""
    asking = card.model_copy(update={"reference": card.reference.model_copy(update={"input": {"": (0.0, 0.0)}})})
    return usual([prepare_and_look(body, facts, asking)[1] for body, facts in examples])


def _examples(folder: Path | None) -> list[Example]:
    """Pictures, or .npy files of float32 samples with the rate in their name: `press4-12000.npy`."""
    if folder is None:
        return []
    found: list[Example] = []
    for path in sorted(folder.rglob("*")):
        if path.suffix.lower() in _PICTURES:
            found.append((path.read_bytes(), {}))
        elif path.suffix == ".npy":
            rate = path.stem.rpartition("-")[2]
            if not rate.isdigit():
                raise ModelError(f"{path.name}: the rate stands at the end of the name, as in press4-12000.npy")
            found.append((np.load(path, allow_pickle=False).astype("<f4").tobytes(), {"rate": float(rate)}))
    if not found:
        raise ModelError(f"no pictures and no .npy files in {folder.name}")
    return found


def _invented(card: Card, document: dict[str, Any]) -> list[Example]:
    """Noise of several strengths: it tells whether another processor computes the same, and nothing more."""
    random = np.random.default_rng(0)
    if card.task == "picture":
        shape = (document["prepare"]["height"], document["prepare"]["width"], 3)
        pictures = [
            np.clip(random.normal(40 + 25 * number, 12 * number, shape), 0, 255).astype(np.uint8)
            for number in range(1, 5)
        ]
        return [(cv2.imencode(".png", each)[1].tobytes(), {}) for each in pictures]
    low, high = document["prepare"]["rate_hz"]
    count = window_samples(document)
    facts = {"rate": (low + high) / 2}
    return [(random.normal(0, 0.1 * 4**number, count).astype("<f4").tobytes(), facts) for number in range(4)]


def _answers(options: argparse.Namespace, name: str) -> Answers:
    return Answers(
        name=name,
        title=options.title,
        labels=_labels(options.labels),
        ok=options.ok,
        sources=tuple(filter(None, options.sources.split(","))),
        size=_size(options.size),
        colour=options.colour,
        scale=options.scale,
        mean=_numbers(options.mean),
        std=_numbers(options.std),
        activation=options.activation,
        rate=options.rate,
        count=options.samples,
        constants=_constants(options.constant),
    )


def _labels(text: str) -> tuple[str, ...]:
    if text and Path(text).is_file():
        text = Path(text).read_text(encoding="utf-8").replace("\n", ",")
    return tuple(each.strip() for each in text.split(",") if each.strip())


def _constants(texts: list[str]) -> dict[str, float]:
    try:
        return {name: float(value) for name, _, value in (text.partition("=") for text in texts)}
    except ValueError as error:
        raise ModelError("--constant takes NAME=NUMBER") from error


def _numbers(text: str) -> tuple[float, ...]:
    try:
        return tuple(float(each) for each in text.split(",") if each)
    except ValueError as error:
        raise ModelError(f"{text!r} is no list of numbers such as 0.485,0.456,0.406") from error


def _size(text: str) -> tuple[int, int] | None:
    if not text:
        return None
    width, _, height = text.partition("x")
    if not (width.isdigit() and height.isdigit()):
        raise ModelError(f"--size {text} is not WIDTHxHEIGHT")
    return int(width), int(height)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m modules.inference new", description=__doc__)
    parser.add_argument("model", type=Path, help="the ONNX file")
    parser.add_argument("--out", type=Path, help="folder to write; by default the name, here")
    parser.add_argument("--force", action="store_true", help="write over a package that is there")
    parser.add_argument("--name", default="", help="small letters, digits, . _ -; by default the file's")
    parser.add_argument("--title", default="", help="what it tells, for a person")
    parser.add_argument("--labels", default="", help="a file with one label a line, or a,b,c")
    parser.add_argument("--ok", help="the label that says that nothing is wrong")
    parser.add_argument("--sources", default="", help="patterns of the sources it judges, with commas")
    parser.add_argument("--examples", type=Path, help="folder of pictures, or of .npy windows named NAME-RATE.npy")
    parser.add_argument("--size", default="", help="WIDTHxHEIGHT, where the file leaves it open")
    parser.add_argument("--colour", choices=("grey", "rgb", "bgr"))
    parser.add_argument("--scale", type=float, help="what pixels (0 to 255) are multiplied by; 1/255 by default")
    parser.add_argument("--mean", default="", help="per channel, after scaling")
    parser.add_argument("--std", default="", help="per channel")
    parser.add_argument("--activation", choices=("softmax", "sigmoid", "none", "probability"))
    parser.add_argument("--rate", type=float, help="Hz, of a waveform model")
    parser.add_argument("--samples", type=int, help="of a window, where the file leaves it open")
    parser.add_argument("--constant", action="append", default=[], help="NAME=VALUE of a further input; repeatable")
    return parser
