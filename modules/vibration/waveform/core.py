"""Blocks of samples in; findings, windows worth classifying and summaries out: the waveform half, without any I/O."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import numpy as np

from modules.vibration.finding import Finding
from modules.vibration.scalar.sensors import CONVERSIONS
from modules.vibration.waveform.alarm import Alarm
from modules.vibration.waveform.blocks import Assembler, Block, Float32, OutOfPlaceError
from modules.vibration.waveform.channel import Channel, Judged
from modules.vibration.waveform.rules import Cutting, WaveformRule
from modules.vibration.waveform.trend import Trend

UNIT = "m/s2"
_LARGEST = 1e9  # m/s2; its fourth power still fits a float32
_LONGEST = 60_000  # samples of a window: what one message holds with its properties
_SHORTEST = 64


class BadBlockError(ValueError):
    """A block that cannot be used; `reason` is a short counter label."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Cut:
    """A window worth classifying: a copy of its samples float32[n] in m/s2, and its facts."""

    sensor: str
    samples: Float32
    rate_hz: float
    start: float
    rpm: float | None
    unusual: bool


@dataclass(frozen=True, slots=True)
class Summary:
    """What became of a sensor's windows over the trend's period."""

    sensor: str
    group: str
    trend: Trend


@dataclass(slots=True)
class WaveOutcome:
    """What a block led to."""

    windows: int = 0
    findings: list[Finding] = field(default_factory=list)
    cuts: list[Cut] = field(default_factory=list)
    samples: list[Cut] = field(default_factory=list)
    summaries: list[Summary] = field(default_factory=list)


@dataclass(slots=True)
class _Entry:
    channel: Channel
    number: int
    trend: Trend = field(default_factory=Trend)
    told: Trend | None = None
    """The last summary that went up."""
    classified: float = float("-inf")
    heard: float = 0.0


class WaveformCore:
    """Judges the waveforms of some dozens or hundreds of sensors."""

    def __init__(
        self,
        rules: Sequence[WaveformRule] = (),
        cutting: Cutting | None = None,
        *,
        every: float = 60.0,
        least: float = 21_600.0,
        share: float = 0.0,
    ) -> None:
        self._entries: dict[str, _Entry] = {}
        self._held: dict[str, Trend] = {}
        self._standing: dict[str, dict[str, Alarm]] = {}
        self.configure(rules, cutting or Cutting(), every=every, least=least, share=share)

    def configure(
        self, rules: Sequence[WaveformRule], cutting: Cutting, *, every: float, least: float, share: float
    ) -> None:
        """Take new settings; `every`: seconds that a summary spans, `share` of the samples that is kept raw.

        A summary is told when it differs from the last one told, and after `least` seconds. A new window length starts
        all signals anew.
        """
        self._least = least
        self._share = share
        self._rules = [*rules, WaveformRule(group="any")]
        self._cutting = cutting
        self._every = every
        for name, entry in self._entries.items():
            entry.channel.rule = self._rule(name)
            entry.channel.band_every = cutting.band_every

    def __len__(self) -> int:
        return len(self._entries)

    @property
    def names(self) -> list[str]:
        """The sensors heard so far."""
        return list(self._entries)

    @property
    def open(self) -> int:
        """Sensors with windows that no summary has told of yet."""
        return sum(1 for entry in self._entries.values() if entry.trend.count)

    def channel(self, name: str) -> Channel | None:
        """Return a sensor's state, for the page."""
        entry = self._entries.get(name)
        return entry.channel if entry else None

    def handle(self, name: str, block: Block, unit: str, *, now: float) -> WaveOutcome:
        """Judge a block of samples in `unit`; `now` in Unix seconds.

        Raises BadBlockError: unit, nan, oversize, duplicate, late, too_many_sensors, wrong_shape.
        """
        block = _usable(block, unit)
        entry = self._entry(name, block)
        channel = entry.channel
        outcome = WaveOutcome()
        try:
            windows = channel.assembler.add(block)
        except OutOfPlaceError as error:
            raise BadBlockError(error.reason) from error
        entry.heard = now
        for window in windows:
            judged = channel.judge(window, block.rpm)
            outcome.windows += 1
            outcome.findings.extend(judged.findings)
            entry.trend.add(judged)
            wanted, kept = self._worth_classifying(entry, judged), self._worth_keeping(entry)
            if wanted or kept:
                samples = window.samples.copy()
                cut = Cut(name, samples, block.rate_hz, window.start, channel.rpm, judged.unusual)
                outcome.samples.extend([cut] if kept else [])
                outcome.cuts.extend([cut] if wanted else [])
                entry.classified = window.start if wanted else entry.classified
            if window.end - entry.trend.start >= self._every:
                outcome.summaries.extend(self._sum_up(entry))
        return outcome

    def tick(self, now: float, silent: float) -> list[Summary]:
        """Sum up sensors that have said nothing for `silent` seconds."""
        quiet = [entry for entry in self._entries.values() if entry.trend.count and now - entry.heard >= silent]
        for entry in quiet:
            entry.trend.partial = True
        return [summary for entry in quiet for summary in self._sum_up(entry)]

    def saved(self) -> dict[str, Any]:
        """Return standing alarms and open summaries as a JSON object by sensor."""
        return {
            name: {
                "alarms": {rule: asdict(alarm) for rule, alarm in entry.channel.alarms.items()},
                "trend": entry.trend.saved(),
            }
            for name, entry in self._entries.items()
        }

    def restore(self, saved: Mapping[str, Any]) -> None:
        """Put saved state back before the first block; open summaries are marked partial. Raises ValueError."""
        try:
            for name, facts in saved.items():
                self._held[name] = Trend.restored(facts["trend"])
                self._standing[name] = {rule: Alarm(**alarm) for rule, alarm in facts["alarms"].items()}
        except (KeyError, TypeError) as error:
            raise ValueError(f"saved waveform state: {error}") from error

    def _sum_up(self, entry: _Entry) -> list[Summary]:
        """End a sensor's summary; return it if it is to be told."""
        trend, entry.trend = entry.trend, Trend()
        told = entry.told
        if told is not None and trend.end - told.end < self._least and not trend.differs(told):
            return []
        entry.told = trend
        return [Summary(entry.channel.name, entry.channel.rule.group, trend)]

    def _worth_classifying(self, entry: _Entry, judged: Judged) -> bool:
        return judged.unusual or judged.window.start - entry.classified >= self._cutting.classify_every_s - 1e-6

    def _worth_keeping(self, entry: _Entry) -> bool:
        """Tell whether it is this sensor's turn for a raw sample: evenly spread over sensors and time."""
        if self._share <= 0:
            return False
        overlap = entry.channel.assembler.window / entry.channel.assembler.hop
        # The first comes when its share of bytes has come in, so that a short run keeps to the share too.
        return (entry.channel.windows + entry.number) % max(1, round(overlap / self._share)) == 0

    def _entry(self, name: str, block: Block) -> _Entry:
        window = min(max(round(self._cutting.window_s * block.rate_hz), _SHORTEST), _LONGEST)
        hop = max(1, min(window, round(self._cutting.hop_s * block.rate_hz)))
        entry = self._entries.get(name)
        if entry is None:
            if len(self._entries) >= self._cutting.sensors:
                raise BadBlockError("too_many_sensors")
            assembler = Assembler(window, hop, block.rate_hz)
            channel = Channel(name, self._rule(name), assembler, self._cutting.band_every)
            entry = _Entry(channel, len(self._entries), self._held.pop(name, Trend()))
            channel.alarms.update(self._standing.pop(name, {}))
            self._entries[name] = entry
        known = entry.channel.assembler
        if (known.window, known.hop, known.rate_hz) != (window, hop, block.rate_hz):
            entry.channel.recut(Assembler(window, hop, block.rate_hz))
        return entry

    def _rule(self, name: str) -> WaveformRule:
        return next(rule for rule in self._rules if rule.fits(name))


def _usable(block: Block, unit: str) -> Block:
    """Return the block in m/s2, every sample a sane number."""
    if block.samples.size == 0 or not 1 <= block.rate_hz <= 1e6:
        raise BadBlockError("wrong_shape")
    samples = block.samples
    if unit != UNIT:
        scale = CONVERSIONS.get((unit, UNIT))
        if scale is None:
            raise BadBlockError("unit")
        samples = samples * np.float32(scale[0]) + np.float32(scale[1])
    largest = np.abs(samples).max()
    if not np.isfinite(largest):
        raise BadBlockError("nan")
    if largest > _LARGEST:
        raise BadBlockError("oversize")
    return replace(block, samples=samples)
