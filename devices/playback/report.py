"""The figures of one playback: as a table for a person, as a document for a program. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from devices.playback.truth import ClassScore, Passage, Verdict


@dataclass(frozen=True, slots=True)
class Figures:
    """Everything that a playback measured. Latencies in ms, None where there was no alert; sizes in bytes."""

    verdicts: Sequence[Verdict]
    pictures: Sequence[ClassScore]
    passage: Passage
    bytes_in: int
    bytes_up: int
    alerts: int
    latency_p50: float | None
    latency_p99: float | None
    left_out: Counter[str]
    seconds: float

    def document(self) -> dict[str, object]:
        """What REPORT gets."""
        judged = [verdict for verdict in self.verdicts if verdict.known is not None]
        return {
            "ids_sent": self.passage.sent,
            "arrivals": self.passage.arrivals,
            "distinct": self.passage.distinct,
            "ids_missing": self.passage.missing,
            "repeats": self.passage.repeats,
            "bytes_in": self.bytes_in,
            "bytes_up": self.bytes_up,
            "alert_latency_ms": {"p50": self.latency_p50, "p99": self.latency_p99},
            "bearing": {
                "right": sum(verdict.right for verdict in judged),
                "total": len(judged),
                "false_alarms": sum(verdict.false_alarm for verdict in judged),
            },
            "pictures": {
                "right": sum(score.right for score in self.pictures),
                "total": sum(score.total for score in self.pictures),
            },
            "left_out": dict(self.left_out),
            "recordings": {verdict.recording: verdict.said for verdict in self.verdicts},
            "seconds": round(self.seconds, 1),
        }

    def table(self) -> str:
        """What the terminal gets."""
        lines = [*self._recordings(), *self._classes(), *self._totals()]
        return "\n".join(lines)

    def _recordings(self) -> list[str]:
        if not self.verdicts:
            return []
        rows = [f"{'recording':24} {'known':12} {'said':14}"]
        for each in self.verdicts:
            mark = (
                "" if each.known is None else "right" if each.right else "FALSE ALARM" if each.false_alarm else "wrong"
            )
            rows.append(f"{each.recording:24} {each.known or '-':12} {each.said:14} {mark}")
        judged = [each for each in self.verdicts if each.known is not None]
        if judged:
            false = sum(each.false_alarm for each in judged)
            rows.append(f"{sum(each.right for each in judged)} of {len(judged)} right, {false} false alarms")
        return [*rows, ""]

    def _classes(self) -> list[str]:
        if not self.pictures:
            return []
        rows = [f"{'pictures':24} {'class':20} {'right':>6} {'of':>6}"]
        rows += [f"{each.pictures:24} {each.label:20} {each.right:6} {each.total:6}" for each in self.pictures]
        right, total = sum(each.right for each in self.pictures), sum(each.total for each in self.pictures)
        return [*rows, f"{right} of {total} right ({right / total:.1%})", ""]

    def _totals(self) -> list[str]:
        share = f"{self.bytes_up / self.bytes_in:.2%}" if self.bytes_in else "-"
        if self.latency_p50 is None or self.latency_p99 is None:
            latency = "no alert"
        else:
            latency = f"p50 {self.latency_p50:.1f} ms, p99 {self.latency_p99:.1f} ms, {self.alerts} alerts"
        passage = self.passage
        rows = {
            "bytes in": f"{self.bytes_in:,}",
            "bytes up": f"{self.bytes_up:,} ({share})",
            "alert latency": latency,
            "ids sent": f"{passage.sent:,}",
            "arrivals": f"{passage.arrivals:,}",
            "distinct ids arrived": f"{passage.distinct:,}",
            "ids missing": f"{passage.missing:,}",
            "repeats": f"{passage.repeats:,}",
            "took": f"{self.seconds:.0f} s",
        }
        if self.left_out:
            rows["left out"] = ", ".join(f"{count} {reason}" for reason, count in sorted(self.left_out.items()))
        return [f"{name:24} {text}" for name, text in rows.items()]
