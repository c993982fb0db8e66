"""Each image's bill of materials names what its lock file names, with the hashes, and is CycloneDX."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PYTHON = (
    ROOT / ".venv-tools" / "cyclonedx" / "bin" / "python"
)  # apart: chardet, which it needs, costs every module 3 MB
VALID = """
import sys
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
sys.exit(str(JsonStrictValidator(SchemaVersion.V1_6).validate_str(sys.stdin.read()) or "") or None)
"""


def test_a_bill_of_materials_is_the_lock_file(tmp_path: Path) -> None:
    if not PYTHON.exists():
        pytest.skip("no .venv-tools/cyclonedx: run make sbom")
    subprocess.run([PYTHON, ROOT / "docker" / "sbom.py", tmp_path, "cache"], check=True, capture_output=True)
    text = (tmp_path / "millwatch-cache.cdx.json").read_text()
    document = json.loads(text)
    libraries = {each["name"]: each for each in document["components"] if each["type"] == "library"}
    lock = (ROOT / "requirements" / "cache.txt").read_text()
    locked = dict(re.findall(r"^([A-Za-z0-9_.-]+)==([^ ;\\]+)", lock, re.MULTILINE))
    assert {name: each["version"] for name, each in libraries.items()} == locked
    (paho,) = libraries["paho-mqtt"]["externalReferences"]
    assert all(each["content"] in lock for each in paho["hashes"])
    assert document["metadata"]["component"]["name"] == "millwatch-cache"
    checked = subprocess.run([PYTHON, "-c", VALID], input=text, capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stderr
