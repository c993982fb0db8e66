"""What a board is told: a JSON file on it. Every field, its default and its bounds are in docs/guides/esp32.md."""

import json

from .backlog import MOST_READINGS

_LONGEST_SOURCE = 100  # so that the largest batch fits the buffer of `Link`
_NEEDED = ("HostName", "DeviceId", "SharedAccessKey", "GatewayHostName")
_NUMBERS = {  # default, least, most
    "every_s": (10, 1, 86_400),
    "batch": (6, 1, MOST_READINGS),
    "samples": (512, 200, 4096),
    "keepalive_s": (60, 10, 1740),
    "token_s": (3600, 300, 86_400),
    "resync_s": (3600, 60, 604_800),
    "timeout_s": (15, 1, 60),
    "port": (8883, 1, 65_535),
    "ntp_port": (123, 1, 65_535),
}
_TEXTS = {"ca": "/ca.der", "ntp": "pool.ntp.org", "ssid": "", "password": ""}


class Settings:
    """One attribute a field, the connection string taken apart: `host`, `device`, `key`, `gateway`."""

    def __init__(self, document: dict[str, object]) -> None:
        """ValueError names the field that is wrong, and what it should be."""
        parts = dict(part.split("=", 1) for part in _text(document, "connection").split(";") if "=" in part)
        for name in _NEEDED:
            if not parts.get(name):
                raise ValueError("connection: %s is missing in the connection string" % name)
        self.host, self.device, self.key, self.gateway = (parts[name] for name in _NEEDED)
        self.source = _text(document, "source")
        if len(self.source) > _LONGEST_SOURCE:
            raise ValueError("source: at most %d characters" % _LONGEST_SOURCE)
        self.deep_sleep = document.get("deep_sleep", True) is True
        for name, default in _TEXTS.items():
            setattr(self, name, _text(document, name) if name in document else default)
        for name, (default, least, most) in _NUMBERS.items():
            value = document.get(name, default)
            if not isinstance(value, int) or not least <= value <= most:
                raise ValueError("%s: a whole number from %d to %d, not %r" % (name, least, most, value))
            setattr(self, name, value)
        for name in document:
            if name not in _NUMBERS and name not in _TEXTS and name not in ("connection", "source", "deep_sleep"):
                raise ValueError("%s is no field; see docs/guides/esp32.md" % name)


def load(path: str) -> Settings:
    """The settings in a file; OSError, ValueError."""
    with open(path) as file:
        return Settings(json.load(file))


def _text(document: dict[str, object], name: str) -> str:
    value = document.get(name)
    if not isinstance(value, str) or not value:
        raise ValueError("%s: a text is needed" % name)
    return value
