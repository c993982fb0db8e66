"""Changes that leave a picture's label as it is, on uint8 pixels with OpenCV; and defects made from other pictures."""

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Limits:
    """How far `vary` goes."""

    zoom: tuple[float, float] = (0.85, 1.2)
    shift: float = 0.08  # of the side
    shear: float = 0.04
    still: float = 0.5  # share of pictures that are only flipped, so that sharp ones are seen, too
    gamma: tuple[float, float] = (0.85, 1.2)
    light: float = 0.07  # deviation of a slow change of brightness over the picture
    contrast: tuple[float, float] = (0.8, 1.25)
    noise: float = 0.02


def vary(pixels: Pixels, mask: Pixels | None, limits: Limits, random: np.random.Generator) -> tuple[Pixels, Pixels]:
    """Flip, perhaps warp, and relight a picture; the mask goes with it (zeros when there is none)."""
    mask = np.zeros_like(pixels) if mask is None else mask
    for axis in (0, 1):
        if random.random() < 0.5:
            pixels, mask = np.flip(pixels, axis), np.flip(mask, axis)
    pixels, mask = np.ascontiguousarray(pixels), np.ascontiguousarray(mask)
    if random.random() >= limits.still:
        matrix = _warp(pixels.shape, limits, random)
        size = (pixels.shape[1], pixels.shape[0])
        pixels = np.asarray(cv2.warpAffine(pixels, matrix, size, borderMode=cv2.BORDER_REFLECT), np.uint8)
        mask = np.asarray(cv2.warpAffine(mask, matrix, size, borderMode=cv2.BORDER_REFLECT), np.uint8)
    return relight(pixels, limits, random), mask


def relight(pixels: Pixels, limits: Limits, random: np.random.Generator) -> Pixels:
    """Another exposure: gamma, contrast, a slow change of brightness, sensor noise."""
    values = (pixels.astype(np.float32) + 1) / 256
    values **= random.uniform(*limits.gamma)
    mean = float(values.mean())
    values = (values - mean) * random.uniform(*limits.contrast) + mean
    light = cv2.resize(random.normal(0, limits.light, (3, 3)).astype(np.float32), pixels.shape[::-1])
    values *= 1 + light
    if random.random() < 0.4:
        values += random.normal(0, random.uniform(0, limits.noise), pixels.shape).astype(np.float32)
    return np.asarray(np.clip(values * 255, 0, 255), np.uint8)


def paste(
    pixels: Pixels, mask: Pixels, donor: Pixels, donor_mask: Pixels, random: np.random.Generator, *, stay: bool
) -> tuple[Pixels, Pixels]:
    """A defect of another picture laid onto this one, as a factor of its surroundings' brightness.

    ``stay`` keeps its place (up to mirroring): a broken edge belongs to an edge.
    """
    ys, xs = np.nonzero(donor_mask > 12)
    if len(ys) == 0:
        return pixels, mask
    height, width = pixels.shape
    top, bottom = max(0, ys.min() - 4), min(donor.shape[0], ys.max() + 5)
    left, right = max(0, xs.min() - 4), min(donor.shape[1], xs.max() + 5)
    patch = donor[top:bottom, left:right].astype(np.float32)
    alpha = donor_mask[top:bottom, left:right].astype(np.float32) / 255
    outside = alpha < 0.05
    level = patch[outside].mean() if outside.sum() > 5 else patch.mean()
    ratio = np.clip(patch / max(float(level), 4.0), 0.1, 3.0)
    flips = random.random(2) < 0.5
    for axis in (0, 1):
        if flips[axis]:
            ratio, alpha = np.flip(ratio, axis), np.flip(alpha, axis)
    h, w = alpha.shape
    if h >= height or w >= width:
        return pixels, mask
    y, x = int(random.integers(height - h)), int(random.integers(width - w))
    if stay:
        y, x = (height - bottom if flips[0] else top), (width - right if flips[1] else left)
    soft: NDArray[np.floating[Any]] = np.clip(
        cv2.blur(np.ascontiguousarray(alpha), (3, 3)) * random.uniform(0.7, 1.1), 0, 1
    )
    out, out_mask = pixels.copy(), mask.copy()
    area = out[y : y + h, x : x + w].astype(np.float32)
    out[y : y + h, x : x + w] = np.clip(area * (1 - soft) + area * ratio * soft, 0, 255).astype(np.uint8)
    place = out_mask[y : y + h, x : x + w]
    np.maximum(place, (alpha * 255).astype(np.uint8), out=place)
    return out, out_mask


def step_of_grinding(pixels: Pixels, other: Pixels, random: np.random.Generator) -> tuple[Pixels, Pixels]:
    """Part of the tile ground differently, beyond a wavy line: the defect called 'uneven'. Picture and mask."""
    height, width = pixels.shape
    across = np.arange(width) / width * np.pi
    level = height * random.uniform(0.12, 0.5) + sum(
        random.normal(0, 0.03 * height) * np.sin(across * k + random.uniform(0, 6)) for k in (1, 2, 3)
    )
    part = (np.arange(height)[:, None] < np.asarray(level)[None, :]).astype(np.float32)
    if random.random() < 0.5:
        part = part[::-1]
    part = np.asarray(cv2.blur(np.ascontiguousarray(part), (3, 3)), np.float32)
    base, second = pixels.astype(np.float32), other.astype(np.float32)
    second = (second - second.mean()) / (second.std() + 4)
    second = second * base.std() * random.uniform(0.5, 1.7) + base.mean() * random.uniform(0.8, 1.25)
    mixed = base * (1 - part) + second * part
    return np.asarray(np.clip(mixed, 0, 255), np.uint8), np.asarray(part * 255, np.uint8)


def _warp(shape: tuple[int, ...], limits: Limits, random: np.random.Generator) -> NDArray[np.float64]:
    height, width = shape[:2]
    zoom = random.uniform(*limits.zoom, size=2)
    shear = random.uniform(-limits.shear, limits.shear, size=2)
    matrix = np.array([[zoom[0], shear[0], 0.0], [shear[1], zoom[1], 0.0]])
    centre = np.array([width / 2, height / 2])
    shift = random.uniform(-limits.shift, limits.shift, size=2) * (width, height)
    matrix[:, 2] = centre - matrix[:, :2] @ centre + shift
    return matrix
