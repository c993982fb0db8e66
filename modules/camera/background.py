"""What a camera sees when nothing passes, and what of a frame cannot be explained by it.

All in the small picture, in logarithms (light.py). The background follows the light at once and everywhere: the field
that light adds is smooth, so that nothing sharp is ever learnt with it. A pixel differs where a sharp edge stands
higher than its tolerance: the threshold, or so many times the pixel's own noise, and something more at the background's
own edges, which any tremble moves. Outside the regions of interest and under ignored areas the tolerance is infinite.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from modules.camera.edges import sharp, slope
from modules.camera.light import BRIGHT, DARK, field, sensed
from modules.camera.pose import HOME, Pose, moved

Grey = NDArray[np.float32]
Mask = NDArray[np.uint8]

NEVER: Final = np.float32(1e6)
_NOISE_RATE: Final = 0.02  # per frame
_FIRST_NOISE_RATE: Final = 0.15
_FIRST_NOISE: Final = 2.0  # grey levels
_FIRST_THRESHOLD: Final = 9.7  # grey levels, until five quiet frames were seen
_MOST_THRESHOLD: Final = 20.0
_MOST_NOISY: Final = 40.0  # grey levels: a sharp edge so high counts however restless its place is
_USUAL_PART: Final = 0.75  # of the pixels: edges of things cover less than the rest, however many pass
_NOISIEST: Final = 4.0  # times the noise of the usual part
_RENEW: Final = 10  # frames between two looks at noise and edges
_EDGE: Final = 0.4  # of a small pixel: so far a background's edge may move unseen
_OF_MEAN: Final = 1.25  # standard deviation over mean, near enough for what is left of noise in an edge's height
_CALIBRATED: Final = 40  # frames
_LIGHT_RATE: Final = 0.05
_STEEPEST: Final = 0.1  # of the pixels are the background's edges, by which a move is noticed
_LEAST_EDGE: Final = 0.02  # of the light, a pixel
_WHITE: Final = math.log(BRIGHT + DARK)
_LITTLE: Final = np.float32(5e-4)  # the weight in the field of light of what shows no light
_FAR: Final = 0.2  # of the light: so much more or less than around is a thing's doing
_FEW: Final = 12  # pixels
_MEDIAN: Final = 5
_NEAR: Final = np.ones((3, 3), np.uint8)
_ROUND: Final = np.ones((5, 5), np.uint8)
_BORDER: Final = np.ones((7, 7), np.uint8)


@dataclass(frozen=True, slots=True)
class Compared:
    """A frame beside the background as a camera in `pose` would see it.

    `light` is the field that light has added, `ratio` what else differs (both differences of logarithms), `height` how
    high sharp edges stand in it, `tolerance` how high they may (grey levels), `mask` 1 where they stand higher.
    `trust` is how well each pixel tells of the light, 0 where the background does not know the view. `emerged` is how
    much brighter than white places turn out to be, as less light shows them (None: there are none).
    """

    pose: Pose
    background: Grey
    trust: Grey
    emerged: Grey | None
    light: Grey
    ratio: Grey
    height: Grey
    tolerance: Grey
    mask: Mask

    @property
    def count(self) -> int:
        """How many pixels differ."""
        return int(cv2.countNonZero(self.mask))

    def lit_without(self, logs: Grey, things: Mask) -> Compared:
        """The same with the light as it is where none of these things (1) are."""
        weight = self.trust * (cv2.dilate(things, _ROUND) == 0) + _LITTLE
        light = field(logs - self.background, weight)
        return replace(self, light=light, ratio=self.ratio + (self.light - light))


class Background:
    """The running background of one scene, in logarithms; starts from its first frame."""

    def __init__(
        self, logs: Grey, watched: NDArray[np.bool_], *, threshold: float | None, noise_factor: float, low: float
    ) -> None:
        self.mean = logs.copy()
        self.noise = np.full_like(logs, _FIRST_NOISE)  # mean height of the edges that noise makes, grey levels
        self.watched = watched
        self.border = _border(watched)
        self.things = np.zeros(logs.shape, np.uint8)
        self.flicker = 0.0
        self.quiet = 0
        self._fixed, self._factor, self._low = threshold, noise_factor, low
        self.natural = self.threshold = low
        self._slope = self._edges = logs
        self._edge_count = 0
        self.renew()

    @property
    def calibrated(self) -> bool:
        """Whether enough quiet frames have shown the scene's noise."""
        return self.quiet >= _CALIBRATED

    @property
    def level(self) -> float:
        """The scene's noise: the height of an edge that noise makes in its middle pixel, grey levels."""
        flat = self.noise[::2, ::2].ravel()
        at = flat.size // 2
        return float(np.partition(flat, at)[at]) * _OF_MEAN

    def retune(self, watched: NDArray[np.bool_], *, threshold: float | None, noise_factor: float, low: float) -> None:
        """Hold what was learnt against other rules."""
        self.watched, self.border = watched, _border(watched)
        self._fixed, self._factor, self._low = threshold, noise_factor, low
        self.renew()

    def renew(self) -> None:
        """Work out edges and threshold again."""
        self._slope = slope(self.mean)
        flat = self._slope.ravel()
        at = int((1 - _STEEPEST) * flat.size)
        steepest = max(float(np.partition(flat, at)[at]), _LEAST_EDGE)
        self._edges = ((self._slope > steepest) & self.watched).astype(np.float32)
        noise = self._factor * self.level
        self.natural = float(np.clip(noise, self._low, _MOST_THRESHOLD)) if self.quiet >= 5 else _FIRST_THRESHOLD
        self.threshold = self.natural if self._fixed is None else self._fixed

    def compare(self, small: Grey, logs: Grey, pose: Pose = HOME) -> Compared:
        """Set the frame beside the background in that pose."""
        background = moved(self.mean, pose)
        white = background >= _WHITE  # or more: the sensor could not tell
        trust = ((small < BRIGHT) & (self.things == 0) & ~white).astype(np.float32)
        if pose != HOME:
            known = cv2.erode(moved(np.ones_like(logs), pose, outside=0), _BORDER) > 0.99
            trust *= known
        light = field(logs - background, trust + _LITTLE)
        far = (np.abs(logs - background - light) > _FAR).astype(np.uint8)
        if cv2.countNonZero(far) > _FEW:  # a thing, most likely: it is not to be taken for a lamp
            light = field(logs - background, trust * (cv2.dilate(far, _ROUND) == 0) + _LITTLE)
        emerged = _emerged(logs - background - light, white & (small < BRIGHT))
        if emerged is not None:
            background = background + emerged
        ratio = sensed(logs) - sensed(background + light)
        # The median leaves edges where they are and takes away what is narrow: rain, and edges that trembled.
        ratio = np.asarray(cv2.medianBlur(ratio, _MEDIAN), np.float32)
        height = sharp(ratio, small)
        tolerance = self._tolerance(small, pose, self.threshold)
        if pose != HOME:
            tolerance[~known] = NEVER
        mask = (height > tolerance).astype(np.uint8)
        return Compared(pose, background, trust, emerged, light, ratio, height, tolerance, mask)

    def _tolerance(self, small: Grey, pose: Pose, threshold: float) -> Grey:
        tolerance = np.minimum(self.noise * np.float32(self._factor * _OF_MEAN), np.float32(_MOST_NOISY))
        tolerance = np.maximum(tolerance, np.float32(threshold))
        tolerance += np.float32(_EDGE) * self._slope * (small + np.float32(DARK))
        tolerance = moved(tolerance, pose)
        tolerance[~self.watched] = NEVER
        return tolerance

    def by_itself(self, seen: Compared, small: Grey) -> Compared:
        """What the threshold that the scene's noise makes would see, where a higher one was set.

        It says what is learnt: a part that a high threshold does not see is neither background nor noise.
        """
        tolerance = np.minimum(seen.tolerance, self._tolerance(small, seen.pose, self.natural))
        tolerance[seen.tolerance >= NEVER] = NEVER
        return replace(seen, tolerance=tolerance, mask=(seen.height > tolerance).astype(np.uint8))

    def on_edges(self, compared: Compared) -> tuple[float, float]:
        """The share of what differs that lies on the background's edges, and the share of these that differ."""
        edges = (moved(self._edges, compared.pose, outside=0) > 0.5).astype(np.uint8)
        beside = cv2.countNonZero(compared.mask & np.asarray(cv2.dilate(edges, _NEAR), np.uint8))
        over = cv2.countNonZero(compared.mask & edges)
        return beside / max(1, compared.count), over / max(1, cv2.countNonZero(edges))

    def follow_light(self, compared: Compared, small: Grey) -> None:
        """Take the field of light over, and what has emerged with it; `flicker` learns how strong it is."""
        back = Pose(-compared.pose.right, -compared.pose.down, -compared.pose.turn)
        self.mean += moved(compared.light if compared.emerged is None else compared.light + compared.emerged, back)
        size = float(np.sqrt(np.mean(np.square(compared.light[::4, ::4] * (small[::4, ::4] + DARK)))))
        self.flicker += _LIGHT_RATE * (size - self.flicker)

    def follow(self, logs: Grey, rate: float, mask: Mask | None = None) -> None:
        """Move towards the frame, everywhere or where the mask is not 0."""
        cv2.accumulateWeighted(logs, self.mean, rate, mask=mask)

    def replace(self, logs: Grey) -> None:
        """Take the frame for the background."""
        self.mean = logs.copy()
        self.things[:] = 0
        self.renew()

    def stand(self, compared: Compared, logs: Grey) -> None:
        """The camera stays in the pose of this frame: see everything from there."""
        known = cv2.erode(moved(np.ones_like(logs), compared.pose, outside=0), _NEAR) > 0.99
        self.mean = np.where(known, moved(self.mean, compared.pose) + compared.light, logs)
        self.noise = moved(self.noise, compared.pose).copy()
        self.renew()

    def learn_noise(self, compared: Compared, besides: Mask | None) -> None:
        """Learn from the edges that stand though nothing passes; `besides` is 1 where something does."""
        self._learn_noise(np.minimum(compared.height, np.float32(3 * self.natural)), besides)

    def learn_first_noise(self, height: Grey) -> None:
        """Learn while it is not known yet what is a thing: nothing that stands far over most of the picture."""
        flat = height[::2, ::2].ravel()
        at = int(_USUAL_PART * flat.size)
        usual = float(np.partition(flat, at)[at])
        self._learn_noise(np.minimum(height, np.float32(_NOISIEST * usual)), None)

    def _learn_noise(self, size: Grey, besides: Mask | None) -> None:
        rate = _NOISE_RATE if self.calibrated else _FIRST_NOISE_RATE
        cv2.accumulateWeighted(size, self.noise, rate, mask=None if besides is None else 1 - besides)
        self.quiet += 1
        if self.quiet % _RENEW == 0:
            self.renew()


def _emerged(more: Grey, white: NDArray[np.bool_]) -> Grey | None:
    """What is brighter than foreseen at places that were white and are not any more, and as far round them as blur."""
    if not white.any():
        return None
    near = cv2.dilate(white.astype(np.uint8), _ROUND)
    return np.asarray(np.maximum(more, 0) * near, np.float32)


def _border(watched: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """The outermost watched pixels: what reaches them may go on outside."""
    inner = cv2.erode(np.pad(watched, 1).astype(np.uint8), np.ones((3, 3), np.uint8))[1:-1, 1:-1]
    return np.asarray(watched & (inner == 0))
