"""Who may do what: two tokens in files, and sessions for browsers.

A browser cannot add a header to an event stream or a picture, so a person types the token in once and gets a cookie:
HttpOnly (no script can read it) and SameSite=Strict (no other site's request carries it). The cookie names role and end
and is signed with the token itself: nothing is kept here, a restart logs nobody out, and a new token logs all out.
"""

import base64
import hmac
import os
import secrets
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Final, Literal

Role = Literal["none", "read", "operate"]
RANKS: Final[dict[str, int]] = {"none": 0, "read": 1, "operate": 2}
SESSION_SECONDS: Final = 12 * 3600
COOKIE: Final = "millwatch"
_LEAST: Final = 16
_LONGEST: Final = 512


class TokenError(ValueError):
    """A token file that cannot be used; the text says why, without the token."""


@dataclass(frozen=True, slots=True)
class Tokens:
    """The tokens of both roles, as bytes."""

    read: bytes
    operate: bytes

    @classmethod
    def load(cls, folder: Path, fallback: Path) -> "Tokens":
        """From the files `read` and `operate` in `folder`; one that is not there is made in `fallback`.

        Made ones are readable by this user only. Raises OSError, TokenError.
        """
        read, operate = (_load(folder / name, fallback / name) for name in ("read", "operate"))
        if hmac.compare_digest(read, operate):
            raise TokenError("the tokens for reading and for operating are the same")
        return cls(read, operate)

    def role(self, given: bytes) -> Role:
        """What a token allows. Both are compared, in time that does not tell how much of them was right."""
        operates = hmac.compare_digest(given, self.operate)
        reads = hmac.compare_digest(given, self.read)
        return "operate" if operates else "read" if reads else "none"

    def session(self, role: Role, now: float) -> str:
        """A cookie's value for `role`, good for twelve hours."""
        ends = int(now) + SESSION_SECONDS
        return f"{role}.{ends}.{self._signature(role, ends)}"

    def session_role(self, cookie: str, now: float) -> tuple[Role, int]:
        """What a cookie allows, and its end in Unix seconds; ('none', 0) for one that is not ours or over."""
        role, _, rest = cookie.partition(".")
        text, _, signature = rest.partition(".")
        if role not in ("read", "operate") or not (text.isascii() and text.isdecimal()) or len(text) > 12:
            return "none", 0
        ends = int(text)
        known: Role = "operate" if role == "operate" else "read"
        right = hmac.compare_digest(signature.encode(), self._signature(known, ends).encode())
        return (known, ends) if right and now < ends else ("none", 0)

    def _signature(self, role: Role, ends: int) -> str:
        key = self.operate if role == "operate" else self.read
        digest = hmac.digest(key, f"millwatch session\n{role}\n{ends}".encode(), sha256)
        return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


def _load(path: Path, fallback: Path) -> bytes:
    for each in (path, fallback):
        try:
            token = each.read_bytes().strip()
        except FileNotFoundError:
            continue
        if not _LEAST <= len(token) <= _LONGEST or not token.isascii() or b" " in token:
            raise TokenError(f"{each} is no token: {_LEAST} to {_LONGEST} ASCII characters without blanks")
        return token
    token = secrets.token_urlsafe(24).encode()
    fallback.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    fresh = fallback.with_name(fallback.name + ".new")
    with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as out:
        out.write(token + b"\n")
    fresh.replace(fallback)  # a kill in between must not leave an empty token
    return token
