"""Text to number as .NET's double.TryParse does with every style in the invariant culture.

Blanks around, one sign in front or behind, brackets for a negative number, commas anywhere between the digits, the
currency sign of no country, an exponent; and the words Infinity and NaN. `0x10` and `$5` are no numbers.
"""

from __future__ import annotations

import re
from typing import Final

_NUMBER: Final = re.compile(
    r"""
    [\t-\r\ ]*
    (?: (?P<currency>¤)[\t-\r\ ]*)?
    (?: (?P<sign>[+\-]) (?: ¤[\t-\r\ ]*)? | (?P<bracket>\() ¤? )?
    (?P<digits>(?:[0-9][0-9,]*)(?:\.[0-9]*)?|\.[0-9]+)
    (?P<exponent>[eE][+\-]?[0-9]+)?
    (?P<tail>[\t-\r\ +\-)¤]*)
    \x00*
    """,
    re.VERBOSE | re.ASCII,
)
_WORDS: Final = {
    "infinity": "inf", "+infinity": "inf", "-infinity": "-inf", "nan": "nan", "+nan": "nan", "-nan": "nan",
}  # fmt: skip


def parse_number(text: str) -> float | None:
    """The number `text` says, infinite where it is too large; None where it says none."""
    match = _NUMBER.fullmatch(text)
    if match is None:
        word = _WORDS.get(text.strip().lower())
        return None if word is None else float(word)
    negative = match["sign"] == "-" or match["bracket"] is not None
    signed = match["sign"] is not None or match["bracket"] is not None
    open_bracket = match["bracket"] is not None
    for char in match["tail"]:
        if char in "+-":
            if signed:
                return None
            signed = True
            negative = char == "-"
        elif char == ")":
            if not open_bracket:
                return None
            open_bracket = False
    if open_bracket:
        return None
    value = float(match["digits"].replace(",", "") + (match["exponent"] or ""))
    return -value if negative else value
