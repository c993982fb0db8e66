"""Sound or faulty, and why. Pure.

None of the limits was fitted to recordings:

- `LINE`: a bearing's line this far above the background of the envelope spectrum, averaged over all windows. It is the
  module's own default, above what a healthy bearing's noise reached in any simulated hour (tests, soak).
- `IMPACTS`: the mean kurtosis above this. Gaussian noise has 3 and the mean of n windows scatters by
  sqrt(24 / samples): at 4.5 chance plays no part; the module's own default.
- `LOUDER`: a band of the spectrum louder by 8 dB (2.5 times) than that of the quietest machine of the same group. From
  one zone of ISO 10816-1 to the next is a step of that size (Randall 2011, Vibration-based Condition Monitoring,
  section 4.2, after ISO 2372: 8 dB is significant, 20 dB serious).

The third compares like machines with each other. It says nothing of the quietest one itself, and it is of no use for a
group whose members differ by their make or their speed.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from devices.verdicts.summaries import Summary

LINE = 6.0
IMPACTS = 4.5
LOUDER = 8.0  # dB


@dataclass(frozen=True, slots=True)
class Verdict:
    """What is said of one sensor. `louder_db` has one value a band: dB above the quietest of its group."""

    summary: Summary
    reasons: tuple[str, ...]
    part: str | None
    louder_db: tuple[float, ...]

    @property
    def faulty(self) -> bool:
        """Whether anything speaks against it."""
        return bool(self.reasons)


def judge(summaries: Sequence[Summary]) -> list[Verdict]:
    """Give the verdict on each sensor; those of one group are compared with its quietest member (least RMS)."""
    quietest: dict[str, Summary] = {}
    for each in summaries:
        known = quietest.get(each.group)
        if known is None or each.rms < known.rms:
            quietest[each.group] = each
    return [_verdict(each, quietest[each.group]) for each in summaries]


def _verdict(summary: Summary, quietest: Summary) -> Verdict:
    reasons, part = [], None
    if summary.lines.size and summary.lines.max() > LINE:
        part = summary.parts[int(summary.lines.argmax())]
        reasons.append(f"{part} lines {summary.lines.max():.1f}")
    if summary.kurtosis > IMPACTS:
        reasons.append(f"impacts {summary.kurtosis:.1f}")
    louder = _louder(summary, quietest)
    if louder and max(louder) > LOUDER:
        band = louder.index(max(louder)) + 1
        reasons.append(f"band {band} of {len(louder)} louder by {max(louder):.0f} dB")
    return Verdict(summary, tuple(reasons), part, louder)


def _louder(summary: Summary, quietest: Summary) -> tuple[float, ...]:
    if summary.bands.size != quietest.bands.size:
        return ()
    return tuple(
        20 * math.log10(mine / its) if mine > 0 and its > 0 else 0.0
        for mine, its in zip(summary.bands.tolist(), quietest.bands.tolist(), strict=True)
    )


def table(verdicts: Sequence[Verdict]) -> str:
    """Say it to a person."""
    head = f"{'sensor':20} {'n':>5} {'rms':>7} {'mm/s':>6} {'kurt':>6} {'line':>6}  verdict"
    rows = [head]
    for each in verdicts:
        it = each.summary
        velocity = "-" if it.velocity is None else f"{it.velocity * 1000:.2f}"
        line = f"{it.lines.max():.1f}" if it.lines.size else "-"
        said = "; ".join(each.reasons) or "sound"
        rows.append(f"{it.sensor:20} {it.windows:5} {it.rms:7.2f} {velocity:>6} {it.kurtosis:6.2f} {line:>6}  {said}")
    faulty = sum(each.faulty for each in verdicts)
    named = sum(each.part is not None for each in verdicts)
    rows.append(f"{faulty} of {len(verdicts)} faulty, {named} with the part named")
    return "\n".join(rows)


def document(verdicts: Sequence[Verdict]) -> list[dict[str, object]]:
    """Say it to a program."""
    return [
        {
            "sensor": each.summary.sensor,
            "windows": each.summary.windows,
            "faulty": each.faulty,
            "part": each.part,
            "reasons": list(each.reasons),
            "kurtosis": each.summary.kurtosis,
            "lines": dict(zip(each.summary.parts, np.round(each.summary.lines, 2).tolist(), strict=True)),
            "louder_db": [round(value, 1) for value in each.louder_db],
        }
        for each in verdicts
    ]
