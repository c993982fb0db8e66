"""``python -m modules.inference check PACKAGE``: will this package run here, how fast, how big, what is missing."""

import argparse
import time
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from modules.inference.card import Card, CardError, read_card
from modules.inference.errors import ModelError
from modules.inference.golden import read_golden
from modules.inference.runner import FILES, Model, Runner

_ROUNDS = 30


def command(arguments: list[str]) -> int:
    """Print what was found; 0 when the package will run, 1 when not."""
    parser = argparse.ArgumentParser(prog="python -m modules.inference check", description=__doc__)
    parser.add_argument("package", type=Path, help="folder with card.json and model.onnx")
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args(arguments)
    ok, lines = examine(options.package, options.threads)
    for line in lines:
        print(line)  # noqa: T201 - a command's output
    return 0 if ok else 1


def examine(folder: Path, threads: int = 1) -> tuple[bool, list[str]]:
    """Whether the package will run, and lines that say so and why."""
    try:
        card = read_card(folder)
    except CardError as error:
        return False, [f"no    {error}", *_hints(folder)]
    lines = [f"card  {card.id}: {card.title}; {card.task}, labels {', '.join(card.labels)}"]
    good = 0
    for precision, file in FILES.items():
        if not (folder / file).exists():
            lines.append(f"      {file} is not there" + ("" if precision == "fp32" else " (optional)"))
            continue
        size = (folder / file).stat().st_size
        try:
            runner = Runner(folder, threads=threads, precision=precision)
        except (CardError, ModelError) as error:
            lines.append(f"no    {file}: {error}")
            continue
        good += 1
        golden = f"{runner.loaded.golden_cases} golden cases, largest difference {runner.loaded.golden_difference:.2g}"
        lines.append(f"ok    {file}: {size / 1024:.0f} KB, {_speed(runner.model, card)}, {golden}")
    lines.extend(_missing(folder, card))
    return good > 0, lines


def _speed(model: Model, card: Card) -> str:
    """Median time of the network alone, on random input."""
    random = np.random.default_rng(0)
    shape = (1, *card.input.shape)
    inputs = random.normal(size=shape).astype(np.float32)
    if card.input.dtype == "uint8":
        inputs = random.integers(0, 256, shape).astype(np.uint8)
    took = []
    try:
        for _ in range(_ROUNDS):
            begin = time.perf_counter()
            model.run(inputs)
            took.append(time.perf_counter() - begin)
    except ModelError as error:
        return f"runs, but not on random input ({error})"
    return f"{sorted(took)[len(took) // 2] * 1e3:.2f} ms"


def _missing(folder: Path, card: Card) -> Iterable[str]:
    try:
        cases = read_golden(folder)
    except CardError as error:
        yield f"no    {error}"
        return
    if not cases:
        yield "      no golden.npz: nothing tells whether this processor computes what the model's maker saw"
    if not card.files:
        yield "      the card has no SHA-256 of its files"
    if not card.sources:
        yield "      the card names no sources: say in the settings which ones it judges"
    if not card.training:
        yield "      the card does not say what the model was trained on, nor under which terms"
    if not card.accuracy:
        yield "      the card does not say how well the model does on data it has not seen"


def _hints(folder: Path) -> Iterable[str]:
    """What a bare ONNX file says of itself, so that a card can be written."""
    files = sorted(folder.glob("*.onnx")) if folder.is_dir() else [folder] if folder.suffix == ".onnx" else []
    for file in files:
        try:
            import onnxruntime as ort  # noqa: PLC0415 - only here

            session = ort.InferenceSession(str(file), providers=["CPUExecutionProvider"])
        except Exception as error:  # noqa: BLE001 - whatever the runtime raises is the answer
            yield f"no    {file.name} does not load: {str(error)[:200]}"
            continue
        inputs = ", ".join(f"{each.name} {each.shape} {each.type}" for each in session.get_inputs())
        outputs = ", ".join(f"{each.name} {each.shape} {each.type}" for each in session.get_outputs())
        yield f"      {file.name} takes {inputs} and gives {outputs}; docs/formats/model-package.md says what to write"
