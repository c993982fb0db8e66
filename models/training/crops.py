"""What the tile network learns from: square pieces of contrast pictures, half of them around a defect.

A defect of five hundred pixels in a picture of a hundred thousand teaches little; a piece that holds it teaches more,
and costs a third. Kinds of defect are drawn by the root of how many tiles show them, tiles of one kind alike, so that a
tile with many pictures does not speak louder than the others.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

SIDE: Final = 256  # pixels of a piece
AROUND: Final = 0.5  # share of pieces around a defect
ANYWHERE: Final = 0.15  # share of pieces from anywhere on a tile with one
RENDERED: Final = 0.08  # share of pieces from rendered tiles
ASIDE: Final = 70.0  # pixels: how far from its middle a piece may hold the defect
ZOOM: Final = 0.25  # of the logarithm, each way, each side for itself
STILL: Final = 0.4  # share of pieces that are only flipped, so that sharp ones are seen, too
SHEAR: Final = 0.05
MOST: Final = 6.0  # of contrast, each way: what is further off is as good as that
RELIT: Final = 0.7  # share of pieces under another light
CUT: Final = 0.3  # share of pieces in which the picture ends sooner, if it can beside the defect
BESIDE: Final = 30.0  # pixels at most between a place of the defect, or any place, and such an end
BEVELLED: Final = 0.2  # share of pieces with a strip that is brighter or darker, as the bevel of an edge is

Plane = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Sheet:
    """One picture, without the letterbox's border: contrast and mask (0 to 255), both (h, w), whose and what it is."""

    contrast: NDArray[np.float16]
    mask: NDArray[np.uint8]
    bad: bool
    label: str
    group: int


@dataclass(frozen=True, slots=True)
class Piece:
    """(SIDE, SIDE) each: contrast, defect as a share, and where anything is known of it (0 or 1)."""

    contrast: Plane
    mask: Plane
    inside: Plane
    known: bool


class Crops:
    """Draws pieces without end."""

    def __init__(self, sheets: Sequence[Sheet], rendered: Sequence[Sheet], random: np.random.Generator) -> None:
        self._random = random
        self._good: dict[int, list[Sheet]] = {}
        self._bad: dict[str, dict[int, list[Sheet]]] = {}
        for each in sheets:
            if not each.bad:
                self._good.setdefault(each.group, []).append(each)
            elif each.mask.any():
                self._bad.setdefault(each.label, {}).setdefault(each.group, []).append(each)
        self._rendered = {bad: [each for each in rendered if each.bad is bad] for bad in (False, True)}
        self._kinds = sorted(self._bad)
        weights = np.sqrt([len(self._bad[kind]) for kind in self._kinds])
        self._weights = weights / weights.sum()

    def draw(self) -> Piece:
        """The next one."""
        random = self._random
        chance, made = random.random(), random.random() < RENDERED
        defective = chance < AROUND + ANYWHERE
        if made and (pool := self._rendered[defective]):
            sheet = pool[int(random.integers(len(pool)))]
        elif defective:
            sheet = self._of(self._bad[str(random.choice(self._kinds, p=self._weights))])
        else:
            sheet = self._of(self._good)
        return self._piece(sheet, self._where(sheet, around=chance < AROUND))

    def _of(self, groups: Mapping[int, Sequence[Sheet]]) -> Sheet:
        members = groups[int(self._random.choice(sorted(groups)))]
        return members[int(self._random.integers(len(members)))]

    def _where(self, sheet: Sheet, *, around: bool) -> tuple[float, float]:
        height, width = sheet.contrast.shape
        if not around:
            return self._random.uniform(0, height), self._random.uniform(0, width)
        rows, columns = np.nonzero(sheet.mask)
        one = self._random.integers(len(rows))
        aside = self._random.uniform(-ASIDE, ASIDE, 2)
        return rows[one] + aside[0], columns[one] + aside[1]

    def _piece(self, sheet: Sheet, where: tuple[float, float]) -> Piece:
        """Flipped, perhaps zoomed and sheared, perhaps under another light; within the picture where it is larger."""
        random = self._random
        still = random.random() < STILL
        zoom = np.ones(2) if still else np.exp(random.uniform(-ZOOM, ZOOM, 2))
        shear = np.zeros(2) if still else random.uniform(-SHEAR, SHEAR, 2)
        centre = [
            size / 2 if size <= SIDE / by else float(np.clip(at, SIDE / by / 2, size - SIDE / by / 2))
            for at, size, by in zip(where, sheet.contrast.shape, zoom, strict=True)
        ]
        y, x = (round(at) if still else at for at in centre)
        flip = np.where(random.random(2) < 0.5, -1, 1)
        matrix = np.array([[zoom[1] * flip[0], shear[0], 0.0], [shear[1], zoom[0] * flip[1], 0.0]])
        matrix[:, 2] = SIDE / 2 - matrix[:, :2] @ [x, y]
        size = (SIDE, SIDE)
        contrast = np.asarray(
            cv2.warpAffine(sheet.contrast.astype(np.float32), matrix, size, borderValue=0), np.float32
        )
        inside = cv2.warpAffine(np.ones(sheet.contrast.shape, np.float32), matrix, size, borderValue=0) > 0.5
        mask = np.asarray(cv2.warpAffine(sheet.mask, matrix, size) / 255, np.float32)
        if random.random() < CUT:
            inside &= self._nearer(mask)
            mask = mask * inside
        if random.random() < RELIT:
            contrast = self._relit(contrast)
        if random.random() < BEVELLED:
            contrast = contrast + self._bevel()
        contrast = np.clip(contrast * inside, -MOST, MOST).astype(np.float32)
        return Piece(contrast, mask, inside.astype(np.float32), known=not sheet.bad or bool(sheet.mask.any()))

    def _relit(self, contrast: Plane) -> Plane:
        """More or less contrast, a slow change of light, a bent scale, noise, a lens slightly out of focus."""
        random = self._random
        slow = cv2.resize(random.normal(0, 0.3, (3, 3)).astype(np.float32), contrast.shape[::-1])
        relit = contrast * random.uniform(0.7, 1.3) + slow
        relit = relit + random.uniform(-0.1, 0.1) * relit * relit * (np.abs(relit) < 3)
        if random.random() < 0.4:
            relit = relit + random.normal(0, random.uniform(0, 0.3), relit.shape)
        contrast = np.asarray(relit, np.float32)
        if random.random() < 0.2:
            contrast = np.asarray(cv2.GaussianBlur(contrast, (0, 0), random.uniform(0.4, 1.0)), np.float32)
        return contrast

    def _nearer(self, mask: Plane) -> NDArray[np.bool_]:
        """Where a picture is that ends beside a defect: it may lie at the very edge, and edges may lie anywhere."""
        random, axis = self._random, int(self._random.integers(2))
        places = np.flatnonzero(mask.max(1 - axis) > 0)
        place = float(random.choice(places)) if len(places) else random.uniform(0, SIDE)
        beside = random.uniform(1, BESIDE)
        line = np.arange(SIDE)
        within = line < place + beside if place > SIDE / 2 else line > place - beside  # the larger part stays
        return np.broadcast_to(within[:, None] if axis == 0 else within[None], (SIDE, SIDE))

    def _bevel(self) -> Plane:
        """A strip along the grinding, from top to bottom: how much brighter it is, (1, SIDE)."""
        random = self._random
        middle, width, soft = random.uniform(0, SIDE), random.uniform(10, 60), np.exp(random.uniform(-1, 1.5))
        within = width / 2 - np.abs(np.arange(SIDE) - middle)
        return np.asarray(random.uniform(-3, 3) / (1 + np.exp(-within / soft))[None], np.float32)
