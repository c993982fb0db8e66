"""The server's side: a SuperLink for the gateways, the rounds, and a package of what came out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from flwr.app import ConfigRecord, Message
from flwr.serverapp import Grid

from models.federated import runtime
from models.federated.head import Head, Pace
from models.federated.network import Base
from models.federated.strategies import arrays_of, head_of, strategy


@dataclass(frozen=True, slots=True)
class Plan:
    """What is to be done."""

    gateways: int
    rounds: int = 10
    strategy: str = "trimmed"
    liars: int = 1
    pace: Pace = field(default_factory=Pace)
    round_s: float = 600.0  # a gateway that has not answered by then is not in this round

    def possible(self, base: Base) -> None:
        """Raises ValueError for what no gateway does, or no strategy can keep."""
        if self.rounds < 1 or not self.pace.possible():
            raise ValueError(f"nobody learns in {self.rounds} rounds with {self.pace.steps} steps")
        strategy(self.strategy, self.gateways, self.liars, base.home)


class NothingLearntError(Exception):
    """No round had an answer that was one; the text says what came instead."""


@dataclass(frozen=True, slots=True)
class Learnt:
    """What came of it."""

    head: Head
    examples: int  # that the gateways said they had, in the last round that was one
    rounds: int  # that had answers
    left_out: tuple[str, ...]

    def told(self, plan: Plan, now: datetime | None = None) -> dict[str, Any]:
        """For the card."""
        return {
            "how": f"Flower, {plan.strategy}; {plan.gateways} gateways, of which {plan.liars} may lie",
            "data": "samples that people judged at the gateways; none of them has left its gateway",
            "samples": self.examples,
            "rounds": self.rounds,
            "steps": plan.pace.steps,
            "pull": plan.pace.pull,
            "left_out": list(self.left_out),
            "made": f"{now or datetime.now(UTC):%Y-%m-%dT%H:%MZ}",
        }


def learn(base: Base, plan: Plan, address: str, tls: runtime.Tls, home: Path, say: Callable[[str], None]) -> Learnt:
    """Wait for the gateways at `address` (host:port), and learn. Raises GoneError, NothingLearntError, ValueError."""
    plan.possible(base)
    with runtime.superlink(address, tls, home) as (child, secret):
        run = runtime.start_run(address, tls, lambda: child.poll() is None)
        say(f"waiting for {plan.gateways} gateways at {address}")
        with runtime.grid(address, tls, secret, run) as grid:
            return rounds(grid, base, plan, say)


def rounds(grid: Grid, base: Base, plan: Plan, say: Callable[[str], None]) -> Learnt:
    """All rounds, by the gateways of `grid`. Raises NothingLearntError."""
    how = strategy(plan.strategy, plan.gateways, plan.liars, base.home)
    config = ConfigRecord({"base": base.digest, "steps": plan.pace.steps, "pull": plan.pace.pull})
    head, examples, done = base.home, 0, 0
    for number in range(1, plan.rounds + 1):
        asked = list(how.configure_train(number, arrays_of(head), config, grid))
        replies: list[Message] = list(grid.send_and_receive(asked, timeout=plan.round_s))
        arrays, _ = how.aggregate_train(number, replies)
        if arrays is None:
            say(f"round {number} of {plan.rounds}: {how.left_out[-1]}")
            continue
        head, done = head_of(arrays), done + 1
        examples = how.examples
        say(f"round {number} of {plan.rounds}: {how.good} of {len(asked)} gateways, {examples} samples")
    if not done:
        raise NothingLearntError("; ".join(how.left_out[-plan.gateways :]) or "no gateway has answered")
    return Learnt(head, examples, done, tuple(how.left_out))
