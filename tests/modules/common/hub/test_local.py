"""A setting changed on the gateway while the cloud is away and changes it too: the real SDK, localhub, a kill."""

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from localhub.control.client import Client
from localhub.testing import Hub, running, write_manifest

pytestmark = pytest.mark.system

PROBE = Path(__file__).with_name("probe.py")
ROOT = PROBE.parents[4]


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[Hub]:
    manifest = write_manifest(
        tmp_path,
        modules={"receiver": [sys.executable, str(PROBE), "receiver"]},
        routes={"up": "FROM /messages/* INTO $upstream"},
        desired={"receiver": {"settings": {"count": 5}}},
    )
    toml = tmp_path / "localhub.toml"
    env = {"MILLWATCH_STATE": "${MODULE_STATE}", "MILLWATCH_VIEW_PORT": "0", "PYTHONPATH": str(ROOT), "STORY": "story"}
    toml.write_text(
        f"{toml.read_text()}[modules.receiver.env]\n" + "".join(f"{k} = {json.dumps(v)}\n" for k, v in env.items())
    )
    with running(manifest) as hub:
        yield hub


def local(twin: Any) -> dict[str, str]:
    return {name: each["state"] for name, each in twin["reported"].get("localSettings", {}).items()}


def test_the_later_version_of_the_cloud_wins_and_the_local_change_is_on_record_in_the_cloud(hub: Hub) -> None:
    cloud = Client(hub.state.cloud_socket)
    version = hub.desired("receiver")["$version"]
    hub.wait_reported("receiver", {"settings": {"version": version, "ok": True, "local": 0}})
    hub.link("down")
    asked = {"settings": {"count": 7, "hold_first_s": 0.25}, "who": "anna", "why": "belt runs slow"}
    answer = hub.call("receiver", "setLocal", asked)
    assert answer.status == 200, answer
    hub.restart("receiver", kill=True)
    hub.wait_connected("receiver")
    hub.wait_reported("receiver", {"localSettings": {"count": {"state": "in force", "value": 7, "base": version}}})
    assert hub.call("receiver", "getStatus").payload["settings"]["local"] == 2

    later = hub.set_desired("receiver", {"settings": {"count": 9}})  # in the cloud, which the gateway cannot reach
    assert local(cloud.get("/twin/receiver")) == {}
    hub.link("up")
    hub.wait_reported("receiver", {"settings": {"version": later, "ok": True, "local": 1}})
    record = hub.wait_reported("receiver", {"localSettings": {"count": {"state": "overridden"}}})["localSettings"]
    assert record["count"] | {"at": ""} == {
        "value": 7, "state": "overridden", "base": version, "who": "anna", "why": "belt runs slow", "at": "",
        "version": later, "cloud": 9,
    }  # fmt: skip
    assert record["hold_first_s"]["state"] == "in force"
    hub.until(lambda: local(cloud.get("/twin/receiver")) == {"count": "overridden", "hold_first_s": "in force"})
