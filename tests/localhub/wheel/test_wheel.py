"""The wheel that contains only localhub: built, put into an empty environment, used on others' modules.

The packages it asks for are taken from the locked ones of this environment, each by a link, so that no package index is
needed; the soak test installs everything as a newcomer does.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tomllib
import venv
import zipfile
from collections.abc import Iterable
from importlib import metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

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
    assert out.one(within_s=60).json == {"temperature": 21}
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


def _pip(*words: str) -> None:
    """Run pip; skip with what it said when it reaches no package index."""
    command = [sys.executable, "-m", "pip", "--disable-pip-version-check", *words]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    if "No matching distribution" in ended.stderr or "Could not find a version" in ended.stderr:
        pytest.skip(f"pip {words[0]} needs a package index: {ended.stderr.strip().splitlines()[-1]}")
    assert ended.returncode == 0, ended.stderr


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, in which there is localhub and nothing else."""
    folder = tmp_path_factory.mktemp("wheel")
    shutil.copytree(SOURCE, folder / "localhub", ignore=shutil.ignore_patterns("__pycache__", "build", "*.egg-info"))
    words = ["wheel", "--quiet", "--no-deps", "--wheel-dir", str(folder), str(folder / "localhub")]
    if metadata.version("setuptools") >= "77":  # else pip fetches one that is new enough
        words.insert(1, "--no-build-isolation")
    _pip(*words)
    [found] = folder.glob("localhub-*.whl")
    ours = {name for name in zipfile.ZipFile(found).namelist() if ".dist-info/" not in name}
    assert ours == {str(file.relative_to(ROOT)) for file in SOURCE.rglob("*.py")}
    return found


def _environment(folder: Path) -> Path:
    """The Python of an empty environment."""
    venv.create(folder, with_pip=False)
    return folder / "bin/python"


def _required(names: Iterable[str]) -> set[str]:
    """Distributions and all they ask for here, by their canonical names."""
    found: set[str] = set()
    waiting = list(names)
    while waiting:
        name = canonicalize_name(waiting.pop())
        if name not in found:
            found.add(name)
            asked = [Requirement(line) for line in metadata.requires(name) or ()]
            waiting += [each.name for each in asked if each.marker is None or each.marker.evaluate({"extra": ""})]
    return found


@pytest.fixture(scope="module")
def alone(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The Python of an environment with the wheel, the SDK, and of the locked packages those that they ask for."""
    folder = tmp_path_factory.mktemp("alone")
    python = _environment(folder / "venv")
    _pip("--python", str(python), "install", "--quiet", "--no-index", "--no-deps", str(wheel))
    [packages] = (folder / "venv").glob("lib/*/site-packages")
    requirements = [Requirement(line) for line in metadata.PathDistribution(_info(packages)).requires or ()]
    wanted = [each.name for each in requirements if each.marker is None or each.marker.evaluate({"extra": ""})]
    for name in _required([*wanted, "azure-iot-device"]):
        for top in {file.parts[0] for file in metadata.files(name) or ()} - {"..", "__pycache__"}:
            if not (packages / top).exists():
                (packages / top).symlink_to(Path(str(metadata.distribution(name).locate_file(top))))
    return python


def _info(packages: Path) -> Path:
    [info] = packages.glob("localhub-*.dist-info")
    return info


@pytest.fixture
def solution(tmp_path: Path, alone: Path) -> Path:
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
    _run(alone, tmp_path, "-c", template)
    (tmp_path / "localhub.toml").unlink()  # the command is the Dockerfile's
    manifest = tmp_path / "deployment.json"
    manifest.write_text(manifest.read_text().replace("localhub.test/filter:1", "${MODULES.filter}"))
    return tmp_path


def _env() -> dict[str, str]:
    return {key: value for key, value in os.environ.items() if key not in ("PYTHONPATH", "VIRTUAL_ENV")}


def _run(python: Path, folder: Path, *words: str) -> str:
    ended = subprocess.run([str(python), *words], cwd=folder, env=_env(), capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return ended.stdout


def _lints_and_runs(python: Path, solution: Path) -> None:
    assert " 0 errors" in _run(python, solution, "-m", "localhub", "lint", "deployment.json")
    assert "fault" in _run(python.with_name("localhub"), solution, "--help")
    _run(python, solution, "-c", STORY)


@pytest.mark.system
def test_it_lints_and_runs_a_solution_that_is_not_ours(alone: Path, solution: Path) -> None:
    others = [name for name in ("devices", "pydantic", "numpy", "pytest") if _can_import(alone, solution, name)]
    assert others == [], "only what localhub asks for is there"
    _lints_and_runs(alone, solution)


@pytest.mark.soak
@pytest.mark.system
def test_pip_installs_it_into_an_empty_environment(wheel: Path, solution: Path, tmp_path: Path) -> None:
    python = _environment(tmp_path / "venv")
    _pip("--python", str(python), "install", "--quiet", str(wheel), "azure-iot-device")
    _lints_and_runs(python, solution)


def _can_import(python: Path, folder: Path, name: str) -> bool:
    found = "import importlib.util, sys; sys.exit(importlib.util.find_spec(sys.argv[1]) is None)"
    return subprocess.run([str(python), "-c", found, name], cwd=folder, env=_env(), check=False).returncode == 0
