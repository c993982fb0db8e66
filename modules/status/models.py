"""What REST answers, typed; the OpenAPI page explains itself with these."""

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field


class Answer(BaseModel):
    """Base: what modules add of their own is passed on."""

    model_config = ConfigDict(extra="allow")


class Acknowledgement(BaseModel):
    """Who took care of an alert."""

    who: str
    why: str
    at: str


class AlertOut(Answer):
    """One alert: its own document (docs/formats/messages.md) and what status knows about it."""

    id: str = Field(examples=["0198c1de-7b3a-8d20-b376-b953e07c457f"])
    number: int = Field(description="Counts up here; page down with before=number")
    source: str = Field(examples=["press3/vibration-velocity"])
    rule: str = Field(examples=["level"])
    severity: Literal["info", "warning", "critical"]
    state: Literal["raised", "updated", "cleared"]
    text: str
    sampled: str = Field(description="Time of the deciding sample, RFC 3339")
    received: str = Field(description="Time of receipt here, RFC 3339")
    latency_ms: float = Field(description="received - sampled, ms")
    module: str | None
    model: str | None
    acknowledged: Acknowledgement | None


class Alerts(BaseModel):
    """Alerts, the newest first."""

    alerts: list[AlertOut]
    next: int | None = Field(description="before=next gives the next page; null at the end")


class Acknowledge(BaseModel):
    """Taking care of an alert."""

    model_config = ConfigDict(extra="forbid")
    who: str = Field(min_length=1, max_length=80, examples=["Ada"])
    why: str = Field(default="", max_length=400, examples=["bearing ordered, shutdown at 14:00"])


class ModuleOut(Answer):
    """One module as its heartbeat describes it."""

    name: str
    state: Literal["ok", "warn", "fail", "silent"]
    text: str
    version: str
    heard_s: float = Field(description="Seconds since its last heartbeat")
    uptime_s: float
    starts: int
    rates: dict[str, float] = Field(description="received, sent (1/s), bytes_in, bytes_out (bytes/s)")
    cpu_share: float | None = Field(description="Share of one core, 0..")
    rss_bytes: int
    counters: dict[str, float]
    settings: dict[str, Any]
    facts: dict[str, Any]


class Modules(BaseModel):
    """All modules heard of."""

    modules: list[ModuleOut]


class Latency(BaseModel):
    """Receipt here minus the deciding sample's time, over the newest alerts, ms."""

    count: int
    kept: int
    p50_ms: float | None
    p90_ms: float | None
    p99_ms: float | None
    max_ms: float | None


class Queue(Answer):
    """The store-and-forward queue, as the cache describes it; known is false until it has."""

    known: bool
    depth: int = 0
    bytes: int = 0
    oldest_s: float | None = None
    link: str = "unknown"


class Camera(Answer):
    """One camera, as the camera module describes it."""

    name: str
    picture: str = Field(description="Where its last picture is", examples=["/api/v1/cameras/line1/picture"])


class Cameras(BaseModel):
    """All cameras."""

    cameras: list[Camera]


class Sensors(Answer):
    """All sensors, as vibration's view describes them."""

    sensors: list[dict[str, Any]]


class Line(BaseModel):
    """The answer to: is the line all right."""

    level: Literal["ok", "warn", "stop", "unknown"]
    headline: str
    details: list[str]
    active: list[dict[str, Any]] = Field(description="Conditions that hold, the worst first")


class Command(BaseModel):
    """Answer to something that was asked of a module: it is under way."""

    asked: str
    message_id: str


class Problem(BaseModel):
    """application/problem+json (RFC 9457)."""

    type: str = "about:blank"
    title: str
    status: int
    detail: str = ""
