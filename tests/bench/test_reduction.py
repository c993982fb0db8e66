"""The bench of the reduction must fail when the module sends what it should keep."""

import pytest

from bench._hour import Hall
from bench.reduction import measure
from modules.common.messages import Reading, senml


def test_the_hall_speaks_the_encoding_of_a_real_sender() -> None:
    (message, *_) = Hall(50, spell=60.0).second(0)
    batch = senml.decode(message.body)
    readings = [Reading(*each) for each in zip(batch.names, batch.values, batch.times, strict=True)]
    # The common prefix of fifty names is longer than that of ten thousand.
    assert len(message.body) == len(senml.encode(readings)) + 2 * (len(readings) - 1)


def test_less_than_a_hundredth_goes_up() -> None:
    balance = measure(sensors=600, motors=1, warm_up=70, seconds=60)
    assert balance.came.keys() == {"readings", "waveform", "picture"}
    assert {kind.split()[1] for kind in balance.went} >= {"window", "alert"}
    assert balance.ratio < 0.01


@pytest.mark.parametrize("what", ["readings", "waveforms"])
def test_raw_material_sent_up_breaks_the_bound(what: str) -> None:
    counts = {"sensors": 500, "motors": 0} if what == "readings" else {"sensors": 1, "motors": 1}
    balance = measure(**counts, warm_up=0, seconds=70, vibration={"reporting": {"sample_share": 1.0}})
    assert balance.ratio > 0.1
