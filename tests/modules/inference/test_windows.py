import struct
from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from modules.common.messages import Waveform
from modules.inference.windows import Stretch, Window

BEGIN = datetime(2026, 1, 2, tzinfo=UTC)
RATE = 1000.0


def block(start: int, count: int, *, rpm: float | None = 1800.0, rate: float = RATE) -> Waveform:
    samples = struct.pack(f"<{count}f", *range(start, start + count))
    return Waveform(
        samples=samples,
        rate_hz=rate,
        unit="m/s2",
        rpm=rpm,
        time=BEGIN + timedelta(seconds=start / rate),
        source="press1/bearing1",
        seq=start,
    )


def numbers(window: Window) -> list[float]:
    return list(struct.unpack(f"<{len(window.samples) // 4}f", window.samples))


@given(st.lists(st.integers(1, 90), min_size=1, max_size=20), st.sampled_from([0.25, 0.5, 1.0]))
def test_however_it_is_cut_the_windows_are_the_same(counts: list[int], hop: float) -> None:
    stretch, start, found = Stretch(), 0, []
    for count in counts:
        stretch, windows = stretch.take(block(start, count), 0.04, hop)
        found.extend(windows)
        start += count
    step = round(40 * hop)
    assert [numbers(window)[0] for window in found] == list(range(0, max(0, start - 39), step))
    for window in found:
        values = numbers(window)
        assert values == list(range(int(values[0]), int(values[0]) + 40))
        last = (window.sampled - BEGIN).total_seconds() * RATE
        assert abs(last - values[-1]) < 0.01


def test_a_gap_begins_anew() -> None:
    stretch, _ = Stretch().take(block(0, 30), 0.04, 1.0)
    stretch, windows = stretch.take(block(90, 39), 0.04, 1.0)
    assert windows == []
    assert len(stretch.samples) == 4 * 39


def test_a_change_of_speed_begins_anew() -> None:
    stretch, _ = Stretch().take(block(0, 30), 0.04, 1.0)
    stretch, windows = stretch.take(block(30, 30, rpm=1500.0), 0.04, 1.0)
    assert windows == []
    assert len(stretch.samples) == 4 * 30


def test_what_was_there_already_gives_nothing() -> None:
    first, windows = Stretch().take(block(0, 50), 0.04, 1.0)
    assert len(windows) == 1
    again, windows = first.take(block(0, 50), 0.04, 1.0)
    assert windows == []
    assert again == first


def test_a_sender_whose_clock_was_set_back_goes_on() -> None:
    stretch, _ = Stretch().take(block(100_000, 50), 0.04, 1.0)
    _, windows = stretch.take(block(0, 50), 0.04, 1.0)
    assert len(windows) == 1
