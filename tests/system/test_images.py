"""The images as they were built: what is in them, how large they are, and that a read-only root is enough for them."""

from __future__ import annotations

import json
import tomllib
from http import HTTPStatus
from typing import Any

import httpx
import pytest

from devices.line import ROOT
from localhub.agent.engine import Engine

BASE = tomllib.loads((ROOT / "docker" / "images.toml").read_text())["base"]["amd64"]
LARGEST_MB = {"camera": 320, "inference": 320, "vibration": 150, "cache": 150, "status": 150}  # over the base
INSIDE = """
import json, os, pathlib, shutil, sys
here = pathlib.Path("/app/modules")
try:
    pathlib.Path("/app/x").write_text("x")
    root = "writable"
except OSError as error:
    root = error.strerror
print(json.dumps({
    "uid": os.getuid(),
    "root": root,
    "modules": sorted(path.name for path in here.iterdir() if path.is_dir() and path.name != "__pycache__"),
    "tools": [tool for tool in ("cc", "gcc", "g++", "make", "git", "curl") if shutil.which(tool)],
    "packages": sorted({path.name for path in pathlib.Path("/opt/venv").glob("lib/python3*/site-packages/*")}),
    "compiled": any(here.rglob("*.pyc")),
}))
"""


@pytest.fixture(params=sorted(LARGEST_MB))
def name(request: pytest.FixtureRequest, images: dict[str, str]) -> str:
    if request.param not in images:
        pytest.skip(f"no image of {request.param} from this tree here: docker/engine registry, then make build")
    return str(request.param)


def run(engine: Engine, image: str, command: list[str] | None) -> tuple[int, str]:
    """Run an image as the manifest does, with no network; its exit code and output."""
    api = engine.api
    host = {"ReadonlyRootfs": True, "CapDrop": ["ALL"], "Tmpfs": {"/tmp": "size=16m"}, "NetworkMode": "none"}
    config: dict[str, Any] = {"Image": image, "Cmd": command, "HostConfig": host, "Volumes": {"/data": {}}}
    made = api.create_container_from_config(config)["Id"]
    try:
        api.start(made)
        code = int(api.wait(made)["StatusCode"])
        return code, api.logs(made).decode()
    finally:
        api.remove_container(made, force=True, v=True)


def test_what_is_inside(name: str, images: dict[str, str], engine: Engine) -> None:
    code, said = run(engine, images[name], ["python3", "-c", INSIDE])
    assert code == 0, said
    found: dict[str, Any] = json.loads(said)
    assert found["uid"] == 13000
    assert found["root"] == "Read-only file system"
    assert found["modules"] == sorted(["common", name])
    assert found["tools"] == []
    assert found["compiled"]
    assert not {"pip", "setuptools", "wheel", "pytest"} & set(found["packages"])


def test_outside_iot_edge_it_says_so_and_ends(name: str, images: dict[str, str], engine: Engine) -> None:
    code, said = run(engine, images[name], None)
    assert (code, "IOTEDGE_" in said) == (2, True), said


def test_it_is_small(name: str, images: dict[str, str], engine: Engine) -> None:
    size = engine.api.inspect_image(images[name])["Size"] - engine.api.inspect_image(BASE)["Size"]
    assert size / 1e6 < LARGEST_MB[name]


def test_labels_and_health_check(name: str, images: dict[str, str], engine: Engine) -> None:
    config = engine.api.inspect_image(images[name])["Config"]
    labels = {key.removeprefix("org.opencontainers.image."): text for key, text in config["Labels"].items()}
    assert (labels["title"], labels["licenses"], labels["base.name"]) == (f"millwatch-{name}", "MIT", BASE)
    assert images[name].endswith(f":{labels['version']}-amd64")
    assert config["Healthcheck"]["Test"][0] == "CMD"
    assert config["User"] == "13000"


def test_it_was_pushed(name: str, images: dict[str, str], registry: str) -> None:
    try:
        answer = httpx.get(f"http://{registry}/v2/millwatch-{name}/tags/list", timeout=5)
    except httpx.HTTPError:
        pytest.skip(f"no registry answers on {registry}: docker/engine registry, then make push")
    if answer.status_code == HTTPStatus.NOT_FOUND:
        pytest.skip(f"{name} was built, not pushed to {registry}: make push")
    assert images[name].rpartition(":")[2] in answer.json()["tags"]
