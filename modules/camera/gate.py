"""The motion gate: which frames show something that was not there before.

A small grey copy of each frame is set beside a running background. What light does is smooth, what things do is sharp
(light.py, edges.py): so light is followed at once, whatever it does, and only what sharp edges enclose counts. Where
what differs lies on the background's own edges, the camera has moved, and its pose is found. A view that changed nearly
everywhere is learnt anew instead of firing.

The background follows fast where nothing differs, hardly at all where something moves, and at a middle rate where
something differs but stands still: a part that stops on the belt is absorbed in time.

No I/O and no clock: the same frames give the same answers.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from modules.camera.background import Background, Compared, Grey, Mask
from modules.camera.edges import Enclosed
from modules.camera.frame import Picture
from modules.camera.light import DARK, logarithm
from modules.camera.motion import BLIND, USUAL, Figures, GateRules, Look, Motion, Region, Thing
from modules.camera.patches import FEWEST, Patch, edge_width, marks, patches
from modules.camera.pose import HOME, guesses
from modules.camera.settling import Settling
from modules.camera.shapes import Point, inside

_SAME_PLACE: Final = 0.7
_SAME_POSE: Final = 0.4  # pixels
_LEAST_EDGES: Final = 8  # pixels over the tolerance: less is noise
_MOVED: Final = 25  # pixels over the tolerance from which on a move of the camera is looked for
_MUCH: Final = 0.1  # of the picture's pixels over the tolerance: a move may explain it, wherever they lie
_BETTER: Final = 0.7  # of what differs may be left by a pose that explains it
_CELL: Final = 0.03  # of a cell's pixels differ in a cell that has changed
_CELLS: Final = 16  # across the picture
_ROUND: Final = np.ones((5, 5), np.uint8)
_SPECK: Final = np.ones((2, 2), np.uint8)


class _Change(NamedTuple):
    """What is new in a frame: edges of half the tolerance, lines of the whole one, what things cover, and these."""

    seen: Compared
    weak: Mask
    lines: Mask
    area: Mask
    patches: list[Patch]


class Gate:
    """A running background and the things that differ from it.

    `regions` and `ignored` are polygons in relative coordinates: only what lies in a region (if there is one) and in no
    ignored area counts.
    """

    def __init__(
        self,
        rules: GateRules = USUAL,
        *,
        regions: Sequence[Sequence[Point]] = (),
        ignored: Sequence[Sequence[Point]] = (),
    ) -> None:
        self.rules = rules
        self._regions, self._ignored = regions, ignored
        self._background: Background | None = None
        self._enclosed = Enclosed(2, 2)
        self._settling: Settling | None = None
        self._changes = self._lost = 0
        self._anew = False
        self._pose, self._stood_for, self._unsteady = HOME, 0, 0
        self._standing: list[tuple[Patch, int]] = []
        self.look: Look | None = None

    def learn(self) -> None:
        """Forget what was learnt, the noise too, and begin with the next frame for the background."""
        self._anew = True

    def retune(
        self, rules: GateRules, *, regions: Sequence[Sequence[Point]], ignored: Sequence[Sequence[Point]]
    ) -> None:
        """Go on by other rules with what was learnt: parts may be passing, of which nothing new is to be learnt."""
        self.rules = rules
        self._regions, self._ignored = regions, ignored
        if self._background is not None:
            self._background.retune(
                self._watched(*self._background.mean.shape),
                threshold=rules.threshold,
                noise_factor=rules.noise_factor,
                low=rules.lowest_threshold,
            )

    @property
    def figures(self) -> Figures:
        """What was learnt so far."""
        known = self._background
        if known is None:
            return Figures(self.rules.threshold or 0.0, 0.0, 0.0, calibrated=False, settling=True, scene_changes=0)
        settling = self._settling is not None
        return Figures(known.threshold, known.level, known.flicker, known.calibrated, settling, self._changes)

    def watch(self, picture: Picture) -> Motion:
        """Compare the frame with the background, then let the background follow it."""
        small = self._small(picture)
        logs = logarithm(small)
        known = self._background
        # The first frame, or the camera changed its size, or somebody asked for it.
        if known is None or known.mean.shape != small.shape or self._anew:
            self._begin(small, logs)
            return BLIND
        seen = known.compare(small, logs, self._pose)
        if self._settling is not None:
            return self._settle(known, self._settling, small, logs, seen)
        seen = self._steadied(known, small, logs, seen)
        if self._is_lost(known, seen):
            self._look(small, seen.mask, [])
            return BLIND
        change = self._change(known, small, logs, seen, known.threshold)
        things = self._things(known, small, logs, change)
        learnt = change
        if known.threshold > known.natural:
            learnt = self._change(known, small, logs, known.by_itself(seen, small), known.natural)
        self._learn(known, small, logs, learnt)
        self._look(small, change.area, things)
        area = cv2.countNonZero(change.area) / change.area.size
        return Motion(area, tuple(self._thing(known, patch, picture) for patch in things))

    def _begin(self, small: Grey, logs: Grey) -> None:
        rows, columns = small.shape
        rules = self.rules
        self._background = Background(
            logs,
            self._watched(rows, columns),
            threshold=rules.threshold,
            noise_factor=rules.noise_factor,
            low=rules.lowest_threshold,
        )
        self._enclosed = Enclosed(rows, columns)
        self._pose = HOME
        self._settling = Settling(rules)
        self._anew, self._lost, self._standing = False, 0, []
        self._look(small, np.zeros(small.shape, np.uint8), [])

    def _watched(self, rows: int, columns: int) -> NDArray[np.bool_]:
        watched = inside(self._regions, columns, rows) if self._regions else np.ones((rows, columns), np.bool_)
        return watched & ~inside(self._ignored, columns, rows)

    def _small(self, picture: Picture) -> Grey:
        height, width = picture.shape[:2]
        columns, rows = self.rules.width, max(2, 2 * round(height * self.rules.width / width / 2))
        # Reading the frame is most of what the gate costs. Two of its rows for each small one average the sensor's
        # noise well enough: with twelve columns that is 24 pixels of a 1080p frame in each of the small picture.
        small: Picture = picture[:: max(1, height // (2 * rows))]
        if width % (2 * columns) == 0 and small.shape[0] == 2 * rows:  # OpenCV halves far quicker than it shrinks
            small = np.asarray(cv2.resize(small, (width // 2, rows), interpolation=cv2.INTER_AREA), np.uint8)
        grey = small if small.ndim == 2 else cv2.cvtColor(small, cv2.COLOR_BGR2GRAY)
        grey = cv2.resize(grey, (columns, rows), interpolation=cv2.INTER_AREA)
        return np.asarray(cv2.GaussianBlur(np.asarray(grey, np.float32), (5, 5), 0), np.float32)

    def _steadied(self, known: Background, small: Grey, logs: Grey, seen: Compared) -> Compared:
        """The frame beside the background in the camera's pose, if a move explains what differs."""
        count = seen.count
        if count > _MOVED:
            beside, over = known.on_edges(seen)
            on_edges = beside > self.rules.on_edges or over > self.rules.edges_over
            if self._unsteady or on_edges or count > _MUCH * small.size:
                for pose in guesses(logs, known.mean, seen.pose):
                    other = known.compare(small, logs, pose)
                    if other.count < min(seen.count, _BETTER * count):
                        seen = other
                    if seen.count <= _MOVED:  # nothing is left that another pose might explain
                        break
        same = seen.pose.far_from(self._pose, small.shape[1]) < _SAME_POSE
        self._stood_for = self._stood_for + 1 if same and seen.pose != HOME else 0
        self._unsteady = self.rules.unsteady if seen.pose != self._pose else max(0, self._unsteady - 1)
        self._pose = seen.pose
        return seen

    def _is_lost(self, known: Background, seen: Compared) -> bool:
        """Whether nearly everything has changed; after some frames of that the scene is learnt anew."""
        rules = self.rules
        if seen.count <= _MOVED or not (
            known.on_edges(seen)[1] > rules.scene_edges or self._changed(known, seen) >= rules.scene_area
        ):
            self._lost = 0
            return False
        self._lost += 1
        if self._lost >= rules.patience:
            self._changes += 1
            self._lost, self._pose = 0, HOME
            self._settling = Settling(rules)
        return True

    @staticmethod
    def _changed(known: Background, seen: Compared) -> float:
        """The share of the watched cells in which something differs."""
        rows, columns = seen.mask.shape
        size = (_CELLS, max(1, round(_CELLS * rows / columns)))
        changed = cv2.resize(seen.mask.astype(np.float32), size, interpolation=cv2.INTER_AREA) > _CELL
        watched = cv2.resize(known.watched.astype(np.float32), size, interpolation=cv2.INTER_AREA) > 0.5
        return float(np.count_nonzero(changed & watched)) / max(1, int(np.count_nonzero(watched)))

    def _settle(self, known: Background, settling: Settling, small: Grey, logs: Grey, seen: Compared) -> Motion:
        """Learn the scene anew: at the start, and when nearly everything has changed."""
        self._standing = []
        if settling.learn(known, small, logs, seen):
            self._settling = None
        self._look(small, seen.mask, [])
        return BLIND

    def _change(self, known: Background, small: Grey, logs: Grey, seen: Compared, threshold: float) -> _Change:
        """What sharp edges enclose, with the light as it is beside that."""
        if seen.count < _LEAST_EDGES:
            return _Change(seen, seen.mask, seen.mask, seen.mask, [])
        weak = (seen.height > seen.tolerance * np.float32(0.5)).astype(np.uint8)
        seen = seen.lit_without(logs, weak)
        if seen.count < FEWEST:  # no patch can come of it: spare the work of looking for one
            return _Change(seen, weak, seen.mask, seen.mask, [])
        near = cv2.dilate(cv2.morphologyEx(weak, cv2.MORPH_OPEN, _SPECK), _ROUND).astype(np.float32)
        heights = np.abs(self._enclosed.heights(seen.ratio, near)) * (small + np.float32(DARK))
        enclosed = ((heights > self.rules.enclosed * threshold) & known.watched).astype(np.uint8)
        crest = (seen.height >= np.float32(0.5) * np.asarray(cv2.dilate(seen.height, _ROUND))).astype(np.uint8)
        found = patches(seen.mask, weak, crest, enclosed, self.rules.min_area * small.size)
        if not found:
            return _Change(seen, weak, seen.mask, seen.mask, [])
        covered = _covered(found, small.shape)
        area = seen.mask | (enclosed & covered)
        return _Change(seen.lit_without(logs, weak | covered), weak, seen.mask & crest, area, found)

    def _things(self, known: Background, small: Grey, logs: Grey, change: _Change) -> list[Patch]:
        """Those that are things, and neither shadows, soft or hard, nor places that something has left."""
        things, seen = [], change.seen
        for patch in change.patches:
            looks = marks(patch, small, logs, seen.background, change.weak, known.level)
            if looks.gone > self.rules.gone:  # something learnt as background has left, or a plain part covers edges
                if seen.pose == HOME and self._stood(patch)[1] >= self.rules.hold:  # show what was under it
                    place = _covered([patch], small.shape).astype(bool)
                    known.mean[place] = (logs - seen.light)[place]
            elif (
                looks.likeness < self.rules.same_texture
                and edge_width(patch, seen.ratio, change.lines) < self.rules.softest
            ):
                things.append(patch)
        return things

    def _learn(self, known: Background, small: Grey, logs: Grey, change: _Change) -> None:
        rules, seen, found = self.rules, change.seen, change.patches
        self._standing = [self._stood(patch) for patch in found]
        covered = _covered(found, small.shape)
        passing = [patch for patch, (_, frames) in zip(found, self._standing, strict=True) if frames < rules.absorb]
        moving = _covered(passing, small.shape)
        known.things = covered
        if seen.pose != HOME:
            if self._stood_for >= rules.hold:
                known.stand(seen, logs)
                self._pose, self._stood_for = HOME, 0
            else:
                known.follow_light(seen, small)
            return
        known.follow_light(seen, small)
        if not found and not seen.count:
            known.follow(logs, rules.fast_rate)
            known.learn_noise(seen, None)
            return
        known.follow(logs, rules.fast_rate, mask=1 - (seen.mask | covered))
        known.follow(logs, rules.still_rate, mask=(seen.mask | covered) & (1 - moving))
        known.follow(logs, rules.moving_rate, mask=moving)
        known.learn_noise(seen, covered)

    def _stood(self, patch: Patch) -> tuple[Patch, int]:
        """The patch that first stood in this one's place, and for how many frames.

        A plain one looks still inside though it moves, so it is the box that counts.
        """
        fits = ((first, frames + 1) for first, frames in self._standing if patch.overlap(first) >= _SAME_PLACE)
        return max(fits, key=lambda each: each[1], default=(patch, 1))

    def _thing(self, known: Background, patch: Patch, picture: Picture) -> Thing:
        rows, columns = known.mean.shape
        across, down = picture.shape[1] / columns, picture.shape[0] / rows
        region = Region(int(patch.x * across), int(patch.y * down), int(patch.width * across), int(patch.height * down))
        return Thing(region, patch.pixels / known.mean.size, whole=not known.border[patch.window].any())

    def _look(self, small: Grey, mask: Mask, found: list[Patch]) -> None:
        self.look = Look(small, mask, tuple(patch.contour for patch in found))


def _covered(found: Sequence[Patch], shape: tuple[int, ...]) -> Mask:
    """1 in these patches and two pixels round them."""
    covered = np.zeros(shape, np.uint8)
    for patch in found:
        cv2.fillConvexPoly(covered, patch.contour, 1)
    return np.asarray(cv2.dilate(covered, _ROUND), np.uint8) if found else covered
