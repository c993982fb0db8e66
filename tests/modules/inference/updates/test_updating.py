"""The whole way in the module: the twin names a version, it is fetched, loaded beside and exchanged, and told."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from modules.common.messages import Message

MakePackage = Callable[..., Path]
RunModule = Callable[..., Any]
Operator = Any
Gateway = Any
Line = Any
FIRST, SECOND = "picture/made-up/1.0.0", "picture/made-up/1.1.0"


@pytest.fixture
def where(gateway: Gateway) -> dict[str, Any]:
    """The setting `updates`."""
    job = gateway.job
    return {"url": job.url, "root": str(job.root), "root_sha256": job.root_sha256, "ca": str(job.ca), "kept": 1}


def models(line: Line) -> dict[str, Any]:
    found: dict[str, Any] = line.module.telling.models()["models"]
    return found


def reports(line: Line) -> dict[str, Any]:
    return dict(line.module.updating.reports)


def test_a_version_comes_is_exchanged_told_and_there_after_a_restart(
    run_module: RunModule,
    operator: Operator,
    where: dict[str, Any],
    make_package: MakePackage,
    frame: Callable[..., Message],
    dark: bytes,
    web: Any,
) -> None:
    operator.publish("1.1.0")
    shipped = make_package("shipped")

    async def update(line: Line) -> None:
        await line.deliver(frame(dark))
        await line.until(lambda: reports(line)["tile"].get("state") == "running")
        assert models(line)["tile"]["version"] == "1.1.0"
        await line.deliver(frame(dark))
        told = line.transport.twin_reported
        await line.until(lambda: told is not line.transport.twin_reported or told["updates"])
        await line.until(lambda: line.transport.twin_reported["updates"]["tile"].get("state") == "running")
        assert line.transport.twin_reported["updates"]["tile"]["wanted"] == SECOND

    settings = {"versions": {"tile": SECOND}, "updates": where}
    run_module(update, settings=settings, tile=shipped)
    web.faults["json"] = lambda *_: True  # nobody answers any more
    asked = len(web.asked)

    async def restarted(line: Line) -> None:
        await line.runs("1.1.0")
        await line.deliver(frame(dark))
        assert models(line)["tile"]["version"] == "1.1.0"

    run_module(restarted, settings=settings, wait=False, tile=shipped)
    assert len(web.asked) == asked


def test_what_is_refused_is_told_and_what_runs_goes_on(
    run_module: RunModule, operator: Operator, where: dict[str, Any], make_package: MakePackage
) -> None:
    operator.publish("1.1.0")
    operator.body(SECOND).write_bytes(b"x" * operator.body(SECOND).stat().st_size)

    async def part(line: Line) -> None:
        await line.until(lambda: reports(line)["tile"].get("state") == "refused")
        assert reports(line)["tile"]["reason"] == "hash"
        assert models(line)["tile"]["version"] == "1.0.0"
        await line.until(lambda: line.transport.twin_reported["updates"]["tile"].get("reason") == "hash")
        status, document = await line.transport.call("getStatus")
        assert (status, document["state"]) == (200, "warn")
        assert "update of tile to picture/made-up/1.1.0 is refused: hash" in document["text"]
        line.set(2, versions={"tile": None})
        await line.until(lambda: not reports(line))
        await line.until(lambda: "tile" not in line.transport.twin_reported["updates"])

    run_module(part, settings={"versions": {"tile": SECOND}, "updates": where}, tile=make_package("shipped"))


def test_a_model_that_does_not_fit_its_card_is_refused_for_good(
    run_module: RunModule,
    operator: Operator,
    where: dict[str, Any],
    make_package: MakePackage,
    picture_card: Callable[..., dict[str, Any]],
    web: Any,
) -> None:
    from fleet.model.archive import pack  # noqa: PLC0415 - one test's

    repository = operator.repository()
    bad = make_package("bad", picture_card(version="1.1.0", input={"name": "nowhere", "shape": [1, 4, 4]}))
    repository.publish([pack(bad)])
    operator.done(repository)
    operator.publish("1.2.0")
    shipped = make_package("shipped")
    settings = {"versions": {"tile": SECOND}, "updates": where}

    async def first(line: Line) -> None:
        await line.until(lambda: reports(line)["tile"].get("state") == "refused")
        assert reports(line)["tile"]["reason"] == "model"
        assert "no input 'nowhere'" in reports(line)["tile"]["text"]
        assert models(line)["tile"]["version"] == "1.0.0"
        assert models(line)["tile"]["instead_of"] == "1.1.0"

    run_module(first, settings=settings, tile=shipped)
    asked = len(web.asked)

    async def again(line: Line) -> None:
        assert reports(line)["tile"]["reason"] == "model"
        assert "instead_of" not in models(line)["tile"]  # it was not even tried
        assert len(web.asked) == asked
        line.set(2, versions={"tile": "picture/made-up/1.2.0"})
        await line.until(lambda: models(line)["tile"].get("version") == "1.2.0")
        await line.until(lambda: reports(line)["tile"].get("state") == "running")

    run_module(again, settings=settings, tile=shipped)


def test_a_version_for_a_name_that_has_no_folder(
    run_module: RunModule, operator: Operator, where: dict[str, Any], frame: Callable[..., Message], bright: bytes
) -> None:
    target = operator.publish("1.0.0")

    async def part(line: Line) -> None:
        await line.runs("1.0.0")
        await line.deliver(frame(bright))
        assert line.transport.outputs("alerts")

    run_module(part, settings={"packages": {}, "versions": {"press": target}, "updates": where}, wait=False)


def test_without_a_repository_that_is_the_reason(run_module: RunModule, make_package: MakePackage) -> None:
    async def part(line: Line) -> None:
        await line.until(lambda: reports(line)["tile"].get("reason") == "no_repository")
        assert models(line)["tile"]["version"] == "1.0.0"

    run_module(part, settings={"versions": {"tile": SECOND}}, tile=make_package("shipped"))


def test_settings_that_change_meanwhile_end_the_download(
    run_module: RunModule, operator: Operator, where: dict[str, Any], make_package: MakePackage
) -> None:
    operator.publish("1.1.0")
    operator.publish("1.2.0")

    async def part(line: Line) -> None:
        await line.until(lambda: reports(line)["tile"].get("step") == "download")
        line.set(2, versions={"tile": "picture/made-up/1.2.0"}, updates={"bytes_per_s": 1_000_000})
        await line.until(lambda: models(line)["tile"].get("version") == "1.2.0")
        assert line.module.updating.folder(SECOND) is None

    settings = {"versions": {"tile": SECOND}, "updates": {**where, "bytes_per_s": 1000}}
    run_module(part, settings=settings, tile=make_package("shipped", graph=None))


def test_the_module_itself_holds_nothing_of_the_update_framework() -> None:
    code = "import sys, modules.inference.module; print(sorted({'tuf', 'securesystemslib'} & set(sys.modules)))"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"


def test_versions_that_nothing_needs_are_let_go(
    run_module: RunModule, operator: Operator, where: dict[str, Any], make_package: MakePackage, gateway: Gateway
) -> None:
    numbers = ["1.1.0", "1.2.0", "1.3.0"]
    for number in numbers:
        operator.publish(number)

    async def part(line: Line) -> None:
        for version, number in enumerate(numbers, 2):
            line.set(version, versions={"tile": f"picture/made-up/{number}"})
            await line.until(lambda number=number: models(line)["tile"].get("version") == number)
        # The one at work and the last good one.
        await line.until(lambda: gateway.store.targets() == ["picture/made-up/1.2.0", "picture/made-up/1.3.0"])

    run_module(part, settings={"updates": {**where, "kept": 0}}, tile=make_package("shipped"))
