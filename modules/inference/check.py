"""``python -m modules.inference check PACKAGE``: will this package run here, how fast, how big, what is missing.

The package is loaded by the module's own engine, in a process of its own with the module's deadline and memory limit:
what runs here runs there, and what would crash or hang the module is found out here.
"""

import argparse
import asyncio
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import orjson

from modules.inference.bare import facts_of
from modules.inference.card import Card, CardError, read_card
from modules.inference.engine import Engine
from modules.inference.errors import ChildGoneError, ModelError
from modules.inference.golden import read_golden
from modules.inference.onnxfile import NotOnnxError, read_onnx
from modules.inference.runner import FILES
from modules.inference.sizing import LEAST_MB, Sizing
from modules.inference.skeleton import PLACEHOLDER


@dataclass(slots=True)
class Report:
    """What was found."""

    package: str
    runs: bool = False
    card: dict[str, Any] = field(default_factory=dict)
    files: list[dict[str, Any]] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)  # why it does not run
    missing: list[str] = field(default_factory=list)  # what it runs without and should have

    def lines(self) -> Iterator[str]:
        """For a person."""
        if self.card:
            yield f"card  {self.card['id']}: {self.card['title']}; {self.card['task']}, {self.card['labels']} labels"
        for each in self.files:
            yield f"{'ok   ' if each['runs'] else 'no   '} {each['file']}: {_told(each)}"
        for text in self.wrong:
            yield f"no    {text}"
        for text in self.missing:
            yield f"      {text}"
        yield f"{self.package} {'will run here' if self.runs else 'will not run'}"


def command(arguments: list[str]) -> int:
    """Print what was found; 0 when the package will run, 1 when not."""
    parser = argparse.ArgumentParser(prog="python -m modules.inference check", description=__doc__)
    parser.add_argument("package", type=Path, help="folder with card.json and model.onnx, or a bare ONNX file")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--memory-mb", type=int, default=1024, help=f"at least {LEAST_MB}")
    parser.add_argument("--deadline", type=float, default=60.0, help="seconds for loading, golden cases included")
    parser.add_argument("--json", action="store_true", help="the same for a program")
    options = parser.parse_args(arguments)
    engine = Engine(
        load_s=options.deadline, sizing=Sizing(threads=options.threads), memory_mb=max(LEAST_MB, options.memory_mb)
    )
    report = asyncio.run(examine(options.package, engine))
    text = orjson.dumps(asdict(report), option=orjson.OPT_INDENT_2).decode() if options.json else None
    sys.stdout.write((text or "\n".join(report.lines())) + "\n")
    return 0 if report.runs else 1


async def examine(folder: Path, engine: Engine) -> Report:
    """Look at a package folder, or at a bare ONNX file, which is no package yet. Ends the engine."""
    report = Report(folder.name or str(folder))
    try:
        card, there = _look(folder, report)
        if card is not None:
            report.files = [await _try(folder, precision, engine) for precision in there]
            report.runs = any(each["runs"] for each in report.files)
    finally:
        await engine.close()
    return report


def _look(folder: Path, report: Report) -> tuple[Card | None, list[str]]:
    """The card, where there is one, and the precisions of the files beside it."""
    if folder.is_file():
        _describe(folder, report)
        report.wrong.append(f"{folder.name} is no package yet: python -m modules.inference new {folder.name}")
        return None, []
    try:
        card = read_card(folder)
    except CardError as error:
        report.wrong.append(str(error))
        for file in sorted(folder.glob("*.onnx")):
            _describe(file, report)
        return None, []
    report.card = {"id": card.id, "title": card.title, "task": card.task, "labels": len(card.labels)}
    there = [precision for precision, file in FILES.items() if (folder / file).exists()]
    if not there:
        report.wrong.append(f"neither {' nor '.join(FILES.values())} is there")
    report.missing += _missing(folder, card)
    return card, there


async def _try(folder: Path, precision: str, engine: Engine) -> dict[str, Any]:
    found = _file(folder / FILES[precision]) | {"precision": precision, "runs": False}
    try:
        loaded = await engine.load(precision, folder, precision=precision)
        found |= {key: loaded[key] for key in ("provider", "batch", "golden_cases", "golden_difference", "load_s")}
        found["ms"] = await engine.measure(precision)
    except (ModelError, ChildGoneError) as error:
        return found | {"error": str(error)}
    finally:
        await engine.drop(precision)
    found["peak_mb"] = found["ms"].pop("peak_mb")
    return found | {"runs": True}


def _file(path: Path) -> dict[str, Any]:
    """What the file says of itself."""
    try:
        facts = read_onnx(path)
    except (NotOnnxError, OSError) as error:
        return {"file": path.name, "bytes": path.stat().st_size, "error": str(error)}
    return {
        "file": path.name,
        "bytes": facts.size,
        "producer": facts.producer,
        "opsets": facts.opsets,
        "operators": facts.operators,
        "weights_missing": [each for each in facts.elsewhere if not (path.parent / each).exists()],
    }


def _describe(path: Path, report: Report) -> None:
    """A bare file: what it takes and gives, and what the module could not do with it."""
    found = _file(path) | {"runs": False}
    report.files.append(found)
    if "error" in found:
        return
    try:
        facts = facts_of(path)
    except ModelError as error:
        found["error"] = str(error)
        return
    found |= {"inputs": facts.told(facts.inputs), "outputs": facts.told(facts.outputs)}
    report.wrong += facts.obstacles()


def _missing(folder: Path, card: Card) -> Iterator[str]:
    try:
        cases = read_golden(folder)
    except CardError as error:
        yield str(error)
        return
    if not cases:
        yield "no golden.npz: nothing tells whether this processor computes what the model's maker saw"
    for precision in FILES:
        if (folder / FILES[precision]).exists() and any(precision not in case.expected for case in cases):
            yield f"golden.npz does not say what {precision} should answer"
    if not (folder / FILES["int8"]).exists():
        yield f"no {FILES['int8']} (optional): smaller, and quicker on most processors"
    if any(label.startswith(PLACEHOLDER) for label in card.labels):
        yield "the card has placeholders for labels: say what the scores stand for"
    if card.task == "picture" and card.ok_label is None:
        yield "the card has no ok_label: every picture becomes an alert"
    for name, text in (
        ("files", "no SHA-256 of its files"),
        ("sources", "no sources: say in the settings which ones it judges"),
        ("training", "not what the model was trained on, nor under which terms"),
        ("accuracy", "not how well the model does on data it has not seen"),
    ):
        if not getattr(card, name):
            yield f"the card has {text}"
    if not card.reference.input:
        yield "the card has no reference.input: inputs unlike those it was made for are not noticed"


def _told(found: dict[str, Any]) -> str:
    said = [f"{found['bytes'] / 1024:,.0f} KB"]
    if "opsets" in found:
        domains = {name.rpartition(".")[0] or "ai.onnx" for name in found["operators"]}
        used = [f"{name} {number}" for name, number in found["opsets"].items() if name in domains]
        said.append("opset " + ", ".join(used).replace("ai.onnx ", ""))
        said.append(f"{sum(found['operators'].values())} operators of {len(found['operators'])} kinds")
    if found.get("weights_missing"):
        said.append(f"weights in {', '.join(found['weights_missing'])}, which is not there")
    if "ms" in found:
        ms = found["ms"]
        said.append(
            f"{ms['network']:.2f} ms" + (f", {ms['batch_item']:.2f} ms each of {ms['batch']}" if "batch" in ms else "")
        )
        if "whole" in ms:
            said.append(f"{ms['whole']:.2f} ms from bytes to probabilities")
        said.append(f"process {found['peak_mb']} MB")
        said.append(f"{found['golden_cases']} golden cases, largest difference {found['golden_difference']:.2g}")
        said.append(found["provider"])
    if "inputs" in found:
        said.append(f"takes {found['inputs']}, gives {found['outputs']}")
    if "error" in found:
        said.append(found["error"])
    return "; ".join(said)
