"""localhub.testing against a real localhub: what the guide's example does not show."""

from __future__ import annotations

import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from localhub.agent import wrongclock
from localhub.control.client import ControlError
from localhub.testing import Hub, HubFailedError, NotInTimeError, running

pytestmark = pytest.mark.system


def test_a_message_comes_back_with_its_properties(hub: Hub) -> None:
    every, some = hub.watch("*/*"), hub.watch("echo/out", where="kind = 'b'")
    for kind in "ab":
        hub.send("echo/in", b"\x00" + kind.encode(), {"kind": kind, "$.ct": "image/jpeg"})
    first, second = every.wait(2)
    assert (first.body, first.output, first.source) == (b"\x00a", "out", "gw1/echo")
    assert first.properties["kind"] == "a"
    assert first.system["contentType"] == "image/jpeg"
    assert some.one().body == second.body == b"\x00b"
    every.none(0.05)
    assert len(every.all) == 2
    hub.send("echo/in", "text")
    with pytest.raises(AssertionError, match="was to be silent"):
        every.none(60)
    assert every.one().text == "text"


def test_what_does_not_come_is_explained(hub: Hub) -> None:
    with pytest.raises(NotInTimeError, match=r"(?s)0 of 1 messages of echo/out came.*echo running.*echo is ready"):
        hub.watch("echo/out").one(within_s=0.01)
    with pytest.raises(ControlError, match="line 1"):
        hub.watch("echo/out", where="kind = ")


def test_twins_and_methods(hub: Hub) -> None:
    version = hub.set_desired("echo", {"rate": 3, "deep": {"a": 1}})
    seen = hub.wait_reported("echo", {"version": version})["seen"]
    assert seen == {"rate": 3, "deep": {"a": 1}}
    assert hub.desired("echo")["rate"] == 3
    answer = hub.call("echo", "any", {"x": [1]})
    assert (answer.status, answer.payload) == (201, {"x": [1]})
    with pytest.raises(ControlError) as error:
        hub.call("ghost", "any")
    assert error.value.status == 404


def test_routes_change_at_run_time_and_what_is_queued_stays(hub: Hub) -> None:
    before = len(hub.arrivals())
    out = hub.watch("echo/out")
    hub.link("down")
    hub.send("echo/in", "queued")
    out.one()
    hub.link("slow", latency_ms=1)  # the cloud has to reach the hub with the new routes
    hub.until(lambda: len(hub.arrivals()) == before + 1)
    hub.link("down")
    hub.send("echo/in", "queued too")
    out.one()
    version = hub.set_desired("$edgeHub", {"routes": {"up": None}})
    hub.link("up")
    hub.wait_reported("$edgeHub", {"lastDesiredVersion": version, "lastDesiredStatus": {"code": 200}})
    hub.until(lambda: [message.text for message in hub.arrivals()[before:]] == ["queued", "queued too"])
    hub.send("echo/in", "no route any more")
    out.one()
    refused = hub.set_desired("$edgeHub", {"routes": {"up": "FROM /messages/* WHERE INTO $upstream"}})
    report = hub.wait_reported("$edgeHub", {"lastDesiredVersion": refused})
    assert report["lastDesiredStatus"]["code"] == 400
    assert "route 'up'" in report["lastDesiredStatus"]["description"]
    hub.restart("hub")  # what was last in force is in force: no route
    hub.wait_connected("echo")
    out.clear()
    hub.send("echo/in", "still none")
    out.one(within_s=60)
    version = hub.set_desired("$edgeHub", {"routes": {"up": "FROM /messages/* INTO $upstream"}})
    hub.wait_reported("$edgeHub", {"lastDesiredVersion": version, "lastDesiredStatus": {"code": 200}})
    hub.send("echo/in", "a route again")
    hub.until(lambda: [message.text for message in hub.arrivals()[before + 2 :]] == ["a route again"])


def test_the_agent_reports_a_module_that_was_killed(hub: Hub) -> None:
    before = hub.wait_reported("$edgeAgent", {"modules": {"echo": {"runtimeStatus": "running"}}})
    assert before["lastDesiredVersion"] == 1
    hub.restart("echo", kill=True)
    restarts = before["modules"]["echo"]["restartCount"] + 1
    hub.wait_reported("$edgeAgent", {"modules": {"echo": {"runtimeStatus": "running", "restartCount": restarts}}})
    hub.wait_connected("echo")


def test_faults_from_the_command_line(hub: Hub) -> None:
    def fault(*words: str) -> str:
        asked = [sys.executable, "-m", "localhub", "fault", *words, "--state", str(hub.state.root)]
        return subprocess.run(asked, check=True, capture_output=True, text=True).stdout.strip()

    out = hub.watch("echo/out")
    assert fault("refuse", "3", "echo") == "the next 1 CONNECT of echo: code 3"
    assert fault("drop", "echo") == "disconnected: gw1/echo"
    hub.send("echo/in", "after a while")
    out.one(within_s=60)
    assert fault("puback", "100", "echo") == "PUBACKs to echo: 100 ms late"
    assert fault("disk", "full") == "the hub's disk is full"
    assert fault("clock", "-60") == "the clock of the hub is -60 s wrong"
    assert fault("clear") == "no faults are set"


@pytest.mark.parametrize(
    ("kind", "facts", "status", "words"),
    [
        ("drop", {"client": "ghost"}, 404, "gw1/ghost is not connected"),
        ("session", {"client": "leaf/"}, 404, "leaf has no session"),
        ("session", {}, 400, "whose session"),
        ("refuse", {"code": 7}, 400, "from 1 to 5, not 7"),
        ("refuse", {}, 400, "code must be a whole number"),
        ("puback", {"delay_ms": "x"}, 400, "delay_ms must be a number"),
        ("disk", {"full": "yes"}, 400, "full must be true or false"),
        ("clock", {"offset_s": "x"}, 400, "offset_s must be a number"),
        ("fire", {}, 400, "is none of drop"),
    ],
)
def test_a_fault_that_cannot_be_is_refused(hub: Hub, kind: str, facts: dict[str, str], status: int, words: str) -> None:
    with pytest.raises(ControlError, match=words) as error:
        hub.fault(kind, **facts)
    assert error.value.status == status


def test_a_manifest_that_is_refused_says_why(tmp_path: Path) -> None:
    manifest = tmp_path / "deployment.json"
    manifest.write_text("{}")
    with pytest.raises(HubFailedError, match="ended with code 3"), running(manifest):
        raise AssertionError("unreachable")


def test_a_full_disk_holds_everything_up_and_loses_nothing(hub: Hub) -> None:
    before = len(hub.arrivals())
    hub.send("echo/in", "before")
    hub.until(lambda: len(hub.arrivals()) == before + 1)
    hub.disk("full")
    with pytest.raises(ControlError):
        hub.send("echo/in", "refused")
    hub.disk("free")
    hub.send("echo/in", "after")
    hub.until(lambda: [message.text for message in hub.arrivals()[before:]] == ["before", "after"], 60)


def test_a_wrong_clock_of_the_hub_dates_messages(hub: Hub) -> None:
    out = hub.watch("echo/out")
    hub.clock(-86_400)
    hub.send("echo/in", "yesterday")
    message = out.one()
    assert datetime.now(UTC) - datetime.fromisoformat(message.time) > timedelta(hours=23)
    with pytest.raises(ControlError, match="between the years"):
        hub.clock(1e13)


def test_a_lossy_link_is_slow_and_loses_nothing(hub: Hub) -> None:
    before = len(hub.arrivals())
    hub.link("slow", loss_percent=15)  # five in a row, 6 s of silence, come to one in ten thousand
    for number in range(5):
        hub.send("echo/in", str(number))
    hub.until(lambda: [message.text for message in hub.arrivals()[before:]] == list("01234"), 120)


def test_modules_see_the_wrong_time_where_there_is_a_library_for_it(hub: Hub) -> None:
    try:
        wrongclock.library(os.environ)
    except wrongclock.NoWrongClockError:
        with pytest.raises(ControlError, match="apt install libfaketime") as error:
            hub.clock(-86_400, modules=True)
        assert error.value.status == 501
        return
    hub.clock(-86_400, modules=True)
    hub.wait_connected("echo")  # it and the hub agree about the time
    hub.fault("clock", offset_s=0)
    hub.until(lambda: not hub.connected("echo"), 60)  # to the hub its token expired yesterday
    hub.recover()
    hub.wait_connected("echo")


def test_how_a_module_connects(hub: Hub) -> None:
    assert hub.environment("echo")["IOTEDGE_MODULEID"] == "echo"
    with pytest.raises(ControlError, match="there are: echo"):
        hub.environment("ghost")


def test_strict_is_handed_on_to_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[list[str]] = []

    def start(words: list[str], **_: object) -> None:
        started.append(words)
        raise InterruptedError

    monkeypatch.setattr("localhub.testing.hub.subprocess.Popen", start)
    for strict in (False, True):
        with pytest.raises(InterruptedError), running(tmp_path, strict=strict):
            raise AssertionError("unreachable")
    assert ["--strict" in words for words in started] == [False, True]
