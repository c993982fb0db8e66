"""Is port 8883 of an address ours to take, and if not, which address goes round it."""

from __future__ import annotations

import errno
import ipaddress
import socket
import sys

from localhub.exits import CannotStartError, Exit

MQTT_PORT = 8883  # fixed in the SDKs (contract 2.1): another address is the only way round
TRIED = 64


def check(address: str) -> None:
    """Raise CannotStartError, with another address to use, when MQTT cannot be served at `address`."""
    try:
        loopback = ipaddress.ip_address(address).is_loopback
    except ValueError:
        loopback = False
    if not loopback:
        raise CannotStartError(f"--address {address} is not a loopback address; use one as 127.0.0.1", Exit.USAGE)
    problem = _problem(address, MQTT_PORT)
    if problem is None:
        return
    if problem == errno.EADDRNOTAVAIL and sys.platform == "darwin":
        hint = f"macOS has only 127.0.0.1 unless told: sudo ifconfig lo0 alias {address} up"
    else:
        other = another(address)
        hint = f"use --address {other}" if other else "and so are the addresses after it: stop what listens there"
    text = (
        "is taken by another process" if problem == errno.EADDRINUSE else f"cannot be had ({errno.errorcode[problem]})"
    )
    raise CannotStartError(f"{address}:{MQTT_PORT} {text}; {hint}", Exit.BUSY)


def another(address: str) -> str | None:
    """The next loopback address whose MQTT port is free."""
    first = ipaddress.IPv4Address(address) if ":" not in address else ipaddress.IPv4Address("127.0.0.1")
    for offset in range(1, TRIED):
        candidate = first + offset
        if candidate.is_loopback and candidate.packed[3] not in (0, 255) and not _problem(str(candidate), MQTT_PORT):
            return str(candidate)
    return None


def is_free(address: str) -> bool:
    """Whether MQTT can be served there."""
    return _problem(address, MQTT_PORT) is None


def free_port(address: str, wanted: int = 0) -> int:
    """`wanted` when it is free at `address`, else a port that is."""
    if wanted and _problem(address, wanted) is None:
        return wanted
    with socket.create_server((address, 0)) as probe:
        return int(probe.getsockname()[1])


def _problem(address: str, port: int) -> int | None:
    """The errno of binding there; None when it can be done."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((address, port))
            probe.listen()
        except OSError as error:
            return error.errno or errno.EADDRNOTAVAIL
    return None
