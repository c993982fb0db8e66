"""Champion and challenger in the running module: who speaks, what is counted, and what takes the challenger back."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import onnx
import orjson
import pytest

from modules.common.messages import Message
from modules.common.snapshot import Snapshot
from modules.inference.trials.share import chosen

MakePackage = Callable[..., Path]
RunModule = Callable[..., Any]
Line = Any
Card = Callable[..., dict[str, Any]]


@pytest.fixture
def champion(make_package: MakePackage) -> Path:
    """Bright pictures are defective."""
    return make_package("champion")


@pytest.fixture
def same(make_package: MakePackage, picture_card: Card) -> Path:
    return make_package("same", picture_card(version="2.0.0"))


@pytest.fixture
def contrary(make_package: MakePackage, picture_card: Card, pictures_model: Callable[..., onnx.ModelProto]) -> Path:
    """Every picture is OK."""
    return make_package("contrary", picture_card(version="2.0.0"), pictures_model([-100.0, 100.0]))


def standing(line: Line) -> Any:
    return line.module.trials.running["tile"]


async def running(line: Line) -> None:
    await line.until(lambda: line.module.trials.running and standing(line).state == "running")


def trial(path: Path, **more: Any) -> dict[str, Any]:
    return {"trials": {"tile": {"path": str(path), **more}}}


def test_in_shadow_the_champion_speaks_and_both_are_counted(
    run_module: RunModule, champion: Path, contrary: Path, frame: Callable[..., Message], bright: bytes, dark: bytes
) -> None:
    async def part(line: Line) -> None:
        await running(line)
        await line.deliver(frame(bright), frame(dark))
        await line.until(lambda: standing(line).standing.n == 2)
        assert standing(line).standing.agreed == 1
        assert len(line.transport.outputs("alerts")) == 1
        await line.until(lambda: line.transport.outputs("samples"))
        (sample,) = line.transport.outputs("samples")
        assert sample.properties["reason"] == "disagreement"
        assert (sample.properties["label"], sample.properties["challenger_label"]) == ("defect", "ok")
        assert (sample.model, sample.properties["challenger"]) == ("made-up/1.0.0", "made-up/2.0.0")
        line.module.offer_scores()
        await line.until(lambda: len(line.transport.outputs("scores")) == 2)
        scores = {each.model: each.document() for each in line.transport.outputs("scores")}
        assert scores["made-up/1.0.0"]["labels"] == {"defect": 1, "ok": 1}
        assert "trial" not in scores["made-up/1.0.0"]
        assert scores["made-up/2.0.0"]["labels"] == {"ok": 2}
        told = scores["made-up/2.0.0"]["trial"]
        assert (told["of"], told["n"], told["agreement"], told["state"]) == ("tile", 2, 0.5, "running")
        assert told["mean_ms"] > 0
        assert told["champion_ms"] > 0

    run_module(part, settings=trial(contrary, guard={"disagreement": 1.0}), tile=champion)


def test_a_share_of_the_sources_hears_the_challenger(
    run_module: RunModule, champion: Path, contrary: Path, frame: Callable[..., Message], bright: bytes
) -> None:
    # Some of either: of twelve as they come, none may be chosen, for the folder's name has a part in it.
    named = sorted((f"camera/{number}" for number in range(200)), key=lambda each: chosen(each, str(contrary), 0.4))
    sources = named[:7] + named[-5:]
    theirs = {source for source in sources if chosen(source, str(contrary), 0.4)}
    assert 0 < len(theirs) < len(sources)

    async def part(line: Line) -> None:
        await running(line)
        await line.deliver(*(frame(bright, source=source) for source in sources))
        alerts = {each.source for each in line.transport.outputs("alerts")}
        assert alerts == set(sources) - theirs
        verdicts = {each["source"]: each["model"] for each in line.module._recent.select({})}
        assert {source for source, model in verdicts.items() if model == "made-up/2.0.0"} == theirs
        line.module.offer_scores()
        await line.until(lambda: len(line.transport.outputs("scores")) == len(sources) + len(theirs))

    settings = trial(contrary, mode="share", share=0.4, guard={"disagreement": 1.0})
    run_module(part, settings=settings, tile=champion)


@pytest.mark.parametrize("mode", ["shadow", "share"])
def test_one_that_disagrees_beyond_its_guard_is_taken_back_and_stays_back(
    run_module: RunModule,
    champion: Path,
    contrary: Path,
    frame: Callable[..., Message],
    bright: bytes,
    mode: str,
) -> None:
    settings = trial(contrary, mode=mode, share=1.0, guard={"window": 10, "disagreement": 0.2})

    async def part(line: Line) -> None:
        await running(line)
        await line.deliver(*(frame(bright) for _ in range(3)))
        await line.until(lambda: standing(line).state == "returned")
        assert "3 of its last 3 answers disagreed" in standing(line).because
        before = len(line.transport.outputs("alerts"))
        await line.deliver(frame(bright))
        assert len(line.transport.outputs("alerts")) == before + 1
        await line.until(lambda: line.transport.twin_reported["trials"]["tile"]["state"] == "returned")

    run_module(part, settings=settings, tile=champion)

    async def again(line: Line) -> None:
        await line.deliver(frame(bright))
        assert standing(line).state == "returned"
        assert line.module.trials.engine.names == []

    run_module(again, settings=settings, tile=champion)


@pytest.mark.parametrize("trap", ["hanging", "undefined"])
def test_one_that_throws_or_hangs_is_taken_back_and_no_message_is_lost(
    run_module: RunModule,
    champion: Path,
    make_package: MakePackage,
    picture_card: Card,
    frame: Callable[..., Message],
    bright: bytes,
    trap: str,
    request: pytest.FixtureRequest,
) -> None:
    bad = make_package("bad", picture_card(version="2.0.0"), request.getfixturevalue(trap))

    async def part(line: Line) -> None:
        await line.until(lambda: line.module.trials.running and standing(line).state in ("running", "returned"))
        await line.deliver(*(frame(bright) for _ in range(3)))
        await line.until(lambda: standing(line).state == "returned")
        assert len(line.transport.outputs("alerts")) == 3
        assert {each.model for each in line.transport.outputs("alerts")} == {"made-up/1.0.0"}

    run_module(part, settings={**trial(bad, mode="share", share=1.0), "judge_s": 1.0}, tile=champion)


def test_one_that_does_not_load_or_cannot_be_compared_is_taken_back(
    run_module: RunModule, champion: Path, make_package: MakePackage, picture_card: Card
) -> None:
    broken = make_package("broken", picture_card(version="2.0.0", input={"name": "nowhere", "shape": [1, 4, 4]}))
    other = make_package("other", picture_card(version="2.0.0", labels=["bad", "ok"]))

    async def part(line: Line) -> None:
        await line.until(lambda: line.module.trials.running and standing(line).state == "returned")
        assert "has no input 'nowhere'" in standing(line).because
        line.set(2, **trial(other))
        await line.until(lambda: standing(line).state == "returned" and "labels" in standing(line).because)

    run_module(part, settings=trial(broken), tile=champion)


def test_a_slow_one_is_taken_back(
    run_module: RunModule, champion: Path, same: Path, frame: Callable[..., Message], dark: bytes
) -> None:
    async def part(line: Line) -> None:
        await running(line)
        await line.deliver(*(frame(dark) for _ in range(3)))
        await line.until(lambda: standing(line).state == "returned")
        assert "took over 0.001 ms" in standing(line).because

    guard = {"window": 10, "latency_ms": 0.001, "slow": 0.1}
    run_module(part, settings=trial(same, guard=guard), tile=champion)


def test_a_rule_promotes_and_the_promotion_stands_after_a_restart_until_the_twin_decides(
    run_module: RunModule, champion: Path, same: Path, frame: Callable[..., Message], bright: bytes
) -> None:
    settings = trial(same, rule={"n": 20, "agreement": 0.8, "latency_ms": 10_000})

    async def part(line: Line) -> None:
        await running(line)
        await line.deliver(*(frame(bright) for _ in range(20)))
        await line.until(lambda: standing(line).state == "promoted")
        await line.runs("2.0.0")
        await line.deliver(frame(bright))
        assert line.transport.outputs("alerts")[-1].model == "made-up/2.0.0"
        assert len(line.transport.outputs("alerts")) == 21

    run_module(part, settings=settings, tile=champion)

    async def again(line: Line) -> None:
        await line.runs("2.0.0")
        line.set(2, trials={"tile": None})
        await line.runs("1.0.0")

    run_module(again, settings=settings, wait=False, tile=champion)


def test_a_challenger_whose_loading_took_the_module_down_is_not_loaded_again(
    run_module: RunModule, champion: Path, same: Path, tmp_path: Path
) -> None:
    known = {"challenger": str(same), "state": "loading", "because": "", "counts": {"n": 5}}
    Snapshot(tmp_path / "state" / "trials").save(orjson.dumps({"tile": known}))

    async def part(line: Line) -> None:
        assert standing(line).state == "returned"
        assert "took the module down" in standing(line).because
        assert line.module.trials.engine.pid is None

    run_module(part, settings=trial(same), tile=champion)
