"""Ten hours of simulated healthy machines at many speeds and loads, watched as the module watches them."""

from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from devices.rolling_bearing import Bearing, Machine
from models.training import bearing
from models.training.figures import at_most
from modules.inference.card import Card
from modules.inference.decision import Condition, step
from modules.inference.model import Model

HOURS: Final = 10.0
MACHINES: Final = 200
SEED: Final = 77


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
        source = Bearing(machine, rate_hz=bearing.RATE_HZ, seed=number)
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


def told(watch: Watch, share: dict[str, Any]) -> dict[str, Any]:
    """As it stands on the card."""
    text = f"{HOURS:g} h: {MACHINES} healthy machines of devices/rolling_bearing.py, 600 to 3600 1/min, seed {SEED}"
    return {
        "what": text,
        "machines_alarmed": watch.alarms,
        "true_share_of_machines_at_most": round(at_most(watch.alarms, MACHINES), 4),
        "bound": f"one-sided, 95 %, Clopper-Pearson, n = {MACHINES} machines of {HOURS * 60 / MACHINES:g} min each",
        "windows_not_normal": share,
    }
