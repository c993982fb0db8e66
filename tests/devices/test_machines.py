import numpy as np

from devices.machines import FAULT_LEVEL, Fault, Plant
from modules.common.messages import Reading


def of(readings: list[Reading], name: str) -> list[float]:
    return [each.value for each in readings if each.name == name]


def test_one_reading_of_each_sensor_at_each_time() -> None:
    readings = Plant(machines=5).readings([0.0, 0.1], began=1_000_000.0)
    assert len(readings) == 40
    assert len({each.name for each in readings}) == 20
    assert {each.time for each in readings} == {1_000_000.0, 1_000_000.1}


def test_the_same_seed_gives_the_same_values() -> None:
    assert Plant(seed=4).readings([0.0], 0.0) == Plant(seed=4).readings([0.0], 0.0)
    assert Plant(seed=4).readings([0.0], 0.0) != Plant(seed=5).readings([0.0], 0.0)


def test_the_fault_climbs_from_its_onset_and_only_there() -> None:
    plant = Plant(fault=Fault(machine=3, onset_s=3.0, climb_s=4.0))
    readings = plant.readings(list(np.arange(0, 10, 0.1)), 0.0)
    velocity = of(readings, "press3/vibration-velocity")
    assert max(velocity[:30]) < 0.003
    assert velocity[50] > 1.5 * velocity[10]
    assert min(velocity[75:]) > 0.95 * FAULT_LEVEL
    assert max(of(readings, "press2/vibration-velocity")) < 0.003
