"""pytest fixtures: `pytest_plugins = ["localhub.testing.plugin"]` in conftest.py brings them.

`hub` is a running localhub, started once for all tests that use it and freed of faults after each. It runs what
`localhub_manifest` says: deployment.template.json in pytest's root folder, unless your conftest.py has a fixture of
this name (scope "session") that gives another path.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from localhub.testing.hub import Hub, running


@pytest.fixture(scope="session")
def localhub_manifest(pytestconfig: pytest.Config) -> Path:
    """The manifest to run; localhub.toml stands beside it."""
    return pytestconfig.rootpath / "deployment.template.json"


@pytest.fixture(scope="session")
def localhub_environment() -> Mapping[str, str]:
    """Variables that the modules find in their environment."""
    return {}


@pytest.fixture(scope="session")
def localhub_strict() -> bool:
    """Whether to do as edgeHub does where localhub knows better, as `run --strict`."""
    return False


@pytest.fixture(scope="session")
def localhub_running(
    localhub_manifest: Path,
    localhub_environment: Mapping[str, str],
    localhub_strict: bool,  # noqa: FBT001  a fixture
) -> Iterator[Hub]:
    """The localhub that all tests share."""
    with running(localhub_manifest, environment=localhub_environment, strict=localhub_strict) as hub:
        yield hub


@pytest.fixture
def hub(localhub_running: Hub) -> Iterator[Hub]:
    """A localhub with its modules connected; faults, a cut link and captures end with the test, twins stay."""
    localhub_running.wait_connected()
    yield localhub_running
    localhub_running.recover()
