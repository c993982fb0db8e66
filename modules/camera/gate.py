"""The motion gate: which frames show something that was not there before.

A small grey copy of each frame is blurred and compared with a running background. Where enough differs, the difference
is explained away as far as it can be: by a change of light, by the bands of lamps that flicker with the mains, by a
camera that shook. What is left is parted into patches, and each patch looked at: a soft shadow is none, nor is the
place that something left. A view that changed nearly everywhere is learnt anew instead of firing.

The background follows fast where nothing differs, hardly at all where something moves, and at a middle rate where
something differs but stands still: a part that stops on the belt is absorbed in time.

No I/O and no clock: the same frames give the same answers.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from modules.camera.background import Background, Grey, Mask
from modules.camera.frame import Picture
from modules.camera.motion import STILL, USUAL, Figures, GateRules, Look, Motion, Region, Thing
from modules.camera.patches import Marks, Patch, marks, patches
from modules.camera.shapes import Point, inside
from modules.camera.shift import hide_new, moved, shift

_SAME_PLACE: Final = 0.7
_SAME_SHIFT: Final = 0.3  # pixels
_STEP: Final = 0.7  # of the difference of two frames is the noise of one: both have it


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
        self.rules: Final = rules
        self._regions, self._ignored = regions, ignored
        self._background: Background | None = None
        self._previous: Grey = np.empty((0, 0), np.float32)
        self._settling = 0
        self._settled_for = 0
        self._changes = 0
        self._anew = False
        self._hold = self._relearn = 0
        self._off, self._off_for = (0.0, 0.0), 0
        self._changed: NDArray[np.bool_] | None = None
        self._standing: list[tuple[Patch, int]] = []
        self.look: Look | None = None

    def learn(self) -> None:
        """Take the next frame for the background, whatever it shows."""
        self._anew = True

    @property
    def figures(self) -> Figures:
        """What was learnt so far."""
        known = self._background
        if known is None:
            return Figures(self.rules.threshold or 0.0, 0.0, 0.0, calibrated=False, settling=True, scene_changes=0)
        settling = self._settling > 0
        return Figures(known.threshold, known.level, known.band_size, known.calibrated, settling, self._changes)

    def watch(self, picture: Picture) -> Motion:
        """Compare the frame with the background, then let the background follow it."""
        small = self._small(picture)
        known = self._background
        if known is None or known.mean.shape != small.shape:  # first frame, or the camera changed its size
            self._begin(small)
            return STILL
        stepped = np.abs(small - self._previous)
        self._previous = small
        if self._anew:
            self._anew = False
            known.replace(small)
            self._look(small, np.zeros_like(small), np.zeros(small.shape, np.uint8), [])
            return STILL
        difference = small - known.mean
        difference -= np.float32(known.light.offset(difference))
        mask = known.different(difference)
        least = self.rules.min_area * small.size
        if cv2.countNonZero(mask) >= least:
            difference, mask = self._explained(known, small, difference, mask, least)
        if self._settling:
            return self._settle(known, small, stepped, difference, mask)
        if self._relearn:
            return self._adapt(known, small, difference, mask)
        seen = self._seen(known, difference, mask, least)
        if seen is None:
            self._changes += 1
            self._settling, self._settled_for = self.rules.settle, 0
            return self._settle(known, small, stepped, difference, mask)
        found = self._things(known, small, difference, seen)
        self._learn(known, small, difference, mask, seen)
        if self._hold:  # what a change of light left over is no thing
            self._hold -= 1
            found = []
        if not seen:
            known.learn_bands(known.light.bands(difference))
        self._look(small, difference, mask, found)
        area = float(np.count_nonzero(mask)) / mask.size
        return Motion(area, tuple(self._thing(known, patch, picture) for patch in found))

    def _begin(self, small: Grey) -> None:
        rows, columns = small.shape
        watched = inside(self._regions, columns, rows) if self._regions else np.ones((rows, columns), np.bool_)
        watched &= ~inside(self._ignored, columns, rows)
        rules = self.rules
        self._background = Background(
            small, watched, threshold=rules.threshold, noise_factor=rules.noise_factor, low=rules.lowest_threshold
        )
        self._previous = small
        self._settling, self._settled_for = rules.settle, 0
        self._anew = False
        self._look(small, np.zeros_like(small), np.zeros(small.shape, np.uint8), [])

    def _small(self, picture: Picture) -> Grey:
        height, width = picture.shape[:2]
        size = (self.rules.width, max(1, round(height * self.rules.width / width)))
        # Reading the frame is most of what the gate costs. Four of its rows for each small one average the sensor's
        # noise well enough: with twelve columns that is 48 pixels of a 1080p frame in each of the small picture.
        rows = picture[:: max(1, height // (4 * size[1]))]
        small = cv2.resize(rows, size, interpolation=cv2.INTER_AREA)
        grey = small if small.ndim == 2 else cv2.cvtColor(small, cv2.COLOR_BGR2GRAY)
        return np.asarray(cv2.GaussianBlur(grey, (5, 5), 0), np.float32)

    def _explained(
        self, known: Background, small: Grey, difference: Grey, mask: Mask, least: float
    ) -> tuple[Grey, Mask]:
        """Difference and mask without what light, flicker or a shaken camera make."""
        background = known.mean
        if known.light.changed(difference) > known.threshold / 3:
            surface = known.light.fit(small, background)
            lit = small - background - surface
            lit_mask = known.different(lit)
            if cv2.countNonZero(lit_mask) < 0.6 * cv2.countNonZero(mask):
                difference, mask = lit, lit_mask
                background = background + surface
                self._hold = self.rules.hold
                if known.light.unlike(difference, known.threshold / 3) < self.rules.still_unlike:
                    known.mean = background  # the light has changed: the background with it, at once
                    self._relearn = self.rules.hold
        bands = known.light.bands(difference)
        bands = np.clip(bands, -3 * known.band_size - 1, 3 * known.band_size + 1)
        if known.band_size > 1:
            difference = difference - bands
            mask = known.different(difference)
        if cv2.countNonZero(mask) < least:
            return difference, mask
        moved_by = shift(small, background, known.slopes, known.threshold)
        if moved_by is not None and max(abs(moved_by[0]), abs(moved_by[1])) > 0.15:
            steady = small - moved(background, *moved_by)
            if known.band_size > 1:
                steady -= bands
            hide_new(steady, *moved_by)
            steady_mask = known.different(steady)
            if cv2.countNonZero(steady_mask) < 0.7 * cv2.countNonZero(mask):
                difference, mask = steady, steady_mask
                self._moved(known, moved_by)
        return difference, mask

    def _moved(self, known: Background, by: tuple[float, float]) -> None:
        """A camera that stays where it moved to shows the background there."""
        right, down = self._off
        same = abs(by[0] - right) < _SAME_SHIFT and abs(by[1] - down) < _SAME_SHIFT
        self._off_for = self._off_for + 1 if same else 1
        self._off = by
        if self._off_for >= self.rules.hold:
            known.mean = moved(known.mean, *by)
            known.renew()
            self._off_for = 0

    def _adapt(self, known: Background, small: Grey, difference: Grey, mask: Mask) -> Motion:
        """Take over what the light's fit has left, for some frames, before anything counts again."""
        self._relearn -= 1
        known.follow(small, self.rules.light_rate)
        self._standing, self._changed = [], None
        self._look(small, difference, mask, [])
        return STILL

    def _settle(self, known: Background, small: Grey, stepped: Grey, difference: Grey, mask: Mask) -> Motion:
        """Learn the scene anew until it stands still: at the start, and when nearly everything has changed."""
        self._settled_for += 1
        still = cv2.countNonZero(known.different(stepped)) < self.rules.min_area * small.size
        if still or self._settled_for > self.rules.longest_settle:
            self._settling -= 1
        elif self._settled_for > self.rules.settle:
            self._settling = min(self._settling + 1, self.rules.settle)
        known.follow(small, 0.5 if self._settled_for <= 5 else 0.2)
        known.learn_bands(known.light.bands(difference))
        known.learn_noise(stepped * np.float32(_STEP), None)
        self._look(small, difference, mask, [])
        return STILL

    def _seen(self, known: Background, difference: Grey, mask: Mask, least: float) -> list[Patch] | None:
        """The patches that are large enough; None where the whole scene has changed."""
        changed = self._changed_cells(known, mask) if cv2.countNonZero(mask) >= least else None
        before, self._changed = self._changed, changed
        if changed is None:
            return []
        found = patches(mask, known.different(difference, 0.5), least)
        if found and (known.share(changed) >= self.rules.scene_area or self._sudden(known, changed, before)):
            return None
        return found

    def _sudden(self, known: Background, changed: NDArray[np.bool_], before: NDArray[np.bool_] | None) -> bool:
        """Whether, from one frame to the next, places all over the picture have changed: things come in from a side."""
        new = changed if before is None else changed & ~before
        if known.share(new) < self.rules.sudden_area:
            return False
        rows, columns = np.flatnonzero(new.any(axis=1)), np.flatnonzero(new.any(axis=0))
        high, wide = rows[-1] - rows[0] + 1, columns[-1] - columns[0] + 1
        return bool(high >= 0.75 * new.shape[0] and wide >= 0.75 * new.shape[1])

    @staticmethod
    def _changed_cells(known: Background, mask: Mask) -> NDArray[np.bool_]:
        changed = cv2.resize(mask * np.float32(1), known.light.cells, interpolation=cv2.INTER_AREA)
        return np.asarray((changed > 0.03) & known.cells)

    def _things(self, known: Background, small: Grey, difference: Grey, seen: list[Patch]) -> list[Patch]:
        """Those that are things, and neither light nor places that something has left."""
        background = small - difference
        noise = known.level
        things = []
        for patch in seen:
            looks = marks(patch, small, background, noise)
            if looks.gone > self.rules.gone:  # something learnt as background has left: show what was under it
                window = patch.window
                known.mean[window] = small[window]
            elif not self._is_light(looks):
                things.append(patch)
        return things

    def _is_light(self, looks: Marks) -> bool:
        rules = self.rules
        likely = looks.likeness >= rules.likeness and looks.edge < rules.sharp_edge
        return looks.edge < rules.soft_edge or looks.likeness >= rules.same_texture or likely

    def _learn(self, known: Background, small: Grey, difference: Grey, mask: Mask, seen: list[Patch]) -> None:
        rules = self.rules
        self._standing = [self._stood(patch) for patch in seen]
        if not cv2.countNonZero(mask):
            known.follow(small, rules.fast_rate)
            known.learn_noise(difference, None)
            return
        covered = np.zeros(mask.shape, np.uint8)
        moving = np.zeros(mask.shape, np.uint8)
        for patch, (_, frames) in zip(seen, self._standing, strict=True):
            cv2.drawContours(covered, [patch.contour], -1, 1, -1)
            if frames < rules.absorb:
                cv2.drawContours(moving, [patch.contour], -1, 1, -1)
        known.follow(small, rules.fast_rate, mask=1 - (mask | covered))
        known.follow(small, rules.still_rate, mask=(mask | covered) & (1 - moving))
        known.follow(small, rules.moving_rate, mask=moving)
        known.learn_noise(difference, covered)

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

    def _look(self, small: Grey, difference: Grey, mask: Mask, found: list[Patch]) -> None:
        self.look = Look(small, difference, mask, tuple(patch.contour for patch in found))
