"""One part passing, one frame sent: each thing in view is followed, and its best frame sent once.

A thing counts when it was seen in `steady` frames in a row and moved as things do: an insect at the lens, a drop or a
spark is gone by then, or somewhere else. The best frame is one in which the thing is wholly in view: the first, or of
the first N the sharpest or the one that changed most. A thing that never is wholly in view (too large, or leaving as it
comes) gives the frame in which most of it was seen, when it is gone or has been followed for too long; unless it was
there when the gate had just learnt the view, for nobody knows how much of it was missed.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final, Literal

import cv2
import numpy as np

from modules.camera.frame import Frame
from modules.camera.motion import Motion, Region, Thing

_SHARPNESS_SIDE: Final = 240  # pixels: more does not tell sharp from soft any better
_GROWN: Final = 1.15  # times its box from one frame to the next: a thing that comes into view
_MOST_OF: Final = 0.5  # of the largest area seen of a thing: less is a piece of it, not a whole view
_TURNS: Final = 0.4  # of what is new in a thing's way is believed at once
_REACH: Final = 0.04  # of the picture's width: how far from where it was expected a thing is still the same


@dataclass(frozen=True, slots=True)
class Shot:
    """A frame chosen for sending and the thing that it was chosen for; None where it was asked for."""

    frame: Frame
    thing: Thing | None = None


@dataclass(frozen=True, slots=True)
class EventRules:
    """How a frame is chosen; lengths in frames."""

    steady: int = 3
    best_of: int = 1
    best_by: Literal["sharpest", "largest"] = "sharpest"
    cool_down_s: float = 0.0
    longest: int = 50
    quiet: int = 2


@dataclass(slots=True)
class _Track:
    """One thing on its way; `way` is how far it went from one frame to the next, in pixels.

    `came` is whether it was seen coming, and was not there already when the gate began to see.
    """

    thing: Thing
    came: bool
    seen: int = 1
    missed: int = 0
    length: int = 1
    done: bool = False
    grew: bool = False
    largest: float = 0.0
    way: tuple[float, float] | None = None
    whole: list[tuple[float, Shot]] = field(default_factory=list)
    partial: tuple[float, Shot] | None = None

    def expected(self) -> tuple[float, float]:
        """Where its centre should be now."""
        x, y = _centre(self.thing.region)
        dx, dy = self.way or (0.0, 0.0)
        return x + dx * (self.missed + 1), y + dy * (self.missed + 1)

    def best(self) -> Shot | None:
        """The best frame so far."""
        if self.whole:
            return max(self.whole, key=lambda each: each[0])[1]
        return self.partial[1] if self.partial else None


class Event:
    """Follows the gate's answers frame by frame; pure."""

    def __init__(self, rules: EventRules = EventRules()) -> None:
        self._rules: Final = rules
        self._tracks: list[_Track] = []
        self._last: datetime | None = None
        self._blind = False
        self.cooled = 0
        """Things whose frame was not sent because another was sent just before."""

    @property
    def going_on(self) -> bool:
        """Whether something is in view."""
        return bool(self._tracks)

    def without_pictures(self) -> Event:
        """One that holds no picture; what was sent already is not sent again."""
        emptied = Event(self._rules)
        emptied._tracks = [track for track in self._tracks if track.done]  # they have let go of theirs
        emptied._last, emptied._blind, emptied.cooled = self._last, self._blind, self.cooled
        return emptied

    def follow(self, frame: Frame, motion: Motion) -> list[Shot]:
        """The shots to send now, if this frame decides any: those of one moment belong together."""
        seen = self._match(frame, motion.things)
        self._blind = motion.blind
        decided: list[Shot] = []
        for track in list(self._tracks):
            if id(track) in seen:
                shot = self._grown(track, frame)
            else:
                track.missed += 1
                shot = None
                if track.missed >= self._rules.quiet:
                    self._tracks.remove(track)
                    shot = self._ended(track)
            if shot is not None:
                decided.append(shot)
        return self._cooled(frame, decided)

    def _match(self, frame: Frame, things: Iterable[Thing]) -> set[int]:
        """Give each thing its track, a new one where none fits; the tracks that were seen, by id."""
        reach = _REACH * frame.look.shape[1]
        free = list(self._tracks)
        seen = set()
        for thing in things:
            fits = [(_distance(track, thing, reach), track) for track in free]
            near = min((each for each in fits if each[0] < 1), key=lambda each: each[0], default=None)
            if near is not None:
                track = near[1]
                free.remove(track)
                here, there = _centre(thing.region), _centre(track.thing.region)
                steps = track.missed + 1
                track.way = _steadier(track.way, ((here[0] - there[0]) / steps, (here[1] - there[1]) / steps))
                track.grew = _size(thing.region) > _GROWN * _size(track.thing.region)
                track.thing, track.missed = thing, 0
                track.seen += 1
                track.length += 1
            elif any(track.done and _within(thing.region, track.thing.region) for track in self._tracks):
                continue  # a piece of something that was sent already
            else:
                track = _Track(thing, came=not self._blind)
                self._tracks.append(track)
            seen.add(id(track))
        return seen

    def _grown(self, track: _Track, frame: Frame) -> Shot | None:
        rules = self._rules
        if track.done:
            if track.length >= rules.longest:  # a crowded belt never falls still: begin a new event
                track.length, track.done, track.largest = 0, False, 0.0
            return None
        shot = Shot(frame, track.thing)
        if track.grew:
            track.whole.clear()  # it was not whole then, it is still coming into view
        track.largest = max(track.largest, track.thing.area)
        settled = not track.grew and (track.came or track.seen > 1)
        if track.thing.whole and settled and track.thing.area >= _MOST_OF * track.largest:
            track.whole.append((self._worth(shot), shot))
        elif track.came and (track.partial is None or track.thing.area > track.partial[0]):
            track.partial = (track.thing.area, shot)
        if track.seen < rules.steady:
            return None
        leaving = bool(track.whole) and not track.thing.whole
        if len(track.whole) >= rules.best_of or leaving or track.length >= rules.longest:
            return self._done(track)
        return None

    def _worth(self, shot: Shot) -> float:
        if shot.thing is None or self._rules.best_of == 1:
            return 0.0
        return sharpness(shot.frame, shot.thing.region) if self._rules.best_by == "sharpest" else shot.thing.area

    def _ended(self, track: _Track) -> Shot | None:
        return None if track.done or track.seen < self._rules.steady else self._done(track)

    @staticmethod
    def _done(track: _Track) -> Shot | None:
        shot = track.best()
        track.done, track.whole, track.partial = True, [], None
        return shot

    def _cooled(self, frame: Frame, decided: list[Shot]) -> list[Shot]:
        if not decided:
            return decided
        if self._last is not None and frame.captured - self._last < timedelta(seconds=self._rules.cool_down_s):
            self.cooled += len(decided)
            return []
        self._last = frame.captured
        return decided


def sharpness(frame: Frame, region: Region) -> float:
    """Variance of the Laplacian of the region (Pech-Pacheco and others 2000), of at most 240 pixels a side."""
    part = frame.look[region.y : region.y + region.height, region.x : region.x + region.width]
    step = max(1, max(part.shape[:2]) // _SHARPNESS_SIDE)
    small = part[::step, ::step]
    if small.ndim == 3:
        small = np.asarray(cv2.cvtColor(small, cv2.COLOR_BGR2GRAY), np.uint8)
    return float(cv2.Laplacian(small, cv2.CV_32F).var()) if small.size else 0.0


def _steadier(known: tuple[float, float] | None, seen: tuple[float, float]) -> tuple[float, float]:
    """A box that took in a speck for one frame is no other way to go."""
    if known is None:
        return seen
    return known[0] + _TURNS * (seen[0] - known[0]), known[1] + _TURNS * (seen[1] - known[1])


def _size(region: Region) -> int:
    return region.width * region.height


def _centre(region: Region) -> tuple[float, float]:
    return region.x + region.width / 2, region.y + region.height / 2


def _distance(track: _Track, thing: Thing, reach: float) -> float:
    """How far a thing is from where the track expects its own; below 1 where it may be the same."""
    x, y = _centre(thing.region)
    expected = track.expected()
    if track.way is not None:
        reach /= 2  # it is known how it goes
    across = reach + max(thing.region.width, track.thing.region.width) / 2
    down = reach + max(thing.region.height, track.thing.region.height) / 2
    return max(abs(x - expected[0]) / across, abs(y - expected[1]) / down)


def _within(inner: Region, outer: Region) -> bool:
    """Whether at least half of one box lies in the other."""
    across = min(inner.x + inner.width, outer.x + outer.width) - max(inner.x, outer.x)
    down = min(inner.y + inner.height, outer.y + outer.height) - max(inner.y, outer.y)
    return max(0, across) * max(0, down) * 2 >= inner.width * inner.height
