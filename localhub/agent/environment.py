"""The environment a module or a leaf device is started with. Pure: what the machine has comes in as a mapping.

Order as edgeAgent's (CreateOrUpdateCommand.cs, contract 1.5): the module's own env first, then what edgeAgent injects,
which therefore wins.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping

from localhub.agent.plan import Planned
from localhub.config import expand

API_VERSION = "2022-08-03"
AUTH_SCHEME = "sasToken"
LOG_LEVEL = "info"
OWNER = "LOCALHUB_STATE"
"""Marks every process that localhub started, with the state folder as its value."""

_FOREIGN = ("IOTEDGE_", "EdgeHubConnectionString", "EdgeModuleCACertificateFile", "LEAF_", OWNER)


class MissingVariableError(ValueError):
    """A command or an env value uses `${NAME}` and there is no NAME; the text says where."""


def resolved(planned: Planned, variables: Mapping[str, str]) -> tuple[list[str], dict[str, str]]:
    """Command and own env with every `${NAME}` replaced; raises MissingVariableError."""
    with _naming(planned):
        command = [expand(part, variables) for part in planned.command]
        return command, {key: expand(value, variables) for key, value in planned.env.items()}


def resolved_ports(planned: Planned, variables: Mapping[str, str]) -> dict[str, str]:
    """A container's ports with every `${NAME}` replaced; raises MissingVariableError."""
    with _naming(planned):
        return {port: expand(at, variables) for port, at in planned.ports.items()}


@contextlib.contextmanager
def _naming(planned: Planned) -> Iterator[None]:
    try:
        yield
    except KeyError as error:
        name = error.args[0]
        raise MissingVariableError(
            f"{planned.name}: ${{{name}}} has no value; set {name} in the environment, or write ${{{name}:-default}}"
        ) from error


def inherited(machine: Mapping[str, str], owner: str) -> dict[str, str]:
    """What a process takes over from this one: PATH, HOME and so on, but nothing of another edge or of ours.

    Python's output is unbuffered: a log that comes in blocks of 8 KB is no log.
    """
    kept = {key: value for key, value in machine.items() if not key.startswith(_FOREIGN)}
    return {"PYTHONUNBUFFERED": "1", **kept, OWNER: owner}


def module_facts(
    module: str, *, device: str, generation: str, hub_name: str, gateway_host: str, workload_uri: str
) -> dict[str, str]:
    """The variables that edgeAgent injects; the first seven are those the Python SDK reads (contract 1.1)."""
    return {
        "IOTEDGE_MODULEID": module,
        "IOTEDGE_DEVICEID": device,
        "IOTEDGE_IOTHUBHOSTNAME": hub_name,
        "IOTEDGE_GATEWAYHOSTNAME": gateway_host,
        "IOTEDGE_MODULEGENERATIONID": generation,
        "IOTEDGE_WORKLOADURI": workload_uri,
        "IOTEDGE_APIVERSION": API_VERSION,
        "IOTEDGE_AUTHSCHEME": AUTH_SCHEME,
        "RuntimeLogLevel": LOG_LEVEL,
    }


def leaf_facts(connection_string: str, ca_file: str, pair: tuple[str, str] | None = None) -> dict[str, str]:
    """What a leaf device is told: how to reach the gateway, whom to trust, and the files of its certificate and key.

    `pair` is None for a device that signs tokens with the key in its connection string.
    """
    facts = {"LEAF_CONNECTION_STRING": connection_string, "LEAF_CA_FILE": ca_file}
    return facts if pair is None else {**facts, "LEAF_CERTIFICATE_FILE": pair[0], "LEAF_KEY_FILE": pair[1]}
