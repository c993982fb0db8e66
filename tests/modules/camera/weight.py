"""What this process weighs."""

import gc
import os
from pathlib import Path

import pytest

weighed = pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="reads Linux' own figures of this process")


def weight() -> tuple[float, int]:
    """Resident memory in MB, and open handles."""
    gc.collect()
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6, len(list(Path("/proc/self/fd").iterdir()))
