"""Figures from status documents, and how they are shown."""

from __future__ import annotations

import io
import json
from typing import Any

import pytest
from rich.console import Console

from localhub.commands import message_text, status_text
from localhub.overview import duration, overview, size, totals
from localhub.screen import Form, PlainScreen, live_table, plain_line, screen_for

STATUS: dict[str, Any] = {
    "uptime_s": 75.0,
    "address": "127.0.0.1",
    "state": "/s",
    "processes": [{"name": "hub", "state": "running"}, {"name": "cloud", "state": "backoff"}],
    "hub": {
        "clients": [{"id": "gw1/camera", "connected_since": "2026-01-02T03:04:05Z"}, {"id": "press4"}],
        "queues": [
            {"endpoint": "iothub", "priority": 0, "depth": 3, "bytes": 100, "oldest_s": 1.0},
            {"endpoint": "gw1/cache/telemetry", "priority": 0, "depth": 2, "bytes": 100, "oldest_s": 1.0},
        ],
        "counters": {"received": 12, "sent": 9, "dropped": {"no_route": 4, "ttl": 0}},
        "link": {"state": "down", "latency_ms": None, "bytes_per_s": None},
        "rates": {
            "camera": {"in_per_s": 5.0, "out_per_s": 0.0, "bytes_in": 900_000, "bytes_out": 10},
            "cache": {"in_per_s": 1.0, "out_per_s": 1.5, "bytes_in": 1000, "bytes_out": 1000},
            "press4": {"in_per_s": 2.0, "out_per_s": 0.0, "bytes_in": 100_000, "bytes_out": 0},
        },
    },
    "cloud": {"arrivals": 7, "distinct": 6, "bytes": 2000, "last_arrival": None},
    "agent": {
        "modules": [
            {"name": "camera", "state": "running", "cpu_percent": 12.4, "rss": 52_000_000, "restarts": 0},
            {"name": "cache", "state": "failed", "cpu_percent": 0.0, "rss": 0, "restarts": 2},
        ],
        "leaves": [{"name": "press4", "state": "running", "cpu_percent": 0.0, "rss": 1_000_000, "restarts": 0}],
    },
}


def test_figures() -> None:
    now = overview(STATUS)
    assert now.bytes_in == 1_000_000  # the camera and the leaf device, not what modules say to each other
    assert now.bytes_up == 2000
    assert now.reduction == 0.002
    assert (now.queued, now.queued_up) == (5, 3)
    camera, cache, press = now.rows
    assert (camera.connected, camera.sent_per_s, camera.leaf) == (True, 5.0, False)
    assert (cache.connected, cache.received_per_s, cache.restarts) == (False, 1.5, 2)
    assert (press.leaf, press.connected) == (True, True)


def test_nothing_answers_yet() -> None:
    now = overview({"uptime_s": 0.1, "processes": [], "hub": None, "cloud": None, "agent": None})
    assert (now.rows, now.link, now.reduction) == ([], "unknown", None)
    assert plain_line(now)
    assert totals(now)


def test_a_moment_in_one_line() -> None:
    assert plain_line(overview(STATUS)) == (
        "1 min 15 s: 1/2 modules run, 8 messages/s, in 1.0 MB, up 2.0 KB (0.20% of it), link down, queued 5 (3 up), "
        "arrived 7, 4 dropped: no_route, cloud backoff"
    )


def test_the_table_shows_all_of_it() -> None:
    console = Console(file=io.StringIO(), width=120)
    console.print(live_table(overview(STATUS), ["vibration kind=alert"], "http://127.0.0.1:8080"))
    output = console.file
    assert isinstance(output, io.StringIO)
    for word in ("camera", "connected", "52.0 MB", "failed, 2 restarts", "press4 (leaf)", "link down", "queued 5"):
        assert word in output.getvalue()
    assert "vibration kind=alert" in output.getvalue()
    assert "http://127.0.0.1:8080" in output.getvalue()


def test_a_status_for_a_person() -> None:
    text = status_text(overview(STATUS), STATUS)
    assert "hub running  cloud backoff" in text
    assert "module camera running  connected" in text
    assert "dropped 4: no_route" in text
    assert "ttl" not in text
    assert "fault on command" not in text
    faulty = STATUS | {"strict": True, "hub": STATUS["hub"] | {"faults": {"disk_full": True, "expired_tokens": 0}}}
    text = status_text(overview(faulty), faulty)
    assert "state /s, strict\n" in text
    assert "fault on command: disk_full true" in text
    assert "expired_tokens" not in text


def test_totals() -> None:
    assert totals(overview(STATUS)) == [
        "ran 1 min 15 s",
        "messages received by the hub 12, dropped 4 no_route",
        "bytes in 1.0 MB, up 2.0 KB; 0.0020 of what came in",
        "arrived at the cloud 7, distinct ids 6, still queued 5",
        "restarts cache 2",
    ]


def test_plain_lines_go_where_they_are_told() -> None:
    stream = io.StringIO()
    screen = PlainScreen(stream)
    screen.show(overview(STATUS))
    screen.highlight("vibration too hot")
    assert stream.getvalue().splitlines()[1] == "vibration too hot"


def test_a_watched_message() -> None:
    message = {"time": "t", "source": "camera", "output": "frames", "properties": {"kind": "frame"}, "body": "…"}
    assert message_text(message) == "t camera frames  kind=frame  …"


def test_the_same_for_a_program() -> None:
    stream = io.StringIO()
    screen = screen_for(stream, Form.JSON, None)
    screen.show(overview(STATUS))
    screen.highlight("too hot")
    screen.say("bye")
    moment, highlight, text = (json.loads(line) for line in stream.getvalue().splitlines())
    assert (moment["moment"]["queued"], moment["moment"]["reduction"]) == (5, 0.002)
    assert (highlight, text) == ({"highlight": "too hot"}, {"text": "bye"})


def test_a_stream_that_is_no_terminal_gets_plain_lines() -> None:
    assert isinstance(screen_for(io.StringIO(), Form.AUTO, None), PlainScreen)


@pytest.mark.parametrize(
    ("count", "text"), [(0, "0 B"), (999, "999 B"), (1500, "1.5 KB"), (123456, "123 KB"), (5e15, "5000.0 TB")]
)
def test_sizes(count: float, text: str) -> None:
    assert size(count) == text


@pytest.mark.parametrize(("seconds", "text"), [(9.9, "9 s"), (200, "3 min 20 s"), (7500, "2 h 5 min")])
def test_durations(seconds: float, text: str) -> None:
    assert duration(seconds) == text
