import asyncio
from collections.abc import AsyncIterator

import pytest

from modules.status.events import Events, TooManyListenersError


async def read(stream: AsyncIterator[bytes], count: int) -> list[str]:
    found: list[str] = []
    async for text in stream:
        found += [f"{each}\n\n" for each in text.decode().split("\n\n") if "event: " in each]
        if len(found) >= count:
            break
    return found


def test_a_listener_gets_how_things_stand_and_then_what_comes() -> None:
    async def part() -> None:
        events = Events()
        stream = events.listen(None, [("overview", {"n": 1})])
        events.tell("alert", {"n": 2})
        first, second = await read(stream, 2)
        assert first == 'event: overview\ndata: {"n":1}\n\n'
        assert second.endswith('event: alert\ndata: {"n":2}\n\n')

    asyncio.run(part())


def test_who_comes_back_gets_what_was_missed() -> None:
    async def part() -> None:
        events = Events()
        stream = events.listen(None, [])
        for number in range(3):
            events.tell("alert", number)
        (first, *_) = await read(stream, 3)
        last_id = first.split("\n")[0].removeprefix("id: ")
        missed = await read(events.listen(last_id, []), 2)
        assert [text.split("data: ")[1].strip() for text in missed] == ["1", "2"]

    asyncio.run(part())


@pytest.mark.parametrize("stale", ["other-3", "nonsense", "x-y"])
def test_who_cannot_be_served_is_told_to_load_anew(stale: str) -> None:
    async def part() -> None:
        events = Events()
        events.tell("alert", 1)
        assert "event: reset\n" in (await read(events.listen(stale, []), 1))[0]

    asyncio.run(part())


def test_what_is_no_longer_kept_means_reset() -> None:
    async def part() -> None:
        events = Events()
        for number in range(600):
            events.tell("alert", number)
        assert "event: reset\n" in (await read(events.listen(f"{events._boot}-3", []), 1))[0]

    asyncio.run(part())


def test_a_listener_that_does_not_read_loses_its_place_and_no_memory_is_lost() -> None:
    async def part() -> None:
        events = Events()
        slow, quick = events.listen(None, []), events.listen(None, [])
        await anext(slow)
        for number in range(1000):
            events.tell("alert", number)
            if number % 100 == 0:
                await read(quick, 100 if number else 1)
        assert len(events) == 1
        assert [text async for text in slow if b"event" in text] == []

    asyncio.run(part())


def test_listeners_are_counted_and_bounded() -> None:
    async def part() -> None:
        events = Events()
        streams = [events.listen(None, []) for _ in range(64)]
        with pytest.raises(TooManyListenersError):
            events.listen(None, [])
        await anext(streams[0])
        events.close()
        for stream in streams:
            async for _ in stream:
                pass
        assert len(events) == 0
        assert not events.somebody.is_set()

    asyncio.run(part())


def test_what_comes_in_does_not_wait_for_every_listener() -> None:
    async def part() -> None:
        events = Events()
        streams = [events.listen(None, []) for _ in range(40)]
        for stream in streams:
            await anext(stream)
            await anext(stream)
        reading = [asyncio.ensure_future(anext(stream)) for stream in streams]
        await asyncio.sleep(0)
        events.tell("alert", 1)
        come_in = asyncio.get_running_loop().create_future()
        asyncio.get_running_loop().call_soon(lambda: come_in.set_result(sum(each.done() for each in reading)))
        assert await come_in < 10
        assert all(b"event: alert" in text for text in await asyncio.gather(*reading))
        events.close()

    asyncio.run(part())
