"""Basic and digest authentication (RFC 2617, RFC 7616) as RTSP uses them; pure."""

from __future__ import annotations

import hashlib
import re
from base64 import b64encode
from typing import Final

_FIELD = re.compile(r'(\w+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s,]+))')
_HASHES: Final = {"MD5": "md5", "SHA-256": "sha256"}


class Challenge:
    """Answers what the server asks for; knows nothing before it has asked."""

    def __init__(self, user: str, password: str) -> None:
        self._user, self._password = user, password
        self._fields: dict[str, str] | None = None
        self._scheme = ""
        self._count = 0

    def learn(self, asked: str) -> bool:
        """Take in the challenges of a 401, one a line. False where there is nothing new to answer with."""
        if not self._user:
            return False
        known = {each[0].lower(): each[2] for line in asked.split("\n") if (each := line.partition(" "))[0]}
        if "digest" in known:
            fields = {name.lower(): quoted or plain for name, quoted, plain in _FIELD.findall(known["digest"])}
            if fields.get("algorithm", "MD5").upper() not in _HASHES or "nonce" not in fields:
                return False
            again = self._fields is not None and self._fields["nonce"] == fields["nonce"]
            self._scheme, self._fields, self._count = "digest", fields, 0
            return not again
        again, self._scheme = self._scheme == "basic", "basic" if "basic" in known else ""
        return self._scheme == "basic" and not again

    def header(self, method: str, uri: str, nonce: str) -> str | None:
        """The value of Authorization for one request; ``nonce`` is the client's, fresh each time."""
        if self._scheme == "basic":
            return "Basic " + b64encode(f"{self._user}:{self._password}".encode()).decode()
        if self._fields is None:
            return None
        self._count += 1
        asked, algorithm = self._fields, self._fields.get("algorithm", "MD5")
        realm = asked.get("realm", "")
        secret = _hash(algorithm, f"{self._user}:{realm}:{self._password}")
        what = _hash(algorithm, f"{method}:{uri}")
        answer = {"username": self._user, "realm": realm, "nonce": asked["nonce"], "uri": uri}
        if "auth" in [each.strip() for each in asked.get("qop", "").split(",")]:
            count = f"{self._count:08x}"
            response = _hash(algorithm, f"{secret}:{asked['nonce']}:{count}:{nonce}:auth:{what}")
            bare = f", qop=auth, nc={count}"
            answer["cnonce"] = nonce
        else:
            response, bare = _hash(algorithm, f"{secret}:{asked['nonce']}:{what}"), ""
        answer |= {"response": response}
        if "opaque" in asked:
            answer["opaque"] = asked["opaque"]
        if "algorithm" in asked:
            bare += f", algorithm={algorithm}"
        return "Digest " + ", ".join(f'{name}="{value}"' for name, value in answer.items()) + bare


def _hash(algorithm: str, text: str) -> str:
    return hashlib.new(_HASHES[algorithm.upper()], text.encode(), usedforsecurity=False).hexdigest()
