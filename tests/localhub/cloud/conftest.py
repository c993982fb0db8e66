"""A cloud on a temporary folder."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import apsw
import pytest

from localhub.cloud.database import open_database
from localhub.link import Telemetry

NOW = datetime(2026, 1, 2, 3, 4, 5, 678000, UTC)


@pytest.fixture
def database(tmp_path: Path) -> Iterator[apsw.Connection]:
    """An open cloud database."""
    connection = open_database(tmp_path / "cloud" / "cloud.db")
    yield connection
    connection.close()


@pytest.fixture
def now() -> datetime:
    """The time of every arrival."""
    return NOW


@pytest.fixture
def message() -> Callable[..., Telemetry]:
    """Makes messages as the hub sends them."""

    def make(message_id: str | None = "m1", body: bytes = b'{"x":1}', module: str = "cache", **extra: Any) -> Telemetry:
        system = {
            "connectionDeviceId": "gw1",
            "connectionModuleId": module,
            "contentType": "application/json",
            "contentEncoding": "utf-8",
            "edgeMessageId": "added by the hub",
        }
        if message_id is not None:
            system["messageId"] = message_id
        return Telemetry(body, {"kind": "alert"}, system | extra)

    return make
