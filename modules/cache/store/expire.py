"""Records whose time is over: waited longer than their kind may, or were kept for audit long enough."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import cast

from modules.cache.record import PRIORITIES, each
from modules.cache.store.budget import pages_for
from modules.cache.store.state import State

_ROWS = 256  # looked at in one step
_LEAVES = 32  # pages from which rows are taken out in one step, others staying: each is written, and its neighbours
_READ = each(
    "SELECT seq, CAST(kind AS BLOB), CAST(tick AS INTEGER), coalesce(length(body), 0)"
    " FROM {table} WHERE seq > ? AND seq <= ? ORDER BY seq LIMIT ?"
)
_DELETE = each("DELETE FROM {table} WHERE seq=?")
_DELETE_ALL = each("DELETE FROM {table} WHERE seq BETWEEN ? AND ?")


@dataclass(frozen=True, slots=True)
class Rule:
    """Records of a priority and kind (None: of all kinds without a rule of their own) are over after `limit_ms`."""

    priority: int
    kind: str | None
    limit_ms: int
    kept: bool
    """Confirmed ones, else waiting ones."""

    @property
    def name(self) -> tuple[int, str | None, bool]:
        """What its cursor goes by: a cursor outlives a change of the limit."""
        return self.priority, self.kind, self.kept


@dataclass(frozen=True, slots=True)
class Step:
    """What one rule has to delete among the rows up to seq `cursor`; `whole`: nothing stays between them."""

    rule: Rule
    rows: list[tuple[int, int]]
    cursor: int
    whole: bool


def look(state: State) -> Step | None:
    """The next rows that are over, or that were looked at in vain; None when there is nothing to do for now.

    Rows lie in the order of their ticks, so each rule's cursor passes each row once and stops at the first that is
    not old enough.
    """
    for rule in _rules(state):
        step = _look(state, rule)
        if step is not None:
            return step
    return None


def carry_out(state: State, step: Step) -> None:
    """Delete and count, in the open transaction."""
    rows, priority = step.rows, step.rule.priority
    if step.whole:
        state.connection.execute(_DELETE_ALL[priority], (rows[0][0], rows[-1][0]))
    else:
        state.connection.executemany(_DELETE[priority], [(seq,) for seq, _ in rows])
    mark, size = state.marks.change(priority), sum(size for _, size in rows)
    if step.rule.kept:
        mark.kept_n -= len(rows)
        mark.kept_bytes -= size
    else:
        mark.depth_n -= len(rows)
        mark.depth_bytes -= size
        state.drop(priority, "ttl", len(rows), size)


def _rules(state: State) -> Iterator[Rule]:
    kinds = state.limits.kinds
    for priority in PRIORITIES:
        if state.marks[priority].kept_n:
            yield Rule(priority, None, state.limits.retention_ms[priority], kept=True)
            for kind, limit in kinds.items():
                if limit.retention_ms is not None:
                    yield Rule(priority, kind, limit.retention_ms, kept=True)
        if state.marks[priority].depth_n:
            for kind, limit in kinds.items():
                if limit.ttl_ms is not None:
                    yield Rule(priority, kind, limit.ttl_ms, kept=False)


def _look(state: State, rule: Rule) -> Step | None:
    mark = state.marks[rule.priority]
    first, until = (0, mark.confirmed) if rule.kept else (state.untouchable(rule.priority), mark.last_seq)
    cursor = max(first, state.expired.get(rule.name, 0))
    found = state.connection.execute(_READ[rule.priority], (cursor, until, _ROWS))
    now, leaves = state.tick(), 0
    over: list[tuple[int, int]] = []
    seen = 0
    for seq, kind, tick, size in cast("list[tuple[int, bytes | None, int | None, int]]", found.fetchall()):
        if now - (tick or 0) < rule.limit_ms or (leaves > 16 * _LEAVES and seen > len(over)):
            break
        seen, cursor = seen + 1, seq
        if _meant(state, rule, kind or b""):
            over.append((seq, size))
            leaves += min(16, pages_for(size))
    return Step(rule, over, cursor, whole=len(over) == seen) if seen else None


def _meant(state: State, rule: Rule, kind: bytes) -> bool:
    if rule.kind is not None:
        return kind == rule.kind.encode()
    own = state.limits.kinds.get(kind.decode(errors="replace"))
    return own is None or own.retention_ms is None
