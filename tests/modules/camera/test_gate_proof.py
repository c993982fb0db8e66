"""No trigger where nothing passes, whatever disturbs; and what passes is found.

The gate was tuned on seeds below 52,000 (below 30,000 at first; then on those where earlier forms of this proof failed:
30,300 to 30,303, 40,400, 41,400 to 41,402, 50,502, 51,500). What is proven here is seeds that it was not tuned on, with
the odd pictures of each set. The long form is 108,000 event-free frames, 20 minutes of each nuisance; the short one a
glance at each.
"""

from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor, as_completed
from multiprocessing import get_context
from pathlib import Path

import pytest

from tests.modules.camera.nuisances import KINDS
from tests.modules.camera.proof import Count, judge, table
from tests.modules.camera.scenes import Pictures, drawn_pictures, real_pictures

SEED = 52_500
SCENES = 4
EACH = 3_000  # frames of a scene: 4 x 3,000 at 10 a second are 20 minutes of each nuisance
PASSING = 1_000  # frames of a scene with parts
ODD = 1
SHORT = 150


Counts = dict[str, Count]


def one(pictures: Pictures, kind: str, scene: int, frames: int, parts: bool) -> Count:
    return judge(kind, SEED + scene, pictures, frames, parts=parts, begin=scene * frames)


def empty() -> Counts:
    return {kind: Count(kind) for kind in KINDS}


def test_a_glance_at_each_nuisance(show: Callable[[str], None]) -> None:
    pictures = drawn_pictures(ODD)
    quiet = {kind: one(pictures, kind, 0, SHORT, parts=False) for kind in KINDS}
    busy = {kind: one(pictures, kind, 0, SHORT, parts=True) for kind in KINDS}
    show(table(quiet, busy, pictures, f"seed {SEED}"))
    assert [(kind, count.where) for kind, count in quiet.items() if count.false] == []
    assert sum(count.found for count in busy.values()) >= 0.98 * sum(count.parts for count in busy.values()) > 10


@pytest.mark.soak
@pytest.mark.timeout(7200)
def test_three_hours_of_nuisances_without_a_trigger(real_data: Path, show: Callable[[str], None]) -> None:
    pictures = real_pictures(real_data, ODD)
    quiet, busy = empty(), empty()
    with ProcessPoolExecutor(mp_context=get_context("spawn")) as pool:
        tasks = {}
        for kind in KINDS:
            for scene in range(SCENES):
                tasks[pool.submit(one, pictures, kind, scene, EACH, parts=False)] = quiet
                tasks[pool.submit(one, pictures, kind, scene, PASSING, parts=True)] = busy
        for task in as_completed(tasks):
            count = task.result()
            tasks[task][count.kind].add(count)
            parts = f"{count.found} of {count.parts} parts, " if count.parts else ""
            show(f"{count.kind}: {count.frames:,} frames, {parts}false {count.where}")
    show(table(quiet, busy, pictures, f"seeds {SEED} to {SEED + SCENES - 1}"))
    assert sum(count.frames for count in quiet.values()) == 108_000
    assert [(kind, count.where) for kind, count in quiet.items() if count.false] == []
    assert sum(count.found for count in busy.values()) >= 0.98 * sum(count.parts for count in busy.values())
