"""The end of tasks."""

import asyncio
import logging
from collections.abc import Collection
from typing import Any

log = logging.getLogger(__name__)


async def end(tasks: Collection[asyncio.Task[Any]], within_s: float = 1.0) -> None:
    """Cancel tasks and wait until they have ended, but not longer; the log names those that have not."""
    for task in tasks:
        task.cancel()
    if tasks:
        _, late = await asyncio.wait(tasks, timeout=within_s)
        for task in late:
            log.warning("%s has not ended within %g s and is left", task.get_name(), within_s)
