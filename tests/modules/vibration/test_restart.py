"""What the module knows after a restart."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from modules.common.snapshot import Snapshot
from modules.vibration.state import State
from tests.modules.vibration.made import START, Ticking, readings

Run = Callable[..., Any]


async def until_kept(folder: Path, message_id: str) -> None:
    """Wait until a snapshot has what a message said."""

    def there() -> bool:
        body = Snapshot(folder / "vibration.snapshot").load()
        return body is not None and message_id in State.decode(body).handled

    async with asyncio.timeout(60):
        while not there():  # noqa: ASYNC110 - the module writes by its own clock
            await asyncio.sleep(0.05)


@pytest.mark.parametrize("kill", [False, True])
def test_after_a_restart_it_is_not_blind_and_the_interrupted_window_is_partial(
    run_module: Run, tmp_path: Path, *, kill: bool
) -> None:
    clock = Ticking()
    rng = np.random.default_rng(3)

    async def before(hub: Any, _edge: Any) -> None:
        for second in range(150):
            clock.now = START + second
            message = readings([float(rng.normal(20, 1))], at=clock.now, seq=second, name="a")
            await hub.deliver("readings", message)
        if kill:
            await until_kept(tmp_path, message.message_id)

    async def after(hub: Any, _edge: Any) -> None:
        for second in range(152, 250):
            clock.now = START + second
            value = 40.0 if second < 165 else 20.0
            await hub.deliver("readings", readings([value], at=clock.now, seq=second, name="a"))

    run_module(before, clock=clock, snapshot_every=0.5, kill=kill)
    hub = run_module(after, clock=clock, snapshot_every=0.5, reporting={"every": 1})
    assert [document["rule"] for document in hub.documents("alerts")][:1] == ["deviation"]
    assert hub.documents("alerts")[0]["sampled"].startswith("2023-11-14T22:16:36")  # five flagged readings suffice
    windows = [document["columns"] for document in hub.documents("windows") if "of" in document]
    assert [(each["start"] - START, each["partial"], each["gaps"]) for each in windows] == [
        (120, True, 2),
        (180, False, 0),
    ]


def test_a_damaged_snapshot_costs_a_warm_up_and_no_more(run_module: Run, tmp_path: Any) -> None:
    async def part(hub: Any, _edge: Any) -> None:
        await hub.deliver("readings", readings([30.0]))

    run_module(part, clock=Ticking())
    (tmp_path / "vibration.snapshot").write_bytes(b"rubbish")
    hub = run_module(part, clock=Ticking())
    assert len(hub.acknowledged) == 1
