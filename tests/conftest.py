import os
import sys
from collections.abc import Callable
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
