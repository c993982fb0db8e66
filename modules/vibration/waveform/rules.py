"""How waveforms are cut and judged, as it comes from the twin."""

from fnmatch import fnmatchcase
from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from modules.vibration.waveform.alarm import Patience
from modules.vibration.waveform.orders import Orders
from modules.vibration.waveform.zones import Zones


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Bearing(_Frozen):
    """A bearing by its geometry; diameters in one unit."""

    balls: Annotated[int, Field(title="Rolling elements", ge=3, le=200)] = 9
    ball_diameter: Annotated[float, Field(title="Rolling element diameter", gt=0)] = 7.94
    pitch_diameter: Annotated[float, Field(title="Pitch diameter", gt=0)] = 39.04
    contact_deg: Annotated[float, Field(title="Contact angle", description="Degrees.", ge=0, lt=90)] = 0.0

    def orders(self) -> Orders:
        """Return the fault orders."""
        return Orders.of(self.balls, self.ball_diameter, self.pitch_diameter, self.contact_deg)


class WaveformRule(_Frozen):
    """How the waveforms of one group are judged. The first rule whose pattern fits a sensor's name holds."""

    group: Annotated[str, Field(title="Group", min_length=1, max_length=64)] = "bearings"
    match: Annotated[tuple[str, ...], Field(title="Name patterns")] = ("*",)
    bearing: Annotated[Bearing | None, Field(title="Bearing")] = Bearing()
    rpm: Annotated[float | None, Field(title="Shaft speed", gt=0, description="Where messages do not tell it.")] = None
    rpm_within: Annotated[
        float,
        Field(
            title="Speed may differ by",
            ge=0,
            le=0.3,
            description="Share. Above 0 a told speed is nominal, and the true one is read from the signal near it.",
        ),
    ] = 0.0
    rpm_range: Annotated[
        tuple[float, float] | None,
        Field(title="Speeds looked for", description="Lowest and highest, where none is told. None: do not look."),
    ] = (300.0, 6000.0)
    zones: Annotated[Zones | None, Field(title="Velocity zones")] = Zones()
    clipping: Annotated[
        float | None, Field(title="Share of clipped samples", ge=0, lt=1, description="A sensor with more is at fault.")
    ] = 0.001
    rms_limit: Annotated[float | None, Field(title="RMS limit", gt=0, description="m/s2; risk is RMS / limit.")] = None
    warning: Annotated[float, Field(title="Risk level of a warning", gt=0)] = 0.4
    critical: Annotated[float, Field(title="Risk level that is critical", gt=0)] = 0.7
    kurtosis: Annotated[float | None, Field(title="Kurtosis of a warning", gt=3)] = 4.5
    order: Annotated[float | None, Field(title="Bearing line of a warning", gt=2, description="Times background.")] = (
        6.0
    )
    order_critical: Annotated[float | None, Field(title="Bearing line that is critical", gt=2)] = 40.0
    needed: Annotated[int, Field(title="Windows needed (k)", ge=1, le=100)] = 3
    of: Annotated[int, Field(title="Windows looked at (n)", ge=1, le=100)] = 4
    hold_off: Annotated[float, Field(title="Hold-off", ge=0, description="Seconds.")] = 30.0

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.needed > self.of:
            raise ValueError("needed (k) cannot exceed of (n)")
        if self.critical <= self.warning:
            raise ValueError("critical must be above warning")
        if self.rpm_range is not None and not 0 < self.rpm_range[0] < self.rpm_range[1]:
            raise ValueError("rpm_range must rise from above 0")
        return self

    def fits(self, name: str) -> bool:
        """Tell whether a sensor of this name belongs to the rule's group."""
        return any(fnmatchcase(name, pattern) for pattern in self.match)

    def speed_bounds(self, told: float | None) -> tuple[float, float] | None:
        """Return between which speeds the signal is searched for the true one, turns a minute; None: taken as told."""
        nominal = told or self.rpm
        if nominal is None:
            return self.rpm_range
        if not self.rpm_within:
            return None
        return nominal * (1 - self.rpm_within), nominal * (1 + self.rpm_within)

    def patience(self) -> Patience:
        """Return how many windows it takes to raise and end a finding."""
        return Patience(self.needed, self.of, self.hold_off)


class Cutting(_Frozen):
    """How waveforms become windows, and which windows go to be classified."""

    window_s: Annotated[float, Field(title="Window length", description="Seconds.", ge=0.05, le=10)] = 1.0
    hop_s: Annotated[float, Field(title="Hop", description="Seconds.", ge=0.02, le=10)] = 0.5
    classify_every_s: Annotated[
        float, Field(title="Routine classification", ge=0, description="Seconds between usual windows classified.")
    ] = 1.0
    sensors: Annotated[int, Field(title="Most waveform sensors", ge=1, le=10_000)] = 256
    band_every: Annotated[int, Field(title="Band refresh", ge=1, description="Windows between choices of band.")] = 100

    @model_validator(mode="after")
    def _overlapping(self) -> Self:
        if self.hop_s > self.window_s:
            raise ValueError("hop_s must not exceed window_s")
        return self
