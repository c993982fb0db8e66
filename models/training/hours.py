"""``python -m models.training.hours``: ten hours of healthy machines, watched as the module watches them.

The machines are simulated, at many speeds and loads. What the committed int8 file makes of them goes onto its card; no
training is needed, some minutes are.
"""

import argparse
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

from devices.rolling_bearing import Bearing, Machine
from models.training import bearing, export
from models.training.figures import at_most, share
from modules.inference.card import Card, read_card
from modules.inference.decision import Condition, step
from modules.inference.model import Model
from modules.inference.runner import FILES

HOURS: Final = 10.0
MACHINES: Final = 200
SEED: Final = 81  # nothing was chosen by it; 77 to 79 chose threshold, votes and the weight of simulated machines


@dataclass(frozen=True, slots=True)
class Watch:
    """What ten hours brought."""

    windows: int
    not_normal: int
    alarms: int


def watched(card: Card, model: Model, hours: float = HOURS) -> Watch:
    """Healthy machines of devices/rolling_bearing.py; each one its own speed, load, resonance and noise."""
    random = np.random.default_rng(SEED)
    hop = bearing.WINDOW // 2
    count = round(hours * 3600 * bearing.RATE_HZ / hop / MACHINES)
    windows = not_normal = alarms = 0
    for number in range(MACHINES):
        rpm = float(random.uniform(600, 3600))
        machine = Machine(
            rpm=rpm,
            resonance_hz=float(random.uniform(1500, 4500)),
            damping=float(random.uniform(0.02, 0.1)),
            noise=float(random.uniform(0.2, 2.0)),
            unbalance=float(random.uniform(0.05, 4.0)),
        )
        source = Bearing(machine, rate_hz=bearing.RATE_HZ, seed=1000 * SEED + number)
        last = source.block(hop)
        rows = []
        for _ in range(count):
            new = source.block(hop)
            rows.append(bearing.features(np.concatenate([last, new]).astype(np.float64), rpm))
            last = new
        probability = model.probabilities(np.stack(rows))
        condition, raised = Condition(), False
        for row in probability:
            after = step(condition, row.tolist(), card)
            condition = after.condition
            raised |= after.change == "raised"
        windows += len(rows)
        not_normal += int((probability[:, 0] < 1 - card.decision.threshold).sum())
        alarms += raised
    return Watch(windows, not_normal, alarms)


def with_hours(card: Card, folder: Path, hours: float = HOURS) -> Card:
    """The card with what the int8 file in `folder` makes of so many hours."""
    watch = watched(card, Model(card, folder / FILES["int8"]), hours)
    normal = {**card.accuracy["normal"], "simulated": told(watch, hours)}
    return card.model_copy(update={"accuracy": {**card.accuracy, "normal": normal}})


def told(watch: Watch, hours: float) -> dict[str, Any]:
    """As it stands on the card."""
    machines = f"{MACHINES} healthy machines of devices/rolling_bearing.py, 600 to 3600 1/min, seed {SEED}"
    return {
        "what": f"{hours:g} h: {machines}",
        "kin": "others of this kind were learnt from: no measure for healthy machines of another kind",
        "machines_alarmed": watch.alarms,
        "true_share_of_machines_at_most": round(at_most(watch.alarms, MACHINES), 4),
        "bound": f"one-sided, 95 %, Clopper-Pearson, n = {MACHINES} machines of {hours * 60 / MACHINES:g} min each",
        "windows_not_normal": share(watch.not_normal, watch.windows),
    }


def main() -> None:
    """Write the bearing's card anew."""
    parser = argparse.ArgumentParser(prog="python -m models.training.hours", description=__doc__)
    parser.add_argument("--hours", type=float, default=HOURS)
    options = parser.parse_args()
    folder = Path(__file__).resolve().parents[1] / bearing.NAME
    card = with_hours(read_card(folder), folder, options.hours)
    export.rewrite_card(folder, card)
    print(card.accuracy["normal"]["simulated"])


if __name__ == "__main__":
    main()
