"""Count, mean, central moment sums and range of many sets of values at once, and how two such sets merge."""

from dataclasses import dataclass, fields
from typing import Self

import numpy as np
from numpy.typing import NDArray

from modules.vibration.columns import BoolArray, FloatArray, IntArray


@dataclass(slots=True)
class Moments:
    """Rows of float64[n]: count, mean, sums of the 2nd to 4th power of deviations from the mean, smallest, largest.

    `at_low`, `at_high`: how many values are the smallest, and the largest; many are where a signal is cut off.
    """

    count: FloatArray
    mean: FloatArray
    m2: FloatArray
    m3: FloatArray
    m4: FloatArray
    low: FloatArray
    high: FloatArray
    at_low: FloatArray
    at_high: FloatArray

    def rows(self, which: IntArray | BoolArray) -> "Moments":
        """Return the rows at `which`."""
        return Moments(*(getattr(self, field.name)[which] for field in fields(self)))

    @classmethod
    def empty(cls, size: int) -> Self:
        """Return `size` rows without values."""
        low, high = np.full(size, np.inf), np.full(size, -np.inf)
        count, mean, m2, m3, m4, at_low, at_high = np.zeros((7, size))
        return cls(count, mean, m2, m3, m4, low, high, at_low, at_high)

    @classmethod
    def of(cls, rings: FloatArray, begin: NDArray[np.uint8], count: NDArray[np.int64]) -> Self:
        """Return the moments of `count` (at least 1) values of each column of `rings` float64[m, n].

        They start at place `begin` and go round; m is a power of two, at most 128. `rings` is overwritten.
        """
        width = rings.shape[0]
        numbers = count.astype(np.float64)
        unused = None
        first = rings[begin, np.arange(begin.size)]
        if count.min(initial=width) < width:
            # What is not used takes the column's first value: it then changes neither range nor, as 0, the first sum.
            place = np.arange(width, dtype=np.uint8)[:, None]
            unused = ((place - begin) & np.uint8(width - 1)) >= count.astype(np.uint8)
            np.copyto(rings, first, where=unused)
        low, high = rings.min(axis=0), rings.max(axis=0)
        at_low, at_high = _times(rings, low), _times(rings, high)
        if unused is not None:
            surplus = width - numbers
            at_low -= np.where(first == low, surplus, 0.0)
            at_high -= np.where(first == high, surplus, 0.0)
        rings -= first
        offset = rings.sum(axis=0) / numbers
        rings -= offset
        if unused is not None:
            np.copyto(rings, 0.0, where=unused)
        squared = rings * rings
        return cls(
            numbers,
            first + offset,
            squared.sum(axis=0),
            np.einsum("ij,ij->j", squared, rings),
            np.einsum("ij,ij->j", squared, squared),
            low,
            high,
            at_low,
            at_high,
        )

    def merged(self, other: "Moments") -> "Moments":
        """Return the moments of the union, row by row.

        Pebay 2008, Formulas for robust, one-pass parallel computation of covariances and arbitrary-order
        statistical moments (SAND2008-6212), equations 2.1, 3.1 and 3.3.
        """
        na, nb = self.count, other.count
        n = na + nb
        safe = np.maximum(n, 1)
        delta = other.mean - self.mean
        d2 = delta * delta
        return Moments(
            count=n,
            mean=self.mean + delta * nb / safe,
            m2=self.m2 + other.m2 + d2 * na * nb / safe,
            m3=self.m3
            + other.m3
            + d2 * delta * na * nb * (na - nb) / safe**2
            + 3 * delta * (na * other.m2 - nb * self.m2) / safe,
            m4=self.m4
            + other.m4
            + d2 * d2 * na * nb * (na * na - na * nb + nb * nb) / safe**3
            + 6 * d2 * (na * na * other.m2 + nb * nb * self.m2) / safe**2
            + 4 * delta * (na * other.m3 - nb * self.m3) / safe,
            low=np.minimum(self.low, other.low),
            high=np.maximum(self.high, other.high),
            at_low=_shared(self.low, self.at_low, other.low, other.at_low, self.low < other.low),
            at_high=_shared(self.high, self.at_high, other.high, other.at_high, self.high > other.high),
        )


def _times(rings: FloatArray, value: FloatArray) -> FloatArray:
    """Return how often each column of `rings` holds its `value`."""
    times: NDArray[np.intp] = np.count_nonzero(rings == value, axis=0)
    return times.astype(np.float64)


def _shared(
    one: FloatArray, at_one: FloatArray, other: FloatArray, at_other: FloatArray, first: BoolArray
) -> FloatArray:
    """Return how many values of a union are its extreme, which is `one` where `first`."""
    return np.where(one == other, at_one + at_other, np.where(first, at_one, at_other))
