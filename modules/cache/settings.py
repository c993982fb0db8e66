"""What can be set for the cache: environment, then the twin's desired `settings`."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

from modules.cache.store import Limits
from modules.common.settings import Settings

_MIB = 1024 * 1024
_HOUR_MS = 3_600_000


class Retention(BaseModel):
    """Hours (of the cache running) that delivered records are kept for audit; the first to go when room is needed."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    alerts: float = Field(0.0, ge=0, le=8784, title="Alerts", description="h")
    aggregates: float = Field(0.0, ge=0, le=8784, title="Aggregates", description="h")
    samples: float = Field(0.0, ge=0, le=8784, title="Samples", description="h")


class Weights(BaseModel):
    """Shares of the bandwidth while both wait; alerts always go first."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    aggregates: float = Field(8.0, gt=0, le=1000, title="Aggregates")
    samples: float = Field(1.0, gt=0, le=1000, title="Samples")


class CacheSettings(Settings):
    """Settings of the cache module."""

    bound_bytes: int = Field(
        1024 * _MIB, ge=16 * _MIB, le=1 << 44, title="Bound", description="bytes of all files of the store together"
    )
    horizon_hours: float = Field(
        24.0, gt=0, le=8784, title="Dedupe horizon", description="h that an accepted message id is remembered"
    )
    horizon_ids: int = Field(
        1_000_000, ge=1000, le=100_000_000, title="Dedupe horizon", description="newest message ids remembered"
    )
    bandwidth_bytes_per_s: float = Field(
        0.0, ge=0, title="Bandwidth", description="B/s upstream, 0 for no limit; alerts do not wait but are counted"
    )
    window_records: int = Field(
        100, ge=1, le=1000, title="Window", description="records of a priority in edgeHub and not known to be delivered"
    )
    window_bytes: int = Field(_MIB, ge=1024, le=64 * _MIB, title="Window", description="bytes of the same")
    upstream_ttl_s: float = Field(
        1_209_600.0, ge=10, title="Time to live upstream", description="s, as the routes to $upstream have it"
    )
    weights: Weights = Weights()
    retention_hours: Retention = Retention()
    gather_ms: float = Field(
        0.0, ge=0, le=1000, title="Gather", description="ms to wait for company before a commit; spares flash"
    )

    def limits(self) -> Limits:
        """What of them concerns the store."""
        keep = self.retention_hours
        return Limits(
            bound=self.bound_bytes,
            horizon_ms=int(self.horizon_hours * _HOUR_MS),
            horizon_ids=self.horizon_ids,
            retention_ms=(
                int(keep.alerts * _HOUR_MS),
                int(keep.aggregates * _HOUR_MS),
                int(keep.samples * _HOUR_MS),
            ),
        )
