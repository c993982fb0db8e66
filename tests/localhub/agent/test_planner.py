"""Plans of what comes while the line runs: whose command it is, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from localhub.agent.plan import Plan, PlanError, Planned
from localhub.agent.planner import Planner, Sources, repository

IMAGE = "127.0.0.1:5000/site/camera:1.0-amd64"


def entry(image: str, **more: Any) -> dict[str, Any]:
    settings = {"image": image, "createOptions": "{}"}
    return {"type": "docker", "status": "running", "restartPolicy": "always", "settings": settings, **more}


def desired(**modules: Any) -> dict[str, Any]:
    system = {
        "edgeAgent": {"type": "docker", "settings": {"image": "agent:1", "createOptions": "{}"}},
        "edgeHub": entry("hub:1"),
    }
    runtime = {"type": "docker", "settings": {"minDockerVersion": "v1.25"}}
    return {"schemaVersion": "1.1", "runtime": runtime, "systemModules": system, "modules": modules}


@pytest.fixture
def planner(tmp_path: Path) -> Planner:
    run = Plan(modules=[Planned(name="camera", command=["see"], folder="/here", image=IMAGE)])
    (tmp_path / "modules" / "filter").mkdir(parents=True)
    (tmp_path / "modules" / "filter" / "Dockerfile.amd64").write_text('FROM x\nCMD ["python3", "main.py"]\n')
    (tmp_path / "localhub.toml").write_text('[modules.pump]\ncommand = ["pump"]\n')
    sources = Sources.of(run, folder=tmp_path, config=tmp_path / "localhub.toml", leaves=[])
    sources.save(tmp_path / "sources.json")
    return Planner(Sources.load(tmp_path / "sources.json"), tmp_path / "desired.json", containers=False)


def test_commands_come_from_the_image_the_folder_or_localhub_toml(planner: Planner, tmp_path: Path) -> None:
    plan = planner.plan(
        desired(
            camera2=entry(IMAGE.replace("1.0", "2.0"), env={"N": {"value": 2}}, startupOrder=1),
            filter=entry("filter:1"),
            pump=entry("pump:1", status="stopped"),
        ),
        7,
    )
    assert plan.version == 7
    camera, filters, pump = plan.modules
    assert (camera.name, camera.command, camera.folder, camera.env) == ("camera2", ["see"], "/here", {"N": "2"})
    assert (filters.name, filters.command[-1], filters.folder) == (
        "filter",
        "main.py",
        str(tmp_path / "modules" / "filter"),
    )
    assert (pump.command, pump.running) == (["pump"], False)


@pytest.mark.parametrize(
    ("document", "said"),
    [
        (desired(other=entry("other:1")), "has no command here"),
        (desired(camera=entry(IMAGE, restartPolicy="sometimes")), "sometimes"),
        (desired(camera={"type": "docker"}), "settings"),
        (desired(camera=entry(IMAGE, env={"a b": {"value": 1}})), "a b"),
        (desired(camera=entry("No Image")), "No Image"),
        (desired() | {"schemaVersion": "2.0"}, "2.0"),
        (desired() | {"modules": []}, "modules"),
        ({}, "schemaVersion"),
    ],
)
def test_what_edgeagent_would_refuse_is_refused(planner: Planner, document: dict[str, Any], said: str) -> None:
    with pytest.raises(PlanError, match=said):
        planner.plan(json.loads(json.dumps(document)), 1)


def test_a_tag_is_behind_the_last_slash() -> None:
    assert repository(IMAGE) == "127.0.0.1:5000/site/camera"
    assert repository("camera") == "camera"
    assert repository("a/b@sha256:00") == "a/b"
