"""A run of the tests ends, whatever hangs in it, and says where."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

TEARDOWN = """
import threading
import pytest

@pytest.fixture
def hanging():
    yield
    threading.Event().wait()

def test_that_fails(hanging):
    assert False
"""

AFTERWARDS = """
import threading

def hanging():
    threading.Event().wait()

def test_that_leaves_a_thread_behind():
    threading.Thread(target=hanging).start()
"""


@pytest.mark.parametrize("text", [TEARDOWN, AFTERWARDS])
def test_what_hangs_after_a_test_ends_the_run_and_says_where(tmp_path: Path, text: str) -> None:
    file = tmp_path / "test_it.py"
    file.write_text(text)
    run = subprocess.run(
        [
            *(sys.executable, "-m", "pytest", "-c", "/dev/null", "--rootdir", str(tmp_path), str(file)),
            *("-p", "tests.conftest", "-p", "no:cacheprovider", "-p", "no:schemathesis", "-o", "ending_timeout=2"),
        ],
        cwd=ROOT, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert run.returncode == 1
    assert "Timeout (0:00:02)!" in run.stderr
    assert " in hanging" in run.stderr
