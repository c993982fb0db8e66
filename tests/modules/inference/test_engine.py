"""The child process that holds the models: whatever a model does, only the child pays."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import numpy as np
import onnx
import pytest

from modules.camera.frame import encode
from modules.inference.engine import ROOT, Answer, Engine
from modules.inference.errors import BadInputError, ChildGoneError, ModelError

MakePackage = Callable[..., Path]
DARK_OK = pytest.approx([0.0067, 0.9933], abs=1e-3)


@asynccontextmanager
async def engine(**settings: float) -> AsyncIterator[Engine]:
    made = Engine(**settings)  # type: ignore[arg-type]
    try:
        yield made
    finally:
        await made.close()


def run(part: Callable[[], Awaitable[None]]) -> None:
    async def within() -> None:
        async with asyncio.timeout(60):
            await part()

    asyncio.run(within())


async def probabilities(models: Engine, name: str, *bodies: bytes) -> list[list[float]]:
    answers = await models.judge(name, [(body, {}) for body in bodies])
    return [each.probabilities for each in answers if isinstance(each, Answer)]


def test_several_pictures_of_one_message_are_one_batch(make_package: MakePackage, dark: bytes, bright: bytes) -> None:
    async def part() -> None:
        async with engine() as models:
            await models.load("good", make_package())
            first, second, third = await probabilities(models, "good", dark, bright, dark)
            assert first == third == DARK_OK
            assert second[0] > 0.99

    run(part)


def test_what_one_run_worked_in_is_there_for_the_next(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MALLOC_TRIM_THRESHOLD_", "65536")  # as in the containers
    monkeypatch.setenv("MALLOC_MMAP_THRESHOLD_", "131072")
    pixels = np.random.default_rng(1).integers(60, 200, (384, 576, 3), dtype=np.uint8)
    body = encode(pixels, quality=80)[0]

    async def part() -> None:
        async with engine() as models:
            await models.load("tile", ROOT / "models" / "tile")
            for _ in range(3):
                await probabilities(models, "tile", body)
            assert models._process is not None
            pid = models._process.pid
            before = _pages(pid)
            for _ in range(4):
                await probabilities(models, "tile", body)
            assert _pages(pid) - before < 4 * 1000  # thousands each where memory is given back

    run(part)


def _pages(pid: int) -> int:
    """How often a process had to ask for a page of memory."""
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[7])


def test_a_model_that_hangs_costs_a_restart_and_the_others_go_on(
    make_package: MakePackage, hanging: onnx.ModelProto, dark: bytes, bright: bytes
) -> None:
    async def part() -> None:
        async with engine(judge_s=20.0) as models:
            await models.load("good", make_package("good"))
            await models.load("bad", make_package("bad", graph=hanging))
            assert (await probabilities(models, "bad", dark))[0] == DARK_OK
            hung, models.judge_s = models.pid, 1.0
            with pytest.raises(ChildGoneError, match="no answer within 1 s to judge bad"):
                await models.judge("bad", [(bright, {})])
            models.judge_s = 20.0
            assert (await probabilities(models, "good", dark))[0] == DARK_OK
            assert (await probabilities(models, "bad", dark))[0] == DARK_OK
            assert models.restarts == 1
            assert models.pid != hung

    run(part)


def test_a_child_that_never_stops_talking_is_ended_at_the_deadline(make_package: MakePackage) -> None:
    talking = "import sys, time\nsys.stdout.buffer.write(bytes([2, 0, 0, 0, 0, 0, 0, 3]) + b'{}')\n"
    talking += "while True: sys.stdout.buffer.write(bytes(1000)); sys.stdout.flush(); time.sleep(0.0002)"

    async def part() -> None:
        async with engine(load_s=1.0) as models:
            models.command = (sys.executable, "-c", talking)
            with pytest.raises(ModelError, match="no answer within 1 s to load good"):
                await models.load("good", make_package())
            assert models.pid is None

    run(part)


@pytest.mark.parametrize("signum", [signal.SIGSEGV, signal.SIGKILL])
def test_a_model_that_crashes_the_runtime_is_told_to_who_asked_and_the_rest_is_loaded_again(
    make_package: MakePackage, hanging: onnx.ModelProto, dark: bytes, bright: bytes, signum: int
) -> None:
    async def part() -> None:
        async with engine(judge_s=20.0) as models:
            await models.load("bad", make_package("bad", graph=hanging))
            judging = asyncio.create_task(models.judge("bad", [(bright, {})]))
            await asyncio.sleep(0.2)
            assert models.pid is not None
            os.kill(models.pid, signum)
            with pytest.raises(ChildGoneError, match=f"the process ended \\(-{int(signum)}\\)"):
                await judging
            assert (await probabilities(models, "bad", dark))[0] == DARK_OK

    run(part)


def test_a_model_may_not_take_the_gateway_s_memory(
    make_package: MakePackage, greedy: onnx.ModelProto, dark: bytes, bright: bytes
) -> None:
    async def part() -> None:
        async with engine(memory_mb=1024) as models:
            await models.load("bad", make_package(graph=greedy))
            with pytest.raises(ChildGoneError, match=r"more memory than it may have.*memory_mb allows 1024"):
                await models.judge("bad", [(bright, {})])
            assert (await probabilities(models, "bad", dark))[0] == DARK_OK
            assert models.restarts == 1

    run(part)


def test_nan_is_no_answer(make_package: MakePackage, undefined: onnx.ModelProto, bright: bytes, dark: bytes) -> None:
    async def part() -> None:
        async with engine() as models:
            await models.load("bad", make_package(graph=undefined))
            with pytest.raises(ModelError, match="NaN or infinity"):
                await models.judge("bad", [(bright, {})])
            assert (await probabilities(models, "bad", dark))[0][1] > 0.99

    run(part)


def test_a_wrong_shape_is_no_answer_and_found_at_the_load(
    make_package: MakePackage, wrong_shape: onnx.ModelProto
) -> None:
    async def part() -> None:
        async with engine() as models:
            with pytest.raises(ModelError, match=r"shape \(1, 4\) for 1 inputs and 2 labels"):
                await models.load("bad", make_package(graph=wrong_shape))

    run(part)


def test_a_file_that_is_no_model_is_refused_in_words(make_package: MakePackage) -> None:
    async def part() -> None:
        async with engine() as models:
            with pytest.raises(ModelError, match="does not load"):
                await models.load("bad", make_package(graph=b"no model at all"))

    run(part)


def test_a_load_that_does_not_end_is_given_up_and_what_was_loaded_stays(
    make_package: MakePackage, dark: bytes, tmp_path: Path
) -> None:
    pipe = tmp_path / "stuck"
    pipe.mkdir()
    os.mkfifo(pipe / "card.json")  # opening it for reading waits for ever

    async def part() -> None:
        async with engine() as models:
            await models.load("name", make_package())
            models.load_s = 1.0
            with pytest.raises(ModelError, match="no answer within 1 s to load name"):
                await models.load("name", pipe)
            models.load_s = 60.0
            assert (await probabilities(models, "name", dark))[0] == DARK_OK

    run(part)


def test_a_broken_picture_is_the_picture_s_fault_and_costs_the_others_of_its_batch_nothing(
    make_package: MakePackage, dark: bytes
) -> None:
    async def part() -> None:
        async with engine() as models:
            await models.load("good", make_package())
            first, second = await models.judge("good", [(dark[: len(dark) // 2], {}), (dark, {})])
            assert isinstance(first, BadInputError)
            assert (first.reason, str(first)) == ("corrupt_picture", "corrupt_picture: the JPEG ends early")
            assert isinstance(second, Answer)
            assert second.probabilities == DARK_OK

    run(part)


def test_whoever_gives_up_leaves_no_answer_for_the_next_to_read(
    make_package: MakePackage, hanging: onnx.ModelProto, dark: bytes, bright: bytes
) -> None:
    async def part() -> None:
        async with engine(judge_s=20.0) as models:
            await models.load("bad", make_package(graph=hanging))
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(models.judge("bad", [(bright, {})]), 0.3)
            assert (await probabilities(models, "bad", dark, dark))[1] == DARK_OK

    run(part)
