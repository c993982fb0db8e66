"""Which desired properties are followed, which are known already, and which are of an earlier run."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from localhub.agent.deployments import Deployments
from localhub.agent.plan import Plan, PlanError, Planned
from localhub.deployed import digest

pytestmark = pytest.mark.anyio

GIVEN: dict[str, Any] = {"modules": {"one": {}}}
NEXT: dict[str, Any] = {"modules": {"one": {}, "two": {}}}


class Line:
    """Plans a module for each name; `bad` is refused. Remembers what was applied."""

    def __init__(self) -> None:
        self.applied: list[list[str]] = []
        self.told = 0

    def plan(self, desired: Mapping[str, Any], version: int) -> Plan:
        if "bad" in desired["modules"]:
            raise PlanError("bad", "it has no image")
        modules = [Planned(name=name) for name in desired["modules"]]
        return Plan(modules=modules, version=version, digest=digest(desired))

    async def apply(self, plan: Plan) -> None:
        self.applied.append([module.name for module in plan.modules])

    def tell(self) -> None:
        self.told += 1


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


def deployments(line: Line, file: Path, plan: Plan) -> Deployments:
    return Deployments(plan, line, file, line.apply, line.tell)


async def test_the_hubs_copy_of_an_earlier_run_is_not_followed(tmp_path: Path) -> None:
    line, file = Line(), tmp_path / "plan.json"
    given = Plan(modules=[Planned(name="one")], digest=digest(GIVEN))
    followed = deployments(line, file, given)
    await followed.take(NEXT, 41)  # what was applied then
    assert (line.applied, line.told, file.exists()) == ([], 0, False)
    await followed.take(GIVEN, 42)  # the cloud has spoken: nothing is to be done
    assert (line.applied, line.told, followed.version) == ([], 1, 42)
    await followed.take(NEXT, 43)
    assert (line.applied, line.told, followed.version) == ([["one", "two"]], 2, 43)
    # An agent that is started again goes on from there.
    again = deployments(line, file, Plan.from_json(file.read_bytes()))
    await again.take(NEXT, 43)
    assert (len(line.applied), again.version) == (1, 43)
    await again.take(GIVEN, 44)
    assert line.applied[1:] == [["one"]]


async def test_what_is_refused_is_said_and_the_next_is_taken(tmp_path: Path) -> None:
    line = Line()
    followed = deployments(line, tmp_path / "plan.json", Plan(modules=[], version=1, digest=digest({"modules": {}})))
    await followed.take({"modules": {"bad": {}}}, 2)
    assert (followed.version, followed.code, followed.description) == (2, 400, "bad: it has no image")
    assert line.applied == []
    await followed.take(GIVEN, 3)
    assert (followed.version, followed.code, followed.description, line.applied) == (3, 200, "", [["one"]])
