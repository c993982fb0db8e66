"""Vibration severity: in which zone of its machine class the RMS velocity of a machine lies."""

from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

Zone = Literal["A", "B", "C", "D"]

# Boundaries A/B, B/C, C/D in mm/s RMS, 10 to 1000 Hz, of housings.
CLASSES: dict[str, tuple[float, float, float]] = {
    # ISO 20816-3:2022, annex A (the figures of ISO 10816-3:2009): group 1 above 300 kW, group 2 from 15 to 300 kW.
    "ISO 20816-3 group 1, rigid": (2.3, 4.5, 7.1),
    "ISO 20816-3 group 1, flexible": (3.5, 7.1, 11.0),
    "ISO 20816-3 group 2, rigid": (1.4, 2.8, 4.5),
    "ISO 20816-3 group 2, flexible": (2.3, 4.5, 7.1),
    # ISO 10816-1:1995, annex B: I up to 15 kW, II up to 75 kW, III large on rigid, IV large on soft foundations.
    "ISO 10816-1 class I": (0.71, 1.8, 4.5),
    "ISO 10816-1 class II": (1.12, 2.8, 7.1),
    "ISO 10816-1 class III": (1.8, 4.5, 11.2),
    "ISO 10816-1 class IV": (2.8, 7.1, 18.0),
}


class Zones(BaseModel):
    """The machine class, which names its limits; a class of one's own brings them."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    machine: Annotated[
        str, Field(title="Machine class", min_length=1, max_length=64, description=f"One of {', '.join(CLASSES)}.")
    ] = "ISO 20816-3 group 2, rigid"
    limits_mm_s: Annotated[
        tuple[float, float, float] | None,
        Field(title="Zone limits", description="A/B, B/C and C/D in mm/s RMS, in place of the class's."),
    ] = None

    @model_validator(mode="after")
    def _known(self) -> Self:
        if self.limits_mm_s is None and self.machine not in CLASSES:
            raise ValueError(f"{self.machine!r} is no known machine class: name its limits_mm_s")
        low, middle, high = self.limits_mm_s or CLASSES[self.machine]
        if not 0 < low < middle < high:
            raise ValueError("limits_mm_s must rise from A/B to C/D")
        return self

    @property
    def limits(self) -> tuple[float, float, float]:
        """Boundaries A/B, B/C, C/D in m/s."""
        low, middle, high = self.limits_mm_s or CLASSES[self.machine]
        return low / 1000, middle / 1000, high / 1000

    def of(self, velocity: float) -> Zone:
        """Return the zone of an RMS velocity in m/s: A as new, B fit for long service, C not for long, D harmful.

        ISO 20816-1:2016, 6.3; a value on a boundary belongs to the better zone.
        """
        low, middle, high = self.limits
        if velocity <= low:
            return "A"
        if velocity <= middle:
            return "B"
        return "C" if velocity <= high else "D"
