"""Plans again while the line runs, from what `$edgeAgent`'s desired properties have become.

What `run` was told is kept beside its plan: localhub.toml, which leaf devices start, and by which command each image
runs as a process. A module that comes later has a command when its image is one of those, whatever the tag, when
`modules/NAME` beside the manifest has a Dockerfile, or when localhub.toml names one.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Self

from localhub.agent.plan import Plan, PlanError, make_plan
from localhub.deployed import AGENT, SECTION
from localhub.state import write_atomic

SOURCES = "sources.json"  # in the agent's folder
Command = tuple[tuple[str, ...], Path]


@dataclass(frozen=True, slots=True, kw_only=True)
class Sources:
    """What `run` was told. `config` None: there is no localhub.toml; `folder` is the manifest's."""

    folder: str
    config: str | None
    leaves: list[str] | None
    commands: Mapping[str, tuple[list[str], str]]

    @classmethod
    def of(cls, plan: Plan, *, folder: Path, config: Path | None, leaves: Iterable[str] | None) -> Self:
        """Of a run's plan."""
        return cls(
            folder=str(folder.resolve()),
            config=None if config is None else str(config.resolve()),
            leaves=None if leaves is None else list(leaves),
            commands={
                repository(module.image): (list(module.command), module.folder)
                for module in plan.modules
                if module.image and module.command
            },
        )

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read what `save` wrote."""
        return cls(**json.loads(path.read_bytes()))

    def save(self, path: Path) -> None:
        """Write it for the agent."""
        write_atomic(path, json.dumps(asdict(self), indent=2).encode())

    def command_of(self, module: str, image: str) -> Command | None:
        """The command and folder of a module that comes later."""
        from localhub.manifest import dockerfile  # noqa: PLC0415  only a change of the deployment needs it

        known = self.commands.get(repository(image))
        if known is not None:
            return tuple(known[0]), Path(known[1])
        folder = Path(self.folder, "modules", module)
        found = dockerfile.of_module(folder) if folder.is_dir() else None
        return None if found is None else found.on_this_machine(folder)


class Planner:
    """Makes plans from desired properties. `scratch` is a file that it may write."""

    def __init__(self, sources: Sources, scratch: Path, *, containers: bool) -> None:
        self._sources = sources
        self._scratch = scratch
        self._containers = containers

    def plan(self, desired: Mapping[str, Any], version: int) -> Plan:
        """The plan; raises PlanError, in the words of the linter, for what edgeAgent would refuse."""
        from localhub import config  # noqa: PLC0415  only a change of the deployment needs it

        content = {AGENT: {SECTION: dict(desired)}}
        problems = self._problems(content)
        if problems:
            raise PlanError(AGENT, "; ".join(problems))
        try:
            toml = config.load(Path(self._sources.config)) if self._sources.config else None
        except (config.ConfigError, OSError) as error:
            raise PlanError(AGENT, str(error)) from error
        settings = toml or config.Config(folder=Path(self._sources.folder))
        plan = make_plan(
            content,
            settings,
            self._sources.command_of,
            leaves=self._sources.leaves,
            containers=self._containers,
            optional=settings.modules,
        )
        return replace(plan, version=version)

    def _problems(self, content: Mapping[str, Any]) -> list[str]:
        from localhub.manifest.environment import Environment  # noqa: PLC0415
        from localhub.manifest.manifest import read_manifest  # noqa: PLC0415
        from localhub.manifest.problem import Severity  # noqa: PLC0415
        from localhub.manifest.rules import of_the_agent  # noqa: PLC0415

        write_atomic(self._scratch, json.dumps({"modulesContent": content}).encode())
        environment = Environment.of(Path(self._sources.folder), {}, None)
        manifest = read_manifest(self._scratch, (), environment)
        found = [problem for problem in of_the_agent(manifest) if problem.severity is Severity.ERROR]
        return [f"{problem.message}{f' ({problem.hint})' if problem.hint else ''}" for problem in found]


def repository(image: str) -> str:
    """An image's name without tag and digest: a colon before the last slash is a port's."""
    name = image.partition("@")[0]
    head, slash, last = name.rpartition("/")
    return f"{head}{slash}{last.partition(':')[0]}"
