"""Which JSON strings Json.NET reads as dates (DateTimeParser.cs, JsonTextReader.cs).

edgeHub parses message bodies with Json.NET's defaults, so a string that looks like an ISO 8601 date *and* time is a
date there, and a date is no value a condition can use. A plain date ("2024-05-01") stays a string.
"""

from __future__ import annotations

import calendar
import re
from typing import Final

_START: Final = re.compile(r"([0-9]{4})-([0-9]{2})-([0-9]{2})T([0-9]{2}):([0-9]{2}):([0-9]{2})")
# At most seven digits count as the fraction; what follows must read as a zone. The letter z, a signed hour, and then
# minutes that need neither the colon nor, where the hour is absent, a sign.
_REST: Final = re.compile(r"(?:\.(?P<fraction>[0-9]{1,7}))?(?:[Zz]|(?:[+\-][0-9]{2})?(?::(?:[0-9]{2})?|[0-9]{2})?)")
_MICROSOFT: Final = re.compile(r"/Date\(-?[0-9]+(?:[+\-][0-9]{2,4})?\)/")
_SHORTEST, _LONGEST = 19, 40  # "2024-05-01T10:00:00" and what Json.NET bothers to look at


def reads_as_date(text: str) -> bool:
    """True where Json.NET makes a date of the string."""
    if text.startswith("/"):
        return _MICROSOFT.fullmatch(text) is not None
    if not _SHORTEST <= len(text) <= _LONGEST or text[10] != "T":
        return False
    start = _START.match(text)
    if start is None:
        return False
    year, month, day, hour, minute, second = (int(part) for part in start.groups())
    if year < 1 or not 1 <= month <= 12 or not 1 <= day <= calendar.monthrange(year, month)[1]:
        return False
    if minute > 59 or second > 59 or hour > 24 or (hour == 24 and (minute or second)):
        return False
    rest = _REST.fullmatch(text, start.end())
    if rest is None:
        return False
    return not (hour == 24 and int(rest["fraction"] or 0))
