"""Who looks at the page in `bench/status.py`: listeners of its events, and programs that ask its REST interface.

A process of its own, on bare sockets, and one that stands back: visitors are other machines, and what they compute is
not the gateway's. So listeners are woken for many events at a time: the kernel takes them as it takes those that come
from a network card, and nobody else computes for it.
`python -m bench._visitors PORT LISTENERS REQUESTS_PER_S SECONDS` prints how many answers and events came.
"""

import asyncio
import contextlib
import os
import random
import socket
import sys
import time
from pathlib import Path

PATHS = (
    "summary",
    "modules",
    "queue",
    "links",
    "latency",
    "line",
    "alerts?limit=50",
    "alerts?severity=critical&limit=20",
)
_CONNECTIONS = 10
_WOKEN_FOR = 128 << 10  # bytes of events


def stand_back() -> None:
    """Let the line go first: whatever of it wakes up has the processor at once.

    Linux shares by session (autogroup) where that is on, so that the session stands back, too.
    """
    os.nice(10)
    if sys.platform == "linux":
        os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))
    with contextlib.suppress(OSError):
        Path("/proc/self/autogroup").write_text("10", encoding="ascii")


async def listen(port: int, counts: dict[str, int]) -> None:
    """Read the stream of events."""
    loop = asyncio.get_running_loop()
    with socket.socket() as connection:
        connection.setblocking(False)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 * _WOKEN_FOR)
        await loop.sock_connect(connection, ("127.0.0.1", port))
        await loop.sock_sendall(connection, b"GET /api/v1/events HTTP/1.1\r\nHost: localhost\r\n\r\n")
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT, _WOKEN_FOR)
        try:
            while chunk := await loop.sock_recv(connection, 2 * _WOKEN_FOR):
                counts["events"] += chunk.count(b"event: alert")
        finally:  # what waits to be read has come, too
            with contextlib.suppress(BlockingIOError):
                while chunk := connection.recv(2 * _WOKEN_FOR):
                    counts["events"] += chunk.count(b"event: alert")


async def ask(port: int, per_s: float, turn: int, counts: dict[str, int]) -> None:
    """Ask for one path after the other over one connection, `per_s` of them a second.

    Each at any moment of its turn: at even ones, all alerts of a run would meet a request, or none.
    """
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    due = time.monotonic() + turn / per_s / _CONNECTIONS
    try:
        while True:
            moment = due + random.random() / per_s
            await asyncio.sleep(max(0.0, moment - time.monotonic()))
            due += 1 / per_s
            turn += 1
            path = PATHS[turn % len(PATHS)]
            writer.write(f"GET /api/v1/{path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
            head = await reader.readuntil(b"\r\n\r\n")
            length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
            await reader.readexactly(length)
            counts["answers"] += head.startswith(b"HTTP/1.1 200")
    finally:
        writer.close()


async def main(port: int, listeners: int, per_s: float, seconds: float) -> None:
    """Visit for so many seconds."""
    stand_back()
    counts = {"answers": 0, "events": 0}
    jobs = [asyncio.create_task(listen(port, counts)) for _ in range(listeners)]
    jobs += [asyncio.create_task(ask(port, per_s / _CONNECTIONS, turn, counts)) for turn in range(_CONNECTIONS)]
    await asyncio.sleep(seconds)
    for job in jobs:
        job.cancel()
    for job in jobs:
        with contextlib.suppress(asyncio.CancelledError):
            await job
    print(counts["answers"], counts["events"])


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3]), float(sys.argv[4])))
