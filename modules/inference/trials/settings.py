"""What is tried, on which inputs, what would end the trial, and what would promote the challenger."""

from pathlib import Path
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from modules.inference.updates.names import Target


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Guard(_Part):
    """What takes the challenger back, judged on its last `window` answers."""

    window: int = Field(200, ge=10, le=10_000, title="Answers looked at")
    disagreement: float = Field(0.2, ge=0, le=1, title="Largest share of other labels than the champion's")
    latency_ms: float = Field(200.0, gt=0, le=25_000, title="Time for one picture or window")
    slow: float = Field(0.05, ge=0, le=1, title="Largest share of answers that take longer")


class Rule(_Part):
    """When the challenger is promoted without asking anybody."""

    n: int = Field(1000, ge=20, le=10_000_000, title="Answers at least")
    agreement: float = Field(
        0.95, ge=0, le=1, title="Agreement", description="lower end of its 95 % interval (Wilson) at least"
    )
    latency_ms: float = Field(100.0, gt=0, le=25_000, title="Mean time for one picture or window at most")


class Trial(_Part):
    """One challenger for one package."""

    target: Target | None = Field(None, title="Challenger", description="TASK/NAME/VERSION in the repository")
    path: Path | None = Field(None, title="Folder", description="of a challenger that is on the gateway already")
    mode: Literal["shadow", "share"] = Field(
        "shadow", title="Mode", description="shadow: it is asked and does not speak; share: it speaks for some sources"
    )
    share: float = Field(0.1, ge=0, le=1, title="Share of sources", description="that it speaks for, in mode share")
    guard: Guard = Guard()
    rule: Rule | None = Field(None, title="Rule", description="none: only the operator promotes")

    @model_validator(mode="after")
    def _one(self) -> Self:
        if (self.target is None) == (self.path is None):
            raise ValueError("a challenger is either a target or a path")
        return self

    @property
    def challenger(self) -> str:
        """What is tried, in one word."""
        return self.target or str(self.path)
