"""The fits, each in a process of its own and each remembered, so that an interrupted `make train` goes on where it was.

A job is a package, a split and a fold: split `honest` or `easy` trains on the other folds and scores this one; split
`final` trains on everything and keeps the network.
"""

import hashlib
import multiprocessing
import os
import tempfile
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray

from devices import rolling_bearing
from models.training import bearing, cards, doubt, export, sources, steel, tile, waves
from models.training.fitting import scores, seed
from modules.inference import orders
from modules.inference.model import Model
from modules.inference.runner import FILES

FOLDS: Final = sources.FOLDS
EASY_FOLDS: Final = {"steel": 1, "tile": 0}  # of the easy split: one shows the difference
SIZES: Final = (7, 14, 21)
PICTURES: Final[Mapping[str, ModuleType]] = {"tile": tile, "steel": steel}


@dataclass(frozen=True, slots=True)
class Job:
    """One fit."""

    package: str
    split: str
    fold: int = 0

    @property
    def file(self) -> str:
        """Name of its result in the work folder."""
        return f"{self.package}-{self.split}-{self.fold}.npz"


def jobs_of(package: str) -> list[Job]:
    """All fits behind a package, the final one first."""
    if package == bearing.NAME:
        honest = [Job(package, split, size) for split in ("honest", "plain", "unseen normal") for size in SIZES]
        return [Job(package, "final"), *honest, Job(package, "easy", 0)]
    honest = [Job(package, "honest", fold) for fold in range(FOLDS)]
    return [Job(package, "final"), *honest, *(Job(package, "easy", fold) for fold in range(EASY_FOLDS[package]))]


def run_all(jobs: Sequence[Job], data: Path, work: Path, workers: int, *, quick: bool) -> None:
    """Run what has no result yet, the given number at a time."""
    work.mkdir(parents=True, exist_ok=True)
    missing = [job for job in jobs if not (work / job.file).exists()]
    if any(job.package == bearing.NAME for job in missing):
        bearing_windows(data, work, quick=quick)
    for package in {job.package for job in missing} & PICTURES.keys():
        PICTURES[package].seen(PICTURES[package].load(data), work, quick=quick)
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(workers, mp_context=context) as pool:
        waiting = [pool.submit(run, job, data, work, quick=quick) for job in missing]
        for done in as_completed(waiting):
            print(done.result(), flush=True)


def run(job: Job, data: Path, work: Path, *, quick: bool) -> str:
    """One fit; a line that says how long it took."""
    begin = time.perf_counter()
    torch.set_num_threads(1)
    result = (
        _bearing(job, data, work, quick=quick)
        if job.package == bearing.NAME
        else _picture(job, data, work, quick=quick)
    )
    fresh = work / f"{job.file}.new"
    with fresh.open("wb") as file:
        np.savez_compressed(file, **result)
    fresh.replace(work / job.file)
    return f"{job.package} {job.split} {job.fold}: {time.perf_counter() - begin:.0f} s"


def picture_folds(package: str, split: str, dataset: Any) -> NDArray[np.int64]:
    """A fold for each picture: by tile or strip block, or, for the easy split, picture by picture."""
    groups = dataset.groups if split == "honest" else np.arange(len(dataset.groups))
    return sources.folds(groups, PICTURES[package].strata(dataset))


def _picture(job: Job, data: Path, work: Path, *, quick: bool) -> dict[str, Any]:
    module = PICTURES[job.package]
    dataset = module.load(data)
    learnt = module.seen(dataset, work, quick=quick)
    everything = np.arange(len(dataset.files))
    epochs = 2 if quick else module.EPOCHS
    if job.split == "final":
        return _kept(module.fit(dataset, everything, learnt, epochs=epochs))
    fold = picture_folds(job.package, job.split, dataset)
    rows, held = everything[fold != job.fold], everything[fold == job.fold]
    net = module.fit(dataset, rows, learnt, epochs=epochs)
    inputs = module.inputs(dataset, held)
    result = {"rows": held, "scores": scores(net, inputs)}
    if job.split == "honest":
        card = cards.picture_card(job.package, dataset)
        result["int8"] = _int8_scores(net, card, module.inputs(dataset, rows), inputs)
    return result


def _int8_scores(
    net: torch.nn.Module, card: Any, calibration: NDArray[np.float32], inputs: NDArray[np.float32]
) -> NDArray[np.float64]:
    """Log-probabilities of the quantised network."""
    with tempfile.TemporaryDirectory() as folder:
        export.write_package(Path(folder), net, card, calibration, [])
        return np.log(Model(card, Path(folder) / FILES["int8"]).probabilities(inputs) + 1e-9)


def bearing_windows(data: Path, work: Path, *, quick: bool) -> bearing.Windows:
    """The windows' features, computed once: they take minutes. Anew when the code that makes them has changed."""
    code = b"".join(Path(str(module.__file__)).read_bytes() for module in (bearing, waves, orders, rolling_bearing))
    path = work / f"bearing-windows-{hashlib.sha256(code).hexdigest()[:12]}{'-quick' if quick else ''}.npz"
    names = bearing.Windows.__dataclass_fields__
    if not path.exists():
        table = bearing.windows(bearing.load(data), share=0.1 if quick else 1.0)
        np.savez(path, **{name: getattr(table, name) for name in names})
    with np.load(path, allow_pickle=False) as archive:
        return bearing.Windows(**{name: archive[name] for name in names})


def bearing_rows(table: bearing.Windows, job: Job) -> NDArray[np.bool_]:
    """Which windows a job learns from."""
    learnable: NDArray[np.bool_] = np.asarray(table.how != bearing.CHECKS[1])
    normal: NDArray[np.bool_] = np.asarray(table.size == 0)
    if job.split == "final":
        return learnable
    if job.split == "easy":  # every other second half of a recording is held out: the bearings are all known
        return np.asarray(learnable & (table.half == 0))
    rows = np.asarray(learnable & (table.size != job.fold))
    return np.asarray(rows & ~normal if job.split == "unseen normal" else rows & (~normal | (table.half == 0)))


def _bearing(job: Job, data: Path, work: Path, *, quick: bool) -> dict[str, Any]:
    table = bearing_windows(data, work, quick=quick)
    seed(0)
    choice = (0, 0)
    if job.split not in ("plain", "easy"):
        choice = doubt.doubted(table, [size for size in SIZES if job.split == "final" or size != job.fold])
        table = doubt.silenced(table, choice)
    rows = np.flatnonzero(bearing_rows(table, job))
    net = bearing.fit(table, rows, epochs=4 if quick else bearing.EPOCHS)
    if job.split == "final":
        return {**_kept(net), "doubted": np.array(choice)}
    held = np.flatnonzero(~bearing_rows(table, job) & (table.how != bearing.VARIED))
    result = {"rows": held, "scores": scores(net, table.features[held]), "doubted": np.array(choice)}
    if job.split == "honest":
        card = cards.bearing_card()
        result["int8"] = _int8_scores(net, card, table.features[rows], table.features[held])
    return result


def _kept(net: torch.nn.Module) -> dict[str, Any]:
    return {name: value.numpy() for name, value in net.state_dict().items()}


def restored(net: torch.nn.Module, kept: Mapping[str, NDArray[Any]]) -> torch.nn.Module:
    """The network with the weights of a final job."""
    known = net.state_dict()
    net.load_state_dict({name: torch.from_numpy(np.asarray(value)) for name, value in kept.items() if name in known})
    return net.eval()


def workers() -> int:
    """As many as there are processors."""
    return os.cpu_count() or 1
