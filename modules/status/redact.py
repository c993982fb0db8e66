"""Takes secrets out of what leaves the gateway: by the names of fields, and by how secrets look. Pure."""

import re
from collections.abc import Iterable, Mapping
from typing import Any, Final

MASK: Final = "***"
_NAMES: Final = re.compile(
    r"passw|secret|token|credential|api[-_]?key|shared[-_]?access|private[-_]?key|connection[-_]?string|authorization|cookie"
    r"|^sig$|^pin$|^pwd$|passphrase",
    re.IGNORECASE,
)
_LOOKS: Final = (
    # What stands before the secret is kept, so that a reader still knows what there was.
    (re.compile(r"-----BEGIN ([A-Z ]*PRIVATE KEY)-----.*?(-----END \1-----|\Z)", re.DOTALL), rf"{MASK} private key"),
    (re.compile(r"(?i)\b([a-z][a-z0-9+.-]*://)[^/\s:@\"']*:[^/\s@\"']*@"), rf"\1{MASK}@"),
    (re.compile(r"(?i)\b(SharedAccessKey|AccountKey|SharedAccessSignature|sig|skn)(=|%3D)[^;&\s\"']+"), rf"\1\2{MASK}"),
    (re.compile(r"(?i)\b(Bearer|Basic|SharedAccessSignature)\s+[A-Za-z0-9._~+/=%&-]{6,}"), rf"\1 {MASK}"),
    (re.compile(r"\beyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]*"), MASK),
    (
        re.compile(
            r"(?i)([\"']?\b[a-z0-9_-]*(?:passw(?:or)?d|passphrase|secret|token|api[-_]?key|pwd)[a-z0-9_-]*[\"']?\s*[=:]\s*)"
            r"(\"[^\"]*\"|'[^']*'|[^\s,;&}\]]+)"
        ),
        rf"\1{MASK}",
    ),
)


def redacted(value: Any, known: Iterable[str] = ()) -> Any:
    """A JSON value without secrets: fields with telling names, what looks like one in texts, and `known` ones."""
    secrets = tuple(each for each in known if each)
    return _value(value, secrets)


def text(said: str, known: Iterable[str] = ()) -> str:
    """A text without secrets."""
    for secret in known:
        if secret:
            said = said.replace(secret, MASK)
    for look, instead in _LOOKS:
        said = look.sub(instead, said)
    return said


def _value(value: Any, known: tuple[str, ...]) -> Any:
    if isinstance(value, str):
        return text(value, known)
    if isinstance(value, Mapping):
        return {
            text(str(name), known): MASK if _NAMES.search(str(name)) and _tells(part) else _value(part, known)
            for name, part in value.items()
        }
    if isinstance(value, (list, tuple)):
        return [_value(each, known) for each in value]
    return value


def _tells(part: object) -> bool:
    """Whether a field of a telling name holds a secret: not where it is a number, a truth value, or empty."""
    return not (part is None or isinstance(part, (bool, int, float)) or part in ("", [], {}))
