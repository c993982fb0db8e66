"""What modules send, captured while a test goes on."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any

from localhub.control.client import AsyncClient, ControlError, NotRunningError

AGAIN_S = 0.02  # until the stream of a hub that restarts is asked for again
WITHIN_S = 30.0  # what comes is not waited for longer than it takes; a laden machine takes long


class NotInTimeError(AssertionError):
    """What a test waited for did not come; the text says what did."""


@dataclass(frozen=True, slots=True)
class Message:
    """One message as it reached the hub. `source` is DEVICE/MODULE or a leaf's DEVICE, `time` RFC 3339."""

    body: bytes
    output: str
    source: str
    properties: Mapping[str, str]
    system: Mapping[str, str]
    time: str

    @property
    def json(self) -> Any:
        """The body as JSON; raises ValueError."""
        return json.loads(self.body)

    @property
    def text(self) -> str:
        """The body as UTF-8 text; raises UnicodeDecodeError."""
        return self.body.decode()


class Captured:
    """The messages of one pattern, in their order, from the moment that `Hub.watch` returned.

    `wait`, `one` and `none` take messages out as they look at them; `all` keeps every one. What reaches the hub in the
    moment in which it restarts is not seen.
    """

    def __init__(self, pattern: str, explain: Callable[[], str]) -> None:
        self.pattern = pattern
        self.all: list[Message] = []
        self.missed = 0
        self._new: deque[Message] = deque()
        self._news = threading.Condition()
        self._explain = explain

    def wait(self, count: int, within_s: float = WITHIN_S) -> list[Message]:
        """The next `count` messages; raises NotInTimeError, with the ends of the modules' logs, when they do not come.

        Those that did come stay for the next call.
        """
        with self._news:
            if not self._news.wait_for(lambda: len(self._new) >= count, within_s):
                bodies = [message.body[:80] for message in self._new]
                raise NotInTimeError(
                    f"{len(bodies)} of {count} messages of {self.pattern} came within {within_s:g} s: {bodies}\n"
                    f"{self._explain()}"
                )
            return [self._new.popleft() for _ in range(count)]

    def one(self, within_s: float = WITHIN_S) -> Message:
        """The next message; raises NotInTimeError."""
        return self.wait(1, within_s)[0]

    def none(self, for_s: float = 0.5) -> None:
        """Raises AssertionError when a message comes within `for_s` seconds, or came already."""
        with self._news:
            if self._news.wait_for(lambda: self._new, for_s):
                raise AssertionError(f"{self.pattern} was to be silent, and sent {self._new[0]}")

    def clear(self) -> None:
        """Forget what came so far."""
        with self._news:
            self._new.clear()

    def take(self, document: Mapping[str, Any]) -> None:
        """One document of the hub's stream."""
        with self._news:
            if "missed" in document:
                self.missed += int(document["missed"])
                return
            message = Message(
                base64.b64decode(document["body_b64"]),
                document["output"],
                document["source"],
                document["properties"],
                document["system"],
                document["time"],
            )
            self.all.append(message)
            self._new.append(message)
            self._news.notify_all()


class Watcher:
    """A thread with a loop of its own that reads the hub's streams, over restarts of the hub."""

    def __init__(self, hub: AsyncClient, timeout_s: float) -> None:
        self._hub, self._timeout_s = hub, timeout_s
        self._loop = asyncio.new_event_loop()
        self._streams: set[asyncio.Task[None]] = set()
        self._thread = threading.Thread(target=self._loop.run_forever, name="localhub-watch", daemon=True)
        self._thread.start()

    def watch(self, captured: Captured, query: Mapping[str, str]) -> None:
        """Capture from now on; returns when the hub has begun to watch. Raises NotInTimeError, ControlError."""
        ready: Future[None] = Future()
        self._loop.call_soon_threadsafe(self._begin, captured, query, ready)
        try:
            ready.result(self._timeout_s)
        except TimeoutError:
            raise NotInTimeError(f"the hub did not answer within {self._timeout_s:g} s") from None

    def forget(self) -> None:
        """End all streams."""
        asyncio.run_coroutine_threadsafe(self._forget(), self._loop).result(self._timeout_s)

    def close(self) -> None:
        """End the thread."""
        self.forget()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def _begin(self, captured: Captured, query: Mapping[str, str], ready: Future[None]) -> None:
        self._streams.add(self._loop.create_task(self._read(captured, query, ready)))

    async def _read(self, captured: Captured, query: Mapping[str, str], ready: Future[None]) -> None:
        while True:
            try:
                async with contextlib.aclosing(self._hub.stream("/watch", hello="1", **query)) as documents:
                    async for document in documents:
                        if "watching" not in document:
                            captured.take(document)
                        elif not ready.done():
                            ready.set_result(None)
            except NotRunningError:
                pass  # the hub restarts
            except ControlError as error:
                if ready.done():
                    raise
                ready.set_exception(error)  # whoever called watch hears it
                return
            await asyncio.sleep(AGAIN_S)

    async def _forget(self) -> None:
        streams, self._streams = self._streams, set()
        for stream in streams:
            stream.cancel()
        await asyncio.gather(*streams, return_exceptions=True)


def until(
    fact: Callable[[], object], within_s: float, explain: Callable[[], str], what: str = "it", every_s: float = 0.02
) -> None:
    """Wait until `fact` is true; raises NotInTimeError."""
    end = time.monotonic() + within_s
    while not fact():
        if time.monotonic() > end:
            raise NotInTimeError(f"{what} did not come true within {within_s:g} s\n{explain()}")
        time.sleep(every_s)
