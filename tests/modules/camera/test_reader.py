"""The reading side over a source that the test plays."""

import time
from collections.abc import Callable
from datetime import UTC, datetime

import numpy as np
import pytest

from modules.camera.frame import BadPicture, Frame
from modules.camera.reader import Reader, State
from modules.camera.settings import Camera
from modules.camera.sources import SourceError
from modules.camera.sources.conveyor import ConveyorSource

PICTURE = np.zeros((16, 16, 3), np.uint8)


class Played:
    """Gives what `script` says, a number for a frame of that name, then waits for the stop."""

    def __init__(self, *script: object, live: bool = True, gap_s: float = 0.0) -> None:
        self.live = live
        self.script = list(script)
        self.gap_s = gap_s
        self.opened = self.closed = 0
        self.rests: list[float | None] = []

    def open(self) -> None:
        self.opened += 1
        if self.script and self.script[0] == "refused":
            self.script.pop(0)
            raise SourceError("refused")

    def read(self) -> Frame | None:
        time.sleep(self.gap_s)
        step = self.script.pop(0) if self.script else None
        if isinstance(step, Exception):
            raise step
        return None if step is None else Frame(PICTURE, datetime.now(UTC), item=str(step))

    def rest(self, rate_hz: float | None) -> None:
        self.rests.append(rate_hz)

    def close(self) -> None:
        self.closed += 1


def played(source: Played, monkeypatch: pytest.MonkeyPatch, use: Callable[[Frame], None], **more: object) -> Reader:
    monkeypatch.setattr("modules.camera.reader.FIRST_WAIT_S", 0.001)
    monkeypatch.setattr("modules.camera.sources.conveyor.Conveyor.source", lambda _: source)
    reader = Reader("one", Camera.model_validate({"source": {"type": "conveyor"}, "most_hz": 240, **more}), use)
    reader.start()
    until = time.monotonic() + 10
    while reader.state.phase != "finished" and time.monotonic() < until:
        time.sleep(0.002)
    reader.stop()
    assert reader.state.phase == "finished"
    return reader


def test_a_slow_consumer_gets_the_newest_and_the_rest_is_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    items: list[str | None] = []

    def slow(frame: Frame) -> None:
        items.append(frame.item)
        time.sleep(0.1)

    reader = played(Played(*range(40), gap_s=0.006), monkeypatch, slow)
    numbers = [int(str(item)) for item in items]
    assert numbers == sorted(set(numbers))
    assert len(numbers) < 12
    assert numbers[-1] == 39, "the newest is never skipped"
    assert len(numbers) + reader.skipped == reader.state.frames == 40


def test_a_file_waits_for_its_consumer(monkeypatch: pytest.MonkeyPatch) -> None:
    items: list[str | None] = []

    def slow(frame: Frame) -> None:
        items.append(frame.item)
        time.sleep(0.01)

    reader = played(Played(*range(20), live=False), monkeypatch, slow)
    assert items == [str(number) for number in range(20)]
    assert reader.skipped == 0


def test_a_camera_that_gives_more_than_it_says_is_not_looked_at_more_often(monkeypatch: pytest.MonkeyPatch) -> None:
    items: list[str | None] = []
    reader = played(Played(*range(300), gap_s=0.001), monkeypatch, lambda frame: items.append(frame.item), most_hz=20)
    assert reader.state.frames == 300
    assert len(items) < 60
    assert len(items) + reader.skipped == 300


def test_it_comes_back_for_ever_and_counts_outages(monkeypatch: pytest.MonkeyPatch) -> None:
    gone = SourceError("gone")
    source = Played(*["refused"] * 5, 1, gone, *["refused"] * 3, 2, gone, 3, RuntimeError("unforeseen"), 4, live=False)
    items: list[str | None] = []
    reader = played(source, monkeypatch, lambda frame: items.append(frame.item))
    assert items == ["1", "2", "3", "4"]
    assert reader.state.outages == 4
    assert source.opened == source.closed == 12


def test_bad_pictures_are_counted_by_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    bad = [BadPicture("corrupt", "x"), BadPicture("too_small", "x"), BadPicture("corrupt", "x")]
    reader = played(Played(1, *bad, 2, live=False), monkeypatch, lambda _: None)
    assert reader.state.bad == {"corrupt": 2, "too_small": 1}
    assert reader.state.frames == 2
    assert reader.state.outages == 0


def test_waits_grow_to_the_set_bound_and_begin_anew() -> None:
    reader = Reader("one", Camera.model_validate({"retry_s": 2}), lambda _: None)
    waits = reader._waits()
    drawn = [next(waits) for _ in range(20)]
    assert all(low / 2 <= wait <= low for wait, low in zip(drawn, [0.25, 0.5, 1, 2, *[2] * 16], strict=True))
    assert len(set(drawn)) > 10


def test_the_rate_is_what_comes_and_falls_when_nothing_does() -> None:
    state = State()
    assert state.fps(0) == 0
    state.arrivals.extend(number / 10 for number in range(20))
    assert state.fps(1.9) == pytest.approx(10)
    assert state.fps(12) < 2


def test_stopping_ends_the_rest_of_a_waiting_source() -> None:
    reader = Reader("one", Camera.model_validate({"source": {"type": "conveyor", "rate_hz": 20}}), lambda _: None)
    assert isinstance(reader._source, ConveyorSource)
    reader.start()
    reader.rest(0.1)
    time.sleep(0.2)  # by now it waits for ten seconds
    reader.stop(5)
    assert not any(thread.is_alive() for thread in reader._threads)
