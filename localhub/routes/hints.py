"""Advice that goes with a mistake: what people usually meant when they wrote this."""

from __future__ import annotations

import re
from typing import Final

from localhub.routes.errors import line_and_column
from localhub.routes.lexer import Token

_KEYWORDS: Final = frozenset(
    {"SELECT", "FROM", "WHERE", "INTO", "AND", "OR", "NOT", "TRUE", "FALSE", "NULL", "UNDEFINED"}
)
_NUMBERS: Final = frozenset({"INTEGER", "REAL", "HEX"})
_FOREIGN: Final = {
    "LIKE": "there is no LIKE; use contains(a, 'x'), starts_with(a, 'x') or ends_with(a, 'x')",
    "IN": "there is no IN; write a = 'x' OR a = 'y'",
    "BETWEEN": "there is no BETWEEN; write a >= x AND a <= y",
    "IS": "there is no IS; use is_null(a) or is_defined(a)",
    "&&": "write AND",
    "&": "write AND",
    "|": "write OR",
}
_SPACES: Final = "put spaces round operators: names may contain + - * % ! | & ' ."
# A comment that begins right behind a slash and a name is nearly always the star of a source.
_STARRED: Final = re.compile(r"[^\s]/\*.*?\*/", re.DOTALL)


def for_token(text: str, tokens: list[Token], index: int) -> str:
    """A hint for the token at which reading stopped; empty where nothing better than the message can be said."""
    token = tokens[index]
    before = tokens[index - 1] if index else None
    if token.kind == "UNTERMINATED":
        if text[token.end : token.end + 1] == "\\":
            return r"""a backslash in quotes may only stand before " ' \ or uXXXX; write \\ for a backslash"""
        return "the quote is never closed"
    commented = _STARRED.search(text)
    if commented is not None and commented.end() <= token.start:
        line, column = line_and_column(text, commented.start() + 1)
        return f"the /* at line {line}, column {column} opens a comment up to the next */"
    if before is not None and before.kind == "/":
        return _in_source(token)
    if before is not None and before.kind == "INTO":
        return "write $upstream" if token.text.lower() == "upstream" else ""
    return _in_condition(tokens, index)


def _in_source(token: Token) -> str:
    """Behind a slash of the source."""
    if token.kind in _NUMBERS:
        return f"{token.text!r} is read as a number, so a module or output of that name cannot be routed; rename it"
    if token.kind in _KEYWORDS - {"WHERE", "INTO"}:
        return f"{token.text!r} is a keyword, so a module or output of that name cannot be routed; rename it"
    if token.kind == "SYSTEM":
        return "a name that begins with $ cannot be a source"
    return "a source does not end with '/'; write /* for everything below"


def _in_condition(tokens: list[Token], index: int) -> str:
    """Anywhere else."""
    token, before = tokens[index], tokens[index - 1] if index else None
    word = token.text.upper()
    if token.kind == "=" and before is not None and before.kind == "=":
        return "equality is a single ="
    if token.kind == "NAME" and word in _FOREIGN:
        return _FOREIGN[word]
    if token.kind == "NAME" and token.text.startswith("--"):
        return "comments are written /* so */"
    if token.kind == "NAME" and token.text[0] in "+-*%!|&":
        return _SPACES
    if token.kind in _NUMBERS and token.text.startswith("-"):
        return "put a space between '-' and the number"
    if token.kind in _NUMBERS and before is not None and before.kind in {"WHERE", "(", "AND", "OR", "NOT"}:
        return ""
    kinds = [earlier.kind for earlier in tokens[:index]]
    if kinds.count("(") > kinds.count(")"):
        return "a '(' before is never closed"
    if token.kind in _KEYWORDS and token.kind not in {"AND", "OR", "INTO", "WHERE"}:
        return f"{token.text!r} is a keyword and cannot be a name"
    if token.kind == "PATH":
        return "square brackets can only stand in a $body path"
    if token.kind == "UNKNOWN":
        return f"the character {token.text!r} cannot stand outside quotes"
    if token.kind == "END":
        return 'a route ends with INTO $upstream or INTO BrokeredEndpoint("/modules/MODULE/inputs/INPUT")'
    if before is not None and any(sign in before.text for sign in "+-*%!|&") and before.kind == "NAME":
        return f"{before.text!r} is read as one name; {_SPACES}"
    return ""


def for_name(name: str) -> str:
    """A hint for a name that swallowed an operator, as in `unit!='F'` or `2*3`."""
    if name[-1] in "+-*%!|&" or name[0] in "+-*%!|&" or re.fullmatch(r"[0-9.]+[+\-*%][0-9.]+", name):
        return f"{name!r} is read as one name; {_SPACES}"
    return ""
