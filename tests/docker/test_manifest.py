"""The manifests: what each container may use, and that nothing waits for ever."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from localhub.manifest import load_deployment
from localhub.manifest.lint import lint
from localhub.manifest.options import MOST_PIECES, cut
from modules.alarms.settings import AlarmsSettings
from modules.cache.settings import CacheSettings
from modules.camera.settings import CameraSettings
from modules.common.settings import Settings, validate
from modules.inference.settings import InferenceSettings
from modules.sensors.settings import SensorsSettings
from modules.status.settings import StatusSettings
from modules.vibration.settings import VibrationSettings

ROOT = Path(__file__).parents[2]
BASE = ROOT / "deployment.template.json"
DEBUG = ROOT / "deployment.debug.template.json"
LAYER = ROOT / "deployment.camera2.template.json"
SENSORS = ROOT / "deployment.sensors.template.json"
ALARMS = ROOT / "deployment.alarms.template.json"
MANIFESTS = [(BASE, ()), (DEBUG, ()), (BASE, (LAYER,)), (BASE, (SENSORS,)), (BASE, (ALARMS,))]
VARIABLES = {f"CONTAINER_REGISTRY_{name}": "x" for name in ("SERVER", "USERNAME", "PASSWORD")}


def modules() -> Iterator[tuple[str, dict[str, Any]]]:
    for path, layers in MANIFESTS:
        for name, module in load_deployment(path, layers, variables=VARIABLES).modules.items():
            yield f"{path.name}-{name}", {"order": module.startup_order, **module.create_options}


@pytest.mark.parametrize(("path", "layers"), MANIFESTS, ids=str)
def test_the_linter_has_nothing_to_say(path: Path, layers: tuple[Path, ...]) -> None:
    assert lint(path, layers, variables=VARIABLES) == []


@pytest.mark.parametrize(
    ("name", "options"), list(modules()), ids=lambda value: value if isinstance(value, str) else ""
)
def test_a_container_gets_what_it_needs_and_no_more(name: str, options: dict[str, Any]) -> None:
    host = options["HostConfig"]
    assert host["ReadonlyRootfs"] is True
    assert host["CapDrop"] == ["ALL"]
    assert not {"CapAdd", "Privileged", "Binds", "NetworkMode", "PidMode", "IpcMode"} & host.keys()
    assert host["SecurityOpt"] == ["no-new-privileges"]
    assert 0 < host["Memory"] == host["MemorySwap"]
    assert host["PidsLimit"] > 0
    assert host["LogConfig"]["Config"] == {"max-size": "10m", "max-file": "3"}
    for bindings in host.get("PortBindings", {}).values():
        assert [binding["HostIp"] for binding in bindings] == ["127.0.0.1"]
    writable = [mount for mount in host["Mounts"] if not mount.get("ReadOnly")]
    assert [mount["Target"] for mount in writable] == ["/data"]
    assert all(mount["Type"] == "volume" for mount in host["Mounts"])
    assert ("Devices" in host) == name.endswith("camera2")
    assert options["order"] >= 1
    assert len(cut({key: value for key, value in options.items() if key != "order"})) <= MOST_PIECES


def test_versions_stores_and_twins() -> None:
    document = json.loads(BASE.read_text())
    assert document["$schema-template"] == "4.0.0"
    content = document["modulesContent"]
    agent, hub = (content[f"$edge{name}"]["properties.desired"] for name in ("Agent", "Hub"))
    assert agent["schemaVersion"] == hub["schemaVersion"] == "1.1"
    (store,) = agent["systemModules"]["edgeHub"]["settings"]["createOptions"]["HostConfig"]["Mounts"]
    assert agent["systemModules"]["edgeHub"]["env"]["storageFolder"]["value"] == store["Target"]
    assert agent["systemModules"]["edgeHub"]["startupOrder"] == 0
    for name in agent["modules"]:
        assert content[name]["properties.desired"]["settings"], f"{name} has no defaults in its twin"
    for route in hub["routes"].values():
        assert route.keys() == {"route", "timeToLiveSecs", "priority"}
        assert route["timeToLiveSecs"] > 0
    assert hub["storeAndForwardConfiguration"]["timeToLiveSecs"] > 0


TYPES: dict[str, type[Settings]] = {
    "camera": CameraSettings,
    "camera2": CameraSettings,
    "vibration": VibrationSettings,
    "inference": InferenceSettings,
    "cache": CacheSettings,
    "sensors": SensorsSettings,
    "alarms": AlarmsSettings,
    "status": StatusSettings,
}


def test_every_module_takes_the_settings_of_its_twin() -> None:
    twins = load_deployment(BASE, (LAYER, SENSORS, ALARMS), variables=VARIABLES).twins
    assert twins.keys() == TYPES.keys()
    for name, twin in twins.items():
        validate(TYPES[name], twin["settings"])


@pytest.mark.parametrize(("layer", "module"), [(LAYER, "camera2"), (SENSORS, "sensors"), (ALARMS, "alarms")], ids=str)
def test_a_layer_adds_a_module_and_leaves_the_rest(layer: Path, module: str) -> None:
    base, more = (load_deployment(BASE, layers, variables=VARIABLES) for layers in ((), (layer,)))
    assert set(more.modules) - set(base.modules) == {module}
    assert {name: more.modules[name].create_options for name in base.modules} == {
        name: module.create_options for name, module in base.modules.items()
    }
    added = set(more.content["$edgeHub"]["properties.desired"]["routes"]) - set(
        base.content["$edgeHub"]["properties.desired"]["routes"]
    )
    assert len(added) == 4
    assert more.modules[module].image.rpartition(":")[0] == f"x/millwatch-{module.rstrip('2')}"
