"""A wrong wall clock for modules that are processes: libfaketime, where the machine has it, by their environment.

A process cannot be given another clock from outside; libfaketime (https://github.com/wolfcw/libfaketime) stands between
it and the C library. So a module sees the wrong time from its start on, and has to be started again for a change.
Monotonic time stays right, as it does on a machine whose date is wrong.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

LIBRARY = "LOCALHUB_FAKETIME"
"""The variable that names the library where it is not in one of the usual places."""

_PLACES = ("lib/*/faketime/libfaketime.so.1", "lib*/faketime/libfaketime.so.1", "local/lib/faketime/libfaketime.so.1")


class NoWrongClockError(Exception):
    """Modules cannot be shown a wrong time here; the text says what to install."""


def library(machine: Mapping[str, str], root: Path = Path("/usr")) -> Path:
    """Where libfaketime is; raises NoWrongClockError."""
    named = machine.get(LIBRARY)
    candidates = [Path(named)] if named else [path for place in _PLACES for path in sorted(root.glob(place))]
    for path in candidates:
        if path.is_file():
            return path
    raise NoWrongClockError(
        f"modules cannot be shown a wrong time: libfaketime is not {'at ' + named if named else 'installed'}"
        f" (Debian: apt install libfaketime; {LIBRARY} names it in another place)"
    )


def facts(offset_s: float, machine: Mapping[str, str]) -> dict[str, str]:
    """Variables that put a process' clock wrong; none for 0. Raises NoWrongClockError."""
    if not offset_s:
        return {}
    preloaded = [str(library(machine)), *filter(None, [machine.get("LD_PRELOAD")])]
    return {
        "LD_PRELOAD": ":".join(preloaded),
        "FAKETIME": f"{offset_s:+.3f}",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
    }
