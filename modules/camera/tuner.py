"""The gate for a person who sets it by eye: what it sees, what it makes of it, and how that went lately."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from datetime import datetime
from typing import Final

import cv2
import numpy as np

from modules.camera.choice import Gate as Wanted
from modules.camera.frame import Picture, encode
from modules.camera.gate import Gate
from modules.camera.shapes import Point, corners

_KEPT_S: Final = 120.0
_EVERY_S: Final = 0.25  # one point of the chart: the largest area of that time
_WIDTH: Final = 640
_QUALITY: Final = 85
_DIFFERENT: Final = (60, 60, 235)
_OUTLINE: Final = (0, 220, 255)
_REGION: Final = (90, 200, 90)
_IGNORED: Final = (230, 160, 60)


class Tuner:
    """Notes what the gate says, for `view/gate` and `view/gate.jpg`. Written on the looking thread, read on another."""

    def __init__(self, gate: Gate, wanted: Wanted, private: Sequence[Sequence[Point]]) -> None:
        self._gate, self._wanted, self._private = gate, wanted, private
        self._areas: deque[tuple[float, float]] = deque(maxlen=round(_KEPT_S / _EVERY_S))
        self.triggers = 0
        """Things whose frame was sent."""

    def retune(self, wanted: Wanted) -> None:
        """Go on with the gate's other settings."""
        self._wanted = wanted

    def note(self, captured: datetime, area: float, *, triggers: int) -> None:
        """Take in what the gate said of one frame."""
        now = captured.timestamp()
        self.triggers += triggers
        if self._areas and 0 <= now - self._areas[-1][0] < _EVERY_S:
            begun, largest = self._areas[-1]
            self._areas[-1] = (begun, max(largest, area))
        else:
            self._areas.append((now, area))

    def figures(self) -> dict[str, object]:
        """What the gate has learnt: grey levels, and how often it fired."""
        found = self._gate.figures
        return {
            "threshold": round(found.threshold, 1),
            "noise": round(found.noise, 2),
            "flicker": round(found.flicker, 2),
            "calibrated": found.calibrated,
            "settling": found.settling,
            "scene_changes": found.scene_changes,
            "triggers": self.triggers,
        }

    def document(self) -> dict[str, object]:
        """`view/gate`: the figures, the chart ([seconds since the epoch, share of the picture]), the shapes."""
        newest = self._areas[-1][0] if self._areas else 0.0
        return {
            **self.figures(),
            "automatic": self._wanted.threshold is None,
            "mode": self._wanted.mode,
            "min_area": self._wanted.min_area,
            "areas": [[round(at, 3), round(area, 5)] for at, area in list(self._areas) if at > newest - _KEPT_S],
            "regions": self._wanted.regions,
            "ignored": self._wanted.ignored,
            "masks": self._private,
        }

    def picture(self) -> bytes:
        """`view/gate.jpg`: what the gate saw last, what differs tinted red, things outlined, the shapes drawn.

        Raises LookupError while it has seen nothing.
        """
        look = self._gate.look
        if look is None:
            raise LookupError("the gate has seen no frame yet")
        rows, columns = look.small.shape
        height = round(_WIDTH * rows / columns)
        grey = cv2.resize(look.small.astype(np.uint8), (_WIDTH, height), interpolation=cv2.INTER_LINEAR)
        drawn = np.asarray(cv2.cvtColor(grey, cv2.COLOR_GRAY2BGR), np.uint8)
        mask = cv2.resize(look.mask, (_WIDTH, height), interpolation=cv2.INTER_NEAREST).astype(bool)
        drawn[mask] = drawn[mask] // 2 + np.array(_DIFFERENT, np.uint8) // 2
        scale = np.array([_WIDTH / columns, height / rows])
        for contour in look.contours:
            line = np.asarray((contour + 0.5) * scale, np.int32)
            cv2.polylines(drawn, [line], isClosed=True, color=_OUTLINE, thickness=2)
        _draw(drawn, self._wanted.regions, _REGION)
        _draw(drawn, self._wanted.ignored, _IGNORED)
        return encode(drawn, quality=_QUALITY)[0]


def _draw(picture: Picture, polygons: Sequence[Sequence[Point]], colour: tuple[int, int, int]) -> None:
    height, width = picture.shape[:2]
    for polygon in polygons:
        cv2.polylines(picture, [corners(polygon, width, height)], isClosed=True, color=colour, thickness=2)
