"""Everything `run` does before the first process starts: check, refuse with the line, make the state folder."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from localhub import address, config
from localhub.agent.creation import Site
from localhub.agent.engine import Engine, EngineError
from localhub.agent.orphans import Records
from localhub.agent.plan import NOTHING_YET, PLAN, Plan, PlanError, make_plan
from localhub.agent.planner import SOURCES, Sources
from localhub.config import Config, ConfigError
from localhub.exits import CannotStartError, Exit
from localhub.identity import Auth, Credential, Identities
from localhub.manifest.deployment import Deployment, load_deployment
from localhub.manifest.problem import ManifestError
from localhub.state import FACTS, State, StateError, write_atomic

_LOCK: Final = "lock"


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What the command line of `run` says. `leaves` None: those that start by themselves.

    `joins` is the localhub that a further `gateway` is added to; such a one has no leaf devices, and need not have a
    manifest: it then begins with what it ran last, or nothing, and follows the cloud.
    """

    manifest: Path | None
    layers: Sequence[Path] = ()
    config: Path | None = None
    state: Path = Path(".state")
    address: str = "127.0.0.1"
    fresh: bool = False
    containers: bool = False
    strict: bool = False
    leaves: Sequence[str] | None = None
    gateway: str | None = None
    joins: State | None = None


@dataclass(frozen=True, slots=True)
class Prepared:
    """A state folder ready for hub, cloud and agent. `lock` is held as long as it is open."""

    state: State
    config: Config
    plan: Plan
    records: Records
    lock: int
    warnings: Sequence[str]
    ended: Sequence[str]


def prepare(options: Options) -> Prepared:
    """Check manifest, configuration, address and state folder; write the state. Raises CannotStartError."""
    if options.manifest is None:
        return _prepare_bare(options)
    toml = _toml(options, options.manifest)
    try:
        settings = config.load(toml) if options.config or toml.exists() else Config(folder=toml.parent.resolve())
        if options.joins is not None:
            settings = replace(settings, devices={})
        deployment = load_deployment(options.manifest, options.layers)
        plan = make_plan(
            deployment.content,
            settings,
            deployment.command_of,
            leaves=options.leaves,
            containers=options.containers,
            optional=_folders(options.manifest.parent / "modules"),
        )
    except (ConfigError, ManifestError) as error:
        raise CannotStartError(str(error)) from error
    except PlanError as error:
        if error.keys is None:
            raise CannotStartError(f"{options.manifest}:{deployment.line_of(error.name)}: {error}") from error
        line = config.line_of(toml.read_text(encoding="utf-8"), error.keys) if toml.exists() else 1
        raise CannotStartError(f"{toml}:{line}: {error}") from error
    except OSError as error:
        raise CannotStartError(f"{error.filename}: {error.strerror}") from error
    with _taken(options) as (records, ended, lock):
        if options.containers:
            _have_images(options, deployment, plan)
        state = _write_state(options)
        Identities.ensure(
            state.identities,
            state.gateway,
            [module.name for module in plan.modules],
            [name for name, device in settings.devices.items() if device.auth is Auth.SAS],
            _certified(state, settings),
        )
        write_atomic(state.manifest, json.dumps(deployment.content, indent=2).encode())
        write_atomic(state.agent / PLAN, plan.to_json())
        Sources.of(
            plan,
            folder=options.manifest.parent,
            config=toml if toml.exists() else None,
            leaves=options.leaves,
        ).save(state.agent / SOURCES)
    return Prepared(state, settings, plan, records, lock, deployment.warnings, ended)


def _prepare_bare(options: Options) -> Prepared:
    """A gateway that begins with what it ran last, or nothing; images become processes as where it joins."""
    assert options.joins is not None
    sources = replace(Sources.load(options.joins.agent / SOURCES), leaves=[])
    if options.config is not None:
        sources = replace(sources, config=str(options.config.resolve()), folder=str(options.config.resolve().parent))
    with _taken(options) as (records, ended, lock):
        state = _write_state(options)
        Identities.ensure(state.identities, state.gateway, [])
        file = state.agent / PLAN
        plan = Plan.from_json(file.read_bytes()) if file.exists() else Plan(modules=(), version=NOTHING_YET)
        write_atomic(file, plan.to_json())
        sources.save(state.agent / SOURCES)
    return Prepared(state, Config(folder=Path(sources.folder)), plan, records, lock, (), ended)


@contextlib.contextmanager
def _taken(options: Options) -> Iterator[tuple[Records, list[str], int]]:
    """The state folder for this process alone, without what an earlier run left; let go of when the block fails."""
    root = options.state.resolve()
    if options.fresh:
        _is_ours(root)
    lock = _locked(root)
    try:
        records = Records(root / "living.json", str(root))
        ended = records.end_leftovers() + Records(root / "agent" / "living.json", str(root)).end_leftovers()
        yield records, ended, lock
    except BaseException:
        os.close(lock)
        raise


def _folders(modules: Path) -> list[str]:
    """The modules whose sources stand beside the manifest, deployed or not."""
    return [path.name for path in modules.iterdir() if path.is_dir()] if modules.is_dir() else []


def _toml(options: Options, manifest: Path) -> Path:
    return options.config or manifest.parent / config.FILE_NAME


def _have_images(options: Options, deployment: Deployment, plan: Plan) -> None:
    """An engine that answers and every image on it, before anything starts."""
    try:
        engine = Engine()
        if options.fresh:
            engine.remove_volumes(Site.of(options.state.resolve()))
        engine.fetch({module.image for module in plan.modules}, list(deployment.registries.values()))
    except EngineError as error:
        raise CannotStartError(str(error), Exit.FAILED) from error


def _write_state(options: Options) -> State:
    """The facts that all processes share."""
    root = options.state.resolve()
    if options.fresh:
        _clear(root)
    address.check(options.address)
    try:
        state = State.prepare(root, address=options.address)
    except StateError as error:
        raise CannotStartError(str(error)) from error
    port = address.free_port(options.address, state.metrics_port)
    named = {} if options.gateway is None else {"gateway": options.gateway}
    cloud = None if options.joins is None else options.joins.run
    return State.prepare(root, metrics_port=port, strict=options.strict, cloud=cloud, **named)


def _certified(state: State, settings: Config) -> dict[str, Credential]:
    """Certificates for the leaf devices that are declared for one."""
    devices = {name: device.auth for name, device in settings.devices.items() if device.auth is not Auth.SAS}
    if not devices:
        return {}
    from localhub import certs  # noqa: PLC0415  X.509 takes a while to import, and few need it here

    authority = certs.ensure(state)
    return {name: certs.ensure_leaf(state, authority, name, auth) for name, auth in devices.items()}


def _locked(root: Path) -> int:
    """Take the state folder for this process alone; the kernel lets go of it when the process ends, however it ends."""
    root.mkdir(mode=0o700, parents=True, exist_ok=True)
    descriptor = os.open(root / _LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        holder = os.read(descriptor, 32).decode() or "unknown"
        os.close(descriptor)
        raise CannotStartError(
            f"another localhub (process {holder}) runs with state {root}; "
            f"stop it (python -m localhub stop --state {root}) or use another --state",
            Exit.BUSY,
        ) from error
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, str(os.getpid()).encode(), 0)
    return descriptor


def _is_ours(root: Path) -> None:
    """Only a state folder may be emptied: what is not there yet, holds nothing, or holds a localhub's facts."""
    if root.exists() and not (root / FACTS).exists() and any(entry.name != _LOCK for entry in root.iterdir()):
        raise CannotStartError(f"--fresh would empty {root}, which is not a state folder of localhub; name another")


def _clear(root: Path) -> None:
    """Empty the state folder."""
    for entry in root.iterdir():
        if entry.name == _LOCK:
            continue
        if entry.is_dir() and not entry.is_symlink():
            shutil.rmtree(entry)
        else:
            entry.unlink()
