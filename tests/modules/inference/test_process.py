import asyncio
import signal
import sys
from collections.abc import Callable

import pytest
import uvloop

from modules.inference.process import ended, kill

Loop = Callable[[], asyncio.AbstractEventLoop]
LOOPS = pytest.mark.parametrize("loop", [asyncio.new_event_loop, uvloop.new_event_loop])
CHATTER = "import sys\nwhile True: sys.stdout.buffer.write(bytes(1000))"


async def chattering(code: str = CHATTER) -> asyncio.subprocess.Process:
    """A process that has said more than its reader takes."""
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", code, stdout=asyncio.subprocess.PIPE)
    assert process.stdout is not None
    while process.stdout._transport.is_reading():  # type: ignore[attr-defined]  # noqa: ASYNC110 - tells nobody
        await asyncio.sleep(0.01)
    return process


@LOOPS
def test_one_that_has_said_more_than_anybody_reads_ends_when_it_is_killed(loop: Loop) -> None:
    async def part() -> None:
        process = await chattering()
        async with asyncio.timeout(30):
            await kill(process)
        assert process.returncode == -signal.SIGKILL

    with asyncio.Runner(loop_factory=loop) as runner:
        runner.run(part())


@LOOPS
def test_one_that_ends_by_itself_is_waited_for_whatever_it_has_said(loop: Loop) -> None:
    async def part() -> None:
        process = await chattering("import sys\nsys.stdout.buffer.write(bytes(1_000_000))\nsys.exit(3)")
        async with asyncio.timeout(30):
            await ended(process)
        assert process.returncode == 3
        await kill(process)  # gone already

    with asyncio.Runner(loop_factory=loop) as runner:
        runner.run(part())
