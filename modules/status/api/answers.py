"""What REST answers, typed; the OpenAPI document explains itself with these.

The answers are written from the plain values (validating them again would cost more than all the rest); that they are
as described here is tested by Schemathesis against a live server.
"""

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

_TIME = "2026-01-02T03:04:05.678Z"
_ID = "0198c1de-7b3a-8d20-b376-b953e07c457f"


class Answer(BaseModel):
    """Base: what modules add of their own is passed on."""

    model_config = ConfigDict(extra="allow")


class Said(BaseModel):
    """What a person said of an alert."""

    who: str = Field(examples=["Ada"])
    why: str = Field(examples=["bearing ordered"])
    at: str = Field(description="RFC 3339, UTC", examples=[_TIME])


class Verdict(Said):
    """Whether an alert was right, in a person's eyes."""

    verdict: Literal["true", "false", "unsure"]


class Alert(Answer):
    """One alert: its own document (docs/formats/messages.md) and what status knows about it."""

    id: str = Field(examples=[_ID])
    number: int = Field(description="Counts up here", examples=[1723])
    source: str = Field(examples=["press3/vibration-velocity"])
    rule: str = Field(examples=["level"])
    severity: Literal["info", "warning", "critical"]
    state: Literal["raised", "updated", "cleared"]
    text: str = Field(examples=["velocity 8.1 mm/s, limit 10 mm/s"])
    sampled: str = Field(description="Time of the deciding sample, RFC 3339", examples=[_TIME])
    received: str = Field(description="Time of receipt here, RFC 3339", examples=[_TIME])
    latency_ms: float = Field(description="received - sampled, ms", examples=[7.2])
    module: str | None = Field(examples=["vibration"])
    model: str | None = Field(examples=["bearing 1.2.0"])
    acknowledged: Said | None
    resolved: Said | None
    verdict: Verdict | None


class Page(BaseModel):
    """One page of a list that grows."""

    next: int | None = Field(description="cursor=next gives the next page; null at the end", examples=[1623])


class Alerts(Page):
    """Alerts, the newest first."""

    alerts: list[Alert]


class Container(BaseModel):
    """What edgeAgent's metrics say of a module."""

    running: bool | None = Field(description="Whether it ran correctly between the last two looks; null after one")
    restarts: int | None = Field(description="Since edgeAgent began to count", examples=[0])
    cpu_percent: float | None = Field(description="Median of edgeAgent's recent samples, %", examples=[3.5])
    cpu_percent_p99: float | None = Field(examples=[21.0])
    memory_bytes: int | None = Field(examples=[73400320])
    processes: int | None = Field(examples=[9])
    correct_share: float | None = Field(description="Share of the time in which it should run that it did, 0..1")


class Module(Answer):
    """One module as its heartbeat and edgeAgent describe it."""

    name: str = Field(examples=["camera"])
    state: Literal["ok", "warn", "fail", "silent", "stopped", "running"]
    text: str = Field(description="Why, in one line", examples=["line2 is dark"])
    version: str = Field(examples=["0.1.0"])
    heard_s: float | None = Field(description="Seconds since its last heartbeat; null: it sends none", examples=[1.5])
    uptime_s: float = Field(examples=[245.6])
    starts: int = Field(description="Starts seen here", examples=[1])
    rates: dict[str, float] = Field(description="received, sent (1/s), bytes_in, bytes_out (bytes/s)")
    cpu_share: float | None = Field(description="Share of one core, 0..; by the module itself")
    rss_bytes: int = Field(description="Resident memory; by the module itself")
    counters: dict[str, Any]
    settings: dict[str, Any]
    facts: dict[str, Any] = Field(description="What the module adds of its own")
    container: Container | None = Field(description="null where edgeAgent is not heard, or does not know it")


class Agent(BaseModel):
    """How edgeAgent's metrics stand."""

    heard: bool
    text: str = Field(description="Why not, where it is not heard")
    age_s: float | None = Field(description="Seconds since it was heard")
    host: dict[str, float] = Field(description="disk_free_bytes, disk_total_bytes, host_uptime_s, edge_uptime_s, ...")


class Modules(BaseModel):
    """All modules heard of."""

    modules: list[Module]
    agent: Agent


class Latency(BaseModel):
    """Receipt here minus the deciding sample's time, over the newest alerts, ms."""

    count: int
    kept: int
    p50_ms: float | None
    p90_ms: float | None
    p99_ms: float | None
    max_ms: float | None


class Priority(Answer):
    """What waits of one priority."""

    priority: int
    depth: int
    bytes: int
    oldest_s: float
    in_flight: int = 0


class Queue(Answer):
    """The store-and-forward queue, as the cache describes it; known is false until it has."""

    known: bool
    depth: int = Field(default=0, description="Records that wait")
    bytes: int = Field(default=0, description="Sealed bytes that wait")
    oldest_s: float = Field(default=0.0, description="Age of the oldest, s")
    priorities: list[Priority] = []
    dropped: dict[str, int] = Field(default={}, description="Count by reason, since the store was begun")
    drain_bytes_per_s: float | None = Field(default=None, description="Sent upward, bytes/s")
    hours_left: float | None = Field(default=None, description="Hours of outage until the first eviction")
    confirmed_at: str | None = Field(default=None, description="Last confirmed delivery, RFC 3339")
    confirmed_ago_s: float | None = Field(default=None, description="Seconds since then")
    link: str = Field(default="unknown", examples=["up"])


class Link(BaseModel):
    """A stretch of time in which a link was in one state."""

    number: int
    link: str = Field(examples=["cloud"])
    state: str = Field(description="up, down, slow or unknown", examples=["down"])
    since: str = Field(examples=[_TIME])
    until: str | None = Field(description="null while it lasts")
    seconds: float


class Links(Page):
    """How the links were, the newest first, and how they are."""

    now: dict[str, Link]
    links: list[Link]


class Model(Answer):
    """One model package."""

    name: str = Field(examples=["bearing"])


class Models(BaseModel):
    """The models."""

    models: list[Model]
    said_by: Literal["view", "heartbeat"]


class Camera(Answer):
    """One camera, as its module describes it."""

    name: str = Field(examples=["line1"])
    source: str
    module: str
    picture: str = Field(description="Where its last picture is", examples=["/api/v1/cameras/line1/picture"])


class Cameras(BaseModel):
    """All cameras."""

    cameras: list[Camera]


class Sensor(Answer):
    """One sensor, as vibration shows it (docs/formats/view.md)."""

    source: str = Field(examples=["press3/vibration-velocity"])


class Sensors(Page):
    """Sensors, the worst first."""

    sensors: list[Sensor]
    matching: int


class Windows(Answer):
    """The last window of a sensor and what it was made of."""

    source: str
    kind: str | None = Field(description="readings or waveform")
    unit: str | None
    last: dict[str, Any] = Field(description="Figures of the last window: mean, sigma, value, peak, kurtosis, ...")
    recent: list[float] | None = Field(description="Readings, oldest first")
    waveform: dict[str, Any] | None


class Spectrum(Answer):
    """The spectra of a waveform sensor (docs/formats/view.md)."""


class Gate(Answer):
    """The gate's tuner (docs/formats/view.md)."""


class Seen(Answer):
    """What a model saw in a camera's picture last (docs/formats/view.md)."""


class Condition(Answer):
    """Something that is wrong: the newest alert of a module's rule about a source."""

    alert_id: str
    source: str
    rule: str
    severity: str
    state: str
    text: str
    acknowledged: bool
    since: float = Field(description="Unix seconds")
    seen: float = Field(description="Unix seconds of the newest alert")


class Line(BaseModel):
    """The answer to: is the line all right."""

    level: Literal["ok", "warn", "stop", "unknown"]
    headline: str = Field(examples=["Act now: press3/vibration-velocity"])
    reason: Literal["waiting", "act_now", "not_watched", "look_soon", "note", "handled", "all_right"] = Field(
        description="The headline for those who have words of their own, with `names`"
    )
    names: list[str] = Field(description="Sources or modules, the worst first, at most 50", examples=[["press3/oil"]])
    count: int = Field(description="How many there are of those")
    details: list[str] = Field(description="At most 50")
    active: list[Condition] = Field(description="Conditions that hold, the worst first, at most 50")


class Summary(Answer):
    """All that a first screen shows."""

    line: Line
    modules: list[Module]
    queue: Queue
    link: dict[str, Link]
    latency: Latency
    cameras: list[Camera]
    alerts: dict[str, int] = Field(description="Conditions that hold: critical, warning, info; unhandled of all")
    connected: bool = Field(description="Whether edgeHub is there")
    agent: Agent
    time: str


class ModuleSettings(Answer):
    """One module's settings."""

    name: str
    version: int | None = Field(description="The twin's $version they are of")
    ok: bool = Field(description="false: the last desired settings were refused, the last good ones hold")
    error: str = Field(description="Why they were refused")
    local: dict[str, Any] = Field(description="Changed here, by path, as in the twin's localSettings")
    local_in_force: int
    values: dict[str, Any] | None = Field(description="In force; secrets are masked; null: the module shows none")


class AllSettings(BaseModel):
    """The settings of all modules."""

    modules: list[ModuleSettings]


class Action(BaseModel):
    """An entry of the audit trail."""

    number: int
    at: str
    who: str
    role: str
    client: str
    what: str
    about: str
    why: str
    result: str = Field(examples=["done", "asked", "refused: 403"])


class Actions(Page):
    """The audit trail, the newest first."""

    actions: list[Action]


class Alarm(Answer):
    """What a rule of the alarms module makes of a condition (view.md)."""

    rule: str = Field(examples=["critical"])
    source: str
    severity: str
    sounds: bool
    why: str = Field(description="Why it does not sound", examples=["quiet hours"])


class Output(Answer):
    """One output of the alarms module (view.md)."""

    type: str = Field(examples=["gpio"])
    state: str = Field(description="untried, ok or failing")
    pending: int
    last_success: str | None
    last_error: str


class Alarms(BaseModel):
    """What sounds, and every output by name."""

    alarms: list[Alarm]
    matching: int
    outputs: dict[str, Output]


class Asked(BaseModel):
    """Something that was asked of a module: it is under way."""

    asked: str = Field(examples=["captureNow"])
    target: str = Field(examples=["camera"])
    message_id: str = Field(examples=[_ID])


class Session(BaseModel):
    """Who asks."""

    role: Literal["none", "read", "operate"]
    near: bool = Field(description="From this machine: reads without a token")
    expires: str | None = Field(description="When the session ends, RFC 3339")


class Health(Answer):
    """application/health+json."""

    status: Literal["pass", "warn", "fail"]
    version: str


class Problem(BaseModel):
    """application/problem+json (RFC 9457)."""

    type: str = "about:blank"
    title: str
    status: int
    detail: str = ""
