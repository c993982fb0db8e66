"""What reached a localhub's cloud: GET /localhub/arrivals, which IoT Hub does not have, with the hub's own token."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import requests
from azure.iot.hub.sastoken import SasToken

from fleet.exits import Exit, FleetError
from fleet.login import Login

TIMEOUT_S = 30


def arrivals(login: Login, last: int, devices: Sequence[str], kind: str | None) -> list[dict[str, Any]]:
    """The last arrivals, oldest first, of some devices or all, of a kind or any; raises FleetError."""
    query = {"last": [str(last)], "device": list(devices), "kind": [] if kind is None else [kind]}
    token = str(SasToken(login.host, login.key, login.policy))
    try:
        answer = requests.get(
            f"https://{login.host}/localhub/arrivals",
            params=query,
            headers={"Authorization": token},
            verify=login.ca_file or True,
            timeout=TIMEOUT_S,
        )
    except requests.RequestException as error:
        raise FleetError(f"the hub does not answer: {error}", Exit.AWAY) from error
    if answer.status_code == 404:
        raise FleetError(f"{login.host} is no localhub, and IoT Hub keeps no message to be asked for")
    if answer.status_code in (401, 403):
        raise FleetError(f"the hub said {answer.status_code}: {answer.text}", Exit.ACCESS)
    if answer.status_code != 200:
        raise FleetError(f"the hub said {answer.status_code}: {answer.text}")
    found: list[dict[str, Any]] = answer.json()
    return found
