"""The inference engine against bare ONNX Runtime and OpenCV's DNN module, int8 against float32, and a line's latency.

The pictures are the packages' own golden cases, tiled up to a camera's size where the real ones are larger. Everything
runs on one thread, the ways alternate, and the quickest of many runs counts: what the work costs undisturbed.
"""

from __future__ import annotations

import csv
import os
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray

from bench.claim import Claim
from bench.latency import p99_ms
from modules.inference.golden import read_golden
from modules.inference.prepare import prepare
from modules.inference.runner import FILES, Runner

MODELS = Path(__file__).resolve().parents[1] / "models"
PICTURES = {"tile": ("magnetic_tile", 250, 350), "steel": ("neu_det", 200, 200)}  # data set, width, height of a picture


class Costs(NamedTuple):
    """Milliseconds for one picture."""

    bare: float  # decode and network, nothing else
    ours: float
    int8: float  # the network alone
    fp32: float
    opencv: float | None = None  # None: it does not run this network


def _quickest(ways: list[Callable[[], object]], rounds: int) -> list[float]:
    """Milliseconds of the quickest of ``rounds`` runs of each way, taken in turn."""
    best = [float("inf")] * len(ways)
    for _ in range(rounds):
        for place, way in enumerate(ways):
            begun = time.perf_counter()
            way()
            best[place] = min(best[place], time.perf_counter() - begun)
    return [seconds * 1e3 for seconds in best]


def _bodies(package: str) -> list[bytes]:
    """JPEG pictures of the size that the camera sends for this package."""
    _, width, height = PICTURES[package]
    bodies = []
    for case in read_golden(MODELS / package)[:8]:
        pixels = np.asarray(cv2.imdecode(np.frombuffer(case.body, np.uint8), cv2.IMREAD_COLOR))
        sized = cv2.resize(pixels, (width, height), interpolation=cv2.INTER_LINEAR)
        bodies.append(cv2.imencode(".jpg", sized, [cv2.IMWRITE_JPEG_QUALITY, 90])[1].tobytes())
    return bodies


def _bare_session(path: Path) -> ort.InferenceSession:
    options = ort.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    return ort.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


def _opencv(path: Path, inputs: NDArray[np.float32]) -> cv2.dnn.Net | None:
    """The network in OpenCV's own module, or None where that cannot run it: it knows few shapes of MatMul."""
    try:
        net = cv2.dnn.readNetFromONNX(str(path))
        net.setInput(inputs)
        net.forward()
    except cv2.error as error:
        print(f"OpenCV DNN does not run {path.parent.name}: {error}", file=sys.stderr)
        return None
    return net


def _cost(package: str, rounds: int) -> Costs:
    folder = MODELS / package
    runners = {precision: Runner(folder, precision=precision) for precision in FILES}
    bodies = _bodies(package)
    card = runners["fp32"].card
    name = card.input.name
    # Prepared once: a network may look at less of a small picture than of a large one.
    inputs = [np.asarray(runners["fp32"].inputs([prepare(body, {}, card)]), np.float32) for body in bodies]
    # Each network several times in a row: one run after another way's would find cold caches.
    sessions = {precision: _bare_session(folder / file) for precision, file in FILES.items()}
    rival = _opencv(folder / FILES["fp32"], inputs[0])

    def bare() -> None:
        for body, each in zip(bodies, inputs, strict=True):
            cv2.imdecode(np.frombuffer(body, np.uint8), cv2.IMREAD_GRAYSCALE)
            sessions["int8"].run(None, {name: each})

    def ours() -> None:
        for body in bodies:
            runners["int8"].judge([(body, {})])

    def opencv() -> None:
        for body in bodies:
            pixels = np.asarray(cv2.imdecode(np.frombuffer(body, np.uint8), cv2.IMREAD_GRAYSCALE))
            assert rival is not None
            rival.setInput(cv2.dnn.blobFromImage(pixels, 1 / 255, card.input.shape[:0:-1]))
            rival.forward()

    def alone(precision: str) -> None:
        for each in inputs:
            sessions[precision].run(None, {name: each})

    ways: list[Callable[[], object]] = [bare, ours, lambda: alone("int8"), lambda: alone("fp32")]
    ways += [opencv] if rival is not None else []
    times = _quickest(ways, rounds)
    return Costs(*(each / len(bodies) for each in times))


def _right(package: str, data: Path, step: int) -> dict[str, float] | None:
    """Percent of real pictures named right by each precision; None where the pictures are missing.

    These files learnt from all of them: the difference is what quantising costs, the height says nothing.
    """
    folder = data / PICTURES[package][0]
    if not (folder / "manifest.csv").exists():
        return None
    with (folder / "manifest.csv").open(newline="", encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file) if row["split"] == "train"][::step]
    return {precision: _share(package, folder, rows, precision) for precision in FILES}


def _share(package: str, folder: Path, rows: list[dict[str, str]], precision: str) -> float:
    runner = Runner(MODELS / package, precision=precision)
    labels, ok = runner.card.labels, runner.card.ok_label
    right = 0
    for row in rows:
        (found,) = runner.judge([((folder / row["split"] / row["file"]).read_bytes(), {})])
        said = labels[int(np.argmax(found))]
        right += (said == ok) == (row["label"] == "free") if ok is not None else said == row["label"]
    return 100 * right / len(rows)


def line_p99_ms(*, count: int, rate: float) -> float:
    """From a picture's sending to its verdict at another module, over TLS through localhub, at the 99th percentile.

    The tile package judges pictures of a camera's size; its threshold is 0, so that every picture has an alert.
    """
    with tempfile.TemporaryDirectory(prefix="verdicts-") as text:
        bodies = Path(text) / "bodies"
        bodies.mkdir()
        for number, body in enumerate(_bodies("tile")):
            (bodies / f"{number}.jpg").write_bytes(body)
        packages = {"tile": {"path": "tile", "threshold": 0.0, "sources": ["camera/*"]}}
        return p99_ms(
            Path(text),
            "127.32.1.3",
            {"source": "bench._verdicts", "inference": "modules.inference", "sink": "bench._verdicts"},
            count=count,
            rate=rate,
            patience_s=120,
            environment={"BENCH_BODIES": str(bodies), "OPENBLAS_NUM_THREADS": "1"},
            settings={"inference": {"packages": packages, "kept_mb": 0}},
        )


def run(*, quick: bool) -> dict[str, Claim]:
    """The worse of the two picture packages for each claim, and the way through the line."""
    cv2.setNumThreads(1)
    costs = {package: _cost(package, 30 if quick else 150) for package in PICTURES}
    overhead = {package: cost.ours / cost.bare for package, cost in costs.items()}
    worst = max(overhead, key=overhead.__getitem__)
    sizes = {
        p: (MODELS / p / FILES["int8"]).stat().st_size / (MODELS / p / FILES["fp32"]).stat().st_size for p in costs
    }
    speeds = {package: cost.fp32 / cost.int8 for package, cost in costs.items()}
    rival = {package: cost.opencv / cost.ours for package, cost in costs.items() if cost.opencv is not None}
    peers = {p: "cannot run it" if c.opencv is None else f"fp32 {c.opencv:.2f} ms" for p, c in costs.items()}
    beside = "; ".join(f"{p}: ours {c.ours:.2f} ms, OpenCV DNN {peers[p]}" for p, c in costs.items())
    claims = {
        "vs_bare": Claim(
            overhead[worst], "bare", 1.3, 1.1, f"decode + ONNX Runtime int8; {beside}", lower_is_better=True
        ),
        # Above 1: the same pictures are judged sooner than by OpenCV's own module, which runs the float32 file.
        "vs_opencv_dnn": Claim(min(rival.values()), "x as fast", 1, 1.5, beside),
        "int8_size": Claim(max(sizes.values()), "of fp32", 0.35, 0.27, _each(sizes), lower_is_better=True),
        "int8_speed": Claim(min(speeds.values()), "x fp32", 1.3, 2, _each(speeds)),
    }
    p99 = line_p99_ms(count=100 if quick else 600, rate=20)
    claims["line_p99_ms"] = Claim(
        p99, "ms", 50, 25, "picture sent to verdict received, 20 pictures/s, TLS, tile int8", lower_is_better=True
    )
    data = Path(os.environ.get("MILLWATCH_DATA") or MODELS.parents[1] / "shared" / "data")
    lost = {}
    for package in PICTURES:
        right = _right(package, data, 8 if quick else 1)
        if right is not None:
            lost[package] = right["fp32"] - right["int8"]
    if lost:
        peer = f"percent of all real pictures named right, fp32 minus int8; {_each(lost)}"
        claims["int8_lost"] = Claim(max(lost.values()), "points", 1, 0.3, peer, lower_is_better=True)
    return claims


def _each(figures: dict[str, float]) -> str:
    return ", ".join(f"{name} {value:.3g}" for name, value in figures.items())
