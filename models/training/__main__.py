"""``python -m models.training [PACKAGE ...]``: fit, judge and write the model packages of this repository.

Every fit is kept in the work folder; run again, and only what is missing is fitted.
"""

import argparse
import os
from pathlib import Path

import numpy as np
import torch

from models.training import bearing, committed, export, hours, jobs, judging, made
from models.training.figures import share
from models.training.lite import Trunk
from models.training.nets import OrderNet, SteelNet, TileNet
from modules.inference.card import Card
from modules.inference.model import Model
from modules.inference.runner import FILES

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
    net = TileNet(Trunk()) if name == "tile" else SteelNet(Trunk(), len(dataset.labels))
    net = jobs.restored(net, judging.result(options.work, jobs.Job(name, "final")))
    everything = module.inputs(dataset, np.arange(len(dataset.files)))
    card = export.write_package(options.out / name, net, card, everything, made.examples(card))
    return _with_committed(card, options)


def write_bearing(name: str, options: argparse.Namespace) -> Card:
    """The bearing package."""
    table = jobs.bearing_windows(options.data, options.work, quick=options.quick)
    card = judging.judged_bearing_card(table, options.work)
    size = table.features.shape[1]
    kept = judging.result(options.work, jobs.Job(name, "final"))
    blank = OrderNet(torch.zeros(size), torch.ones(size), len(bearing.LABELS), bearing.HIDDEN)
    net = jobs.restored(blank, kept)
    learnt = table.features[jobs.bearing_rows(table, jobs.Job(name, "final"))]
    card = export.write_package(options.out / name, net, card, learnt, made.examples(card))
    card = _with_hours(card, options)
    return _with_committed(card, options)


def _with_hours(card: Card, options: argparse.Namespace) -> Card:
    """The card with what the shipped int8 file makes of ten simulated healthy hours."""
    model = Model(card, options.out / card.name / FILES["int8"])
    watch = hours.watched(card, model, 0.1 if options.quick else hours.HOURS)
    normal = {**card.accuracy["normal"], "simulated": hours.told(watch, share(watch.not_normal, watch.windows))}
    return card.model_copy(update={"accuracy": {**card.accuracy, "normal": normal}})


def _with_committed(card: Card, options: argparse.Namespace) -> Card:
    """The card with what the files themselves give on all the data they were trained on, and what is usual there."""
    folder = options.out / card.name
    table, usual = committed.judged(folder, options.data)
    reference = card.reference.model_copy(update={"input": usual})
    accuracy = {**card.accuracy, "these_files": table}
    whole = card.model_copy(update={"reference": reference, "accuracy": accuracy})
    export.rewrite_card(folder, whole)
    return whole


if __name__ == "__main__":
    main()
