"""Two processes hide nothing that one would show."""

from __future__ import annotations

import os
import re
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


def in_two(folder: Path, files: dict[str, str]) -> subprocess.CompletedProcess[str]:
    """Run tests as `make test` does."""
    pytest.importorskip("xdist")
    files |= {
        "pytest.ini": f"[pytest]\nfilterwarnings = error\npythonpath = {ROOT}\n",
        "conftest.py": "from tests.schedule import *\n",
    }
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    command = [sys.executable, "-m", "pytest", "-v", "-p", "no:schemathesis", "--import-mode=importlib", "-n", "2"]
    outer = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    return subprocess.run(command, cwd=folder, env=outer, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("folder", LINE)
def test_what_runs_alone_is_there(folder: str) -> None:
    files = [file.relative_to(ROOT) for file in (ROOT / folder).glob("test_*.py")]
    assert {group(file) for file in files} == {"line"}


def test_every_other_folder_is_a_group() -> None:
    assert group(PurePath("tests/localhub/hub/broker/test_rules.py")) == "tests/localhub/hub/broker"


@pytest.mark.parametrize("body", [LEAK, LEAK.replace("Ring()", "pass")], ids=["left", "closed"])
def test_a_socket_that_is_left_fails_a_run_in_two_processes(tmp_path: Path, body: str) -> None:
    done = in_two(tmp_path, {"test_leak.py": body})
    assert "1 passed" in done.stdout, done.stdout + done.stderr
    assert (done.returncode, "unclosed <socket" in done.stdout) == ((1, True) if body is LEAK else (0, False))


def test_a_group_is_run_in_one_process(tmp_path: Path) -> None:
    several = "import pytest\n\n@pytest.mark.parametrize('n', range(6))\ndef test_it(n):\n    pass\n"
    folders = ["tests/apart", *LINE]
    done = in_two(tmp_path, {f"{folder}/test_{name}.py": several for folder in folders for name in ("one", "two")})
    ran = re.findall(r"\[(gw\d)\].*PASSED (\S+)/test_", done.stdout)
    assert len(ran) == 2 * 6 * len(folders), done.stdout + done.stderr
    assert len({process for process, folder in ran if folder in LINE}) == 1
    assert len({process for process, folder in ran}) == 2
