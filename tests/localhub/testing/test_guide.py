"""The example of docs/guides/testing-modules.md, run as it stands there."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.system
ROOT = Path(__file__).resolve().parents[3]
FILE = re.compile(r"```python file=(\S+)\n(.*?)```", re.DOTALL)


def test_the_guide_s_example_passes(tmp_path: Path) -> None:
    files = dict(FILE.findall((ROOT / "docs/guides/testing-modules.md").read_text()))
    assert set(files) == {"hot.py", "conftest.py", "test_hot.py"}
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    ended = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--rootdir", str(tmp_path), str(tmp_path)],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert "4 passed" in ended.stdout


def test_localhub_itself_imports_no_pytest() -> None:
    asked = "import sys, localhub.testing, localhub.__main__; raise SystemExit('pytest' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", asked], cwd=ROOT, check=False).returncode == 0
