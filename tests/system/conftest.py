import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from devices.line import MANIFEST, Line
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
    """The images that have been built on this machine, by module."""
    there = {tag for image in engine.api.images() for tag in image["RepoTags"] or ()}
    modules = load_deployment(MANIFEST, variables={"CONTAINER_REGISTRY_SERVER": REGISTRY}).modules
    return {name: module.image for name, module in modules.items() if module.image in there}


@pytest.fixture(scope="session")
def registry() -> str:
    """Where images are pushed to."""
    return REGISTRY
