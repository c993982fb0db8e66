"""`localhub.toml`, the file beside a manifest that says what a manifest cannot: how an image becomes a process here.

    [modules.camera]                     # absent: the Dockerfile's exec-form CMD, run in the module's folder
    command = ["${PYTHON}", "-m", "modules.camera"]
    folder = "."                         # where it runs, from this file's folder (default)
    env = { KEY = "value" }              # over the manifest's env
    ports = { "8080/tcp" = "8081" }      # as a container (--containers): the host's ports, over createOptions' own

    [devices.plant]                      # leaf devices, started once the modules are up
    command = ["${PYTHON}", "-m", "devices.plant"]
    restart = "on-failure"               # never (default) | on-failure
    start = "auto"                       # auto (default) | manual: only with --leaf plant
    auth = "sas"                         # sas (default) | x509_ca | x509_thumbprint: how it proves its id

    [screen]
    highlight = "kind = 'alert'"         # a route condition: these messages are shown as they reach the hub
    line = "${severity}: ${text}"         # how: from properties and the body's own members (default: all of them)
    page = "http://127.0.0.1:8080"       # printed for the person at the terminal

`${NAME}` in commands, env and ports stands for PYTHON, STATE, MODULE_STATE, HUB_METRICS, AGENT_METRICS, or the
environment's NAME; `${NAME:-text}` gives `text` where NAME is not set.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from localhub.identity import Auth

FILE_NAME = "localhub.toml"
_VARIABLE = re.compile(r"\$\{(?P<name>[A-Za-z_][A-Za-z0-9_]*)(?::-(?P<default>[^}]*))?\}")
_TABLE = re.compile(r"\[\[?\s*(.+?)\s*\]\]?\s*(?:#.*)?")
_TOML_LINE = re.compile(r"\(at line (\d+)")


class ConfigError(ValueError):
    """localhub.toml cannot be used. `path` and `line` (from 1) say where, the text what to write instead."""

    def __init__(self, path: Path, line: int, text: str) -> None:
        super().__init__(f"{path}:{line}: {text}")
        self.path, self.line, self.text = path, line, text


@dataclass(frozen=True, slots=True, kw_only=True)
class ModuleConfig:
    """How one module of the manifest becomes a process, or which `ports` of this machine its container gets."""

    command: tuple[str, ...] | None = None
    folder: Path | None = None
    env: Mapping[str, str] = field(default_factory=dict)
    ports: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceConfig:
    """One leaf device: a process that speaks to the hub as a device of its own."""

    command: tuple[str, ...]
    folder: Path
    env: Mapping[str, str] = field(default_factory=dict)
    restart: str = "never"
    start: str = "auto"
    auth: Auth = Auth.SAS


@dataclass(frozen=True, slots=True, kw_only=True)
class ScreenConfig:
    """What the terminal shows beyond the common figures."""

    highlight: str | None = None
    line: str | None = None
    page: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """The whole file, checked."""

    folder: Path
    modules: Mapping[str, ModuleConfig] = field(default_factory=dict)
    devices: Mapping[str, DeviceConfig] = field(default_factory=dict)
    screen: ScreenConfig = field(default_factory=ScreenConfig)


def load(path: Path) -> Config:
    """Read a localhub.toml; raises ConfigError with the line, or OSError."""
    try:
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise ConfigError(path, 1, "is not UTF-8 text") from error
    return parse(text, path)


def parse(text: str, path: Path) -> Config:
    """Check the text of a localhub.toml; `path` names it in errors and its folder resolves `folder` keys."""
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        found = _TOML_LINE.search(str(error))
        line = int(found[1]) if found else len(text.splitlines())  # without one it is the end of the document
        raise ConfigError(path, line, f"is not TOML: {error}") from error
    reader = _Reader(text, path)
    reader.known((), document, ("modules", "devices", "screen"))
    screen = reader.table((), document, "screen")
    reader.known(("screen",), screen, ("highlight", "line", "page"))
    return Config(
        folder=path.parent.resolve(),
        modules={name: reader.module(name, table) for name, table in reader.tables(document, "modules")},
        devices={name: reader.device(name, table) for name, table in reader.tables(document, "devices")},
        screen=ScreenConfig(
            highlight=reader.text(("screen",), screen, "highlight"),
            line=reader.text(("screen",), screen, "line"),
            page=reader.text(("screen",), screen, "page"),
        ),
    )


def expand(text: str, variables: Mapping[str, str]) -> str:
    """Replace `${NAME}` and `${NAME:-default}`; raises KeyError(NAME) when a name has neither value nor default.

    An empty value counts as none for a default, as in a shell.
    """

    def value(found: re.Match[str]) -> str:
        name, default = found["name"], found["default"]
        if default is not None:
            return variables.get(name) or default
        return variables[name]

    return _VARIABLE.sub(value, text)


def line_of(text: str, keys: Sequence[str]) -> int:
    """The line (from 1) where `keys` (table parts, perhaps a key) is written, else that of the nearest table."""
    nearest, inside = 1, True
    for number, raw in enumerate(text.splitlines(), start=1):
        line = raw.strip()
        key = line.split("=", 1)[0].strip().strip("\"'") if "=" in line else ""
        if header := _TABLE.fullmatch(line):
            here = tuple(part.strip().strip("\"'") for part in header[1].split("."))
            if here == tuple(keys):
                return number
            inside = here == tuple(keys[: len(here)])
            nearest = number if inside else nearest
        elif inside and key == keys[-1]:
            return number
        elif inside and key in keys:
            nearest = number
    return nearest


class _Reader:
    """Checks shapes, and knows where in the text each came from."""

    def __init__(self, text: str, path: Path) -> None:
        self._text, self._path = text, path

    def fail(self, keys: tuple[str, ...], text: str) -> ConfigError:
        return ConfigError(self._path, line_of(self._text, keys), f"{'.'.join(keys)} {text}")

    def known(self, keys: tuple[str, ...], table: Mapping[str, Any], names: tuple[str, ...]) -> None:
        for name in table:
            if name not in names:
                raise self.fail((*keys, name), f"is not known here; known are: {', '.join(names)}")

    def table(self, keys: tuple[str, ...], table: Mapping[str, Any], name: str) -> Mapping[str, Any]:
        value = table.get(name, {})
        if not isinstance(value, dict):
            raise self.fail((*keys, name), "must be a table")
        return value

    def tables(self, document: Mapping[str, Any], name: str) -> list[tuple[str, Mapping[str, Any]]]:
        outer = self.table((), document, name)
        return [(key, self.table((name,), outer, key)) for key in outer]

    def text(self, keys: tuple[str, ...], table: Mapping[str, Any], name: str) -> str | None:
        value = table.get(name)
        if value is not None and not isinstance(value, str):
            raise self.fail((*keys, name), "must be a string")
        return value

    def choice(self, keys: tuple[str, ...], table: Mapping[str, Any], name: str, choices: tuple[str, ...]) -> str:
        value = table.get(name, choices[0])
        if value not in choices:
            raise self.fail((*keys, name), f"must be one of {', '.join(choices)}")
        return str(value)

    def command(self, keys: tuple[str, ...], table: Mapping[str, Any]) -> tuple[str, ...] | None:
        value = table.get("command")
        if value is None:
            return None
        if not isinstance(value, list) or not value or not all(isinstance(part, str) for part in value):
            raise self.fail((*keys, "command"), 'must be a list of strings, as ["${PYTHON}", "-m", "mymodule"]')
        return tuple(value)

    def env(self, keys: tuple[str, ...], table: Mapping[str, Any], key: str = "env") -> dict[str, str]:
        values = self.table(keys, table, key)
        for name, value in values.items():
            if not isinstance(value, str | int | float):
                raise self.fail((*keys, key, name), "must be a string, a number or a boolean")
        return {name: _scalar(value) for name, value in values.items()}

    def folder(self, keys: tuple[str, ...], table: Mapping[str, Any]) -> Path | None:
        value = self.text(keys, table, "folder")
        if value is None:
            return None
        folder = (self._path.parent / value).resolve()
        if not folder.is_dir():
            raise self.fail((*keys, "folder"), f"{value!r} is no folder")
        return folder

    def module(self, name: str, table: Mapping[str, Any]) -> ModuleConfig:
        keys = ("modules", name)
        self.known(keys, table, ("command", "folder", "env", "ports"))
        return ModuleConfig(
            command=self.command(keys, table),
            folder=self.folder(keys, table),
            env=self.env(keys, table),
            ports=self.env(keys, table, "ports"),
        )

    def device(self, name: str, table: Mapping[str, Any]) -> DeviceConfig:
        keys = ("devices", name)
        self.known(keys, table, ("command", "folder", "env", "restart", "start", "auth"))
        command = self.command(keys, table)
        if command is None:
            raise self.fail(keys, "needs a command: a leaf device has no image to take it from")
        return DeviceConfig(
            command=command,
            folder=self.folder(keys, table) or self._path.parent.resolve(),
            env=self.env(keys, table),
            restart=self.choice(keys, table, "restart", ("never", "on-failure")),
            start=self.choice(keys, table, "start", ("auto", "manual")),
            auth=Auth(self.choice(keys, table, "auth", tuple(Auth))),
        )


def _scalar(value: float | str | bool) -> str:  # noqa: FBT001  a TOML scalar, whichever
    return str(value).lower() if isinstance(value, bool) else str(value)
