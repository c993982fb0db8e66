"""What is watched and how: rules by group and name pattern, as they come from the twin."""

import math
from fnmatch import fnmatchcase
from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator


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
        return self

    def fits(self, name: str) -> bool:
        """Tell whether a sensor of this name belongs to the rule's group."""
        return any(fnmatchcase(name, pattern) for pattern in self.match)


ANY_SENSOR = Rule(group="any")


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
    grace: Annotated[
        float, Field(title="Grace", ge=0, description="Seconds past its end after which a silent window is closed.")
    ] = 5.0


class Limits(_Frozen):
    """Bounds that keep memory flat and bad clocks out."""

    sensors: Annotated[int, Field(title="Most sensors", ge=1, le=1_000_000)] = 120_000
    ahead: Annotated[
        float, Field(title="Clock ahead", ge=0, description="Seconds a reading may lie in the future.")
    ] = 60.0
    behind: Annotated[float, Field(title="Clock behind", ge=0, description="Seconds a reading may be old.")] = 3600.0
