"""``python -m models.training [PACKAGE ...]``: fit, judge and write the model packages of this repository.

Every fit is kept in the work folder; run again, and only what is missing is fitted, or what has another recipe now.
"""

import argparse
import os
from pathlib import Path

import numpy as np
import torch

from models.training import bearing, committed, export, hours, jobs, judging, made, tiles
from models.training.lite import Trunk
from models.training.nets import OrderNet, SteelNet
from modules.inference.card import Card, Reference

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("bearing", "tile", "steel")


def main() -> None:
    """Fit what is missing, then write each package."""
    parser = argparse.ArgumentParser(prog="python -m models.training", description=__doc__)
    parser.add_argument("packages", nargs="*", default=[], help=f"of {', '.join(PACKAGES)}; all when none is named")
    parser.add_argument("--data", type=Path, default=Path(os.environ.get("MILLWATCH_DATA", "../shared/data")))
    parser.add_argument("--work", type=Path, default=Path("build/training"), help="keeps what each fit found")
    parser.add_argument("--out", type=Path, default=ROOT, help="where the package folders are written")
    parser.add_argument("--workers", type=int, default=jobs.workers())
    parser.add_argument("--quick", action="store_true", help="a few steps only, to see that everything runs")
    options = parser.parse_args()
    names = options.packages or list(PACKAGES)
    if unknown := set(names) - set(PACKAGES):
        parser.error(f"no package {', '.join(sorted(unknown))}; there are {', '.join(PACKAGES)}")
    if not options.data.is_dir():
        parser.error(f"no data in {options.data}: say --data or MILLWATCH_DATA")
    if options.quick:
        options.work /= "quick"  # hardly fitted: never to be taken for a fit
    todo = [job for name in names for job in jobs.jobs_of(name)]
    jobs.run_all(todo, options.data, options.work, options.workers, quick=options.quick)
    for name in names:
        write = write_bearing if name == bearing.NAME else write_picture
        card = write(name, options)
        print(f"{card.id}: {options.out / name}")


def write_picture(name: str, options: argparse.Namespace) -> Card:
    """`tile` or `steel`: network, int8, golden cases, card."""
    module = jobs.PICTURES[name]
    dataset = module.load(options.data)
    card = judging.judged_picture_card(name, dataset, options.work)
    final = jobs.Job(name, "final")
    if name == tiles.NAME:
        net = jobs.tile_network(final, dataset, options.work)
    else:
        net = jobs.restored(SteelNet(Trunk(), len(dataset.labels)), jobs.result_of(final, options.work))
    learnt = module.inputs(dataset, export.to_calibrate(np.arange(len(dataset.files)), module.CALIBRATION))
    card = export.write_package(options.out / name, net, card, learnt, made.examples(card))
    return _with_committed(card, options)


def write_bearing(name: str, options: argparse.Namespace) -> Card:
    """The bearing package."""
    table = jobs.bearing_windows(options.data, options.work, quick=options.quick)
    card = judging.judged_bearing_card(table, options.work)
    size = table.features.shape[1]
    kept = jobs.result_of(jobs.Job(name, "final"), options.work)
    blank = OrderNet(torch.zeros(size), torch.ones(size), len(bearing.LABELS), bearing.HIDDEN)
    net = jobs.restored(blank, kept)
    rows = np.flatnonzero(jobs.bearing_rows(table, jobs.Job(name, "final")))
    learnt = table.features[export.to_calibrate(rows)]
    card = export.write_package(options.out / name, net, card, learnt, made.examples(card))
    card = hours.with_hours(card, options.out / name, 0.1 if options.quick else hours.HOURS)
    return _with_committed(card, options)


def _with_committed(card: Card, options: argparse.Namespace) -> Card:
    """The card with what the files themselves give on all the data they were trained on, and what is usual there."""
    folder = options.out / card.name
    table, looks = committed.judged(folder, options.data)
    reference = Reference.model_validate({**card.reference.model_dump(), **looks})
    accuracy = {**card.accuracy, "these_files": table}
    whole = card.model_copy(update={"reference": reference, "accuracy": accuracy})
    export.rewrite_card(folder, whole)
    return whole


if __name__ == "__main__":
    main()
