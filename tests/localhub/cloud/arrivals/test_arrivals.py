"""Every arrival is kept, counted, and shown as it came."""

import base64
from collections.abc import Callable
from datetime import datetime
from typing import Any

import apsw
import pytest

from localhub.cloud.arrivals import Arrivals
from localhub.cloud.database import open_database
from localhub.link import Telemetry

Make = Callable[..., Telemetry]


def test_nothing_is_deduplicated_and_every_repeat_is_known(
    database: apsw.Connection, message: Make, now: datetime
) -> None:
    arrivals = Arrivals(database)
    arrivals.append([message("a"), message("b"), message("a")], now)
    arrivals.append([message("a", b"changed"), message("a", module="other"), message(None)], now)
    counts = arrivals.counts
    assert (counts.arrivals, counts.distinct, counts.repeats, counts.differing, counts.without_id) == (6, 3, 2, 1, 1)
    assert counts.last_arrival == "2026-01-02T03:04:05.678Z"
    assert Arrivals(database).counts == counts  # counted again from the file


def test_a_repeat_that_the_hub_stamped_anew_is_still_identical(
    database: apsw.Connection, message: Make, now: datetime
) -> None:
    arrivals = Arrivals(database)
    arrivals.append([message("a"), message("a", edgeMessageId="another")], now)
    assert (arrivals.counts.repeats, arrivals.counts.differing) == (1, 0)
    arrivals.append([message("a", correlationId="new")], now)
    assert arrivals.counts.differing == 1


def test_size_is_what_the_sender_made(database: apsw.Connection, message: Make, now: datetime) -> None:
    arrivals = Arrivals(database)
    arrivals.append([message("a")], now)
    properties = "kindalert" + "messageIda" + "contentTypeapplication/json" + "contentEncodingutf-8"
    assert arrivals.counts.bytes == len('{"x":1}') + len(properties)


def test_bodies_are_shown_as_json_or_as_base64(database: apsw.Connection, message: Make, now: datetime) -> None:
    arrivals = Arrivals(database)
    arrivals.append([message("a"), message("b", b"\xff"), message("c", contentType="image/jpeg")], now)
    first, second, third = arrivals.after(0, 10)
    assert (first["body"], first["number"], first["message_id"], first["repeat"]) == ({"x": 1}, 1, "a", False)
    assert base64.b64decode(second["body_b64"]) == b"\xff"
    assert base64.b64decode(third["body_b64"]) == b'{"x":1}'
    assert base64.b64decode(arrivals.after(0, 1, raw=True)[0]["body_b64"]) == b'{"x":1}'


def test_pages_go_on_behind_a_number(database: apsw.Connection, message: Make, now: datetime) -> None:
    arrivals = Arrivals(database)
    assert arrivals.append([message(str(n)) for n in range(5)], now) == [1, 2, 3, 4, 5]
    assert [row["number"] for row in arrivals.after(2, 2)] == [3, 4]
    assert arrivals.last_number() == 5


def test_a_failed_commit_leaves_no_trace(database: apsw.Connection, message: Make, now: datetime) -> None:
    arrivals = Arrivals(database)
    arrivals.append([message("a")], now)
    database.pragma("max_page_count", database.pragma("page_count"))
    with pytest.raises(apsw.FullError):
        arrivals.append([message("b"), message("big", b"x" * 100_000)], now)
    database.pragma("max_page_count", 1_000_000)
    assert arrivals.append([message("b")], now) == [2]
    assert (arrivals.counts.arrivals, arrivals.counts.repeats) == (2, 0)


def test_what_was_kept_is_there_after_a_restart(tmp_path_factory: pytest.TempPathFactory, message: Make) -> None:
    path = tmp_path_factory.mktemp("state") / "cloud.db"
    first = open_database(path)
    Arrivals(first).append([message("a")], datetime.fromtimestamp(0).astimezone())
    first.close()
    second = open_database(path)
    arrivals = Arrivals(second)
    arrivals.append([message("a")], datetime.fromtimestamp(1).astimezone())
    assert [row["number"] for row in arrivals.after(0, 10)] == [1, 2]
    assert arrivals.counts.repeats == 1
    second.close()


def test_arrivals_of_some_devices_or_kinds_also_from_the_end(
    database: apsw.Connection, message: Make, now: datetime
) -> None:
    arrivals = Arrivals(database)
    sent = [message(f"m{number}", connectionDeviceId=f"gw{number % 3}") for number in range(9)]
    other = Telemetry(b"{}", {"kind": "window"}, sent[0].system | {"messageId": "w"})
    arrivals.append([*sent, other], now)

    def ids(number: int, limit: int = 99, **which: Any) -> list[str]:
        return [one["message_id"] for one in arrivals.after(number, limit, **which)]

    assert ids(0, devices=["gw1"]) == ["m1", "m4", "m7"]
    assert ids(-2, devices=["gw1", "gw2"]) == ["m7", "m8"]
    assert ids(-50, devices=["gw2"]) == ["m2", "m5", "m8"]
    assert ids(-2) == ["m8", "w"]
    assert ids(-1, kind="window") == ["w"]
    assert ids(-2, devices=["gw0"], kind="alert") == ["m3", "m6"]
    assert ids(4, 2, devices=["gw2"]) == ["m5", "m8"]
    assert ids(0, devices=["absent"]) == ids(-1, devices=["absent"]) == []
    assert (arrivals.of(["gw1"]).arrivals, arrivals.of(["gw0", "gw1"]).arrivals) == (3, 7)
    assert Arrivals(database).of(["gw0"]) == arrivals.of(["gw0"])
