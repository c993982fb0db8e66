"""When an ended process is started again. Pure: time comes in as seconds, nothing is read or slept here.

The rules are edgeAgent's (RestartPolicyManager.cs; contract 7.3): `always` restarts whatever ended, `on-failure` and
`on-unhealthy` alike restart what failed (exit code other than 0, or a signal), `never` restarts nothing. The pause is
unit x 2^restarts up to a longest one; a process that ran steadily begins again from the first pause; past the maximum
of restarts in a row it stays failed.

The timings are scaled for a person who waits at a terminal: edgeAgent pauses 10 s x 2^n up to 300 s and forgives after
10 minutes; here it is 0.25 s x 2^n up to 15 s, forgiven after 30 s. The maximum of 20 restarts is edgeAgent's.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Policy(StrEnum):
    """restartPolicy of the manifest."""

    NEVER = "never"
    ON_FAILURE = "on-failure"
    ON_UNHEALTHY = "on-unhealthy"
    ALWAYS = "always"


class Runtime(StrEnum):
    """runtimeStatus as edgeAgent reports it."""

    RUNNING = "running"
    BACKOFF = "backoff"
    STOPPED = "stopped"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Timings:
    """Seconds, and a count; see the module's text for the reasons."""

    unit_s: float = 0.25
    longest_s: float = 15.0
    steady_s: float = 30.0
    most: int = 20


@dataclass(frozen=True, slots=True)
class Again:
    """Start it again after `pause_s` seconds; `streak` is the number of restarts in a row, this one included."""

    pause_s: float
    streak: int


@dataclass(frozen=True, slots=True)
class Stay:
    """Leave it in this state."""

    state: Runtime


def after_exit(policy: Policy, timings: Timings, *, code: int, ran_s: float, streak: int) -> Again | Stay:
    """What follows when a process ended with `code` after `ran_s` seconds and `streak` restarts in a row before."""
    failed = code != 0
    if not (policy is Policy.ALWAYS or (failed and policy in (Policy.ON_FAILURE, Policy.ON_UNHEALTHY))):
        return Stay(Runtime.FAILED if failed else Runtime.STOPPED)
    if ran_s >= timings.steady_s:
        streak = 0
    if streak >= timings.most:
        return Stay(Runtime.FAILED)
    return Again(min(timings.longest_s, timings.unit_s * 2.0**streak), streak + 1)


def exit_code(returncode: int) -> int:
    """The exit code as a container engine reports it: 128 + signal where subprocess says -signal."""
    return returncode if returncode >= 0 else 128 - returncode
