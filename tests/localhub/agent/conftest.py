"""What tests of the agent share: a state folder with keys, and small programs that stand for modules."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from localhub import certs
from localhub.agent.plan import Planned
from localhub.agent.policy import Policy
from localhub.identity import Identities
from localhub.state import State

ADDRESS = "127.61.0.1"


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
def state(tmp_path: Path) -> State:
    state = State.prepare(tmp_path / "state", address=ADDRESS, metrics_port=9600)
    certs.ensure(state)
    Identities.ensure(state.identities, state.gateway, ["one", "two"], ["leaf"])
    return state


PlannedOf = Callable[..., Planned]


@pytest.fixture
def program(tmp_path: Path) -> PlannedOf:
    """A planned process that runs the given Python text."""

    def make(name: str, text: str, *, policy: Policy = Policy.NEVER, order: int = 0, **env: str) -> Planned:
        file = tmp_path / f"{name}.py"
        file.write_text(text)
        command = [sys.executable, "-S", "-E", str(file)]
        return Planned(name=name, command=command, folder=str(tmp_path), policy=policy, order=order, env=env)

    return make
