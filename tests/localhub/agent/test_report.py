"""What the agent says of itself in the twin of $edgeAgent."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from localhub import control
from localhub.agent import report
from localhub.agent.edge import Edge
from localhub.agent.orphans import Records
from localhub.agent.plan import Plan, Planned
from localhub.agent.runner import ProcessRunner
from localhub.control.server import Call
from localhub.state import State
from localhub.twin import merge

pytestmark = pytest.mark.anyio


async def test_modules_are_reported_as_they_change_and_those_of_earlier_runs_removed(
    state: State, program: Callable[..., Planned], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(report, "EVERY_S", 0.01)
    reported: dict[str, Any] = {"modules": {"gone": {"exitCode": 0}}}
    patches: list[dict[str, Any]] = []

    async def hub_twin(_call: Call) -> object:
        return {"desired": {"$version": 0}, "reported": {**reported, "$version": 4}}

    async def take(call: Call) -> object:
        nonlocal reported
        assert call.body["module"] == "$edgeAgent"
        patches.append(call.body["patch"])
        reported = merge(reported, call.body["patch"])
        return {}

    async def until(fact: Callable[[], object]) -> None:
        async with asyncio.timeout(60):
            while not fact():  # noqa: ASYNC110  what is waited for happens in another process
                await asyncio.sleep(0.01)

    one = program("one", "import time; time.sleep(600)")
    edge = Edge(state, Plan(modules=[one]), ProcessRunner(Records(state.agent / "living.json", str(state.root))))
    hub = control.application(control.get("/twin/{name}", hub_twin), control.post("/reported", take))
    last = SimpleNamespace(version=7, code=400, description="why")
    async with edge.workload_api(), control.serving(hub, state.hub_socket):
        reporting = asyncio.create_task(report.keep_reporting(edge, last))
        await until(lambda: patches)
        assert reported["lastDesiredVersion"] == 7
        assert reported["lastDesiredStatus"] == {"code": 400, "description": "why"}
        assert set(reported) >= {"schemaVersion", "version", "runtime", "systemModules"}
        assert reported["modules"] == {
            "one": {
                "type": "docker",
                "status": "running",
                "restartPolicy": "never",
                "runtimeStatus": "stopped",
                "statusDescription": "stopped",
                "restartCount": 0,
            }
        }
        await edge.modules["one"].start()
        await until(lambda: reported["modules"]["one"]["runtimeStatus"] == "running")
        assert reported["modules"]["one"]["lastStartTimeUtc"].endswith("Z")
        edge.modules["one"].kill()
        await until(lambda: reported["modules"]["one"]["runtimeStatus"] == "failed")
        assert reported["modules"]["one"]["exitCode"] == 137
        assert reported["modules"]["one"]["lastExitTimeUtc"] >= reported["modules"]["one"]["lastStartTimeUtc"]
        assert set(patches[-1]) == {"modules"}
        reporting.cancel()
        await asyncio.wait({reporting})
