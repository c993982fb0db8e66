"""What is set aside is not looked through again, and nothing is set aside where nothing was imported."""

import gc
import subprocess
import sys
from collections.abc import Iterator

import pytest

from modules.common import garbage


@pytest.fixture(autouse=True)
def thawed() -> Iterator[None]:
    yield
    gc.unfreeze()


def test_what_is_there_is_set_aside_once_modules_were_loaded() -> None:
    gc.unfreeze()
    known = garbage.set_aside(0)
    assert known == len(sys.modules)
    frozen = gc.get_freeze_count()
    assert frozen > 10_000
    later: list[list[int]] = [[] for _ in range(1000)]
    assert garbage.set_aside(known) == known
    assert gc.get_freeze_count() <= frozen  # what came since stays with the collector
    del later


def test_a_module_that_runs_has_set_its_imports_aside() -> None:
    module = """
import asyncio, gc
from modules.common.main import run_module
async def start():
    await asyncio.sleep(0.05)
    print(gc.get_freeze_count())
raise SystemExit(run_module(start))
"""
    command = [sys.executable, "-c", module]
    said = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    assert int(said.stdout.split()[-1]) > 10_000
