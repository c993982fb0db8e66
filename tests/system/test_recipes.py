"""Each recipe, as `make run RECIPE=name` starts it: its own alert stands on the page."""

from __future__ import annotations

import importlib.util
import json
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from devices.line import free_port
from localhub.testing import running

ROOT = Path(__file__).resolve().parents[2]
RECIPES = ROOT / "docs" / "recipes"

# The moment from which on the description is played, and what the page has to show: source, rule, advice.
EXPECTED = {
    "cold-chain": (36, ("freezer1/door-open", "level", "shut the door")),
    "soil-and-pump": (8, ("pump1/flow", "deviation", "is there water? stop the pump before its seal burns")),
    "camera-trap": (10, ("trap1/pir", "level", "an animal passes: look at its pictures")),
    "press-line": (8, ("press1/main-bearing", "impacts", "schedule inspection")),
}
SHORT = {"cold-chain"}

pytestmark = pytest.mark.system


def test_every_recipe_is_expected_to_show_something() -> None:
    assert {each.name for each in RECIPES.iterdir()} == set(EXPECTED)


@pytest.mark.parametrize("name", EXPECTED)
def test_a_recipe_is_a_layered_deployment_for_iot_hub(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRAP_CAMERA", "192.0.2.12")
    spec = importlib.util.spec_from_file_location("layer", ROOT / "docker" / "layer.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    content = module.layer(RECIPES / name / f"deployment.{name}.template.json", "amd64")["modulesContent"]
    assert all(key.startswith("properties.desired.") for sections in content.values() for key in sections)
    assert "$" + "{" not in json.dumps(content)
    assert json.dumps(content).count("192.0.2.12") == (name == "camera-trap")


def _get(port: int, path: str) -> Any:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=10) as answer:
        return json.load(answer)


@pytest.mark.parametrize(
    "name", [name if name in SHORT else pytest.param(name, marks=pytest.mark.soak) for name in EXPECTED]
)
def test_a_recipe_shows_its_alert(name: str) -> None:
    begin, wanted = EXPECTED[name]
    port = free_port()
    environment = {
        "MILLWATCH_STATUS_PORT": str(port),
        "MILLWATCH_SIMULATOR": str(RECIPES / name / "simulator.toml"),
        "MILLWATCH_BEGIN": str(begin),
        "TRAP_CAMERA": f"127.0.0.1:{free_port()}",
        "CONTAINER_REGISTRY_SERVER": "127.0.0.1:5000",
    }
    layer = RECIPES / name / f"deployment.{name}.template.json"
    running_modules = {"vibration", "cache", "status"} | {
        "soil-and-pump": {"inference"},
        "camera-trap": {"camera"},
        "press-line": {"camera", "inference"},
    }.get(name, set())
    with running(
        ROOT / "deployment.template.json",
        layers=[layer],
        environment=environment,
        leaves=["simulator"],
        wait_for=sorted(running_modules),
    ) as hub:

        def shown() -> bool:
            alerts = _get(port, "/api/v1/alerts")["alerts"]
            return any((each["source"], each["rule"], each.get("advice")) == wanted for each in alerts)

        hub.until(shown, within_s=90, what=f"the page shows {wanted}")
        if name == "camera-trap":  # and its pictures go up
            hub.until(lambda: any(each.properties["kind"] == "sample" for each in hub.arrivals()), within_s=60)
        if name == "press-line":
            hub.until(
                lambda: any(each["rule"] == "tile" for each in _get(port, "/api/v1/alerts")["alerts"]), within_s=60
            )
        assert hub.module("camera")["state"] == ("running" if "camera" in running_modules else "stopped")
