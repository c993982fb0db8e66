"""Machine states: stopped, run-up, load; told by a named sensor or by the signal itself; and what they gate."""

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from modules.vibration.scalar.core import ScalarCore
from modules.vibration.scalar.outcome import Outcome
from modules.vibration.scalar.rules import STATES, Machine, Rule

START = 1_700_000_040.0
PRESS = Machine(
    name="press", match=("press/*",), told_by="press/speed", stopped_below=10, load_above=100, settle=3, stale=20
)
RULES = [
    Rule(group="gated", match=("press/velocity",), limit=10.0, when=("load",), clear_after=0),
    Rule(group="free", match=("press/temp",), limit=10.0),
]


def run(core: ScalarCore, speeds: Sequence[float | None], velocity: float, begin: int = 0) -> list[Outcome]:
    """A speed (None: not said) and a velocity each second."""
    found = []
    for second, speed in enumerate(speeds, begin):
        names, values = ["press/velocity"], [velocity]
        if speed is not None:
            names, values = ["press/speed", *names], [speed, *values]
        time = START + second
        found.append(core.handle(names, values, [time] * len(names), [None] * len(names), seq=second, now=time))
    return found


def raised(outcomes: list[Outcome]) -> list[tuple[str, float]]:
    return [
        (each.sensor, each.time - START) for outcome in outcomes for each in outcome.findings if each.state == "raised"
    ]


def state(core: ScalarCore, name: str = "press/velocity") -> str | None:
    return core.machines.of(core.sensors.row(name) or 0)


def test_a_rule_waits_until_its_machine_is_under_load() -> None:
    core = ScalarCore(RULES, machines=[PRESS])
    assert raised(run(core, [0, 0, 50, 50], 8.0)) == []
    assert state(core) == "run-up"
    assert raised(run(core, [120, 120, 120], 8.0, begin=4)) == []  # settles
    assert raised(run(core, [120, 120], 8.0, begin=7)) == [("press/velocity", 7)]
    assert state(core) == "load"
    run(core, [95], 8.0, begin=9)
    assert state(core) == "load"  # hysteresis
    run(core, [80], 8.0, begin=10)
    assert state(core) == "run-up"
    run(core, [9.5], 8.0, begin=11)
    assert state(core) == "run-up"  # hysteresis
    run(core, [8], 8.0, begin=12)
    assert state(core) == "stopped"


def test_what_stands_while_the_machine_stops_is_judged_again_under_load() -> None:
    core = ScalarCore(RULES, machines=[PRESS])
    assert raised(run(core, [200, 200], 8.0)) == [("press/velocity", 0)]
    stopped = run(core, [0] * 30, 0.0, begin=2)
    assert [each for outcome in stopped for each in outcome.findings] == []
    after = [each for outcome in run(core, [200] * 5, 1.0, begin=32) for each in outcome.findings]
    assert [(each.state, each.time - START) for each in after] == [("updated", 35), ("cleared", 36)]


def test_a_stopped_machine_teaches_nothing() -> None:
    core = ScalarCore([Rule(group="g", when=("load",))], machines=[PRESS])
    run(core, [200] * 50, 5.0)
    learned = (core.baseline.n[1], core.baseline.mean[1])
    outcomes = run(core, [0] * 200, 0.0, begin=50)
    assert (core.baseline.n[1], core.baseline.mean[1]) == learned
    assert sum(int(batch.idle.sum()) for outcome in outcomes for batch in outcome.windows) > 100
    assert sum(int(batch.count.sum()) for outcome in outcomes for batch in outcome.windows) > 100  # still in windows


def test_other_sensors_and_other_rules_are_judged_always() -> None:
    core = ScalarCore(RULES, machines=[PRESS])
    run(core, [0], 0.0)
    names = ["press/temp", "elsewhere"]
    outcome = core.handle(names, [8.0, 8.0], [START + 1] * 2, [None] * 2, seq=1, now=START + 1)
    assert [each.sensor for each in outcome.findings] == ["press/temp"]


def test_where_the_state_is_not_known_everything_is_judged() -> None:
    core = ScalarCore(RULES, machines=[PRESS])
    assert raised(run(core, [None], 8.0)) == [("press/velocity", 0)]  # the speed has never been heard
    core = ScalarCore(RULES, machines=[PRESS])
    run(core, [0], 0.0)
    assert raised(run(core, [None] * 30, 8.0, begin=1)) == [("press/velocity", 21)]  # nor of late


def test_a_sensor_can_tell_for_itself() -> None:
    own = Machine(name="fan", match=("fan*",), stopped_below=1, load_above=1, settle=0)
    core = ScalarCore([Rule(group="g", match=("fan*",), limit=10.0, when=("load",))], machines=[own])
    for second, value in enumerate([0.1, -0.2, 8.0]):
        outcome = core.handle(["fan1"], [value], [START + second], [None], seq=1, now=START + second)
    assert [each.value for each in outcome.findings] == [8.0]
    assert state(core, "fan1") == "load"


def test_states_survive_a_restart() -> None:
    core = ScalarCore(RULES, machines=[PRESS])
    run(core, [0, 0], 0.0)
    after = ScalarCore(RULES, machines=[PRESS])
    after.restore(*core.sensors.saved(), core.saved())
    assert state(after) == "stopped"
    assert raised(run(after, [None], 8.0, begin=2)) == []


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.sampled_from([0.5, 1.0, 4.0]), st.integers(-15, 15)), min_size=1, max_size=50))
def test_states_are_those_of_a_reference_one_by_one(steps: list[tuple[float, int]]) -> None:
    own = Machine(name="m", match=("m",), stopped_below=4, load_above=10, hysteresis=0.2, settle=2)
    core = ScalarCore(machines=[own])
    now, state_, since = START, None, None
    for step, value in steps:
        now += step
        core.handle(["m"], [float(value)], [now], [None], seq=1, now=now)
        level = abs(value)
        turning = level >= (4 if state_ == "stopped" else 4 * 0.8)
        loaded = turning and level >= (10 if since is None else 10 * 0.8)
        since = (now if since is None else since) if loaded else None
        if not turning:
            state_ = "stopped"
        elif since is not None and (now - since >= 2 or state_ in {None, "load"}):
            state_ = "load"
        else:
            state_ = "run-up"
        assert state(core, "m") == state_
        assert state_ in STATES


def test_a_load_below_a_stop_is_refused() -> None:
    with pytest.raises(ValidationError):
        Machine(name="m", match=("m",), stopped_below=5, load_above=4)


def test_a_round_of_many_sensors_gates_each_by_its_own_machine() -> None:
    machines = [
        PRESS.model_copy(update={"name": f"m{n}", "match": (f"m{n}/*",), "told_by": f"m{n}/v"}) for n in range(50)
    ]
    core = ScalarCore([Rule(group="g", match=("*/x",), limit=1.0, when=("stopped",))], machines=machines)
    names = [f"m{n}/{what}" for n in range(50) for what in ("v", "x")]
    values = np.ravel([[200.0 * (n % 2), 1.0] for n in range(50)]).tolist()
    outcome = core.handle(names, values, [START] * 100, [None] * 100, seq=1, now=START)
    assert {each.sensor for each in outcome.findings} == {f"m{n}/x" for n in range(0, 50, 2)}
