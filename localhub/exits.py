"""Exit codes of `python -m localhub`, so that scripts need not read its words."""

from __future__ import annotations

from enum import IntEnum


class Exit(IntEnum):
    """What the caller learns."""

    OK = 0
    FAILED = 1  # a process of localhub failed, or the other side refused what was asked
    USAGE = 2  # argparse's own
    REFUSED = 3  # the manifest or localhub.toml is wrong: file, line and what to do were printed
    BUSY = 4  # the address or the state folder is in use
    NOT_RUNNING = 5  # no localhub runs with this state folder


TEXT = """exit codes:
  0  done
  1  a process of localhub failed, or what was asked was refused
  2  the command line is wrong
  3  the manifest or localhub.toml is wrong (file, line and what to do are printed)
  4  the address or the state folder is in use
  5  no localhub runs with this state folder"""


class CannotStartError(Exception):
    """`run` cannot begin. The text is for a person and says what to do; `code` is the exit code."""

    def __init__(self, text: str, code: Exit = Exit.REFUSED) -> None:
        super().__init__(text)
        self.code = code
