"""Arrays with one row per sensor that grow together and are saved together.

State for all sensors lives in arrays, not in objects: a batch of readings then costs a fixed number of numpy
calls however many sensors it names.
"""

from collections.abc import Mapping
from typing import ClassVar, TypeAlias

import numpy as np
from numpy.typing import NDArray

FloatArray: TypeAlias = NDArray[np.float64]
IntArray: TypeAlias = NDArray[np.intp]
BoolArray: TypeAlias = NDArray[np.bool_]


class Columns:
    """Base of the per-sensor state: subclasses name their columns with the value of a fresh row."""

    fills: ClassVar[Mapping[str, np.generic]] = {}

    def __init__(self) -> None:
        self.size = 0
        for name, fill in self.fills.items():
            setattr(self, name, np.empty(0, dtype=fill.dtype))

    def grow(self, size: int) -> None:
        """Make room for `size` sensors; new rows hold the fill value."""
        if size <= self.size:
            return
        for name, fill in self.fills.items():
            grown = np.full(size, fill, dtype=fill.dtype)
            grown[: self.size] = getattr(self, name)
            setattr(self, name, grown)
        self.size = size

    def saved(self, rows: int) -> dict[str, NDArray[np.generic]]:
        """Return copies of the first `rows` rows of every column."""
        return {name: getattr(self, name)[:rows].copy() for name in self.fills}

    def restore(self, columns: Mapping[str, NDArray[np.generic]], rows: int) -> None:
        """Put saved rows back; a column that the snapshot lacks keeps its fill value.

        Raises ValueError when a saved column has another length than `rows`.
        """
        self.grow(rows)
        for name, fill in self.fills.items():
            if name not in columns:
                continue
            if columns[name].shape != (rows,):
                raise ValueError(f"saved column {name} has shape {columns[name].shape}, not ({rows},)")
            getattr(self, name)[:rows] = columns[name].astype(fill.dtype, copy=False)
