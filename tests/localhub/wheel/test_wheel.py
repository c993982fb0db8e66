"""The wheel that contains only localhub: built, installed into an empty environment, used on others' modules."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tomllib
import venv
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
SOURCE = ROOT / "localhub"

# As the cookiecutter lays a solution out: a template, and a folder for each module.
MODULE = """
import asyncio, signal
from azure.iot.device.aio import IoTHubModuleClient

async def main():
    client = IoTHubModuleClient.create_from_edge_environment()
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)

    async def receive(message):
        if message.input_name == "input1":
            await client.send_message_to_output(message, "output1")

    client.on_message_received = receive
    await client.connect()
    await stop.wait()
    await client.shutdown()

asyncio.run(main())
"""
DOCKERFILE = """
FROM amd64/python:3.11-slim
WORKDIR /app
COPY requirements.txt ./
RUN pip install -r requirements.txt
COPY . .
CMD [ "python3", "-u", "./main.py" ]
"""
MODULE_JSON = """{
  "$schema-version": "0.0.1",
  "description": "",
  "image": {
    "repository": "registry.example/filter",
    "tag": {"version": "0.0.1", "platforms": {"amd64": "./Dockerfile.amd64"}},
    "buildOptions": [],
    "contextPath": "./"
  },
  "language": "python"
}"""
STORY = """
import sys
from pathlib import Path
from localhub.testing import running

with running(Path("deployment.json"), layers=[Path("layer.json")]) as hub:
    out = hub.watch("filter/output1")
    hub.send("filter/input1", {"temperature": 21})
    assert out.one(within_s=20).json == {"temperature": 21}
    assert hub.desired("filter")["limit"] == 25, hub.desired("filter")
    hub.until(lambda: len(hub.arrivals()) == 1)
assert "pytest" not in sys.modules
"""
LAYER = """{"modulesContent": {"filter": {"properties.desired.limit": 25}}}"""


def test_it_lists_every_package_and_every_requirement() -> None:
    project = tomllib.loads((SOURCE / "pyproject.toml").read_text())
    folders = sorted(file.parent.relative_to(ROOT) for file in SOURCE.rglob("__init__.py"))
    assert project["tool"]["setuptools"]["packages"] == [".".join(folder.parts) for folder in folders]
    wanted = [
        line for line in (ROOT / "requirements/localhub.in").read_text().splitlines() if line[:1] not in ("", "#")
    ]
    assert [line.replace("'", '"') for line in project["project"]["dependencies"]] == wanted


def _pip(python: Path | str, *words: str) -> None:
    """Run pip; skip with what it said when it reaches no package index."""
    command = [str(python), "-m", "pip", "--disable-pip-version-check", *words]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    if "No matching distribution" in ended.stderr or "Could not find a version" in ended.stderr:
        pytest.skip(f"pip {words[0]} needs a package index: {ended.stderr.strip().splitlines()[-1]}")
    assert ended.returncode == 0, ended.stderr


@pytest.fixture(scope="module")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The Python of an environment that holds the wheel, the SDK, and what they ask for."""
    folder = tmp_path_factory.mktemp("wheel")
    shutil.copytree(SOURCE, folder / "localhub", ignore=shutil.ignore_patterns("__pycache__", "build", "*.egg-info"))
    _pip(sys.executable, "wheel", "--quiet", "--no-deps", "--wheel-dir", str(folder), str(folder / "localhub"))
    [wheel] = folder.glob("localhub-*.whl")
    names = zipfile.ZipFile(wheel).namelist()
    ours = {name for name in names if ".dist-info/" not in name}
    assert ours == {str(file.relative_to(ROOT)) for file in SOURCE.rglob("*.py")}
    venv.create(folder / "venv", with_pip=True)
    python = folder / "venv/bin/python"
    _pip(python, "install", "--quiet", str(wheel), "azure-iot-device")
    return python


@pytest.fixture
def solution(tmp_path: Path, empty: Path) -> Path:
    """Somebody else's solution."""
    module = tmp_path / "modules/filter"
    module.mkdir(parents=True)
    (module / "main.py").write_text(MODULE)
    (module / "Dockerfile.amd64").write_text(DOCKERFILE)
    (module / "module.json").write_text(MODULE_JSON)
    (tmp_path / "layer.json").write_text(LAYER)
    template = (
        "from pathlib import Path; from localhub.testing import write_manifest;"
        "write_manifest(Path(), {'filter': ['none']},"
        " {'up': 'FROM /messages/modules/filter/outputs/* INTO $upstream'}, {'filter': {'limit': 20}})"
    )
    _run(empty, tmp_path, "-c", template)
    (tmp_path / "localhub.toml").unlink()  # the command is the Dockerfile's
    manifest = tmp_path / "deployment.json"
    manifest.write_text(manifest.read_text().replace("localhub.test/filter:1", "${MODULES.filter}"))
    return tmp_path


def _run(python: Path, folder: Path, *words: str) -> str:
    env = {key: value for key, value in os.environ.items() if key not in ("PYTHONPATH", "VIRTUAL_ENV")}
    ended = subprocess.run([str(python), *words], cwd=folder, env=env, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return ended.stdout


@pytest.mark.system
@pytest.mark.timeout(300)
def test_it_lints_and_runs_a_solution_that_is_not_ours(empty: Path, solution: Path) -> None:
    assert " 0 errors" in _run(empty, solution, "-m", "localhub", "lint", "deployment.json")
    assert "fault" in _run(empty.with_name("localhub"), solution, "--help")
    _run(empty, solution, "-c", STORY)
