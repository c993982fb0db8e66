"""`python -m tests.system.eager_status`: the status module; its certificate is renewed each second, not in weeks."""

import sys
from datetime import datetime

from modules.status import __main__, certificate

EVERY_S = 1.0


def soon(ends: datetime, now: datetime) -> float:  # noqa: ARG001 - as the function whose place it takes
    return EVERY_S


if __name__ == "__main__":
    certificate._LEAST_S = EVERY_S  # type: ignore[misc]
    certificate.renew_in = soon
    sys.exit(__main__.main([]))
