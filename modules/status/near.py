"""Whether a client is on this machine."""

import socket
import struct
from functools import lru_cache
from ipaddress import ip_address
from pathlib import Path


class Near:
    """`in_container`: the bridge's gateway counts as this machine, for docker passes on from there."""

    def __init__(self, *, in_container: bool) -> None:
        self._gateway = default_gateway() if in_container else None

    def by(self, client: str) -> bool:
        """Whether an address is of this machine."""
        return client == self._gateway or _is_loopback(client)


@lru_cache(256)
def _is_loopback(client: str) -> bool:
    try:
        return ip_address(client).is_loopback
    except ValueError:
        return False


def default_gateway(table: Path = Path("/proc/net/route")) -> str | None:
    """The IPv4 default gateway, or None where there is none (Linux)."""
    try:
        lines = table.read_text().splitlines()[1:]
    except OSError:
        return None
    for line in lines:
        fields = line.split()
        if len(fields) > 2 and fields[1] == "00000000":
            return socket.inet_ntoa(struct.pack("<L", int(fields[2], 16)))
    return None
