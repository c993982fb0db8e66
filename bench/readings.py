"""Readings a second: the scalar core alone, and the whole line from a leaf device through localhub and the module."""

import json
import tempfile
import time
import tracemalloc
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from bench._plant import SENSORS, Plant
from bench.claim import Claim
from devices.line import MANIFEST, ROOT, Line
from modules.vibration.scalar.core import ScalarCore
from modules.vibration.scalar.outcome import Outcome
from modules.vibration.scalar.readings import Readings
from modules.vibration.scalar.rules import Rule

START = 1_700_000_040.0
BATCH = 1_000  # readings in the batches that compare numbers of sensors
WARM_UP = 1_100  # seconds of the plant, a little more than what a baseline remembers
# Every rule on: half of the sensors have a limit, all are watched for deviations.
RULES = (Rule(group="limited", match=("*1", "*3", "*5", "*7", "*9"), limit=200.0), Rule(group="others"))
_LOAD = """
[modules.vibration]
command = ["${PYTHON}", "-m", "modules.vibration"]
folder = "ROOT"
env = { MILLWATCH_STATE = "${MODULE_STATE}", MILLWATCH_VIEW_PORT = "0", OPENBLAS_NUM_THREADS = "1" }

[devices.load]
command = ["${PYTHON}", "-m", "bench._load", "${HUB_METRICS}"]
folder = "ROOT"
restart = "never"
"""


def core_rates(*, seconds: float, passes: int = 5) -> list[float]:
    """Readings a second that the core judges, pass by pass, window ends and findings included.

    SenML and names are not its business: rows are given. Each pass is at least a minute of the plant, so that every
    sensor's window ends in it.
    """
    core = ScalarCore(RULES)
    plant = Plant()
    core.resolve(plant.names)
    number = 0
    rates = []
    for measured in range(passes + 1):  # the first fills the memory of every baseline
        done, judging, until = 0, 0.0, number + (60 if measured else WARM_UP)
        while number < until or (measured and judging < seconds / passes):
            rows, values = plant.second(number)
            times = START + number + np.arange(rows.size) * 1e-6
            readings = Readings(rows, values, times.astype(np.float64), seq=number)
            outcome = Outcome()
            begun = time.perf_counter()
            core.judge(readings, outcome, now=START + number + 1)
            judging += time.perf_counter() - begun
            done += outcome.accepted
            if outcome.accepted != rows.size:
                raise AssertionError(f"{rows.size - outcome.accepted} readings were lost: {outcome.rejected}")
            number += 1
        rates.append(done / judging)
    return rates[1:]


def costs(sizes: Sequence[int], *, readings: int) -> dict[int, float]:
    """Microseconds a reading costs the core that watches so many sensors, by number of sensors.

    Batches of ``BATCH`` readings for each number, of sensors drawn at random; of few sensors each comes several times,
    which costs a round each. The sizes take turns; of each its best time counts.
    """
    rng = np.random.default_rng(1)
    cores = {size: ScalarCore(RULES) for size in sizes}
    for size, core in cores.items():
        core.resolve([f"hall/s{number}" for number in range(size)])
    best = dict.fromkeys(sizes, float("inf"))
    for number in range(max(8, readings // BATCH)):
        for size, core in cores.items():
            rows = np.concatenate([rng.permutation(size)[:BATCH] for _ in range(-(-BATCH // size))])[:BATCH]
            times = (START + number + np.arange(rows.size) * 1e-6).astype(np.float64)
            taken = Readings(rows, rng.normal(50, 1, rows.size), times, seq=number)
            begun = time.perf_counter()
            core.judge(taken, Outcome(), now=START + number + 1)
            best[size] = min(best[size], (time.perf_counter() - begun) / rows.size * 1e6)
    return best


def bytes_per_sensor(sensors: int) -> float:
    """What the state of each sensor takes in memory, ring of last readings included, when all have spoken."""
    tracemalloc.start()
    try:
        core = ScalarCore(RULES)
        rows = core.resolve([f"hall/s{number:06d}" for number in range(sensors)])
        for number in range(3):
            times = np.full(rows.size, START + number)
            core.judge(Readings(rows, np.ones(rows.size), times, seq=number), Outcome(), now=START + number)
        return tracemalloc.get_traced_memory()[0] / sensors
    finally:
        tracemalloc.stop()


def line_rate(*, seconds: float, settle: float = 5.0) -> float:
    """Readings a second from a leaf device through localhub's hub into vibration, with queues kept flat.

    The leaf sends SenML over TLS with the device SDK and holds back while more than four messages wait. What counts is
    what the module says it has accepted. Raises AssertionError when a reading was refused.
    """
    with tempfile.TemporaryDirectory(prefix="bench") as folder:
        manifest, config = Path(folder) / "manifest.json", Path(folder) / "localhub.toml"
        manifest.write_text(json.dumps(_only_vibration()), encoding="utf-8")
        config.write_text(_LOAD.replace("ROOT", str(ROOT)), encoding="utf-8")
        with Line(
            state=Path(folder) / "state",
            address="127.77.0.1",
            manifest=manifest,
            config=config,
            leaves=["load"],
            log=Path(folder) / "log",
        ) as line:

            def told() -> dict[str, Any]:
                asked = {"module": "vibration", "name": "getStatus", "timeout_s": 10}
                answer: dict[str, Any] = line.control("hub", "/method", asked)["payload"]
                return answer

            line.wait("readings in the module", lambda: told()["facts"]["readings"] > SENSORS)
            time.sleep(settle)
            before, begun = told(), time.monotonic()
            time.sleep(seconds)
            after, ended = told(), time.monotonic()
    refused = after["counters"]["rejected"]
    if refused:
        raise AssertionError(f"{refused} readings were refused")
    return float((after["facts"]["readings"] - before["facts"]["readings"]) / (ended - begun))


def _only_vibration() -> dict[str, Any]:
    """The manifest with one module, every rule on."""
    manifest: dict[str, Any] = json.loads(MANIFEST.read_text(encoding="utf-8"))
    content = manifest["modulesContent"]
    modules = content["$edgeAgent"]["properties.desired"]["modules"]
    for name in [name for name in modules if name != "vibration"]:
        del modules[name]
        content.pop(name, None)
    modules["vibration"]["settings"]["image"] = "vibration:bench"  # a process here: nothing is pulled
    routes = content["$edgeHub"]["properties.desired"]["routes"]
    for name in [name for name in routes if name != "leafReadings"]:
        del routes[name]
    for number, output in enumerate(("alerts", "windows", "samples")):
        route = f"FROM /messages/modules/vibration/outputs/{output} INTO $upstream"
        routes[output] = {"route": route, "timeToLiveSecs": 3600, "priority": number}
    rules = [rule.model_dump(mode="json") for rule in RULES]
    content["vibration"]["properties.desired"]["settings"] = {"rules": rules}
    return manifest


def run(*, quick: bool) -> dict[str, Claim]:
    """Measure both; of the core's passes the best, which other work on this machine disturbed least."""
    core = max(core_rates(seconds=1.0 if quick else 10.0))
    line = line_rate(seconds=10.0 if quick else 60.0)
    cost = costs((100, 1_000, 10_000, 100_000), readings=100_000 if quick else 2_000_000)
    print("microseconds a reading, by number of sensors:", {size: round(us, 2) for size, us in cost.items()})
    return {
        "line_per_s": Claim(line, "readings/s", 30_000, 100_000, "none: leaf, hub and module on this machine"),
        "core_per_s": Claim(core, "readings/s", 2e6, 10e6, "none: one core, batches of 10,500"),
        "cost_growth": Claim(
            max(cost.values()) / cost[100],
            "x",
            2,
            1.2,
            "a reading among 100 sensors; the dearest of 100 to 100,000",
            lower_is_better=True,
        ),
        "bytes_growth": Claim(
            bytes_per_sensor(100_000) / bytes_per_sensor(10_000),
            "x",
            1.2,
            1.05,
            "memory of a sensor among 10,000; among 100,000",
            lower_is_better=True,
        ),
    }
