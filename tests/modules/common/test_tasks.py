import asyncio

import pytest

from modules.common.tasks import end


def test_tasks_are_waited_for_and_those_that_go_on_are_named(caplog: pytest.LogCaptureFixture) -> None:
    async def goes_on() -> None:
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            await asyncio.sleep(60)

    async def part() -> None:
        ends = asyncio.create_task(asyncio.sleep(60), name="ends")
        late = asyncio.create_task(goes_on(), name="late")
        await asyncio.sleep(0)
        await end([ends, late], 0.1)
        assert ends.cancelled()
        assert not late.done()
        await end([])

    asyncio.run(part())
    assert [record.getMessage() for record in caplog.records] == ["late has not ended within 0.1 s and is left"]
