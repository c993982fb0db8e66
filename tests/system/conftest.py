import io
import os
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from devices.line import MANIFEST, ROOT, Line
from localhub.agent.engine import Engine, EngineError
from localhub.manifest import load_deployment

REGISTRY = os.environ.get("CONTAINER_REGISTRY_SERVER", "127.0.0.1:5000")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.system)


@pytest.fixture(scope="module")
def line(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Iterator[Line]:
    """The default line, started as `make run` starts it, on an address of its own for each test module."""
    folder = tmp_path_factory.mktemp("line")
    place = sum(request.path.name.encode()) % 200 + 10
    ledger = {"MILLWATCH_LEDGER": str(folder / "ledger")}
    running = Line(state=folder / "state", address=f"127.31.0.{place}", log=folder / "said", environment=ledger)
    with running:
        running.wait_ready()
        yield running


@pytest.fixture(scope="session")
def engine() -> Engine:
    """The Docker engine of this machine; a test that needs one is skipped where none answers."""
    try:
        return Engine()
    except EngineError as error:
        pytest.skip(str(error))


@pytest.fixture(scope="session")
def images(engine: Engine) -> dict[str, str]:
    """The images on this machine that were built from this very tree, by module.

    One that an earlier tree left behind under the same version is not what is to be tested: `make build` makes it anew.
    """
    there = {tag for image in engine.api.images() for tag in image["RepoTags"] or ()}
    modules = load_deployment(MANIFEST, variables={"CONTAINER_REGISTRY_SERVER": REGISTRY}).modules
    found = {name: module.image for name, module in modules.items() if module.image in there}
    return {name: image for name, image in found.items() if sources_in(engine, image) == sources_here(name)}


def sources_in(engine: Engine, image: str) -> dict[str, bytes]:
    """The Python files below /app/modules of an image, by path."""
    made = engine.api.create_container(image)["Id"]
    try:
        packed = b"".join(engine.api.get_archive(made, "/app/modules")[0])
    finally:
        engine.api.remove_container(made, force=True, v=True)
    with tarfile.open(fileobj=io.BytesIO(packed)) as archive:
        files = ((each.name, archive.extractfile(each)) for each in archive if each.name.endswith(".py"))
        return {name: file.read() for name, file in files if file is not None}


def sources_here(name: str) -> dict[str, bytes]:
    """The same of this tree: what the Dockerfile of a module copies."""
    folder = ROOT / "modules"
    files = [folder / "__init__.py", *(folder / "common").rglob("*.py"), *(folder / name).rglob("*.py")]
    return {path.relative_to(ROOT).as_posix(): path.read_bytes() for path in files}


@pytest.fixture(scope="session")
def registry() -> str:
    """Where images are pushed to."""
    return REGISTRY
