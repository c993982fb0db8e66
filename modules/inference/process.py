"""The end of a child process that talks through a pipe."""

import asyncio
import contextlib
from typing import Final

_PIECE: Final = 1 << 16


async def ended(process: asyncio.subprocess.Process) -> None:
    """Wait for the end of a process that is ending, and throw away what it has still said.

    asyncio's own loop (not uvloop) tells of the end of a process only after that of its pipe, and does not read on to
    that while more waits than a reader may have waiting: without somebody who reads, `wait` would never return.
    """
    assert process.stdout is not None
    while await process.stdout.read(_PIECE):
        pass
    await process.wait()


async def kill(process: asyncio.subprocess.Process) -> None:
    """Kill a process, and wait for its end."""
    with contextlib.suppress(ProcessLookupError):
        process.kill()
    await ended(process)
