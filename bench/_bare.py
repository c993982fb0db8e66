"""The control in `bench/status.py`: a server that gives visitors the bytes that status would, and computes nothing.

What alerts lose while visitors look at this one is the visitors' own share of the machine, not status'.
`python -m bench._bare STATUS_PORT ALERTS_PER_S` reads what status answers, prints its own port, and serves
until killed.
"""

import asyncio
import sys
from functools import partial

import httpx

from bench._visitors import PATHS, stand_back

_OVERVIEWS_PER_S = 2


def answers(port: int) -> dict[bytes, bytes]:
    """Whole answers by request target."""
    found = {}
    with httpx.Client(base_url=f"http://127.0.0.1:{port}", trust_env=False) as client:
        for path in PATHS:
            answer = client.get(f"/api/v1/{path}").raise_for_status()
            head = "".join(f"{name}: {value}\r\n" for name, value in answer.headers.items())
            found[f"/api/v1/{path}".encode()] = f"HTTP/1.1 200 OK\r\n{head}\r\n".encode() + answer.content
    return found


def chunks(ready: dict[bytes, bytes]) -> tuple[bytes, bytes]:
    """The events of an alert and of an overview, as large as status' are."""
    alert = ready[b"/api/v1/alerts?limit=50"].partition(b"\r\n\r\n")[2]
    overview = ready[b"/api/v1/summary"].partition(b"\r\n\r\n")[2]
    events = b"event: alert\ndata: " + b"x" * (len(alert) // 50), b"event: overview\ndata: " + overview
    return events[0] + b"\n\n", events[1] + b"\n\n"


async def serve(
    ready: dict[bytes, bytes],
    listeners: set[asyncio.StreamWriter],
    reader: asyncio.StreamReader,
    writer: asyncio.StreamWriter,
) -> None:
    """Answer one connection; one that listens is kept in `listeners`."""
    try:
        while head := await reader.readuntil(b"\r\n\r\n"):
            target = head.split(b" ", 2)[1]
            if target in ready:
                writer.write(ready[target])
            else:
                writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n")
                listeners.add(writer)
    except (asyncio.IncompleteReadError, OSError):
        pass  # the visitor has gone
    finally:
        listeners.discard(writer)
        writer.close()


async def tell(listeners: set[asyncio.StreamWriter], text: bytes, per_s: float) -> None:
    """Write `text` to all who listen, so many times a second."""
    while True:
        for listener in list(listeners):
            listener.write(text)
        await asyncio.sleep(1 / per_s)


async def main(port: int, alerts_per_s: float) -> None:
    """Serve."""
    stand_back()
    ready = answers(port)
    alert, overview = chunks(ready)
    listeners: set[asyncio.StreamWriter] = set()
    server = await asyncio.start_server(partial(serve, ready, listeners), "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await asyncio.gather(tell(listeners, alert, alerts_per_s), tell(listeners, overview, _OVERVIEWS_PER_S))


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]), float(sys.argv[2])))
