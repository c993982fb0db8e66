"""The create-container document of a module: the manifest's createOptions with what edgeAgent adds. Pure.

edgeAgent hands createOptions to the engine as they are (contract 7.3) and adds the environment, the network with the
module's name as alias, and the workload API's socket. Two things are changed here: names of volumes get a prefix, so
that two localhubs do not share data, and the engine's own restart policy is left out, for the agent restarts.
"""

from __future__ import annotations

import copy
import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

SOCKET_INSIDE = "/var/run/iotedge/workload.sock"
WORKLOAD_URI = f"unix://{SOCKET_INSIDE}"
OWNER_LABEL = "localhub.state"
MODULE_LABEL = "localhub.module"
DIGEST_LABEL = "localhub.digest"
_OWN_NETWORKS = ("host", "none", "container:")


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """What all containers of one localhub share: names begin with `prefix`, `hosts` are added to /etc/hosts."""

    owner: str
    prefix: str
    network: str
    hosts: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, root: Path, hosts: Mapping[str, str] | None = None) -> Site:
        """The site of a state folder."""
        prefix = f"localhub-{hashlib.sha256(str(root).encode()).hexdigest()[:8]}"
        return cls(owner=str(root), prefix=prefix, network=prefix, hosts=hosts or {})

    def container(self, module: str) -> str:
        """The name of a module's container."""
        return f"{self.prefix}-{module}"

    def volume(self, name: str) -> str:
        """The name of a volume of this site."""
        return f"{self.prefix}-{name}"


def creation(
    module: str, image: str, options: Mapping[str, Any], env: Mapping[str, str], *, socket: Path, site: Site
) -> dict[str, Any]:
    """The document; the same arguments give the same one, and its label DIGEST_LABEL tells it from others."""
    config: dict[str, Any] = copy.deepcopy(dict(options))
    host: dict[str, Any] = config.get("HostConfig") or {}
    config["HostConfig"] = host
    config["Image"] = image
    config["Env"] = _environment(config.get("Env") or (), env)
    host["Mounts"] = [_mount(mount, site) for mount in host.get("Mounts") or ()]
    host["Mounts"].append({"Type": "bind", "Source": str(socket), "Target": SOCKET_INSIDE})
    host["Binds"] = [_bind(text, site) for text in host.get("Binds") or ()]
    host["ExtraHosts"] = [*(host.get("ExtraHosts") or ()), *(f"{name}:{at}" for name, at in site.hosts.items())]
    for theirs in ("RestartPolicy", "AutoRemove"):
        host.pop(theirs, None)
    if not str(host.get("NetworkMode", "")).startswith(_OWN_NETWORKS):
        _join(config, host, module, site.network)
    labels = {**(config.get("Labels") or {}), OWNER_LABEL: site.owner, MODULE_LABEL: module}
    config["Labels"] = labels | {DIGEST_LABEL: _digest(config)}
    return config


def published(options: Mapping[str, Any], ports: Mapping[str, str]) -> dict[str, Any]:
    """The options with other host ports: `ports` maps "8080/tcp" to the port of the host; its address stays."""
    changed = copy.deepcopy(dict(options))
    bindings = changed.setdefault("HostConfig", {}).setdefault("PortBindings", {})
    for port, at in ports.items():
        for binding in bindings.setdefault(port, [{"HostIp": "127.0.0.1"}]):
            binding["HostPort"] = at
    return changed


def _environment(theirs: Sequence[str], ours: Mapping[str, str]) -> list[str]:
    """KEY=VALUE lines; what edgeAgent gives wins over createOptions' own."""
    kept = [line for line in theirs if line.partition("=")[0] not in ours]
    return [*kept, *(f"{key}={value}" for key, value in ours.items())]


def _mount(mount: Mapping[str, Any], site: Site) -> dict[str, Any]:
    if mount.get("Type") != "volume" or not mount.get("Source"):
        return dict(mount)
    return {**mount, "Source": site.volume(mount["Source"])}


def _bind(text: str, site: Site) -> str:
    return text if text.startswith(("/", ".", "~")) else site.volume(text)


def _join(config: dict[str, Any], host: dict[str, Any], module: str, network: str) -> None:
    """Put the container into the site's network under the module's name, as edgeAgent does with its own network."""
    host["NetworkMode"] = network
    networking = config.setdefault("NetworkingConfig", {})
    endpoint = networking.setdefault("EndpointsConfig", {}).setdefault(network, {})
    endpoint["Aliases"] = [*(endpoint.get("Aliases") or ()), module]


def _digest(config: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(config, sort_keys=True).encode()).hexdigest()[:16]
