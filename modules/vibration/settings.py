"""The module's settings, as docs and the twin know them."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from modules.common.listed import ListFile
from modules.common.settings import Settings
from modules.vibration.scalar.rules import Aggregation, Limits, Machine, Rule, Statistics
from modules.vibration.waveform.rules import Cutting, WaveformRule

# What the groups of the default line look like; a real one names its own in the twin.
DEFAULT_RULES = (
    Rule(group="temperatures", match=("*temperature", "*/temp"), unit="Cel", limit=120.0, min_sigma=0.05),
    Rule(group="pressures", match=("*pressure",), unit="Pa", limit=25e6, min_sigma=1e3),
    Rule(group="currents", match=("*current",), unit="A", limit=40.0, min_sigma=0.01),
    # ISO 20816-1:2016, table 1: beyond 11.2 mm/s vibration does damage to machines of every class.
    Rule(group="velocities", match=("*velocity",), unit="m/s", limit=11.2e-3, min_sigma=1e-5),
)


class Reporting(BaseModel):
    """What goes upward, and how often."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    every: Annotated[
        float, Field(title="Report at least every", gt=0, description="Seconds between windows of a quiet sensor.")
    ] = 21_600.0
    change: Annotated[
        float, Field(title="Report on change", gt=0, description="Change of the mean, in deviations, reported at once.")
    ] = 1.0
    anomalies: Annotated[
        float, Field(title="Anomaly records every", ge=1, description="Seconds over which flags are summed up.")
    ] = 60.0
    waveforms: Annotated[
        float, Field(title="Waveform summaries every", ge=1, description="Seconds of windows in one summary.")
    ] = 60.0
    sample_share: Annotated[
        float, Field(title="Raw samples", ge=0, le=1, description="Share of raw material that is kept.")
    ] = 0.0002


class VibrationSettings(Settings):
    """Settings of the vibration module."""

    rules: Annotated[tuple[Rule, ...], Field(title="Rules for readings", max_length=200)] = DEFAULT_RULES
    sensor_list: Annotated[
        ListFile | None,
        Field(title="List of sensors", description="A file with rules of single sensors, for which no pattern counts."),
    ] = None
    machines: Annotated[
        tuple[Machine, ...], Field(title="Machines", max_length=200, description="Whose state gates the rules.")
    ] = ()
    waveform_rules: Annotated[tuple[WaveformRule, ...], Field(title="Rules for waveforms", max_length=200)] = (
        WaveformRule(),
    )
    statistics: Statistics = Statistics()
    aggregation: Aggregation = Aggregation()
    limits: Limits = Limits()
    cutting: Cutting = Cutting()
    reporting: Reporting = Reporting()
    snapshot_every: Annotated[float, Field(title="Snapshot every", ge=0.5, le=3600, description="Seconds.")] = 5.0
