"""Each image's bill of materials names what its lock file names, with the hashes, and is CycloneDX."""

from __future__ import annotations

import json
import re
from pathlib import Path
from types import ModuleType

from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

ROOT = Path(__file__).parents[2]


def test_a_bill_of_materials_is_the_lock_file(sbom: ModuleType) -> None:
    document = sbom.bill("cache")
    libraries = {each["name"]: each for each in document["components"] if each["type"] == "library"}
    lock = (ROOT / "requirements" / "cache.txt").read_text()
    locked = dict(re.findall(r"^([A-Za-z0-9_.-]+)==([^ ;\\]+)", lock, re.MULTILINE))
    assert {name: each["version"] for name, each in libraries.items()} == locked
    (paho,) = libraries["paho-mqtt"]["externalReferences"]
    assert all(each["content"] in lock for each in paho["hashes"])
    assert document["metadata"]["component"]["name"] == "millwatch-cache"
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(json.dumps(document)) is None
