"""Strings as .NET has them: counted, cut and searched in UTF-16 units, letters changed one by one."""

from __future__ import annotations

import re
from typing import Final

_ASTRAL: Final = re.compile("[\U00010000-\U0010ffff]")
# The invariant culture leaves the two Turkish letters as they are.
_LEFT_ALONE: Final = frozenset("\u0130\u0131")


def length(text: str) -> int:
    """Number of UTF-16 units."""
    return len(text) if text.isascii() else len(text) + len(_ASTRAL.findall(text))


def cut(text: str, start: int, end: int | None = None) -> str:
    """The units from `start` up to `end`; a pair that is cut leaves half a pair."""
    if _ASTRAL.search(text) is None:
        return text[start:end]
    raw = text.encode("utf-16-le", "surrogatepass")
    return raw[2 * start : None if end is None else 2 * end].decode("utf-16-le", "surrogatepass")


def index(text: str, part: str) -> int:
    """Where `part` begins first, in units; -1 where it does not occur."""
    found = text.find(part)
    return found if found <= 0 else length(text[:found])


def joined(text: str) -> str:
    """The same text with two halves that stand side by side made one character."""
    if text.isascii():
        return text
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "surrogatepass")


def lower(text: str) -> str:
    """Lower case in the invariant culture: one letter for one letter."""
    return text.lower() if text.isascii() else "".join(_single(char, char.lower()) for char in text)


def upper(text: str) -> str:
    """Upper case in the invariant culture: one letter for one letter."""
    return text.upper() if text.isascii() else "".join(_single(char, char.upper()) for char in text)


def _single(char: str, changed: str) -> str:
    return changed if len(changed) == 1 and char not in _LEFT_ALONE else char
