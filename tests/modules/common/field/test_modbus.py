import asyncio

import pytest

from modules.common.field.modbus import answer_to


def test_a_cancellation_that_comes_together_with_the_answer_is_heard() -> None:
    async def part() -> None:
        answer = asyncio.get_running_loop().create_future()
        asking = asyncio.create_task(answer_to(asyncio.wait_for(answer, 60)))  # as pymodbus waits
        await asyncio.sleep(0)
        answer.set_result(7)
        asking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asking

    asyncio.run(part())


def test_a_time_limit_that_ends_together_with_the_answer_is_heard() -> None:
    async def limited() -> None:
        answer = asyncio.get_running_loop().create_future()
        async with asyncio.timeout(None) as limit:
            asyncio.get_running_loop().call_soon(answer.set_result, 7)
            limit.reschedule(0)
            await answer_to(asyncio.wait_for(answer, 60))

    with pytest.raises(TimeoutError):
        asyncio.run(limited())


def test_an_answer_is_handed_on_and_so_is_what_went_wrong() -> None:
    async def wrong() -> int:
        raise OSError("gone")

    async def part() -> None:
        assert await answer_to(asyncio.sleep(0, 7)) == 7
        with pytest.raises(OSError, match="gone"):
            await answer_to(wrong())

    asyncio.run(part())
