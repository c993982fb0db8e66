"""The slow wire."""

import asyncio
from collections.abc import Awaitable, Callable
from itertools import pairwise

import pytest

from localhub.hub.delay import FIRST_TIMEOUT_S, LONGEST_TIMEOUT_S, MOST_RETRIES, SEGMENT, DelayLine, stall_s

pytestmark = pytest.mark.anyio
Until = Callable[[Callable[[], bool]], Awaitable[None]]


async def test_an_unlimited_wire_delivers_at_once() -> None:
    out: list[int] = []
    line = DelayLine(out.append)
    line.push(1, 10**9)
    assert out == [1]


async def test_bytes_and_latency_take_their_time_and_order_is_kept(until: Until) -> None:
    loop = asyncio.get_running_loop()
    out: list[tuple[int, float]] = []
    line: DelayLine[int] = DelayLine(lambda item: out.append((item, loop.time())))
    line.set(bytes_per_s=10_000, latency_s=0.02)
    start = loop.time()
    for item in range(4):
        line.push(item, 100)  # 10 ms each
    await until(lambda: len(out) == 4)
    assert [item for item, _ in out] == [0, 1, 2, 3]
    assert out[0][1] - start >= 0.029
    assert out[3][1] - start >= 0.059
    assert all(second >= first for (_, first), (_, second) in pairwise(out))


async def test_a_wire_made_fast_again_delivers_what_waited() -> None:
    out: list[int] = []
    line = DelayLine(out.append)
    line.set(bytes_per_s=1, latency_s=0)
    line.push(1, 1000)
    line.push(2, 1000)
    await asyncio.sleep(0)
    assert out == []
    line.set(bytes_per_s=None, latency_s=0)
    assert out == [1, 2]
    line.push(3, 1000)
    assert out == [1, 2, 3]


async def test_a_cut_wire_forgets() -> None:
    out: list[int] = []
    line = DelayLine(out.append)
    line.set(bytes_per_s=None, latency_s=0.01)
    line.push(1, 1)
    line.clear()
    line.set(bytes_per_s=None, latency_s=0)
    line.push(2, 1)
    await asyncio.sleep(0.02)
    assert out == [2]


def test_what_is_lost_comes_a_timeout_later_and_twice_as_late_when_it_is_lost_again() -> None:
    chances = iter([0.9, 0.1, 0.1, 0.9, 0.1, 0.9])  # of three segments: fine, lost twice, lost once
    assert stall_s(2 * SEGMENT + 1, 0.5, lambda: next(chances)) == FIRST_TIMEOUT_S * (0 + (1 + 2) + 1)
    assert stall_s(10_000_000, 0.0, lambda: 0.0) == 0.0
    assert stall_s(1, 0.99, lambda: 0.0) == sum(
        min(FIRST_TIMEOUT_S * 2.0**retry, LONGEST_TIMEOUT_S) for retry in range(MOST_RETRIES)
    )


async def test_loss_delays_and_loses_nothing(until: Until) -> None:
    loop = asyncio.get_running_loop()
    out: list[tuple[int, float]] = []
    chances = iter([0.0, 1.0, 1.0, 1.0])
    line: DelayLine[int] = DelayLine(lambda item: out.append((item, loop.time())), lambda: next(chances))
    line.set(None, 0.0, loss=0.1)
    start = loop.time()
    for item in range(3):
        line.push(item, 100)
    await until(lambda: len(out) == 3)
    assert [item for item, _ in out] == [0, 1, 2]
    assert out[0][1] - start >= FIRST_TIMEOUT_S * 0.99  # and the others wait behind it
