"""Exit codes of `python -m fleet`, so that scripts need not read its words."""

from __future__ import annotations

from enum import IntEnum
from typing import Final


class Exit(IntEnum):
    """What the caller learns."""

    OK = 0
    REFUSED = 1  # the hub refused what was asked
    USAGE = 2  # argparse's own
    CONTENT = 3  # a file is missing or holds what nobody can deploy
    SOME = 4  # done with some gateways, not with all
    AWAY = 5  # the hub does not answer, or its certificate is not trusted
    ACCESS = 6  # the connection string is wrong, or its policy may not do this
    BUSY = 7  # the hub asked to wait until there was no patience left


HELP: Final = """exit codes of python -m fleet:

  0  done.
  1  the hub refused what was asked: no such device, a bad target condition, an etag of yesterday. Its own words
     are on standard error. Nothing was changed by the request that was refused.
  2  the command line is wrong; `python -m fleet COMMAND --help` says what it takes.
  3  a file is missing or is no content of a deployment. The hub was not asked.
  4  done with some gateways and not with all: each that was not is named on standard error, and with --format json
     in the document. The command can be given again; what is done already is found so.
  5  the hub does not answer, or shows a certificate that is not trusted (`python -m fleet help login`).
  6  the connection string is wrong, or its policy may not do this: status needs registry read, deploy and
     set-modules registry write, method and twin service connect.
  7  the hub said 429 or 5xx, and went on saying so over every try (--tries). Retry-After was kept to.
"""


class FleetError(Exception):
    """Ends the command. The text is for a person and says what to do; `code` is the exit code."""

    def __init__(self, text: str, code: Exit = Exit.REFUSED) -> None:
        super().__init__(text)
        self.code = code
