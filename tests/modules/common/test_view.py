import asyncio
from collections.abc import Callable

import pytest
import uvloop

from modules.common.view import ViewServer


@pytest.mark.parametrize("loop", [asyncio.new_event_loop, uvloop.new_event_loop])
def test_whoever_asks_and_does_not_read_holds_up_no_stop(loop: Callable[[], asyncio.AbstractEventLoop]) -> None:
    async def part() -> None:
        server = ViewServer(lambda: bytes(50_000_000), host="127.0.0.1", port=0, name="view")
        await server.start()
        reader, writer = await asyncio.open_connection("127.0.0.1", int(server.url.rpartition(":")[2]), limit=1024)
        writer.write(b"GET /metrics HTTP/1.1\r\n\r\n")
        assert await reader.readexactly(15) == b"HTTP/1.1 200 OK"
        async with asyncio.timeout(30):
            await server.stop()
        writer.close()

    with asyncio.Runner(loop_factory=loop) as runner:
        runner.run(part())
