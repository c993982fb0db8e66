"""A state folder with a short path, and the anyio backend."""

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from localhub.state import State


@pytest.fixture
def anyio_backend() -> str:
    """The only event loop we run on."""
    return "asyncio"


@pytest.fixture
def state() -> Iterator[State]:
    """A prepared state folder."""
    root = Path(tempfile.mkdtemp(prefix="lh-"))
    yield State.prepare(root)
    shutil.rmtree(root)
