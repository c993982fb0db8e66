"""The cache's figures as one document: for the verb `stats`, the heartbeat and the view (pure)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime

from modules.cache.record import PRIORITIES
from modules.cache.store import Erasure, Stats
from modules.cache.store.erase import AT_WORK, DONE
from modules.cache.store.house import SetAside
from modules.common.messages import rfc3339

_MIB = 1024 * 1024
_USUAL_OVERHEAD = 1.35  # bytes in the files for a sealed byte: rows, ids and pages that are not full
_ENOUGH_TO_TELL = 4 * _MIB


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """What the drain and the input know that the store does not."""

    in_flight: tuple[int, ...]
    resent: int
    sent_bytes_per_s: float
    paused: bool
    blocked: str
    hub_silent: str
    hours_left: float | None
    link: str = "unknown"
    shut: bool = False
    metered: tuple[int, ...] = (0, 0, 0)
    metered_apart: tuple[int, ...] = (0, 0, 0)
    replay: dict[str, object] | None = None
    keys: tuple[int, ...] = ()


def overhead(stats: Stats) -> float:
    """Bytes in the files for each sealed byte that is stored."""
    stored = sum(depth.bytes for depth in stats.priorities)
    return max(1.0, stats.used_bytes / stored) if stored > _ENOUGH_TO_TELL else _USUAL_OVERHEAD


def document(stats: Stats, moment: Moment, aside: Sequence[SetAside]) -> dict[str, object]:
    """Everything, with `state` (ok, warn, fail) and `text` that say what an operator should know first."""
    state, text = judge(stats, moment, aside)
    confirmed = [depth.last_confirmed_at_ms for depth in stats.priorities if depth.last_confirmed_at_ms]
    return {
        "state": state,
        "text": text,
        "depth": sum(depth.depth for depth in stats.priorities),
        "bytes": sum(depth.bytes for depth in stats.priorities),
        "priorities": [
            asdict(stats.priorities[priority]) | {"priority": priority, "in_flight": moment.in_flight[priority]}
            for priority in PRIORITIES
        ],
        "dropped": [asdict(drop) for drop in stats.dropped],
        "duplicates": stats.duplicates,
        "horizon_ids": stats.horizon_ids,
        "quarantined": stats.quarantined,
        "resent": moment.resent,
        "drain_bytes_per_s": round(moment.sent_bytes_per_s, 1),
        "last_confirmed": _time(max(confirmed)) if confirmed else None,
        "outage_hours_left": None if moment.hours_left is None else round(moment.hours_left, 2),
        "bound_bytes": stats.bound_bytes,
        "file_bytes": stats.file_bytes,
        "free_bytes": stats.free_bytes,
        "written_bytes": stats.written_bytes,
        "written_per_stored": wear(stats),
        "commits": stats.commits,
        "link": moment.link,
        "paused": moment.paused,
        "shut": moment.shut,
        "metered": sum(moment.metered),
        "metered_saved": saved(moment),
        "replay": moment.replay,
        "erasures": [erasure_document(each) for each in stats.erasures],
        "keys": list(moment.keys),
        "set_aside": [
            {"folder": item.folder.name, "reason": item.reason, "bytes": item.size, "advice": item.advice}
            for item in aside
        ],
    }


def judge(stats: Stats, moment: Moment, aside: Sequence[SetAside]) -> tuple[str, str]:
    """State and text of the heartbeat."""
    if moment.blocked:
        return "fail", f"nothing is accepted: {moment.blocked}"
    if moment.hub_silent:
        return "warn", "edgeHub's metrics cannot be read: nothing can be confirmed"
    if moment.paused:
        return "warn", "paused: nothing is sent until `resume`"
    if moment.link == "down":
        depth = sum(depth.depth for depth in stats.priorities)
        left = "" if moment.hours_left is None else f"; {moment.hours_left:.1f} hours until the first eviction"
        waits = f"{depth} records wait" if depth else "nothing waits yet"
        return "warn", f"the cloud takes nothing: {waits}{left}"
    if aside:
        return "warn", f"an earlier store was set aside ({aside[-1].reason}): {aside[-1].advice}"
    if stats.quarantined:
        return "warn", f"{stats.quarantined} damaged records are in quarantine"
    if moment.hours_left is not None and moment.hours_left < 1 and _waiting(stats):
        return "warn", "less than an hour of outage is left before the first eviction"
    return "ok", ""


def wear(stats: Stats) -> float | None:
    """Bytes written to flash for each sealed byte stored, since the store was opened; None before there were any."""
    return round(stats.written_bytes / stats.appended_bytes, 2) if stats.appended_bytes else None


def saved(moment: Moment) -> float:
    """The share of what IoT Hub would have billed that batches have saved, since the start."""
    apart = sum(moment.metered_apart)
    return round(1 - sum(moment.metered) / apart, 4) if apart else 0.0


def erasure_document(erasure: Erasure) -> dict[str, object]:
    """An erasure as it is shown."""
    state = {AT_WORK: "at work", DONE: "done"}.get(erasure.done, "no record left, the files are being cleaned")
    return {
        "erasure": erasure.number,
        "state": state,
        "source": erasure.source,
        "from": _time(erasure.since),
        "to": _time(erasure.until),
        "who": erasure.who,
        "why": erasure.why,
        "asked": _time(erasure.at),
        "stored": erasure.stored_n,
        "handed": erasure.handed_n,
        "kept": erasure.kept_n,
        "quarantined": erasure.quarantined_n,
        "bytes": erasure.bytes,
    }


def _waiting(stats: Stats) -> bool:
    """Whether so much waits that it is more than the moment between storing and sending."""
    return any(depth.oldest_age_s > 60 for depth in stats.priorities)


def _time(ms: int) -> str:
    return rfc3339(datetime.fromtimestamp(ms / 1000, UTC))
