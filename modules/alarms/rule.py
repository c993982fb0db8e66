"""Rules: which alerts become alarms, when these are quiet, and when they end. Pure."""

from datetime import datetime, time, tzinfo
from fnmatch import fnmatchcase
from typing import Annotated, Final, Literal, get_args

from pydantic import Field

from modules.common.messages import SEVERITIES, Severity
from modules.common.settings import Part

Day = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
Pattern = Annotated[str, Field(min_length=1, max_length=200)]
Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{1,64}$")]

DAYS: Final[tuple[Day, ...]] = get_args(Day)
_DAY_S: Final = 24 * 3600


class QuietHours(Part):
    """From `begins` to `ends` on the clock of the site's wall; over midnight where it ends before it begins.

    Times of day are those of the zone, daylight saving time or not: an hour that a change of the clock leaves out is
    left out here, one that comes twice counts twice.
    """

    begins: time = Field(title="Begins", description="time of day", examples=["22:00"])
    ends: time = Field(title="Ends", description="time of day; as it begins: the whole day", examples=["06:00"])
    days: tuple[Day, ...] = Field(DAYS, title="Days", description="on which it begins", min_length=1, max_length=7)

    def holds(self, at: float, zone: tzinfo) -> bool:
        """Whether `at` (Unix seconds) lies in them."""
        here = datetime.fromtimestamp(at, zone)
        into = self._into(here)
        begun_today = into <= _seconds(here.time())
        return into < self._length and DAYS[(here.weekday() - (not begun_today)) % 7] in self.days

    def changes_in(self, at: float, zone: tzinfo) -> float:
        """Seconds until they begin or end next, above 0, unless the clocks are changed before."""
        into = self._into(datetime.fromtimestamp(at, zone))
        return self._length - into if into < self._length else _DAY_S - into

    @property
    def _length(self) -> float:
        return (_seconds(self.ends) - _seconds(self.begins)) % _DAY_S or _DAY_S

    def _into(self, here: datetime) -> float:
        """Seconds since the time of day at which they begin."""
        return (_seconds(here.time()) - _seconds(self.begins)) % _DAY_S


class Rule(Part):
    """Alerts that fit all of the patterns (`*` and `?` as in file names) become alarms on `outputs`."""

    severity: Severity = Field("warning", title="Least severity")
    sources: tuple[Pattern, ...] = Field(
        ("*",), title="Sources", description="patterns", min_length=1, max_length=50, examples=[["press4/*"]]
    )
    kinds: tuple[Pattern, ...] = Field(
        ("*",), title="Kinds", description="patterns of the alert's `rule`", min_length=1, examples=[["level", "z"]]
    )
    modules: tuple[Pattern, ...] = Field(
        ("*",), title="Modules", description="patterns of who raised it", min_length=1, examples=[["vibration"]]
    )
    outputs: tuple[Name, ...] = Field(title="Outputs", min_length=1, max_length=16, examples=[["horn", "shift"]])
    latch: bool = Field(True, title="Latch", description="goes on until acknowledged, also when the alert is cleared")
    hold_off_s: float = Field(
        0.0,
        ge=0,
        le=604_800,
        title="Hold-off",
        description="seconds after it began to sound in which the same condition does not begin again",
    )
    longest_s: float = Field(
        0.0, ge=0, le=604_800, title="Longest", description="seconds that it sounds at a stretch; 0: no bound"
    )
    item_s: float = Field(
        5.0, ge=0.1, le=86_400, title="Of one part", description="seconds that an alert about one part stands"
    )
    quiet_hours: tuple[QuietHours, ...] = Field((), title="Quiet hours", max_length=24)

    def fits(self, module: str, source: str, kind: str, severity: Severity) -> bool:
        """Whether an alert becomes an alarm by this rule."""
        return (
            SEVERITIES.index(severity) >= SEVERITIES.index(self.severity)
            and _any(self.sources, source)
            and _any(self.kinds, kind)
            and _any(self.modules, module)
        )

    def quiet(self, at: float, zone: tzinfo) -> bool:
        """Whether `at` (Unix seconds) lies in its quiet hours."""
        return any(each.holds(at, zone) for each in self.quiet_hours)

    def quiet_changes_in(self, at: float, zone: tzinfo) -> float:
        """Seconds until that may change."""
        return min((each.changes_in(at, zone) for each in self.quiet_hours), default=float("inf"))


def _any(patterns: tuple[str, ...], text: str) -> bool:
    return any(fnmatchcase(text, pattern) for pattern in patterns)


def _seconds(of: time) -> float:
    return of.hour * 3600 + of.minute * 60 + of.second + of.microsecond / 1e6
