"""What the fetching process is told, and how the module follows it."""

import asyncio
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

import orjson
from pydantic import BaseModel, ConfigDict

from modules.inference.process import kill

ROOT: Final = Path(__file__).resolve().parents[3]
_COMMAND: Final = (sys.executable, "-m", "modules.inference.updates")


class Job(BaseModel):
    """One package to fetch."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    target: str
    url: str
    root: Path
    root_sha256: str | None
    ca: Path | None
    bytes_per_s: float
    largest: int  # bytes
    spare: int = 8 << 20  # bytes that must stay free on the disk
    gap_s: float = 15.0  # without a byte, after which a server is given up
    folder: Path  # for metadata and what is half there
    store: Path


async def follow(job: Job, said: Callable[[Mapping[str, Any]], None]) -> Mapping[str, Any]:
    """Run the fetching process and hand on its lines; the last: `installed`, or `refused` and `text`.

    Ends the process when cancelled.
    """
    process = await asyncio.create_subprocess_exec(
        *_COMMAND, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, cwd=ROOT
    )
    assert process.stdin is not None
    assert process.stdout is not None
    last: Mapping[str, Any] = {}
    try:
        process.stdin.write(job.model_dump_json().encode())
        process.stdin.close()
        async for line in process.stdout:
            last = orjson.loads(line)
            said(last)
        await process.wait()
    finally:
        await kill(process)
    if "installed" in last or "refused" in last:
        return last
    return {"refused": "crashed", "text": f"the fetching process ended with {process.returncode}"}
