"""Routes that change at run time: what is refused leaves those before in force, over restarts too."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from localhub.hub.configuration import Configuration
from localhub.hub.message import QueuedMessage
from localhub.hub.routing import ManifestRouter, RoutesRefused
from localhub.twin import Properties

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


def desired(*routes: str) -> dict[str, Any]:
    return {
        "schemaVersion": "1.1",
        "routes": {f"r{number}": route for number, route in enumerate(routes)},
        "storeAndForwardConfiguration": {"timeToLiveSecs": 60},
    }


FIRST = desired("FROM /messages/modules/alpha/* INTO $upstream")
OTHER = desired('FROM /messages/modules/alpha/* INTO BrokeredEndpoint("/modules/beta/inputs/in")')
BROKEN = desired("FROM /messages/* WHERE INTO $upstream")
MISTYPED = desired("FROM /messages/* WHERE concat(kind, 5) = 'x' INTO $upstream")


class Hub:
    """One hub's configuration; made again over the same facts for a restart."""

    def __init__(self, manifest: Path, facts: dict[str, bytes] | None = None, twin: Properties | None = None) -> None:
        self.facts = {} if facts is None else facts
        self.twin = twin or Properties({}, 0)
        self.reports: list[tuple[int, int, str]] = []
        self.router = ManifestRouter("gw1")
        self.configuration = Configuration(self.router, manifest)

    def start(self) -> None:
        self.configuration.start(self, lambda *report: self.reports.append(report), lambda: self.twin)

    def fact(self, name: str) -> bytes | None:
        return self.facts.get(name)

    def keep(self, values: Mapping[str, bytes]) -> asyncio.Future[None]:
        self.facts |= values
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        done.set_result(None)
        return done

    def endpoints(self) -> list[str]:
        system = {"connectionDeviceId": "gw1", "connectionModuleId": "alpha", "outputName": "x"}
        return [place.endpoint for place in self.router.places(QueuedMessage(0, b"", {}, system, 0.0, "gw1/alpha"))]


def write(path: Path, document: dict[str, Any]) -> Path:
    path.write_text(json.dumps({"$edgeHub": {"properties.desired": document}}))
    return path


@pytest.fixture
def manifest(tmp_path: Path) -> Path:
    return write(tmp_path / "manifest.json", FIRST)


async def test_new_routes_are_in_force_at_once_and_reported(manifest: Path) -> None:
    hub = Hub(manifest)
    hub.start()
    assert hub.endpoints() == ["iothub"]
    hub.configuration.take(OTHER, 2)
    assert hub.endpoints() == ["gw1/beta/in"]
    assert hub.reports == [(2, 200, "")]


async def test_a_syntax_error_is_answered_with_400_and_the_routes_before_stay(
    manifest: Path, caplog: pytest.LogCaptureFixture
) -> None:
    hub = Hub(manifest)
    hub.start()
    hub.configuration.take(BROKEN, 2)
    assert hub.endpoints() == ["iothub"]
    [(version, code, words)] = hub.reports
    assert (version, code) == (2, 400)
    assert "route 'r0': line 1, column" in words
    assert "version 2 of the routes is refused" in caplog.text


async def test_a_type_error_is_answered_with_200_and_only_the_log_tells(
    manifest: Path, caplog: pytest.LogCaptureFixture
) -> None:
    hub = Hub(manifest)
    hub.start()
    hub.configuration.take(MISTYPED, 2)
    assert hub.endpoints() == ["iothub"]
    assert hub.reports == [(2, 200, "")]
    assert "does not compile, those before stay" in caplog.text


@pytest.mark.parametrize(("refused", "code"), [(BROKEN, 400), (MISTYPED, 200)])
async def test_what_was_last_in_force_is_in_force_after_a_restart(
    manifest: Path, refused: dict[str, Any], code: int
) -> None:
    hub = Hub(manifest)
    hub.start()
    hub.configuration.take(OTHER, 2)
    hub.configuration.take(refused, 3)
    again = Hub(manifest, hub.facts, Properties(refused, 3))
    again.start()
    assert again.endpoints() == ["gw1/beta/in"]
    assert again.reports[-1][:2] == (3, code)


async def test_a_manifest_that_has_changed_wins_over_what_was_in_force(manifest: Path) -> None:
    hub = Hub(manifest)
    hub.start()
    hub.configuration.take(OTHER, 2)
    write(manifest, desired("FROM /messages/* INTO $upstream"))
    again = Hub(manifest, hub.facts, Properties(OTHER, 2))
    again.start()
    assert again.endpoints() == ["iothub"]
    assert again.reports == []  # the cloud will send the new section as version 3


async def test_a_reload_takes_the_manifest_or_says_why_not(manifest: Path) -> None:
    hub = Hub(manifest, twin=Properties(FIRST, 1))
    hub.start()
    write(manifest, BROKEN)
    with pytest.raises(RoutesRefused, match="route 'r0'"):
        hub.configuration.reload()
    assert hub.reports[-1][:2] == (1, 400)
    write(manifest, OTHER)
    hub.configuration.reload()
    assert hub.endpoints() == ["gw1/beta/in"]
    assert hub.reports[-1] == (1, 200, "")


@pytest.mark.parametrize("document", [BROKEN, MISTYPED])
async def test_a_hub_without_anything_in_force_does_not_start(tmp_path: Path, document: dict[str, Any]) -> None:
    with pytest.raises(RoutesRefused, match="route 'r0'"):
        Hub(write(tmp_path / "manifest.json", document)).start()
    with pytest.raises(RoutesRefused, match="is missing"):
        Hub(tmp_path / "nothing.json").start()
