"""Which package runs when the wanted one does not: the last good one, and the reason is told."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import onnx
import orjson
import pytest

from modules.common.snapshot import Snapshot
from modules.inference.engine import Answer, Engine
from modules.inference.errors import ChildGoneError
from modules.inference.loading import FAILURES, SUSPECT, Loading
from modules.inference.settings import Package

MakePackage = Callable[..., Path]


@pytest.fixture
def state(tmp_path: Path) -> Path:
    folder = tmp_path / "state"
    folder.mkdir()
    return folder


def run(part: Callable[[Engine], Awaitable[None]]) -> None:
    async def within() -> None:
        engine = Engine(judge_s=1.0, load_s=30.0)
        try:
            async with asyncio.timeout(60):
                await part(engine)
        finally:
            await engine.close()

    asyncio.run(within())


def version(document: Callable[..., dict[str, Any]], number: str, **changes: Any) -> dict[str, Any]:
    return document(version=number, **changes)


def test_a_package_that_does_not_load_leaves_the_last_good_one_at_work_over_a_restart(
    make_package: MakePackage, picture_card: Callable[..., dict[str, Any]], state: Path, dark: bytes
) -> None:
    good = make_package("good", version(picture_card, "1.0.0"))
    bad = make_package("bad", version(picture_card, "2.0.0", input={"name": "nowhere", "shape": [1, 4, 4]}))

    async def part(engine: Engine) -> None:
        loading = Loading(engine, state)
        await loading.apply({"tile": Package(path=good)})
        for started in (loading, Loading(engine, state)):
            await started.apply({"tile": Package(path=bad)}, anew=True)
            entry = started.entries["tile"]
            assert entry.usable
            assert entry.card is not None
            assert entry.card.version == "1.0.0"
            assert entry.loaded["instead_of"] == "bad"
            assert "has no input 'nowhere'" in entry.loaded["because"]
            assert len(await engine.judge("tile", [(dark, {})])) == 1

    run(part)


def test_without_a_good_one_the_module_stays_up_and_says_why(make_package: MakePackage, state: Path) -> None:
    folder = make_package()
    (folder / "model.onnx").write_bytes(b"damaged on the way")

    async def part(engine: Engine) -> None:
        loading = Loading(engine, state)
        await loading.apply({"tile": Package(path=folder)})
        entry = loading.entries["tile"]
        assert not entry.usable
        assert "SHA-256 differs" in entry.error

    run(part)


def test_a_load_that_took_the_module_down_is_not_tried_again(
    make_package: MakePackage, picture_card: Callable[..., dict[str, Any]], state: Path
) -> None:
    first, second = make_package("first"), make_package("second", version(picture_card, "2.0.0"))

    async def part(engine: Engine) -> None:
        await Loading(engine, state).apply({"tile": Package(path=first)})
        Snapshot(state / "trying").save(orjson.dumps({"folder": str(second)}))  # as a power cut leaves it
        again = Loading(engine, state)
        await again.apply({"tile": Package(path=second)})
        entry = again.entries["tile"]
        assert entry.card is not None
        assert entry.card.version == "1.0.0"
        assert entry.loaded["because"] == "loading it took the module down last time"

    run(part)


def test_a_model_that_keeps_crashing_is_left_alone_and_the_last_good_one_put_in_its_place(
    make_package: MakePackage,
    picture_card: Callable[..., dict[str, Any]],
    hanging: onnx.ModelProto,
    state: Path,
    bright: bytes,
) -> None:
    good, bad = make_package("good"), make_package("bad", version(picture_card, "2.0.0"), hanging)

    async def part(engine: Engine) -> None:
        loading = Loading(engine, state)
        await loading.apply({"tile": Package(path=good)})
        await loading.apply({"tile": Package(path=bad)})
        entry = loading.entries["tile"]
        for _ in range(SUSPECT):
            assert entry.card is not None
            assert entry.card.version == "2.0.0"
            with pytest.raises(ChildGoneError) as gone:
                await engine.judge("tile", [(bright, {})])
            await loading.failed(entry, gone.value)
        assert "left alone after 2 failures" in entry.loaded["because"]
        assert entry.usable
        assert entry.card is not None
        assert entry.card.version == "1.0.0"
        (answer,) = await engine.judge("tile", [(bright, {})])
        assert isinstance(answer, Answer)
        assert answer.probabilities[0] > 0.99

    run(part)


def test_the_only_model_there_is_may_crash_a_little_for_the_input_may_be_to_blame(
    make_package: MakePackage, hanging: onnx.ModelProto, state: Path
) -> None:
    async def part(engine: Engine) -> None:
        loading = Loading(engine, state)
        await loading.apply({"tile": Package(path=make_package(graph=hanging))})
        entry = loading.entries["tile"]
        for _ in range(FAILURES):
            assert entry.usable
            await loading.failed(entry, ChildGoneError("hung"))
        assert entry.error == "left alone after 6 failures: hung"

    run(part)
