"""Whose a device is, among the gateways of one cloud."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import apsw
import pytest

from localhub.cloud.gateways import Gateways
from localhub.identity import Identities
from localhub.state import State


@pytest.fixture
def state() -> Iterator[State]:
    root = Path(tempfile.mkdtemp(prefix="lh-"))
    made = State.prepare(root)
    Identities.ensure(made.identities, "gw1", ["camera"], ["press1"])
    yield made
    shutil.rmtree(root)


def added(first: State, name: str, *leaves: str) -> State:
    made = State.prepare(first.gateway_folder(name), gateway=name, cloud=first.run)
    Identities.ensure(made.identities, name, [], leaves)
    return made


def test_a_gateway_that_was_added_is_known_from_then_on(state: State, database: apsw.Connection) -> None:
    gateways = Gateways(state, database)
    second = added(state, "gw2", "press2")
    assert [one.gateway for one in gateways] == ["gw1"]
    assert gateways.get("gw2") is None
    gateways.refresh()
    assert gateways.get("gw2") == second
    assert second.link_socket == state.link_socket
    assert second.hub_socket != state.hub_socket
    assert gateways.devices("gw2") == ["gw2", "press2"]
    shutil.rmtree(second.root)
    gateways.refresh()
    assert [one.gateway for one in gateways] == ["gw1"]


def test_every_device_has_one_home(state: State, database: apsw.Connection) -> None:
    added(state, "gw2", "press2")
    gateways = Gateways(state, database)
    row = "INSERT INTO identities VALUES (?, '', ?, '{}', 1, '{}', 1, '{}', '')"
    for device, edge in (("gw1", 1), ("gw2", 1), ("far", 1), ("made", 0)):
        database.execute(row, (device, edge))
    homes = {name: gateways.home(name) for name in ("gw1", "gw2", "press1", "press2", "made", "far", "unknown")}
    assert {name: home and home.gateway for name, home in homes.items()} == {
        "gw1": "gw1", "gw2": "gw2", "press1": "gw1", "press2": "gw2", "made": "gw1", "far": None, "unknown": "gw1",
    }  # fmt: skip
