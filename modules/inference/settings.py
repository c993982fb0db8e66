"""What can be set for the inference module: environment, then the twin's desired `settings`."""

from pathlib import Path
from typing import Final

from pydantic import BaseModel, ConfigDict, Field

from modules.common.settings import Settings

MODELS: Final = Path(__file__).resolve().parents[2] / "models"


class Package(BaseModel):
    """A model package and the sources it is to judge."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    path: Path = Field(title="Folder", description="absolute, or below the shipped models")
    sources: tuple[str, ...] = Field((), title="Sources", description="patterns; none means those of the card")
    severity: str | None = Field(None, pattern="^(info|warning|critical)$", title="Severity of its alerts")
    threshold: float | None = Field(None, ge=0, le=1, title="Probability of not being OK from which it alerts")
    orders: dict[str, float] = Field(
        default_factory=dict,
        title="Bearing orders",
        description="this machine's bpfi, bpfo, ftf and bsf2, in orders of shaft speed, in place of the card's",
    )


class InferenceSettings(Settings):
    """Settings of the inference module."""

    packages: dict[str, Package] = Field(
        default={
            "bearing": Package(path=Path("bearing")),
            "tile": Package(path=Path("tile")),
            "steel": Package(path=Path("steel")),
        },
        title="Model packages",
        description="by name; the first whose sources match judges a source, so the narrow ones come first",
    )
    threads: int = Field(1, ge=1, le=64, title="Threads a model may use")
    memory_mb: int = Field(
        1024,
        ge=384,
        le=65_536,
        title="Memory of all models together",
        description="MB; takes effect when they load anew",
    )
    judge_s: float = Field(5.0, gt=0, le=25, title="Deadline of one judgement", description="seconds")
    load_s: float = Field(60.0, gt=0, le=600, title="Deadline of loading a model", description="seconds")
    score_s: float = Field(10.0, ge=0.5, le=3600, title="Period of the score messages", description="seconds")
    samples_per_hour: float = Field(
        60.0, ge=0, le=36_000, title="Uncertain inputs kept", description="per model, at most, sent as samples"
    )
    verdicts_kept: int = Field(10_000, ge=5_000, le=1_000_000, title="Verdicts kept for the view")
