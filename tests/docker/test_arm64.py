"""What is locked for the images can be installed on 64-bit Arm with no compiler."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PURE = {"paho-mqtt"}  # no wheel of it exists; it is Python alone and is built in the image
PLATFORMS = (
    "manylinux2014_aarch64",
    "manylinux_2_28_aarch64",
    "manylinux_2_34_aarch64",
)  # bookworm has 2.36


def locked() -> str:
    """The lock files of all modules as one."""
    entries: dict[str, str] = {}
    for module in sorted((ROOT / "modules").glob("*/module.json")):
        text = (ROOT / "requirements" / f"{module.parent.name}.txt").read_text()
        for entry in re.split(r"(?m)^(?=[A-Za-z0-9])", text):
            if "==" in entry:
                name = entry.split("==")[0]
                assert entries.setdefault(name, entry).split()[0] == entry.split()[0], f"two versions of {name}"
    return "".join(entries.values())


@pytest.mark.timeout(280)
def test_every_locked_package_has_a_wheel_for_arm(tmp_path: Path) -> None:
    lock, report = tmp_path / "lock.txt", tmp_path / "report.json"
    lock.write_text(locked())
    command = [sys.executable, "-m", "pip", "install", "--dry-run", "--quiet", "--disable-pip-version-check"]
    command += ["--no-deps", "--require-hashes", "--implementation", "cp", "--python-version", "3.11"]
    command += [part for platform in PLATFORMS for part in ("--platform", platform)]
    command += ["--target", str(tmp_path), "--report", str(report), "-r", str(lock)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if re.search(r"from versions: none|Connection|Temporary failure|Network is unreachable", done.stderr):
        pytest.skip("no package index answers, and only one knows the names of wheels")
    assert done.returncode == 0, done.stderr[-2000:]
    found = {
        each["metadata"]["name"].lower().replace("_", "-"): each["download_info"]["url"].rsplit("/", 1)[-1]
        for each in json.loads(report.read_text())["install"]
    }
    assert len(found) == lock.read_text().count("==")
    assert {name for name, file in found.items() if not file.endswith(".whl")} == PURE
    compiled = {name for name, file in found.items() if "aarch64" in file}
    assert {"numpy", "onnxruntime", "opencv-python-headless", "apsw", "cryptography"} <= compiled
