"""What is watched and how: rules by group and name pattern, as they come from the twin."""

import math
from fnmatch import fnmatchcase
from typing import Annotated, Literal, Self, get_args

from pydantic import BaseModel, ConfigDict, Field, model_validator

from modules.common.messages import Severity
from modules.vibration.finding import NOTHING_TO_DO, SCHEDULE, SHUT_DOWN

MachineState = Literal["stopped", "run-up", "load"]
STATES: tuple[MachineState, ...] = get_args(MachineState)
_NEARLY = 1e-9
_MOST_PANES = 64  # of one overlapping window; each costs memory for every sensor


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Rule(_Frozen):
    """How the sensors of one group are judged. The first rule whose pattern fits a sensor's name holds."""

    group: Annotated[str, Field(title="Group", min_length=1, max_length=64)]
    match: Annotated[
        tuple[str, ...], Field(title="Name patterns", description="Shell patterns on the sensor's name.")
    ] = ("*",)
    unit: Annotated[
        str | None,
        Field(title="Unit", description="SenML unit the limit is in; readings in a related unit are converted."),
    ] = None
    limit: Annotated[float | None, Field(title="Limit", gt=0, description="Risk level is value / limit.")] = None
    warning: Annotated[float, Field(title="Risk level of a warning", gt=0)] = 0.4
    critical: Annotated[float, Field(title="Risk level that is critical", gt=0)] = 0.7
    hysteresis: Annotated[
        float, Field(title="Hysteresis", ge=0, lt=1, description="A level ends below threshold x (1 - hysteresis).")
    ] = 0.1
    clear_after: Annotated[
        float, Field(title="Clear after", ge=0, description="Seconds below the threshold before a level ends.")
    ] = 2.0
    hold_off: Annotated[
        float,
        Field(title="Hold-off", ge=0, description="Seconds after an end in which the same finding is not raised."),
    ] = 30.0
    flags: Annotated[int, Field(title="Flags needed (k)", ge=1, le=64)] = 5
    flags_of: Annotated[int, Field(title="Readings looked at (n)", ge=1, le=64)] = 8
    min_sigma: Annotated[
        float, Field(title="Smallest deviation", ge=0, description="Sensor resolution, in the rule's unit.")
    ] = 0.0
    rate: Annotated[
        float | None,
        Field(title="Fastest change", gt=0, description="Of the value, in the rule's unit per second; none: any."),
    ] = None
    rate_over: Annotated[
        float, Field(title="Change measured over", gt=0, description="At least so many seconds: noise averages out.")
    ] = 1.0
    rate_flags: Annotated[
        int, Field(title="Too fast changes needed", ge=1, le=64, description="Of the last n (flags_of) measured.")
    ] = 1
    measures: Annotated[
        tuple[float, float] | None,
        Field(title="Measuring range", description="Lowest and highest value shown; readings there are clipped."),
    ] = None
    alive: Annotated[
        tuple[float, float] | None,
        Field(title="Live range", description="Beyond it the sensor's bias or loop is lost (NE 43: 3.6 to 21 mA)."),
    ] = None
    when: Annotated[
        tuple[MachineState, ...],
        Field(title="Judged when", min_length=1, description="States of its machine in which a sensor is judged."),
    ] = STATES
    advice: Annotated[
        tuple[str, str] | None,
        Field(title="What to do", description="At a warning and when it is critical, in the site's own words."),
    ] = None
    relearn_after: Annotated[
        int,
        Field(title="Relearn after", ge=0, description="Flagged readings in a row taken as the new normal; 0: never."),
    ] = 3600

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.critical <= self.warning:
            raise ValueError("critical must be above warning")
        if self.flags > self.flags_of:
            raise ValueError("flags (k) cannot exceed flags_of (n)")
        if self.rate_flags > self.flags_of:
            raise ValueError("rate_flags cannot exceed flags_of (n)")
        for name in ("measures", "alive"):
            limits = getattr(self, name)
            if limits is not None and not limits[0] < limits[1]:
                raise ValueError(f"{name}: the first must be below the second")
        return self

    def advise(self, severity: Severity) -> str:
        """Return what to do about an alert of this severity."""
        if severity == "info":
            return NOTHING_TO_DO
        scheduled, shut_down = self.advice or (SCHEDULE, SHUT_DOWN)
        return shut_down if severity == "critical" else scheduled

    def fits(self, name: str) -> bool:
        """Tell whether a sensor of this name belongs to the rule's group."""
        return any(fnmatchcase(name, pattern) for pattern in self.match)


ANY_SENSOR = Rule(group="any")


class Machine(_Frozen):
    """When a machine is stopped, run up or under load. The first machine whose pattern fits a sensor's name holds.

    The magnitude of one sensor tells (shaft speed, motor current), or without one each sensor's own. While the state is
    not known, every rule judges.
    """

    name: Annotated[str, Field(title="Name", min_length=1, max_length=64)]
    match: Annotated[tuple[str, ...], Field(title="Name patterns", description="Its sensors, as shell patterns.")]
    told_by: Annotated[
        str | None, Field(title="Told by", description="Name of the sensor that tells; none: each sensor for itself.")
    ] = None
    stopped_below: Annotated[float, Field(title="Stopped below", gt=0, description="In the telling sensor's unit.")]
    load_above: Annotated[float, Field(title="Under load from", gt=0, description="In between it runs up or down.")]
    hysteresis: Annotated[
        float, Field(title="Hysteresis", ge=0, lt=1, description="A state ends below threshold x (1 - hysteresis).")
    ] = 0.1
    settle: Annotated[
        float, Field(title="Settling time", ge=0, description="Seconds at load before it counts as under load.")
    ] = 5.0
    stale: Annotated[
        float, Field(title="Stale after", gt=0, description="Seconds of silence after which the state is not known.")
    ] = 60.0

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.load_above < self.stopped_below:
            raise ValueError("load_above must not be below stopped_below")
        return self

    def fits(self, name: str) -> bool:
        """Tell whether a sensor of this name belongs to the machine."""
        return any(fnmatchcase(name, pattern) for pattern in self.match)


class Statistics(_Frozen):
    """How the running baseline learns and forgets."""

    warm_up: Annotated[int, Field(title="Warm-up", ge=2, description="Readings before a sensor can be flagged.")] = 100
    memory: Annotated[
        int, Field(title="Memory", ge=100, description="Readings over which the baseline forgets (1 / alpha).")
    ] = 1000
    z_limit: Annotated[float, Field(title="z limit", gt=1)] = 3.0

    def truncation(self) -> float:
        """Return what part of a Gaussian's variance is left when values beyond the z limit are kept out.

        Var[X | |X| < c] = 1 - 2 c phi(c) / (2 Phi(c) - 1) for a standard normal X (Johnson, Kotz, Balakrishnan,
        Continuous Univariate Distributions 1, section 13.10.1).
        """
        c = self.z_limit
        density = math.exp(-c * c / 2) / math.sqrt(2 * math.pi)
        return 1 - 2 * c * density / math.erf(c / math.sqrt(2))


class Aggregation(_Frozen):
    """How readings become windows."""

    seconds: Annotated[float, Field(title="Window length", gt=0, description="Seconds, aligned to the clock.")] = 60.0
    count: Annotated[
        int, Field(title="Readings per window", ge=0, description="Above 0: windows by count instead of by time.")
    ] = 0
    hop: Annotated[
        float,
        Field(title="Hop", ge=0, description="Seconds from one window's start to the next's; 0: they do not overlap."),
    ] = 0.0
    hop_count: Annotated[
        int, Field(title="Readings per hop", ge=0, description="The same of windows by count; 0: they do not overlap.")
    ] = 0
    grace: Annotated[
        float, Field(title="Grace", ge=0, description="Seconds past its end after which a silent window is closed.")
    ] = 5.0

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if self.count and self.hop:
            raise ValueError("windows by count hop by hop_count")
        if self.hop_count and (self.count % self.hop_count or not self.count):
            raise ValueError("count must be a multiple of hop_count")
        if self.hop and abs(self.seconds / self.hop - round(self.seconds / self.hop)) > _NEARLY:
            raise ValueError("seconds must be a multiple of hop")
        if self.panes > _MOST_PANES:
            raise ValueError(f"a window cannot be more than {_MOST_PANES} hops long")
        return self

    @property
    def panes(self) -> int:
        """How many hops make a window; 1 where windows do not overlap."""
        if self.count:
            return self.count // self.hop_count if self.hop_count else 1
        return max(1, round(self.seconds / self.hop)) if self.hop else 1


class Limits(_Frozen):
    """Bounds that keep memory flat and bad clocks out."""

    sensors: Annotated[int, Field(title="Most sensors", ge=1, le=1_000_000)] = 120_000
    ahead: Annotated[
        float, Field(title="Clock ahead", ge=0, description="Seconds a reading may lie in the future.")
    ] = 60.0
    behind: Annotated[float, Field(title="Clock behind", ge=0, description="Seconds a reading may be old.")] = 3600.0
    lateness: Annotated[
        float,
        Field(
            title="Lateness",
            ge=0,
            le=600,
            description="Seconds that readings wait for earlier ones still on their way; alerts then wait as long.",
        ),
    ] = 0.0
