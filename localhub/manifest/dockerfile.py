"""What a Dockerfile says about starting its image: CMD, ENTRYPOINT, ENV and WORKDIR of the last stage."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath
from typing import Final

_INSTRUCTION: Final = re.compile(r"\s*([A-Za-z]+)\s+(.*)", re.DOTALL)
_VARIABLE: Final = re.compile(r"\$(?:(\w+)|\{(\w+)(?::-([^}]*))?\})")
_PYTHON: Final = re.compile(r"(?:/usr/(?:local/)?bin/)?python(?:3(?:\.\d+)?)?")
_STAGE: Final = re.compile(r"(?:--\S+\s+)*(\S+)(?:\s+as\s+(\S+))?", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Start:
    """How an image starts.

    `command` is ENTRYPOINT and CMD together, empty where there is none or where it is in shell form (`shell`).
    """

    entrypoint: tuple[str, ...] = ()
    cmd: tuple[str, ...] = ()
    shell: bool = False
    env: Mapping[str, str] = field(default_factory=dict)
    workdir: str = "/"

    @property
    def command(self) -> tuple[str, ...]:
        """The words that are started."""
        return () if self.shell else self.entrypoint + self.cmd

    def on_this_machine(self, folder: Path) -> tuple[tuple[str, ...], Path] | None:
        """The command and the folder to run it in, with this machine's Python and paths under WORKDIR in `folder`.

        A command `python -m a.b` whose package `a` stands above the module's folder runs where `a` stands. None
        where there is no exec-form command.
        """
        if not self.command:
            return None
        words = [self._here(word, folder) for word in self.command]
        python = _PYTHON.fullmatch(words[0]) is not None
        if python:
            words[0] = "${PYTHON}"
        if python and "-m" in words[1:-1]:
            package = words[words.index("-m") + 1].split(".")[0]
            folder = next((near for near in (folder, *folder.parents) if (near / package).is_dir()), folder)
        return tuple(words), folder

    def _here(self, word: str, folder: Path) -> str:
        path = PurePosixPath(word)
        if path.is_absolute() and self.workdir != "/" and path.is_relative_to(self.workdir):
            return str(folder / path.relative_to(self.workdir))
        return word


def of_module(folder: Path) -> Start | None:
    """The start of the first of a module's Dockerfiles that has an exec-form command; None where none has."""
    for file in sorted([*folder.glob("Dockerfile"), *folder.glob("Dockerfile.*")]):
        if not file.name.endswith(".debug"):
            start = parse(file.read_text("utf-8", "replace"))
            if start.command:
                return start
    return None


def parse(text: str) -> Start:
    """The start that a Dockerfile describes; stages that build on one another inherit."""
    stages: dict[str, Start] = {}
    start, name = Start(), ""
    arguments: dict[str, str] = {}
    for word, rest in _instructions(text):
        values = {**arguments, **start.env}
        match word:
            case "FROM":
                stage = _STAGE.match(rest)
                base, name = (stage[1], (stage[2] or "").lower()) if stage is not None else ("", "")
                start = stages.get(base.lower(), Start())
            case "ARG":
                key, _, value = rest.partition("=")
                arguments[key.strip()] = value.strip().strip("\"'")
            case "ENV":
                start = replace(start, env={**start.env, **_variables(rest, values)})
            case "WORKDIR":
                where = PurePosixPath(start.workdir) / _filled(rest.strip().strip("\"'"), values)
                start = replace(start, workdir=str(where))
            case "CMD":
                words = _exec_form(rest)
                start = replace(start, cmd=words or (), shell=words is None)
            case "ENTRYPOINT":
                words = _exec_form(rest)
                start = replace(start, entrypoint=words or (), cmd=(), shell=words is None)
            case _:
                continue
        if name:
            stages[name] = start
    return start


def _instructions(text: str) -> list[tuple[str, str]]:
    """Instructions in order, continued lines joined, comments left out."""
    found: list[tuple[str, str]] = []
    pending = ""
    for line in text.splitlines():
        if line.lstrip().startswith("#"):
            continue
        if line.rstrip().endswith("\\"):
            pending += line.rstrip()[:-1] + " "
            continue
        match = _INSTRUCTION.fullmatch(pending + line)
        pending = ""
        if match is not None:
            found.append((match[1].upper(), match[2].strip()))
    return found


def _exec_form(rest: str) -> tuple[str, ...] | None:
    """The words of a JSON list; None for shell form."""
    try:
        words = json.loads(rest)
    except json.JSONDecodeError:
        return None
    if not isinstance(words, list) or not all(isinstance(word, str) for word in words):
        return None
    return tuple(words)


def _variables(rest: str, values: Mapping[str, str]) -> dict[str, str]:
    """ENV in both its forms, `A=1 B="x y"` and `A x y`."""
    first = rest.split(maxsplit=1)
    if first and "=" not in first[0]:
        return {first[0]: _filled(first[1] if len(first) > 1 else "", values)}
    pairs = (word.partition("=") for word in shlex.split(rest))
    return {name: _filled(value, values) for name, _, value in pairs if name}


def _filled(text: str, values: Mapping[str, str]) -> str:
    return _VARIABLE.sub(lambda match: values.get(match[1] or match[2], match[3] or ""), text)
