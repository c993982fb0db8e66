"""The seam between the module and a protocol: what a source is set by, what it does, what it is given.

A protocol is one file of this folder, with its library imported at its top, and one line in `KINDS`: nothing of it is
imported before a source of its kind is set.
"""

from typing import Annotated, ClassVar, Literal, Protocol

from pydantic import Field

from modules.common.field.reach import FieldError
from modules.common.listed import ListFile
from modules.common.messages import Reading
from modules.common.settings import Part
from modules.sensors.point import Point


class SourceError(FieldError):
    """The source cannot be had now; the text says why, for a person, and names no credentials."""


class Feed(Protocol):
    """What a source hands over to. Everything happens in the event loop."""

    def connected(self) -> None:
        """The source is there: connected, and subscribed where there is something to subscribe to."""

    def take(self, point: Point, raw: object, time: float | None = None) -> None:
        """A raw value of `point`, sampled at `time` (Unix seconds) where the protocol tells."""

    def reading(self, reading: Reading) -> None:
        """A reading that came ready made, in SenML."""

    def refuse(self, reason: str, count: int = 1) -> None:
        """Something that came could not be used: counted under `reason`, a short label."""

    def trouble(self, key: str, text: str | None) -> None:
        """Say what is wrong with a part of the source, one device or point of it; None: no longer."""

    def room(self) -> bool:
        """Whether what is handed over now can wait for edgeHub; if not, who can send it again later should."""

    async def asked(self, within: float) -> bool:
        """Wait `within` seconds at most; True as soon as somebody wants everything read now."""

    def answered(self) -> None:
        """What was wanted has been read."""


class Source(Protocol):
    """One source at work."""

    async def run(self, feed: Feed) -> None:
        """Connect and hand over what comes, until cancelled. Raises SourceError when the source is gone.

        Called again after each failure; leaves nothing open behind it.
        """


class SourceSettings(Part):
    """What every source is set by. A protocol's own settings derive from this and say how to make the source."""

    point: ClassVar[type[Point]] = Point
    """What its points are made of."""
    answers: ClassVar[bool] = False
    """Whether it can be asked to read now; else `readNow` gives what came last."""

    type: str
    points: tuple[Point, ...] = Field((), title="Points", max_length=500)
    point_list: ListFile | None = Field(None, title="List of points", description="for more than a twin holds")
    interval_s: Annotated[float, Field(title="Interval", ge=0, le=86_400)] = 1.0
    """Seconds between two readings of a point that says nothing else."""
    timestamps: Literal["source", "arrival"] = Field(
        "source", title="Time of readings", description="the source's own where it tells one, or that of arrival"
    )
    silence_s: Annotated[float, Field(title="Silence that is reported", ge=0, le=86_400)] = 60.0
    """Seconds without a usable value; 0: never, right for what speaks only when something changes."""
    retry_s: float = Field(30.0, ge=0.1, le=3600, title="Longest wait between two tries of a dead source")

    def make(self, points: tuple[Point, ...]) -> Source:
        """The source that reads `points`. Raises ValueError when they make no sense together."""
        raise NotImplementedError
