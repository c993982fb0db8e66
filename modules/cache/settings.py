"""What can be set for the cache: environment, then the twin's desired `settings`."""

from __future__ import annotations

import zoneinfo
from datetime import time

from pydantic import BaseModel, ConfigDict, Field, field_validator

from modules.cache.batching import Batching
from modules.cache.envelope import PRIORITY
from modules.cache.record import AGGREGATES, SAMPLES
from modules.cache.store import KindLimits, Limits
from modules.cache.windows import Window
from modules.common.settings import Settings

_MIB = 1024 * 1024
_HOUR_MS = 3_600_000


class Retention(BaseModel):
    """Hours (of the cache running) that delivered records are kept for audit, where their kind has none of its own.

    They are the first to go when room is needed.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    alerts: float = Field(0.0, ge=0, le=8784, title="Alerts", description="h")
    aggregates: float = Field(0.0, ge=0, le=8784, title="Aggregates", description="h")
    samples: float = Field(0.0, ge=0, le=8784, title="Samples", description="h")


class Weights(BaseModel):
    """Shares of the bandwidth while both wait; alerts always go first."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    aggregates: float = Field(8.0, gt=0, le=1000, title="Aggregates")
    samples: float = Field(1.0, gt=0, le=1000, title="Samples")


class Kind(BaseModel):
    """One kind of message; both are hours of the cache running."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    ttl_hours: float | None = Field(
        None, ge=0.001, le=8784, title="Time to live", description="h that it may wait to be sent; none: for ever"
    )
    retention_hours: float | None = Field(
        None, ge=0, le=8784, title="Retention", description="h that it is kept for audit after it was delivered"
    )


class Hours(BaseModel):
    """One daily window; over midnight where `closes` is before `opens`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    opens: time = Field(title="Opens", description="time of day, as 22:00", examples=["22:00"])
    closes: time = Field(title="Closes", description="time of day, as 06:00", examples=["06:00"])


class DrainHours(BaseModel):
    """When to send; always where there are no windows."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    windows: tuple[Hours, ...] = Field((), max_length=24, title="Windows")
    zone: str = Field("UTC", title="Zone", description="IANA name, as Europe/Berlin")
    alerts_wait: bool = Field(False, title="Alerts wait", description="whether alerts, too, wait for a window")

    @field_validator("zone")
    @classmethod
    def _known(cls, zone: str) -> str:
        try:
            zoneinfo.ZoneInfo(zone)
        except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError) as error:
            raise ValueError(f"no time zone of that name is known here: {zone}") from error
        return zone

    def spans(self) -> tuple[Window, ...]:
        """The windows."""
        return tuple(Window(each.opens, each.closes) for each in self.windows)


class BatchSettings(BaseModel):
    """Small messages that follow each other go upstream as one; IoT Hub bills per 4 KB."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    aggregates: bool = Field(False, title="Aggregates", description="batch windows, scores, anomalies, health")
    samples: bool = Field(False, title="Samples", description="batch samples")
    most_bytes: int = Field(65_536, ge=4096, le=196_608, title="Most", description="bytes of a batch, uncompressed")
    wait_s: float = Field(0.0, ge=0, le=3600, title="Wait", description="s that a record may wait for company")
    gzip: bool = Field(False, title="Compress", description="IoT Hub can then not route on the body")


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
    kinds: dict[str, Kind] = Field(
        default_factory=dict, title="Kinds", description="time to live and retention by kind of message"
    )
    hours: DrainHours = DrainHours()
    batch: BatchSettings = BatchSettings()
    operator_key: str = Field(
        "", max_length=4096, title="Operator's key", description="X25519 or RSA public key in PEM, or the path of one"
    )
    gather_ms: float = Field(
        0.0, ge=0, le=1000, title="Gather", description="ms to wait for company before a commit; spares flash"
    )

    @field_validator("kinds")
    @classmethod
    def _for_the_cloud(cls, kinds: dict[str, Kind]) -> dict[str, Kind]:
        if unknown := sorted(set(kinds) - set(PRIORITY)):
            raise ValueError(f"{', '.join(unknown)}: the kinds here are {', '.join(PRIORITY)}")
        return kinds

    def batching(self) -> dict[int, Batching]:
        """How to batch, for the priorities that are."""
        on = {AGGREGATES: self.batch.aggregates, SAMPLES: self.batch.samples}
        rule = Batching(self.batch.most_bytes, self.batch.wait_s, self.batch.gzip)
        return {priority: rule for priority, wanted in on.items() if wanted}

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
            kinds={
                kind: KindLimits(_ms(each.ttl_hours), _ms(each.retention_hours)) for kind, each in self.kinds.items()
            },
        )


def _ms(hours: float | None) -> int | None:
    return None if hours is None else int(hours * _HOUR_MS)
