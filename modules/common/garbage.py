"""What has been imported stays, so nobody need look through it for garbage again and again.

A full collection looks at every object there is. In a module with its libraries loaded that takes 60 to 120 ms, at any
moment, and an alert that comes then waits.
"""

import asyncio
import gc
import sys
from typing import Final

_LOOK_S: Final = 5.0


def set_aside(known: int) -> int:
    """Keep the collector off all there is where something was imported since `known` modules were loaded; how many are.

    Garbage is collected before, for what is set aside is never looked at again.
    """
    loaded = len(sys.modules)
    if loaded != known:
        gc.collect()
        gc.freeze()
    return loaded


async def watch() -> None:
    """Set aside what is imported, for ever: a module loads what its settings ask for."""
    known = 0
    while True:
        known = set_aside(known)
        await asyncio.sleep(_LOOK_S)
