"""Manifest and localhub.toml become one plan, or a reason why not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from localhub.agent.environment import MissingVariableError, inherited, module_facts, resolved
from localhub.agent.plan import LAST, Plan, PlanError, Planned, make_plan
from localhub.agent.policy import Policy
from localhub.config import parse

TOML = """
[modules.b]
command = ["${PYTHON}", "b.py"]
env = { SHARED = "toml" }
[devices.d]
command = ["d"]
[devices.m]
command = ["m"]
start = "manual"
restart = "on-failure"
"""


def content(**modules: dict[str, Any]) -> dict[str, Any]:
    return {"$edgeAgent": {"properties.desired": {"modules": modules}}, "$edgeHub": {}}


def entry(**facts: Any) -> dict[str, Any]:
    return {"status": "running", "restartPolicy": "always", "settings": {"image": "a:1"}, "version": "1.0", **facts}


def no_command(_name: str, _image: str) -> None:
    return None


def test_a_plan(tmp_path: Path) -> None:
    config = parse(TOML, tmp_path / "localhub.toml")
    modules = content(
        a=entry(restartPolicy="on-failure", status="stopped"),
        b=entry(startupOrder=1, env={"SHARED": {"value": "manifest"}, "N": {"value": 1}, "B": {"value": True}}),
    )
    plan = make_plan(modules, config, lambda _name, _image: (("./a",), tmp_path / "a"))
    assert plan == Plan.from_json(plan.to_json())
    b, a = plan.modules
    assert (b.name, b.order, b.env) == ("b", 1, {"SHARED": "toml", "N": "1", "B": "true"})
    assert (a.command, a.folder, a.order, a.policy, a.running) == (
        ["./a"],
        str(tmp_path / "a"),
        LAST,
        Policy.ON_FAILURE,
        False,
    )
    assert {device.name: device.running for device in plan.devices} == {"d": True, "m": False}
    named = make_plan(modules, config, lambda *_: (("x",), tmp_path), leaves=["m"])
    assert {device.name: device.running for device in named.devices} == {"d": False, "m": True}
    assert next(device for device in named.devices if device.name == "m").policy == Policy.ON_FAILURE


def test_what_cannot_be_planned(tmp_path: Path) -> None:
    config = parse(TOML, tmp_path / "localhub.toml")
    with pytest.raises(PlanError, match=r"b: the manifest deploys no such module; it deploys: a"):
        make_plan(content(a=entry()), config, no_command)
    lacking = make_plan(content(c=entry()), config, lambda *_: (("x",), tmp_path), optional=["a", "b"])
    assert [module.name for module in lacking.modules] == ["c"]
    with pytest.raises(PlanError, match=r"a: image a:1 has no command here: add \[modules.a\]"):
        make_plan(content(a=entry(), b=entry()), config, no_command)
    with pytest.raises(PlanError, match="there are: d, m"):
        make_plan(content(b=entry()), config, no_command, leaves=["x"])


def test_variables_in_commands_and_env() -> None:
    planned = Planned(name="a", command=["${PYTHON}", "-m", "x"], folder=".", env={"STATE": "${MODULE_STATE}/x"})
    assert resolved(planned, {"PYTHON": "py", "MODULE_STATE": "/s"}) == (["py", "-m", "x"], {"STATE": "/s/x"})
    with pytest.raises(MissingVariableError, match=r"a: \$\{MODULE_STATE\} has no value"):
        resolved(planned, {"PYTHON": "py"})


def test_a_module_inherits_nothing_of_another_edge() -> None:
    machine = {"PATH": "/bin", "IOTEDGE_MODULEID": "x", "EdgeHubConnectionString": "x", "LEAF_CA_FILE": "x"}
    assert inherited(machine, "/s") == {"PATH": "/bin", "PYTHONUNBUFFERED": "1", "LOCALHUB_STATE": "/s"}


def test_edge_agents_variables() -> None:
    facts = module_facts(
        "m", device="gw1", generation="7", hub_name="h", gateway_host="127.0.0.1", workload_uri="unix:///m.sock"
    )
    assert list(facts) == [
        "IOTEDGE_MODULEID",
        "IOTEDGE_DEVICEID",
        "IOTEDGE_IOTHUBHOSTNAME",
        "IOTEDGE_GATEWAYHOSTNAME",
        "IOTEDGE_MODULEGENERATIONID",
        "IOTEDGE_WORKLOADURI",
        "IOTEDGE_APIVERSION",
        "IOTEDGE_AUTHSCHEME",
        "RuntimeLogLevel",
    ]
