import faulthandler
import os
import sys
from collections.abc import Callable, Generator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

ROOT = Path(__file__).resolve().parents[1]

# A busy machine is no failure: times are the benches' business. In CI a change must not land or fail by luck;
# elsewhere each run looks for new cases.
BUSY = [HealthCheck.too_slow]
settings.register_profile("here", deadline=None, suppress_health_check=BUSY)
settings.register_profile("ci", deadline=None, suppress_health_check=BUSY, derandomize=True)
settings.load_profile("ci" if os.environ.get("CI") else "here")

# pytest-timeout ends a test that hangs, but lets go of one that has failed: what hangs in its teardown, or after the
# last test of all, would hang for ever.
_STDERR = pytest.StashKey[int]()


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addini("ending_timeout", "seconds that a test's teardown and the end of the run may take", default="180")


def pytest_configure(config: pytest.Config) -> None:
    config.stash[_STDERR] = os.dup(2)  # a test's own is captured


@pytest.hookimpl(wrapper=True)
def pytest_runtest_teardown(item: pytest.Item) -> Generator[None]:
    _end_soon(item.config)
    try:
        return (yield)
    finally:
        faulthandler.cancel_dump_traceback_later()


@pytest.hookimpl(trylast=True)
def pytest_unconfigure(config: pytest.Config) -> None:
    _end_soon(config)


def _end_soon(config: pytest.Config) -> None:
    """Tell where every thread is and end the run as failed, unless it goes on in time."""
    seconds = float(config.getini("ending_timeout"))
    faulthandler.dump_traceback_later(seconds, exit=True, file=config.stash[_STDERR])


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder of real recordings and pictures; tests that use it skip where it is missing."""
    folder = Path(os.environ.get("MILLWATCH_DATA") or ROOT.parent / "shared" / "data")
    if not folder.is_dir():
        pytest.skip(f"needs the real recordings and pictures: set MILLWATCH_DATA to their folder ({folder} is missing)")
    return folder


@pytest.fixture
def show(capsys: pytest.CaptureFixture[str]) -> Callable[[str], None]:
    """Shows a figure or a table of a long proof to whoever runs it."""

    def say(text: str) -> None:
        with capsys.disabled():
            sys.stdout.write(f"\n{text}\n")

    return say
