r"""Cuts a route text into tokens as edgeHub's lexer does (iotedge, Routing.Core/grammar/GrammarLexer.g4).

The longest match wins; on a tie the rule that stands first. Nearly every character that is neither bracket, comma nor
one of `@ ; : \ / ? =` belongs to an identifier, `+ - * % ! | & ' .` among them. So `a!='x'` reads the property `a!`,
`2*3` is one identifier, `as_number(n)-3` a number followed by the number -3, and 'it''s' an identifier too.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

_ESCAPE = r"\\(?:[\"'\\]|u[0-9a-fA-F]{4})"
_EXPONENT = r"[eE][+\-]?[0-9]+"
_NAME = r"()<>@,;:\\\"/?={} \t\n\r"

# (kind, pattern) in the order of the grammar, which decides ties. Token kinds are also what errors call them.
_RULES: Final[tuple[tuple[str, re.Pattern[str]], ...]] = tuple(
    (kind, re.compile(pattern, re.ASCII))
    for kind, pattern in (
        ("{", r"\{"),
        ("}", r"\}"),
        ("SELECT", r"(?i:select)"),
        ("FROM", r"(?i:from)"),
        ("WHERE", r"(?i:where)"),
        ("INTO", r"(?i:into)"),
        ("STRING", rf"\"(?:{_ESCAPE}|[^\"\\])*\"|'(?:{_ESCAPE}|[^'\\])*'"),
        ("UNTERMINATED", rf"\"(?:{_ESCAPE}|[^\"\\])*|'(?:{_ESCAPE}|[^'\\])*"),
        ("INTEGER", r"-?[0-9]+"),
        ("HEX", r"0[xX][0-9a-fA-F]+"),
        ("REAL", rf"-?[0-9]*\.[0-9]+(?:{_EXPONENT})?|-?[0-9]*{_EXPONENT}"),
        ("TRUE", r"true"),
        ("FALSE", r"false"),
        ("NULL", r"null"),
        ("UNDEFINED", r"undefined"),
        ("(", r"\("),
        (")", r"\)"),
        (",", r","),
        ("+", r"\+"),
        ("-", r"-"),
        ("*", r"\*"),
        ("/", r"/"),
        ("%", r"%"),
        ("AND", r"(?i:and)"),
        ("OR", r"(?i:or)"),
        ("NOT", r"(?i:not)"),
        ("=", r"="),
        ("!=", r"!="),
        ("<>", r"<>"),
        ("<=", r"<="),
        (">=", r">="),
        (">", r">"),
        ("<", r"<"),
        ("||", r"\|\|"),
        ("??", r"\?\?"),
        ("SYSTEM", rf"\$[^{_NAME}]+"),
        ("NAME", rf"[^\[\]{_NAME}]+"),
        ("PATH", rf"[^{_NAME}]+"),
        ("SPACE", r"[ \t\r\n]+"),
        ("COMMENT", r"(?s:/\*.*?\*/)"),
        ("UNKNOWN", r"(?s:.)"),
    )
)
_HIDDEN: Final = frozenset({"SPACE", "COMMENT"})


@dataclass(frozen=True, slots=True)
class Token:
    """One token: its kind, its text and where it starts (characters from 0)."""

    kind: str
    text: str
    start: int

    @property
    def end(self) -> int:
        """Offset just behind the token."""
        return self.start + len(self.text)


def tokenize(text: str) -> list[Token]:
    """All tokens of `text` without white space and comments; the last one is of kind END and empty."""
    tokens: list[Token] = []
    position = 0
    while position < len(text):
        kind, end = "", position
        for candidate, pattern in _RULES:
            match = pattern.match(text, position)
            if match is not None and match.end() > end:
                kind, end = candidate, match.end()
        if kind not in _HIDDEN:
            tokens.append(Token(kind, text[position:end], position))
        position = end
    tokens.append(Token("END", "", len(text)))
    return tokens
