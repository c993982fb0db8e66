"""What is to run: the modules of an effective manifest and the leaf devices of localhub.toml, as one document.

Pure. The supervisor makes the plan once manifest and localhub.toml have been checked; the agent reads it from the
state folder, so that a restarted agent needs neither.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from localhub.agent.policy import Policy
from localhub.config import Config, ModuleConfig
from localhub.deployed import AGENT, SECTION, digest, modules_of
from localhub.manifest.options import join

PLAN = "plan.json"  # in the agent's folder
NOTHING_YET = -1  # the version of a plan that whatever the cloud deploys replaces
LAST = 2**32 - 1  # startupOrder when the manifest says none (doc/ModuleStartupOrder.md)


class PlanError(ValueError):
    """Something cannot become a process. `keys` is where localhub.toml says so; None: the manifest does, by `name`."""

    def __init__(self, name: str, text: str, *, keys: tuple[str, ...] | None = None) -> None:
        super().__init__(f"{name}: {text}")
        self.name, self.keys = name, keys


@dataclass(frozen=True, slots=True, kw_only=True)
class Planned:
    """One process or container to run. `command`, `env` and `ports` may hold `${NAME}`, replaced when it starts.

    A container has `image`, its createOptions as `options`, and `ports` (as "8080/tcp") in place of their host ports.
    """

    name: str
    command: Sequence[str] = ()
    folder: str = ""
    env: Mapping[str, str] = field(default_factory=dict)
    policy: Policy = Policy.ALWAYS
    running: bool = True
    order: int = LAST
    image: str = ""
    version: str = ""
    options: Mapping[str, Any] = field(default_factory=dict)
    ports: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """Everything the agent runs: the modules as processes, or all of them as containers; leaf devices as processes.

    `version` is that of $edgeAgent's desired properties which it was made from; 0: it comes from the manifest that was
    given to `run`, and the cloud has yet to say under which version; NOTHING_YET: nothing was given. `digest` stands
    for those properties.
    """

    modules: Sequence[Planned]
    devices: Sequence[Planned] = ()
    containers: bool = False
    version: int = 0
    digest: str = ""

    def to_json(self) -> bytes:
        """The document as the agent reads it."""
        return json.dumps(asdict(self), indent=2).encode()

    @classmethod
    def from_json(cls, data: bytes) -> Plan:
        """Read a plan that `to_json` wrote."""
        document = json.loads(data)
        return cls(
            modules=[_planned(entry) for entry in document["modules"]],
            devices=[_planned(entry) for entry in document["devices"]],
            containers=document["containers"],
            version=document["version"],
            digest=document["digest"],
        )


CommandOf = Callable[[str, str], tuple[tuple[str, ...], Path] | None]
"""(module, image) -> the command its Dockerfile names and the folder it runs in; None when it names none."""


def make_plan(
    content: Mapping[str, Any],
    config: Config,
    command_of: CommandOf,
    *,
    leaves: Iterable[str] | None = None,
    containers: bool = False,
    optional: Collection[str] = (),
) -> Plan:
    """Join a modulesContent with localhub.toml.

    `leaves` are the leaf devices to start, by name; None stands for those with start = "auto". Raises PlanError for
    a module without a command (as containers they need none), for an unknown leaf, and for a module that localhub.toml
    names and the manifest lacks, unless it is one of the `optional`, which a layer or a later deployment may bring.
    """
    modules = modules_of(content)
    for name in config.modules:
        if name not in modules and name not in optional:
            known = ", ".join(sorted(modules)) or "none"
            raise PlanError(name, f"the manifest deploys no such module; it deploys: {known}", keys=("modules", name))
    if containers:
        planned = [_container(name, entry, config) for name, entry in modules.items()]
    else:
        planned = [_process(name, entry, config, command_of) for name, entry in modules.items()]
    return Plan(
        modules=sorted(planned, key=lambda module: module.order),
        devices=_devices(config, leaves),
        containers=containers,
        digest=digest(content.get(AGENT, {}).get(SECTION, {})),
    )


def _planned(entry: dict[str, Any]) -> Planned:
    return Planned(**{**entry, "policy": Policy(entry["policy"])})


def _process(name: str, entry: Mapping[str, Any], config: Config, command_of: CommandOf) -> Planned:
    own = config.modules.get(name, ModuleConfig())
    image = str(entry.get("settings", {}).get("image", ""))
    command, folder = own.command, own.folder or config.folder
    if command is None:
        found = command_of(name, image)
        if found is None:
            raise PlanError(
                name,
                f"image {image or '(none)'} has no command here: add [modules.{name}] with a command to localhub.toml, "
                "or give its Dockerfile an exec-form CMD",
            )
        command, folder = found[0], own.folder or found[1]
    return replace(_planned_of(name, entry), command=list(command), folder=str(folder), env={**_env(entry), **own.env})


def _container(name: str, entry: Mapping[str, Any], config: Config) -> Planned:
    """As a gateway runs it: command and env of localhub.toml are for processes."""
    own = config.modules.get(name, ModuleConfig())
    return replace(_planned_of(name, entry), options=join(entry.get("settings", {})), ports=dict(own.ports))


def _planned_of(name: str, entry: Mapping[str, Any]) -> Planned:
    """What the manifest alone says."""
    return Planned(
        name=name,
        env=_env(entry),
        policy=Policy(entry.get("restartPolicy", "always")),
        running=entry.get("status", "running") == "running",
        order=int(entry.get("startupOrder", LAST)),
        image=str(entry.get("settings", {}).get("image", "")),
        version=str(entry.get("version", "")),
    )


def _env(entry: Mapping[str, Any]) -> dict[str, str]:
    return {key: _text(value.get("value")) for key, value in (entry.get("env") or {}).items()}


def _devices(config: Config, leaves: Iterable[str] | None) -> list[Planned]:
    """All leaf devices of localhub.toml; those that nobody asked for wait until they are started by hand."""
    wanted = {name for name, device in config.devices.items() if device.start == "auto"}
    if leaves is not None:
        wanted = set(leaves)
    for name in wanted:
        if name not in config.devices:
            known = ", ".join(config.devices) or "none"
            raise PlanError(name, f"there is no leaf device of this name; there are: {known}", keys=("devices",))
    return [
        Planned(
            name=name,
            command=list(device.command),
            folder=str(device.folder),
            env=dict(device.env),
            policy=Policy(device.restart),
            running=name in wanted,
        )
        for name, device in config.devices.items()
    ]


def _text(value: object) -> str:
    """An env value of the manifest as text: edgeAgent turns any scalar into one, JSON's words for booleans."""
    return str(value).lower() if isinstance(value, bool) else "" if value is None else str(value)
