"""Two processes hide nothing that one would show."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path, PurePath

import pytest

from tests.schedule import LINE, group

ROOT = Path(__file__).resolve().parents[2]
LEAK = """
import gc
import socket

class Ring:
    def __init__(self):
        self.ring, self.socket = self, socket.socket()

def test_it():
    gc.disable()
    Ring()
"""


@pytest.mark.parametrize("folder", LINE)
def test_what_runs_alone_is_there(folder: str) -> None:
    files = [file.relative_to(ROOT) for file in (ROOT / folder).glob("test_*.py")]
    assert {group(file) for file in files} == {"line"}


def test_every_other_folder_is_a_group() -> None:
    assert group(PurePath("tests/localhub/hub/broker/test_rules.py")) == "tests/localhub/hub/broker"


@pytest.mark.parametrize("body", [LEAK, LEAK.replace("Ring()", "pass")], ids=["left", "closed"])
def test_a_socket_that_is_left_fails_a_run_in_two_processes(tmp_path: Path, body: str) -> None:
    pytest.importorskip("xdist")
    (tmp_path / "test_leak.py").write_text(body)
    (tmp_path / "pytest.ini").write_text(f"[pytest]\nfilterwarnings = error\npythonpath = {ROOT}\n")
    (tmp_path / "conftest.py").write_text("from tests.schedule import *\n")
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:schemathesis", "-n", "2", "--dist", "loadgroup"]
    outer = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    done = subprocess.run(command, cwd=tmp_path, env=outer, capture_output=True, text=True, check=False)
    assert "1 passed" in done.stdout, done.stdout + done.stderr
    assert (done.returncode, "unclosed <socket" in done.stdout) == ((1, True) if body is LEAK else (0, False))
