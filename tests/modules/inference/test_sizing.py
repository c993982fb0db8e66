"""How large the models may grow: what the settings ask for, bounded by the machine; and what they run on."""

from pathlib import Path
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from modules.inference.card import Card
from modules.inference.runner import Runner, describe
from modules.inference.sizing import CPU, LEAST_MB, PREFERRED, Machine, Sizing, candidates, machine


def test_a_container_s_bound_is_read_and_none_is_none(tmp_path: Path) -> None:
    bound, none, old = tmp_path / "bound", tmp_path / "none", tmp_path / "old"
    bound.write_text("536870912\n")
    none.write_text("max\n")
    old.write_text("9223372036854771712\n")
    assert machine([tmp_path / "missing", bound]).memory_mb == 512
    assert machine([none, old]).memory_mb is None
    assert machine([]).cores >= 1


@given(st.integers(1, 128), st.one_of(st.none(), st.integers(64, 1 << 20)), st.integers(1, 64), st.integers(384, 65536))
def test_no_setting_is_exceeded_and_no_container_filled(
    cores: int, memory: int | None, threads: int, wanted: int
) -> None:
    here = Machine(cores, memory)
    assert 1 <= here.threads(threads) <= min(cores, threads)
    given_mb = here.child_mb(wanted)
    assert LEAST_MB <= given_mb <= wanted
    if memory is not None:
        assert given_mb <= max(LEAST_MB, memory * 0.8)


def test_the_best_provider_that_is_there_comes_first_and_the_processor_last() -> None:
    there = [CPU, "AzureExecutionProvider", "CUDAExecutionProvider", "OpenVINOExecutionProvider"]
    chosen, left_out = candidates((), there)
    assert chosen == ["CUDAExecutionProvider", "OpenVINOExecutionProvider", CPU]
    assert left_out == {}
    assert "AzureExecutionProvider" not in PREFERRED  # it sends pictures away
    chosen, left_out = candidates(("OpenVINOExecutionProvider", "QNNExecutionProvider"), there)
    assert chosen == ["OpenVINOExecutionProvider", CPU]
    assert list(left_out) == ["QNNExecutionProvider"]


def test_a_provider_that_is_not_there_is_said_and_the_processor_judges(make_package: Any) -> None:
    runner = Runner(make_package(), sizing=Sizing(providers=("CUDAExecutionProvider",)))
    told = describe(runner.loaded)
    assert told["provider"] == CPU
    assert "does not have it" in told["refused"]["CUDAExecutionProvider"]


def test_what_was_chosen_is_reported(run_module: Any, transport: Any, make_package: Any) -> None:
    seen: dict[str, Any] = {}

    async def part(line: Any) -> None:
        outgoing = line.module._outgoing
        seen.update(line.module.telling.facts(line.module._waves, outgoing.kept, outgoing.labelled))

    settings = {"threads": 64, "arena": True, "batch": 4, "providers": ["CPUExecutionProvider"]}
    run_module(part, settings=settings, tile=make_package())
    assert seen["engine"]["threads"] == machine().cores
    assert (seen["engine"]["arena"], seen["engine"]["batch"]) == (True, 4)
    assert seen["engine"]["rss_mb"] > 20
    assert seen["models"]["tile"]["provider"] == CPU
    assert transport.twin_reported["models"]["tile"]["provider"] == CPU


def test_a_setting_out_of_bounds_is_refused_and_the_last_one_stays(
    run_module: Any, transport: Any, make_package: Any
) -> None:
    wrong: list[tuple[str, float]] = [("threads", 0), ("memory_mb", 100), ("batch", 1000), ("samples_per_hour", 1e9)]

    async def part(line: Any) -> None:
        before = line.edge.settings
        for number, (name, value) in enumerate(wrong):
            line.set(2 * number + 2, **{name: value})
            await line.until(lambda name=name: name in transport.twin_reported.get("settings", {}).get("error", ""))
            line.set(2 * number + 3, **{name: None})
            await line.until(lambda: transport.twin_reported["settings"]["ok"])
        assert line.edge.settings == before

    run_module(part, tile=make_package())


def test_constants_are_part_of_the_card(picture_card: Any) -> None:
    document = picture_card()
    document["input"]["constants"] = {"state": {"shape": [2, 1, 128]}}
    card = Card.model_validate(document)
    assert card.input.constants["state"].dtype == "float32"


@given(st.integers(1, 256), st.integers(0, 1 << 22))
def test_large_inputs_are_not_run_by_many_at_once(batch: int, numbers: int) -> None:
    items = Sizing(batch=batch).items(numbers)
    assert 1 <= items <= batch
    assert items == 1 or items * numbers <= 250_000
    assert items == batch or (items + 1) * numbers > 250_000
