"""The same thing done with many gateways: so many at once, and what became of each."""

from __future__ import annotations

import threading
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from typing import Any

from fleet.exits import FleetError


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one. `failure` is empty when it went well; `skipped`: it was not tried any more."""

    device: str
    result: Any = None
    failure: str = ""
    skipped: bool = False

    def document(self) -> dict[str, Any]:
        """For --format json."""
        if self.skipped:
            return {"device": self.device, "skipped": True}
        return {"device": self.device, **({"failure": self.failure} if self.failure else {"result": self.result})}


def each(
    devices: Iterable[str], act: Callable[[str], Any], *, at_once: int, most_failures: int | None = None
) -> Generator[Outcome]:
    """Do it with each, `at_once` at a time, and give outcomes as they come.

    `act` may raise FleetError. Once more than `most_failures` have failed nothing new is begun: the rest is skipped.
    """
    failures, stop = 0, threading.Event()

    def one(device: str) -> Outcome:
        if stop.is_set():
            return Outcome(device, skipped=True)
        try:
            return Outcome(device, act(device))
        except FleetError as error:
            return Outcome(device, failure=str(error))

    waiting = iter(devices)
    with ThreadPoolExecutor(at_once) as pool:
        running: set[Future[Outcome]] = set()
        try:
            while True:
                while len(running) < at_once and (device := next(waiting, None)) is not None:
                    running.add(pool.submit(one, device))
                if not running:
                    return
                done, running = wait(running, return_when=FIRST_COMPLETED)
                for future in done:
                    outcome = future.result()
                    failures += bool(outcome.failure)
                    if most_failures is not None and failures > most_failures:
                        stop.set()
                    yield outcome
        finally:
            stop.set()  # who stops listening has no more begun
