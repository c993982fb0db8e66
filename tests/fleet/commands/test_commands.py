"""What the commands say without asking a hub: what would be asked, what is wrong, where to look."""

from __future__ import annotations

import gc
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from fleet.__main__ import main
from fleet.exits import Exit

LOGIN = ("--login", "HostName=plant.azure-devices.net;SharedAccessKeyName=service;SharedAccessKey=a2V5")
WHOLE: dict[str, Any] = {
    "modulesContent": {
        "$edgeAgent": {"properties.desired": {"modules": {}}},
        "$edgeHub": {"properties.desired": {"routes": {}}},
    }
}
LAYER: dict[str, Any] = {"modulesContent": {"inference": {"properties.desired.settings.batch": 8}}}


@pytest.fixture(autouse=True)
def _collected() -> Iterator[None]:
    yield
    gc.collect()  # the service SDK's sessions


@pytest.fixture
def whole(tmp_path: Path) -> str:
    (tmp_path / "whole.json").write_text(json.dumps(WHOLE))
    return str(tmp_path / "whole.json")


@pytest.fixture
def layer(tmp_path: Path) -> str:
    (tmp_path / "layer.json").write_text(json.dumps(LAYER))
    return str(tmp_path / "layer.json")


def test_dry_runs_name_the_requests_and_make_none(whole: str, layer: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["set-modules", "-d", "ulm-1", "-d", "ulm-2", "-d", "ulm-1", whole, "--dry-run", *LOGIN]) == Exit.OK
    said = json.loads(capsys.readouterr().out)
    assert said["requests"] == [f"POST /devices/{name}/applyConfigurationContent" for name in ("ulm-1", "ulm-2")]
    assert said["modulesContent"] == WHOLE["modulesContent"]
    words = ["deploy", "put", "canary", layer, "--layered", "--where", "tags.ring='canary'", "--priority", "3"]
    assert main([*words, "--dry-run"]) == Exit.OK
    said = json.loads(capsys.readouterr().out)
    assert said["request"] == "PUT /configurations/canary"
    assert said["body"]["content"] == LAYER
    assert main(["deploy", "delete", "canary", "--dry-run"]) == Exit.OK
    assert main(["method", "-", "restart", "-d", "ulm-1", "--dry-run", *LOGIN]) == Exit.OK
    assert '"POST /twins/ulm-1/methods"' in capsys.readouterr().out
    assert main(["twin", "set", "ulm-1", "--tag", "ring=canary", "--dry-run"]) == Exit.OK
    assert json.loads(capsys.readouterr().out)["patch"] == {"tags": {"ring": "canary"}}


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["set-modules", "-d", "a", "LAYER"], Exit.CONTENT, "a layer goes with `fleet deploy --layered`"),
        (["set-modules", "WHOLE"], Exit.USAGE, "--device, or with --where"),
        (["set-modules", "-d", "a", "--where", "*", "WHOLE"], Exit.USAGE, "--device, or with --where"),
        (["deploy", "put", "x", "LAYER", "--where", "*"], Exit.CONTENT, "say --layered"),
        (["deploy", "put", "x", "WHOLE", "--layered", "--where", "*"], Exit.CONTENT, "leave --layered out"),
        (["deploy", "put", "x", "WHOLE"], Exit.USAGE, "--where for whom"),
        (["deploy", "show"], Exit.USAGE, "wants the name"),
        (["method", "camera", "ping", "-d", "a", "--timeout", "4"], Exit.USAGE, "5 to 300"),
        (["method", "camera", "ping", "{", "-d", "a"], Exit.USAGE, "is not JSON"),
        (["twin", "set", "a", "rate"], Exit.USAGE, "neither a JSON object nor"),
    ],
)
def test_what_is_wrong_is_said_before_the_hub_is_asked(
    words: list[str], code: Exit, said: str, whole: str, layer: str, capsys: pytest.CaptureFixture[str]
) -> None:
    words = [{"WHOLE": whole, "LAYER": layer}.get(word, word) for word in words]
    assert main([*words, *LOGIN]) == code
    assert said in capsys.readouterr().err


def test_on_azure_alerts_say_where_they_are(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["alerts", *LOGIN]) == Exit.OK
    assert "--hub-name plant " in capsys.readouterr().out


@pytest.mark.parametrize("words", [["status", "--page", "0"], ["status", "--tries", "-1"], ["nothing"], []])
def test_the_command_line_is_checked(words: list[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(words)
    assert ended.value.code == Exit.USAGE
