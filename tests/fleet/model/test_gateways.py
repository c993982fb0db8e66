"""promote, trial and rollback through localhub's service API: the twin is told, and the module hears it."""

import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from fleet.__main__ import main
from fleet.exits import Exit
from localhub.cloud.service.serving import login
from localhub.testing import Hub, running, write_manifest

pytestmark = pytest.mark.system

Fleet = Callable[..., int]
MakePackage = Callable[..., Path]

IDLE = """
import asyncio, signal
from azure.iot.device.aio import IoTHubModuleClient

async def main():
    client = IoTHubModuleClient.create_from_edge_environment(connection_retry_interval=1)
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    await client.connect()
    await stop.wait()
    await client.shutdown()

asyncio.run(main())
"""
BASE = {"settings": {"packages": {"tile": {"path": "tile"}}}}


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hub]:
    folder = tmp_path_factory.mktemp("fleet-model")
    (folder / "idle.py").write_text(IDLE)
    manifest = write_manifest(
        folder,
        {"inference": [sys.executable, "idle.py"]},
        {"up": "FROM /messages/* INTO $upstream"},
        {"inference": BASE},
    )
    with running(manifest) as found:
        found.until((found.state.root / "cloud" / "service.port").exists, 60, "the service API")
        yield found


@pytest.fixture
def told(hub: Hub, fleet: Fleet) -> Fleet:
    """`fleet model ...` with a login to this hub."""

    def run(*words: object) -> int:
        return fleet(*words, "--login", f"{login(hub.state)};CaFile={hub.state.ca_certificate}")

    return run


def settings(hub: Hub) -> dict[str, Any]:
    found: dict[str, Any] = hub.desired("inference")["settings"]
    return found


def test_a_trial_is_promoted_and_rolled_back(
    hub: Hub, told: Fleet, begun: Path, fleet: Fleet, make_package: MakePackage, capsys: pytest.CaptureFixture[str]
) -> None:
    assert fleet("publish", make_package("1.0.0"), make_package("1.1.0")) == Exit.OK
    where = ("--device", hub.state.gateway)
    assert told("trial", "tile", "picture/tile/1.1.0", "--share", "0.25", "--rule", '{"n": 500}', *where) == Exit.OK
    trial = settings(hub)["trials"]["tile"]
    assert trial == {"target": "picture/tile/1.1.0", "mode": "share", "share": 0.25, "rule": {"n": 500}}
    assert told("trial", "tile", "picture/tile/1.1.0", *where) == Exit.OK
    assert settings(hub)["trials"]["tile"] == {"target": "picture/tile/1.1.0"}  # of the one before nothing stays
    assert told("promote", "tile", "picture/tile/1.1.0", *where) == Exit.OK
    assert settings(hub)["versions"] == {"tile": "picture/tile/1.1.0"}
    assert settings(hub)["trials"] == {}
    assert settings(hub)["packages"] == {"tile": {"path": "tile"}}
    before = len(list((begun / "metadata").glob("*.targets.json")))
    assert told("rollback", "tile", "picture/tile/1.1.0", "--to", "picture/tile/1.0.0", *where) == Exit.OK
    assert settings(hub)["versions"] == {"tile": "picture/tile/1.0.0"}
    assert len(list((begun / "metadata").glob("*.targets.json"))) == before + 1
    capsys.readouterr()
    fleet("list", "--format", "json")
    assert list(json.loads(capsys.readouterr().out)["packages"]) == ["picture/tile/1.0.0"]


def test_gateways_by_tag_and_a_dry_run(hub: Hub, told: Fleet, capsys: pytest.CaptureFixture[str]) -> None:
    access = ("--login", f"{login(hub.state)};CaFile={hub.state.ca_certificate}")
    assert main(["twin", "set", hub.state.gateway, "--tag", "models=canary", *access]) == Exit.OK
    before = settings(hub)
    capsys.readouterr()
    canary = ("--where", "tags.models = 'canary'")
    assert told("promote", "tile", "picture/tile/1.2.0", *canary, "--dry-run") == Exit.OK
    dry = json.loads(capsys.readouterr().out)
    assert dry["requests"] == [f"PATCH /twins/{hub.state.gateway}/modules/inference"]
    assert dry["patch"]["properties"]["desired"]["settings"]["versions"] == {"tile": "picture/tile/1.2.0"}
    assert settings(hub) == before
    assert told("promote", "tile", "picture/tile/1.2.0", *canary, "--format", "json") == Exit.OK
    (one,) = json.loads(capsys.readouterr().out)
    assert one == {"device": hub.state.gateway, "result": {"version": hub.desired("inference")["$version"]}}
    assert settings(hub)["versions"] == {"tile": "picture/tile/1.2.0"}
    assert told("promote", "tile", "picture/tile/1.3.0", "--where", "tags.models = 'none'") == Exit.REFUSED


def test_one_gateway_that_is_not_there_does_not_keep_the_others_back(
    hub: Hub, told: Fleet, capsys: pytest.CaptureFixture[str]
) -> None:
    where = ("--device", "ghost", "-d", hub.state.gateway)
    assert told("promote", "tile", "picture/tile/1.4.0", *where) == Exit.SOME
    assert "fleet: ghost: " in capsys.readouterr().err
    assert settings(hub)["versions"] == {"tile": "picture/tile/1.4.0"}


def test_what_is_no_version_is_refused_before_the_hub_is_asked(fleet: Fleet) -> None:
    with pytest.raises(SystemExit) as ended:
        fleet("promote", "tile", "../tile", "--device", "gw1")
    assert ended.value.code == Exit.USAGE
