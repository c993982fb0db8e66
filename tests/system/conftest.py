from collections.abc import Iterator
from pathlib import Path

import pytest

from devices.line import Line


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
