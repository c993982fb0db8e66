"""REST over a real socket."""

import sqlite3
import stat
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from modules.common.messages import new_id
from modules.status.agent import Agent
from modules.status.agentmetrics import read

if TYPE_CHECKING:
    from tests.modules.status.conftest import Line

Play = Callable[[Callable[["Line"], Awaitable[None]]], None]


def test_an_alert_is_there_once_with_its_latency(play_line: Play) -> None:
    async def part(line: "Line") -> None:
        message = line.alert()
        line.alert(message.message_id)
        await line.settled()
        (found,) = (await line.get("/api/v1/alerts"))["alerts"]
        assert (found["id"], found["source"], found["module"]) == (
            message.message_id,
            "press3/vibration-velocity",
            "vibration",
        )
        assert (found["value"], found["advice"]) == (0.0081, "immediate shutdown required")
        assert found["latency_ms"] >= 7
        latency = await line.get("/api/v1/latency")
        assert latency["count"] == 1
        assert latency["p50_ms"] == latency["p99_ms"] == found["latency_ms"]
        assert (await line.get(f"/api/v1/alerts/{message.message_id}"))["id"] == message.message_id

    play_line(part)


def test_alerts_are_filtered_and_paged(play_line: Play) -> None:
    async def part(line: "Line") -> None:
        for number in range(5):
            line.alert(source=f"press{number}/x", severity="warning" if number % 2 else "critical")
        await line.settled()
        assert len((await line.get("/api/v1/alerts", severity="warning"))["alerts"]) == 2
        assert len((await line.get("/api/v1/alerts", source="press3"))["alerts"]) == 1
        assert (await line.get("/api/v1/alerts", acknowledged="true"))["alerts"] == []
        seen: list[str] = []
        query: dict[str, Any] = {"limit": 2}
        while True:
            page = await line.get("/api/v1/alerts", **query)
            seen += [each["source"] for each in page["alerts"]]
            if page["next"] is None:
                break
            query["cursor"] = page["next"]
        assert seen == [f"press{number}/x" for number in (4, 3, 2, 1, 0)]

    play_line(part)


def test_a_restart_forgets_nothing_that_matters(play_line: Play) -> None:
    async def before(line: "Line") -> None:
        line.heartbeat()
        line.alert()
        line.alert(source="press4", severity="warning")
        line.alert(source="press4", severity="warning", state="cleared")
        handled = line.alert(source="press5", severity="warning")
        await line.settled()
        await line.client.post(
            f"/api/v1/alerts/{handled.message_id}/acknowledge", json={"who": "Ada"}, headers=line.acting
        )
        line.alert(source="press5", severity="warning", state="updated")
        await line.settled()

    async def after(line: "Line") -> None:
        line.heartbeat()
        await line.settled()
        shown = await line.get("/api/v1/line")
        assert shown["headline"] == "Act now: press3/vibration-velocity"
        assert [(each["source"], each["acknowledged"]) for each in shown["active"]] == [
            ("press3/vibration-velocity", False),
            ("press5", True),
        ]
        assert (await line.get("/api/v1/latency"))["count"] == 5

    play_line(before)
    play_line(after)


def test_acting_needs_the_token_and_is_kept_and_told(play_line: Play, tmp_path: Path) -> None:
    async def part(line: "Line") -> None:
        message = line.alert()
        await line.settled()
        path = f"/api/v1/alerts/{message.message_id}/acknowledge"
        body = {"who": "Ada", "why": "bearing ordered"}
        for headers in ({}, {"Authorization": "Bearer wrong"}, {"Authorization": line.token}):
            assert (await line.client.post(path, json=body, headers=headers)).status_code == 401
        answer = await line.client.post(path, json=body, headers=line.acting)
        assert answer.json()["acknowledged"]["who"] == "Ada"
        again = await line.client.post(path, json={"who": "Bob"}, headers=line.acting)
        assert again.json()["acknowledged"]["who"] == "Ada"
        assert (await line.get("/api/v1/line"))["level"] != "stop"
        actions = (await line.get("/api/v1/audit"))["actions"]
        assert [each["who"] for each in actions if each["result"] == "done"] == ["Bob", "Ada"]
        for wrong, status in (({}, 422), ({"who": ""}, 422), ({"who": "A", "x": 1}, 422)):
            refused = await line.client.post(path, json=wrong, headers=line.acting)
            assert (refused.status_code, refused.headers["content-type"]) == (status, "application/problem+json")
        nobody = await line.client.post("/api/v1/alerts/none/acknowledge", json=body, headers=line.acting)
        assert nobody.status_code == 404

    play_line(part)
    for name in ("read", "operate"):
        assert stat.S_IMODE((tmp_path / "tokens" / name).stat().st_mode) == 0o600


def test_an_acknowledgement_and_a_capture_reach_their_modules(play_line: Play, transport: Any) -> None:
    async def part(line: "Line") -> None:
        line.heartbeat("camera", facts={"cameras": {"line1": {"state": "ok"}}})
        message = line.alert()
        await line.settled()
        await line.client.post(
            f"/api/v1/alerts/{message.message_id}/acknowledge", json={"who": "Ada"}, headers=line.acting
        )
        body = {"who": "Ada", "why": "looks odd"}
        answer = await line.client.post("/api/v1/cameras/line1/captureNow", headers=line.acting, json=body)
        assert answer.status_code == 202
        nowhere = await line.client.post("/api/v1/cameras/none/captureNow", headers=line.acting, json=body)
        assert nowhere.status_code == 404

    play_line(part)
    first, second = transport.outputs("commands")
    assert (first.kind, first.properties["target"], first.document()["verb"]) == ("command", "vibration", "acknowledge")
    assert (second.properties["target"], second.document()["verb"], second.document()["source"]) == (
        "camera",
        "captureNow",
        "line1",
    )


def test_foreign_names_and_large_bodies_are_refused_and_nothing_leaks(play_line: Play) -> None:
    async def part(line: "Line") -> None:
        for host in ("evil.example", "127.0.0.1.evil.example:80", "", "localhost@evil"):
            answer = await line.client.get("/api/v1/alerts", headers={"Host": host})
            assert answer.status_code == 421, host
        assert (await line.client.get("/", headers={"Host": "LOCALHOST:1234"})).status_code == 200
        large = await line.client.post("/api/v1/alerts/x/acknowledge", content=b"x" * 20_000, headers=line.acting)
        assert large.status_code == 413
        for path in ("/api/v1/alerts?limit=0", "/api/v1/alerts?cursor=x", "/nothing", "/page/../settings.py"):
            answer = await line.client.get(path)
            assert answer.status_code in (404, 422)
            assert answer.headers["content-type"] == "application/problem+json"
            assert "Traceback" not in answer.text
            assert "/modules/" not in answer.text
        headers = (await line.client.get("/")).headers
        assert "default-src 'none'" in headers["content-security-policy"]
        assert "unsafe" not in headers["content-security-policy"]
        assert headers["x-content-type-options"] == "nosniff"

    play_line(part)


def test_modules_are_shown_without_the_key_to_their_view(play_line: Play) -> None:
    async def part(line: "Line") -> None:
        line.heartbeat("camera", state="warn", text="line2 is dark")
        await line.settled()
        (found,) = (await line.get("/api/v1/modules"))["modules"]
        assert (found["name"], found["state"], found["text"], found["rss_bytes"]) == (
            "camera",
            "warn",
            "line2 is dark",
            50_000_000,
        )
        assert line.view.token not in (await line.client.get("/api/v1/modules")).text

    play_line(part)


def test_a_module_that_the_manifest_stops_is_not_said_to_run(play_line: Play, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Agent, "heard", True)
    expected = "edgeAgent_total_time_expected_running_seconds"

    async def part(line: "Line") -> None:
        line.module.agent.scrape = read(f'{expected}{{module_name="tool"}} 0\n{expected}{{module_name="plain"}} 9\n')
        shown = {each["name"]: each["state"] for each in (await line.get("/api/v1/modules"))["modules"]}
        assert (shown["tool"], shown["plain"]) == ("stopped", "running")

    play_line(part)


def test_the_queue_is_what_the_cache_says(play_line: Play) -> None:
    async def part(line: "Line") -> None:
        assert await line.get("/api/v1/queue") == {
            "known": False,
            "depth": 0,
            "bytes": 0,
            "oldest_s": 0.0,
            "link": "unknown",
        }
        line.heartbeat("cache", facts={"depth": 7, "bytes": 900, "link": "down", "outage_hours_left": 60.5})
        await line.settled()
        queue = await line.get("/api/v1/queue")
        assert (queue["depth"], queue["link"], queue["hours_left"]) == (7, "down", 60.5)

    play_line(part)


def test_details_come_from_the_modules_view(play_line: Play) -> None:
    async def part(line: "Line") -> None:
        assert (await line.client.get("/api/v1/sensors")).status_code == 503
        line.heartbeat("vibration")
        line.heartbeat("camera", facts={"cameras": {"line1": {"state": "ok", "frames": 5}, "gone": {}}})
        await line.settled()
        assert [each["source"] for each in (await line.get("/api/v1/sensors"))["sensors"]] == [
            "press3/vibration-velocity",
            "press1/temperature",
        ]
        assert (await line.get("/api/v1/sensors/press1/temperature"))["unit"] == "Cel"
        assert (await line.client.get("/api/v1/sensors/press9/none")).status_code == 404
        cameras = {each["name"]: each for each in (await line.get("/api/v1/cameras"))["cameras"]}
        assert cameras["line1"]["frames"] == 5
        picture = await line.client.get(cameras["line1"]["picture"])
        assert picture.headers["content-type"] == "image/jpeg"
        assert (await line.client.get(cameras["gone"]["picture"])).status_code == 404
        assert (await line.client.get("/api/v1/cameras/none/picture")).status_code == 404
        await line.view.stop()
        assert (await line.client.get(cameras["line1"]["picture"])).status_code == 503

    play_line(part)


def test_offline_is_ready_with_a_warning(play_line: Play, transport: Any) -> None:
    async def part(line: "Line") -> None:
        assert (await line.get("/healthz"))["status"] == "pass"
        transport.down()
        answer = await line.client.get("/readyz")
        assert (answer.status_code, answer.json()["status"]) == (200, "warn")
        assert answer.headers["content-type"] == "application/health+json"
        assert (
            'millwatch_connected{edge_device="",iothub="",module_name="status"} 0.0'
            in (await line.client.get("/metrics")).text
        )
        document = await line.get("/openapi.json")
        assert "/api/v1/alerts" in document["paths"]

    play_line(part)


def test_bad_messages_are_counted_and_passed_by(play_line: Play, transport: Any) -> None:
    async def part(line: "Line") -> None:
        good = line.alert()
        transport.deliver("alerts", good, kind="health")
        transport.deliver("health", good)
        line._seq += 2
        line.alert(message_id=new_id(), sampled=datetime.now(UTC) - timedelta(days=400))
        await line.settled()
        assert len((await line.get("/api/v1/alerts"))["alerts"]) == 2
        text = (await line.client.get("/metrics")).text
        assert 'reason="unknown_kind"' in text
        assert 'reason="wrong_shape"' in text

    play_line(part)


def test_the_gateway_reports_itself_to_the_fleet(play_line: Play, transport: Any) -> None:
    async def part(line: "Line") -> None:
        async with httpx.AsyncClient():
            line.heartbeat()
            await line.settled()

    play_line(part)
    gateways = [patch["gateway"] for patch in transport.reported if patch.get("gateway")]
    assert gateways
    assert {"level", "headline", "modules", "alerts", "queue"} <= set(gateways[0])


def test_a_failing_disk_is_an_error_without_a_word_of_where(play_line: Play, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_arguments: object) -> None:
        raise sqlite3.OperationalError("unable to open database file /data/status.db")

    async def part(line: "Line") -> None:
        monkeypatch.setattr(line.module.alerts, "find", fails)
        monkeypatch.setattr(line.module.alerts, "check", fails)
        answer = await line.client.get("/api/v1/alerts")
        assert (answer.status_code, answer.headers["content-type"]) == (500, "application/problem+json")
        assert "/data" not in answer.text
        assert "sqlite" not in answer.text.lower()
        assert (await line.client.get("/readyz")).status_code == 503
        monkeypatch.undo()

    play_line(part)


def test_settings_are_shown_as_applied_refused_and_changed_here_without_secrets(
    play_line: Play, transport: Any
) -> None:
    async def part(line: "Line") -> None:
        line.heartbeat("camera", settings={"version": 3, "ok": False, "error": "limit: too large", "local": 1})
        await line.settled()
        (camera,) = (await line.get("/api/v1/settings"))["modules"]
        assert (camera["version"], camera["ok"], camera["error"]) == (3, False, "limit: too large")
        assert (camera["local_in_force"], camera["values"]) == (1, {"limit": 1, "password": "***"})
        change = {"who": "Ada", "settings": {"limit": 2}, "why": "glare"}
        answer = await line.client.patch("/api/v1/settings/camera", json=change, headers=line.acting)
        assert (answer.status_code, answer.json()["asked"]) == (202, "setLocal")
        assert (await line.client.delete("/api/v1/settings/camera?who=Ada", headers=line.acting)).status_code == 202
        assert (await line.client.patch("/api/v1/settings/x", json=change, headers=line.acting)).status_code == 404

    play_line(part)
    verbs = [(each.document()["verb"], each.properties["target"]) for each in transport.outputs("commands")]
    assert verbs == [("setLocal", "camera"), ("clearLocal", "camera")]


def test_links_are_kept_over_a_restart(play_line: Play) -> None:
    async def before(line: "Line") -> None:
        line.heartbeat("cache", facts={"link": "up"})
        line.heartbeat("cache", facts={"link": "down"})
        await line.settled()

    async def after(line: "Line") -> None:
        line.heartbeat("cache", facts={"link": "down"})
        await line.settled()
        shown = await line.get("/api/v1/links", link="cloud")
        assert [each["state"] for each in shown["links"]] == ["down", "up"]
        assert shown["now"]["cloud"]["state"] == "down"
        assert (await line.get("/api/v1/links", link="cloud", limit=1))["next"] == shown["links"][0]["number"]

    play_line(before)
    play_line(after)


def test_a_verdict_and_a_resolution_are_kept_here_and_reach_the_module(play_line: Play, transport: Any) -> None:
    async def part(line: "Line") -> None:
        message = line.alert()
        await line.settled()
        path = f"/api/v1/alerts/{message.message_id}"
        judged = {"who": "Ada", "verdict": "false", "why": "a draught"}
        answer = await line.client.post(f"{path}/verdict", json=judged, headers=line.acting)
        assert answer.json()["verdict"]["verdict"] == "false"
        await line.client.post(f"{path}/resolve", json={"who": "Ada", "why": "aired"}, headers=line.acting)
        assert (await line.get("/api/v1/line"))["active"] == []
        assert len((await line.get("/api/v1/alerts", judged="true", resolved="true"))["alerts"]) == 1
        for action in ("verdict", "resolve"):
            nothing = await line.client.post(f"/api/v1/alerts/none/{action}", json=judged, headers=line.acting)
            assert nothing.status_code in (404, 422)

    play_line(part)
    told, over = (each.document() for each in transport.outputs("commands"))
    assert (told["verb"], told["verdict"], told["by"], told["why"]) == ("verdict", "false", "Ada", "a draught")
    assert (over["verb"], over["alert"], over["who"], over["why"]) == ("resolve", told["id"], "Ada", "aired")
    assert over["target"] == "vibration"


@pytest.mark.parametrize(
    ("value", "status"),
    [
        ("10292329754007042048", 202),  # more than 64 bits hold
        ("1" + 400 * "0", 422),
        ("NaN", 422),
        ('"\\ud800"', 422),
        ('{"\\udfff": 1}', 422),
        (300 * "[" + 300 * "]", 422),
        (7000 * "[" + 7000 * "]", 400),
    ],
)
def test_no_value_of_a_setting_breaks_anything(play_line: Play, transport: Any, value: str, status: int) -> None:
    async def part(line: "Line") -> None:
        line.heartbeat("camera")
        await line.settled()
        body = f'{{"who": "Ada", "settings": {{"a": {value}}}}}'
        headers = line.acting | {"Content-Type": "application/json"}
        answer = await line.client.patch("/api/v1/settings/camera", content=body, headers=headers)
        assert answer.status_code == status
        assert len(answer.content) < 10_000
        for field in ('"who": "\\ud800"', '"who": "Ada", "why": "\\ud800"', '"who": "Ada", "\\ud800": 1'):
            body = f'{{{field}, "settings": {{"a": 1}}}}'
            answer = await line.client.patch("/api/v1/settings/camera", content=body, headers=headers)
            assert (field, answer.status_code) == (field, 422)

    play_line(part)
    assert len(transport.outputs("commands")) == (status == 202)
