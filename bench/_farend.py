"""A far end of a bench, in a process of its own so that its work is not counted with what is measured."""

from __future__ import annotations

import contextlib
import subprocess
import sys
from collections.abc import Iterator

from devices.line import ROOT


@contextlib.contextmanager
def far_end(script: str, *words: str) -> Iterator[None]:
    """Run a script of this folder; it has said its first line when the block begins, and is killed at its end."""
    server = subprocess.Popen([sys.executable, str(ROOT / "bench" / script), *words], stdout=subprocess.PIPE, text=True)
    assert server.stdout is not None
    try:
        server.stdout.readline()
        yield
    finally:
        server.kill()
        server.wait()
        server.stdout.close()
