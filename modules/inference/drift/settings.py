"""When a source counts as drifting."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field


class DriftRule(BaseModel):
    """The setting `drift`."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    reference: Literal["card", "line"] = Field(
        "card",
        title="Compared with",
        description="the card's reference, or what the source itself showed first, for five windows: a line with "
        "another share of defects, or another light, than the model's data is then no drift",
    )
    window: int = Field(
        300,
        ge=50,
        le=100_000,
        title="Window",
        description="pictures or windows of one source that are compared at once",
    )
    rate: float = Field(
        0.001,
        ge=1e-9,
        le=0.2,
        title="False alarms",
        description="largest share of the windows of a source that drift although nothing has changed",
    )
    psi: float = Field(
        0.1, ge=0, le=10, title="Smallest shift", description="population stability index from which a shift matters"
    )
