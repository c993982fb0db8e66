"""The fits, each in a process of its own and each remembered, so that an interrupted `make train` goes on where it was.

What another recipe left behind is not taken over (recipe.py).

A job is a package, a split and a fold: split `honest` or `easy` trains on the other folds and scores this one; split
`final` trains on everything and keeps the network. Where a network has parts, each is fitted by itself; they are joined
when all folds are there, for the scales of the parts are of other folds' scores.
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
from models.training import bearing, cards, doubt, export, marks, recipe, sources, steel, tiles, waves, whole
from models.training.figures import even_odds
from models.training.fitting import AT_ONCE, each_batch, scores, seed
from models.training.lite import Trunk, Unfolded
from models.training.nets import Scale, TileNet
from modules.inference import orders
from modules.inference.model import Model
from modules.inference.runner import FILES

FOLDS: Final = sources.FOLDS
EASY_FOLDS: Final = {"steel": 1, "tile": 0}  # of the easy split: one shows the difference
SIZES: Final = (7, 14, 21)
QUICK: Final = 0.02  # share of the steps, to see that everything runs
PICTURES: Final[Mapping[str, ModuleType]] = {tiles.NAME: tiles, steel.NAME: steel}
MARKS: Final = ("marks 0", "marks 1")
WHOLES: Final = ("whole 0", "whole 1")
# Of the tile network's parts: what fits each, and the order in which it learns.
PARTS: Final[Mapping[str, tuple[ModuleType, int]]] = {
    **{name: (marks, number) for number, name in enumerate(MARKS)},
    **{name: (whole, number) for number, name in enumerate(WHOLES)},
}


@dataclass(frozen=True, slots=True)
class Job:
    """One fit, or the joining of a network's parts."""

    package: str
    split: str
    fold: int = 0
    part: str = ""

    @property
    def file(self) -> str:
        """Name of its result in the work folder: another one when the code has changed that fits."""
        name = (self.package, *([self.part] if self.part else []), self.split, f"{self.fold}", f"{recipe.today()}.npz")
        return "-".join(name)


def jobs_of(package: str) -> list[Job]:
    """All jobs behind a package, in an order in which they can be done."""
    if package == bearing.NAME:
        honest = [Job(package, split, size) for split in ("honest", "plain", "unseen normal") for size in SIZES]
        return [Job(package, "final"), *honest, Job(package, "easy", 0)]
    honest = [Job(package, "honest", fold) for fold in range(FOLDS)]
    fits = [Job(package, "final"), *honest]
    if package == tiles.NAME:
        return [*(Job(package, job.split, job.fold, part) for part in PARTS for job in fits), *honest]
    return [*fits, *(Job(package, "easy", fold) for fold in range(EASY_FOLDS[package]))]


def run_all(jobs: Sequence[Job], data: Path, work: Path, workers: int, *, quick: bool) -> None:
    """Run what has no result yet, the given number at a time; what joins parts when the parts are there."""
    work.mkdir(parents=True, exist_ok=True)
    missing = [job for job in jobs if not (work / job.file).exists()]
    if any(job.package == bearing.NAME for job in missing):
        bearing_windows(data, work, quick=quick)
    if any(job.package == steel.NAME for job in missing):
        steel.seen(steel.load(data), work, quick=quick)
    for module in {PARTS[job.part][0] for job in missing if job.part}:  # those of one kind see the same
        module.seen(tiles.load(data), work, quick=quick)
    joining = [job for job in missing if job.package == tiles.NAME and not job.part]
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(workers, mp_context=context) as pool:
        for some in ([job for job in missing if job not in joining], joining):
            waiting = [pool.submit(run, job, data, work, quick=quick) for job in some]
            for done in as_completed(waiting):
                print(done.result(), flush=True)


def run(job: Job, data: Path, work: Path, *, quick: bool) -> str:
    """One job; a line that says how long it took."""
    begin = time.perf_counter()
    torch.set_num_threads(1)
    if job.package == bearing.NAME:
        result = _bearing(job, data, work, quick=quick)
    elif job.package == steel.NAME:
        result = _steel(job, data, work, quick=quick)
    else:
        result = _part(job, data, work, quick=quick) if job.part else _joined(job, data, work)
    fresh = work / f"{job.file}.new"
    with fresh.open("wb") as file:
        np.savez_compressed(file, **result)
    fresh.replace(work / job.file)
    return f"{job.file}: {time.perf_counter() - begin:.0f} s"


def result_of(job: Job, work: Path) -> dict[str, NDArray[Any]]:
    """What a job left."""
    with np.load(work / job.file, allow_pickle=False) as archive:
        return {name: archive[name] for name in archive.files}


def picture_folds(package: str, split: str, dataset: Any) -> NDArray[np.int64]:
    """A fold for each picture: by tile or strip block, or, for the easy split, picture by picture."""
    groups = dataset.groups if split == "honest" else np.arange(len(dataset.groups))
    return sources.folds(groups, PICTURES[package].strata(dataset))


def _rows(job: Job, dataset: Any) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The pictures that a job learns from, and those that it judges."""
    everything = np.arange(len(dataset.files))
    if job.split == "final":
        return everything, everything[:0]
    fold = picture_folds(job.package, job.split, dataset)
    return everything[fold != job.fold], everything[fold == job.fold]


def _steel(job: Job, data: Path, work: Path, *, quick: bool) -> dict[str, Any]:
    dataset = steel.load(data)
    rows, held = _rows(job, dataset)
    net = steel.fit(dataset, rows, steel.seen(dataset, work, quick=quick), effort=QUICK if quick else 1.0)
    if job.split == "final":
        return _kept(net)
    inputs = steel.inputs(dataset, held)
    result = {"rows": held, "scores": scores(net, inputs)}
    if job.split == "honest":
        card = cards.picture_card(job.package, dataset)
        result["int8"] = _int8_scores(
            net, card, steel.inputs(dataset, export.to_calibrate(rows, steel.CALIBRATION)), inputs
        )
    return result


def _part(job: Job, data: Path, work: Path, *, quick: bool) -> dict[str, Any]:
    """One part of the tile network, and what it makes of the pictures that it has not seen."""
    dataset, (module, number) = tiles.load(data), PARTS[job.part]
    rows, held = _rows(job, dataset)
    net = module.fit(rows, module.seen(dataset, work, quick=quick), number=number, effort=QUICK if quick else 1.0)
    kept = _kept(net)
    if len(held):
        pieces = each_batch(net.defect, tiles.inputs(dataset, held), lambda defect: defect)
        kept |= {"rows": held, "defect": np.concatenate(pieces).astype(np.float64)}
    return kept


def _joined(job: Job, data: Path, work: Path) -> dict[str, Any]:
    """Scores of the whole tile network of one fold."""
    dataset = tiles.load(data)
    rows, held = _rows(job, dataset)
    net, inputs = tile_network(job, dataset, work), tiles.inputs(dataset, held)
    calibration = tiles.inputs(dataset, export.to_calibrate(rows, tiles.CALIBRATION))
    int8 = _int8_scores(net, cards.tile_card(), calibration, inputs)
    return {"rows": held, "scores": scores(net, inputs), "int8": int8}


def tile_network(job: Job, dataset: tiles.Tiles, work: Path) -> TileNet:
    """The parts of a fold, joined with the scales of the other folds' scores; or all, with those of all folds."""
    nets: dict[str, Any] = {}
    for part, (module, _) in PARTS.items():
        nets[part] = restored(module.network(Trunk), result_of(Job(job.package, job.split, job.fold, part), work))
        nets[part].trunk.stem = Unfolded(nets[part].trunk.stem)
    folds = [fold for fold in range(FOLDS) if job.split == "final" or fold != job.fold]
    scales = (_scale(MARKS, folds, dataset, work), _scale(WHOLES, folds, dataset, work))
    net = TileNet([nets[part] for part in MARKS], [nets[part] for part in WHOLES], scales)
    net.eval()
    return net


def _scale(parts: Sequence[str], folds: Sequence[int], dataset: tiles.Tiles, work: Path) -> Scale:
    """Of the mean of what some parts answered to the pictures of these folds, none of which they had learnt from."""
    answers = [[result_of(Job(tiles.NAME, "honest", fold, part), work) for part in parts] for fold in folds]
    rows = np.concatenate([each[0]["rows"] for each in answers])
    evidence = np.concatenate([np.mean([part["defect"] for part in each], axis=0) for each in answers])
    return Scale(*even_odds(evidence, dataset.bad[rows]))


def _int8_scores(
    net: torch.nn.Module, card: Any, calibration: NDArray[np.float32], inputs: NDArray[np.float32]
) -> NDArray[np.float64]:
    """Log-probabilities of the quantised network."""
    with tempfile.TemporaryDirectory() as folder:
        export.write_package(Path(folder), net, card, calibration, [])
        model = Model(card, Path(folder) / FILES["int8"])
        pieces = np.array_split(inputs, -(-len(inputs) // AT_ONCE))
        return np.log(np.concatenate([model.probabilities(piece) for piece in pieces]) + 1e-9)


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
        chosen = table.features[export.to_calibrate(rows)]
        result["int8"] = _int8_scores(net, card, chosen, table.features[held])
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
