"""Routes of a manifest as places in queues."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from localhub.hub.backlog import Place
from localhub.hub.message import NEVER, QueuedMessage
from localhub.hub.routing import MOST_OUTPUTS, ManifestRouter, RoutesRefused, desired_of
from localhub.routes import ConfigCompileError, ConfigRefusedError


def manifest(path: Path, routes: object, ttl: int = 100) -> Path:
    desired = {"schemaVersion": "1.1", "routes": routes, "storeAndForwardConfiguration": {"timeToLiveSecs": ttl}}
    path.write_text(json.dumps({"$edgeHub": {"properties.desired": desired}}), encoding="utf-8")
    return path


def message(output: str = "x", **properties: str) -> QueuedMessage:
    system = {"connectionDeviceId": "gw1", "connectionModuleId": "a", "outputName": output}
    return QueuedMessage(1, b"", properties, system, 1000.0, "gw1/a")


def test_places_have_priority_and_expiry(tmp_path: Path) -> None:
    router = ManifestRouter("gw1")
    assert router.places(message()) == ()
    to_b = 'FROM /messages/modules/a/outputs/x INTO BrokeredEndpoint("/modules/b/inputs/in")'
    up = {"route": "FROM /messages/* WHERE kind = 'alert' INTO $upstream", "priority": 0, "timeToLiveSecs": 5}
    router.take(desired_of(manifest(tmp_path / "m.json", {"b": to_b, "up": up})))
    assert router.places(message()) == [Place("gw1/b/in", 2_000_000_000, 1100.0)]
    assert router.places(message(kind="alert")) == [
        Place("iothub", 0, 1005.0),
        Place("gw1/b/in", 2_000_000_000, 1100.0),
    ]
    assert router.places(message("y")) == []
    router.take(desired_of(manifest(tmp_path / "m.json", {"b": to_b}, ttl=-1)))
    assert router.places(message())[0].expiry == NEVER
    router.take(desired_of(manifest(tmp_path / "m.json", {"b": to_b}, ttl=0)))
    assert router.places(message())[0].expiry == 1000.0


@given(
    everywhere=st.integers(-2, 10**9), route=st.integers(-2, 10**9) | st.none(), priority=st.integers(0, 9) | st.none()
)
def test_a_time_to_live_is_in_seconds_and_the_routes_own_goes_first(
    everywhere: int, route: int | None, priority: int | None
) -> None:
    spec: dict[str, object] = {"route": "FROM /* INTO $upstream"}
    if route is not None:
        spec["timeToLiveSecs"] = max(route, 0)
    if priority is not None:
        spec["priority"] = priority
    router = ManifestRouter("gw1")
    router.take(
        {
            "schemaVersion": "1.1",
            "routes": {"r": spec},
            "storeAndForwardConfiguration": {"timeToLiveSecs": everywhere},
        }
    )
    seconds = max(route or 0, 0) or everywhere
    expiry = NEVER if seconds < 0 else 1000.0 + seconds
    assert router.places(message()) == [Place("iothub", 2_000_000_000 if priority is None else priority, expiry)]


def test_what_is_remembered_of_an_output_is_what_the_routes_say(tmp_path: Path) -> None:
    router = ManifestRouter("gw1")
    routes = {
        "late": {"route": 'FROM /messages/* INTO BrokeredEndpoint("/modules/b/inputs/in")', "priority": 5},
        "early": {"route": 'FROM /messages/modules/a/* INTO BrokeredEndpoint("/modules/b/inputs/in")', "priority": 1},
        "up": {"route": "FROM /messages/modules/a/outputs/x INTO $upstream", "priority": 3},
        "some": "FROM /messages/modules/a/outputs/z WHERE kind = 'alert' INTO $upstream",
    }
    router.take(desired_of(manifest(tmp_path / "m.json", routes)))
    for _ in range(2):
        assert router.places(message("x")) == [Place("gw1/b/in", 1, 1100.0), Place("iothub", 3, 1100.0)]
        assert router.places(message("z")) == [Place("gw1/b/in", 1, 1100.0)]
        assert [place.endpoint for place in router.places(message("z", kind="alert"))] == ["gw1/b/in", "iothub"]
    for number in range(3 * MOST_OUTPUTS):
        assert len(router.places(message(f"o{number}"))) == 1
    assert len(router._constant) <= MOST_OUTPUTS


def test_twin_changes_have_a_source_of_their_own(tmp_path: Path) -> None:
    router = ManifestRouter("gw1")
    router.take(desired_of(manifest(tmp_path / "m.json", {"t": "FROM /twinChangeNotifications INTO $upstream"})))
    assert router.places(message()) == []
    changed = message()
    changed.system["rpSenderDeviceId"] = "gw1"
    assert [place.endpoint for place in router.places(changed)] == ["iothub"]


def test_routes_that_cannot_be_used_leave_those_in_force(tmp_path: Path) -> None:
    router = ManifestRouter("gw1")
    router.take(desired_of(manifest(tmp_path / "m.json", {"u": "FROM /* INTO $upstream"})))
    for routes in ({"u": "FROM nowhere"}, {"u": "FROM /* WHERE a > 5 INTO $upstream"}, [1]):
        with pytest.raises((ConfigRefusedError, ConfigCompileError)):
            router.take(desired_of(manifest(tmp_path / "m.json", routes)))
    (tmp_path / "m.json").write_text("{}")
    with pytest.raises(RoutesRefused, match="no desired properties"):
        desired_of(tmp_path / "m.json")
    with pytest.raises(RoutesRefused, match="is missing"):
        desired_of(tmp_path / "none.json")
    assert len(router.places(message())) == 1
