"""What can be set for the inference module: environment, then the twin's desired `settings`."""

from pathlib import Path
from typing import Final

from pydantic import BaseModel, ConfigDict, Field

from modules.common.settings import Settings
from modules.inference.drift.settings import DriftRule
from modules.inference.sizing import LEAST_MB
from modules.inference.trials.settings import Trial
from modules.inference.updates.names import Target
from modules.inference.updates.settings import Updates

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
    versions: dict[str, Target] = Field(
        default_factory=dict,
        title="Versions",
        description="by name of package: TASK/NAME/VERSION in the repository, which runs in place of its folder",
    )
    updates: Updates | None = Field(None, title="Where versions come from")
    trials: dict[str, Trial] = Field(
        default_factory=dict, title="Trials", description="by name of package: a challenger beside it"
    )
    drift: DriftRule = Field(DriftRule(), title="Drift")
    threads: int = Field(
        1, ge=1, le=64, title="Threads a model may use", description="no more are used than there are cores"
    )
    memory_mb: int = Field(
        1024,
        ge=LEAST_MB,
        le=65_536,
        title="Memory of all models together",
        description="MB; a container's own bound lowers it; takes effect when the models load anew",
    )
    arena: bool = Field(
        default=False, title="Keep freed memory", description="a little quicker, for the memory of the largest batch"
    )
    batch: int = Field(16, ge=1, le=256, title="Pictures or windows in one run of a network")
    providers: tuple[str, ...] = Field(
        (),
        max_length=8,
        title="Execution providers",
        description="ONNX Runtime's names, in order; none: the best that this machine has. The CPU's is always last",
    )
    judge_s: float = Field(5.0, gt=0, le=25, title="Deadline of one judgement", description="seconds")
    load_s: float = Field(60.0, gt=0, le=600, title="Deadline of loading a model", description="seconds")
    score_s: float = Field(10.0, ge=0.5, le=3600, title="Period of the score messages", description="seconds")
    samples_per_hour: float = Field(60.0, ge=0, le=36_000, title="Samples in an hour", description="of all sources")
    source_samples_per_hour: float = Field(20.0, ge=0, le=3_600, title="Samples of one source in an hour")
    random_share: float = Field(
        0.0005, ge=0, le=1, title="Random samples", description="share of the inputs that nothing is remarkable about"
    )
    kept_mb: float = Field(
        16.0, ge=0, le=1024, title="What alerts were about", description="MB kept on disk for people's verdicts"
    )
    kept_hours: float = Field(
        24.0, ge=0, le=720, title="How long it is kept", description="hours without a verdict; 0 keeps nothing"
    )
    labelled_mb: float = Field(
        0.0,
        ge=0,
        le=4096,
        title="Samples that people judged",
        description="MB kept here to learn from (docs/guides/federated.md); 0 keeps none",
    )
    verdicts_kept: int = Field(10_000, ge=5_000, le=1_000_000, title="Verdicts kept for the view")
