"""The operator's whole way, by its own commands: keys, publish, twin, promote, rollback, over localhub and HTTPS."""

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from fleet.__main__ import main
from localhub.cloud.service.serving import login
from localhub.testing import Hub, running, write_manifest
from tests.waiting import holds

pytestmark = [pytest.mark.system, pytest.mark.soak]

ROOT = Path(__file__).resolve().parents[4]
MODULE = """
import os, runpy, sys
os.environ.update(MILLWATCH_STATE={state!r}, MILLWATCH_VIEW_PORT="0")
sys.path.insert(0, {root!r})
runpy.run_module("modules.inference", run_name="__main__")
"""


def told(hub: Hub) -> dict[str, Any]:
    found: dict[str, Any] = hub.reported("inference")
    return found


def runs(hub: Hub, version: str) -> bool:
    return bool(told(hub).get("models", {}).get("tile", {}).get("version") == version)


def test_a_version_is_published_promoted_and_rolled_back(
    web: Any,
    tmp_path: Path,
    make_package: Callable[..., Path],
    picture_card: Callable[..., dict[str, Any]],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("MILLWATCH_KEY_PASSPHRASE", "correct horse")
    place = ["--repository", str(web.folder), "--keys", str(tmp_path / "keys"), "--quiet"]
    assert main(["model", "keys", "create", *place, "--format", "json"]) == 0
    root = json.loads(capsys.readouterr().out)
    packages = [make_package(number, picture_card(version=number)) for number in ("1.1.0", "1.2.0")]
    assert main(["model", "publish", *map(str, packages), *place]) == 0

    (tmp_path / "line").mkdir()
    (tmp_path / "line" / "inference.py").write_text(MODULE.format(state=str(tmp_path / "data"), root=str(ROOT)))
    settings = {
        "packages": {"tile": {"path": str(make_package("shipped"))}},
        "updates": {"url": web.url, "root": root["root"], "root_sha256": root["sha256"], "ca": str(web.ca)},
    }
    manifest = write_manifest(
        tmp_path / "line",
        {"inference": [sys.executable, "inference.py"]},
        {"up": "FROM /messages/* INTO $upstream"},
        {"inference": {"settings": settings}},
    )
    with running(manifest) as hub:
        hub.until((hub.state.root / "cloud" / "service.port").exists, 60, "the service API")
        where = ["--device", hub.state.gateway, "--login", f"{login(hub.state)};CaFile={hub.state.ca_certificate}"]
        hub.until(lambda: runs(hub, "1.0.0"), 120, "what ships")
        assert main(["model", "promote", "tile", "picture/made-up/1.2.0", *where]) == 0
        hub.until(lambda: runs(hub, "1.2.0"), 120, "the new version")
        back = ["picture/made-up/1.2.0", "--to", "picture/made-up/1.1.0"]
        assert main(["model", "rollback", "tile", *back, *place, *where]) == 0
        hub.until(lambda: runs(hub, "1.1.0"), 120, "the version before")
        hub.until(lambda: holds(lambda: told(hub)["updates"]["tile"]["state"] == "running"), 120, "the report")
        assert main(["model", "promote", "tile", "picture/made-up/1.2.0", *where]) == 0
        hub.until(lambda: told(hub)["updates"]["tile"].get("wanted") == "picture/made-up/1.2.0", 120, "the wish")
