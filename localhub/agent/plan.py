"""What is to run: the modules of an effective manifest and the leaf devices of localhub.toml, as one document.

Pure. The supervisor makes the plan once manifest and localhub.toml have been checked; the agent reads it from the
state folder, so that a restarted agent needs neither.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from localhub.agent.policy import Policy
from localhub.config import Config, ModuleConfig

LAST = 2**32 - 1  # startupOrder when the manifest says none (doc/ModuleStartupOrder.md)
SYSTEM_MODULES = ("$edgeAgent", "$edgeHub")


class PlanError(ValueError):
    """Something cannot become a process. `keys` is where localhub.toml says so; None: the manifest does, by `name`."""

    def __init__(self, name: str, text: str, *, keys: tuple[str, ...] | None = None) -> None:
        super().__init__(f"{name}: {text}")
        self.name, self.keys = name, keys


@dataclass(frozen=True, slots=True, kw_only=True)
class Planned:
    """One process to run. `command` and `env` may hold `${NAME}`, replaced when it starts."""

    name: str
    command: Sequence[str]
    folder: str
    env: Mapping[str, str] = field(default_factory=dict)
    policy: Policy = Policy.ALWAYS
    running: bool = True
    order: int = LAST
    image: str = ""
    version: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """Everything the agent runs."""

    modules: Sequence[Planned]
    devices: Sequence[Planned] = ()

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
        )


CommandOf = Callable[[str, str], tuple[tuple[str, ...], Path] | None]
"""(module, image) -> the command its Dockerfile names and the folder it runs in; None when it names none."""


def modules_of(content: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """The user modules that a modulesContent deploys: name -> their $edgeAgent entry."""
    desired = content.get("$edgeAgent", {}).get("properties.desired", {})
    return dict(desired.get("modules", {}))


def make_plan(
    content: Mapping[str, Any],
    config: Config,
    command_of: CommandOf,
    *,
    leaves: Iterable[str] | None = None,
) -> Plan:
    """Join a modulesContent with localhub.toml.

    `leaves` are the leaf devices to start, by name; None stands for those with start = "auto". Raises PlanError for
    a module without a command, for one that localhub.toml names and the manifest lacks, and for an unknown leaf.
    """
    modules = modules_of(content)
    for name in config.modules:
        if name not in modules:
            known = ", ".join(sorted(modules)) or "none"
            raise PlanError(name, f"the manifest deploys no such module; it deploys: {known}", keys=("modules", name))
    planned = [_module(name, entry, config, command_of) for name, entry in modules.items()]
    return Plan(modules=sorted(planned, key=lambda module: module.order), devices=_devices(config, leaves))


def _planned(entry: dict[str, Any]) -> Planned:
    return Planned(**{**entry, "policy": Policy(entry["policy"])})


def _module(name: str, entry: Mapping[str, Any], config: Config, command_of: CommandOf) -> Planned:
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
    env = {key: _text(value.get("value")) for key, value in (entry.get("env") or {}).items()}
    return Planned(
        name=name,
        command=list(command),
        folder=str(folder),
        env={**env, **own.env},
        policy=Policy(entry.get("restartPolicy", "always")),
        running=entry.get("status", "running") == "running",
        order=int(entry.get("startupOrder", LAST)),
        image=image,
        version=str(entry.get("version", "")),
    )


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
