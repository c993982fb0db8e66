"""What a person is told who asks for containers where there can be none."""

from __future__ import annotations

import gc
import json
import sys
from pathlib import Path

import pytest

from localhub.exits import CannotStartError
from localhub.prepare import Options, prepare

MANIFEST = {
    "modulesContent": {
        "$edgeAgent": {
            "properties.desired": {
                "schemaVersion": "1.1",
                "runtime": {"type": "docker", "settings": {}},
                "systemModules": {
                    name: {"type": "docker", "settings": {"image": "x:1"}} for name in ("edgeAgent", "edgeHub")
                },
                "modules": {},
            }
        },
        "$edgeHub": {
            "properties.desired": {
                "schemaVersion": "1.1",
                "routes": {},
                "storeAndForwardConfiguration": {"timeToLiveSecs": 10},
            }
        },
    }
}


@pytest.fixture
def options(tmp_path: Path) -> Options:
    manifest = tmp_path / "deployment.json"
    manifest.write_text(json.dumps(MANIFEST))
    return Options(manifest=manifest, state=tmp_path / "state", address="127.61.8.1", containers=True)


def test_without_the_sdk_it_says_what_to_install(options: Options, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "docker", None)
    with pytest.raises(CannotStartError, match=r"pip install 'docker>=7\.2,<8'"):
        prepare(options)


def test_without_an_engine_it_says_how_to_have_one(options: Options, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("docker", reason="needs the Docker SDK: pip install docker")
    monkeypatch.setenv("DOCKER_HOST", f"unix://{options.state}/no.sock")
    with pytest.raises(CannotStartError, match=r"no Docker engine answers .* set DOCKER_HOST"):
        prepare(options)
    gc.collect()
    assert not (options.state / "localhub.json").exists(), "something was begun"
