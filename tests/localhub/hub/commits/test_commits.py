"""Group commit: nothing is called durable before it is, and a disk that fails loses nothing."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable

import apsw
import pytest

from localhub.hub.commits import Commits
from localhub.hub.store import Batch


class Disk:
    """A store whose commits a test lets through one by one."""

    def __init__(self) -> None:
        self.batches: list[Batch] = []
        self.gate = threading.Semaphore(0)
        self.failures = 0

    def apply(self, batch: Batch) -> list[tuple[int, int, int]]:
        assert self.gate.acquire(timeout=10)
        if self.failures:
            self.failures -= 1
            raise apsw.FullError("database or disk is full")
        self.batches.append(batch)
        return []

    untidy = False
    wait_s = 1.0

    def tidy(self) -> None:
        """Nothing to do."""

    def let(self, count: int = 1) -> None:
        """Let commits through."""
        self.gate.release(count)


def story(tell: Callable[[Disk, Commits], Awaitable[None]]) -> None:
    async def run() -> None:
        disk = Disk()
        commits = Commits(disk, lambda _rows: None)
        commits.start()
        try:
            await asyncio.wait_for(tell(disk, commits), 60)
        finally:
            disk.let(100)
            await commits.stop()

    asyncio.run(run())


def add(commits: Commits, number: int, told: list[tuple[int, Exception | None]]) -> None:
    commits.open(lambda error: told.append((number, error))).messages.append((number, b"", b""))


async def until(condition: Callable[[], bool]) -> None:
    while not condition():  # noqa: ASYNC110 - what it waits for comes from several sides
        await asyncio.sleep(0.001)


def test_nothing_is_told_before_the_commit_and_the_rest_goes_together() -> None:
    async def tell(disk: Disk, commits: Commits) -> None:
        told: list[tuple[int, Exception | None]] = []
        add(commits, 1, told)
        await asyncio.sleep(0)  # the first commit is under way from here on
        await asyncio.sleep(0)
        for number in range(2, 50):
            add(commits, number, told)
        await asyncio.sleep(0.02)
        assert told == []
        disk.let()
        await until(lambda: bool(told))
        assert told == [(1, None)]
        disk.let()
        await until(lambda: len(told) == 49)
        assert [number for number, _ in told] == list(range(1, 50))
        assert [len(batch.messages) for batch in disk.batches] == [1, 48]

    story(tell)


def test_removals_wait_a_moment_for_company_but_not_for_ever() -> None:
    async def tell(disk: Disk, commits: Commits) -> None:
        disk.let(10)
        commits.open_lazily().removed.append((1, 1))
        commits.open_lazily().removed.append((1, 2))
        await until(lambda: bool(disk.batches))
        assert disk.batches[0].removed == [(1, 1), (1, 2)]

    story(tell)


def test_who_waits_hears_of_a_failure_and_removals_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("localhub.hub.commits.RETRY_S", 0.01)

    async def tell(disk: Disk, commits: Commits) -> None:
        disk.failures = 1
        disk.let(10)
        told: list[tuple[int, Exception | None]] = []
        commits.open_lazily().removed.append((1, 7))
        commits.open_lazily().queues.append((1, "e", 0))
        add(commits, 8, told)
        await until(lambda: bool(told))
        assert isinstance(told[0][1], apsw.FullError)
        await until(lambda: bool(disk.batches))
        assert (disk.batches[0].removed, disk.batches[0].queues) == ([(1, 7)], [(1, "e", 0)])
        assert disk.batches[0].messages == []

    story(tell)


def test_durable_resolves_after_what_was_added_before_it() -> None:
    async def tell(disk: Disk, commits: Commits) -> None:
        commits.open().facts["a"] = b"1"
        future = commits.durable()
        disk.let()
        await future
        assert disk.batches[0].facts == {"a": b"1"}

    story(tell)
