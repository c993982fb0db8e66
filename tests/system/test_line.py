"""The default line as a newcomer gets it: real modules, the real SDK, TLS, one manifest."""

import json
from typing import Any

from devices.line import Line


def alerts(line: Line, **wanted: str) -> list[dict[str, Any]]:
    found = line.api("/api/v1/alerts", limit=200)["alerts"]
    return [each for each in found if all(str(each.get(key, "")).startswith(value) for key, value in wanted.items())]


def test_a_failing_machine_raises_a_critical_alert(line: Line) -> None:
    (first, *_) = line.wait(
        "critical alert of press3", lambda: alerts(line, source="press3/vibration-velocity", severity="critical")
    )
    assert first["unit"] == "m/s"
    assert first["advice"] == "immediate shutdown required"


def test_a_defective_part_is_seen(line: Line) -> None:
    (first, *_) = line.wait("alert of the camera", lambda: alerts(line, source="camera/conveyor"))
    assert 0 <= first["probability"] <= 1


def test_alerts_and_windows_reach_the_cloud_through_the_cache(line: Line) -> None:
    def arrived() -> dict[str, dict[str, Any]]:
        found = {each["properties"].get("kind"): each for each in line.arrivals()}
        return found if {"alert", "score"} <= set(found) else {}

    found = line.wait("alerts and scores at the cloud", arrived)
    assert {each["module"] for each in found.values()} == {"cache"}
    assert found["alert"]["body"]["state"] in {"raised", "updated", "cleared"}
    assert found["alert"]["system"]["contentType"] == "application/json"


def test_the_latency_of_alerts_is_measured(line: Line) -> None:
    found = line.wait("latencies", lambda: (each := line.api("/api/v1/latency")) and each["count"] and each)
    assert 0 < found["p50_ms"] <= found["p99_ms"] < 60_000


def reported(line: Line, module: str) -> dict[str, Any]:
    twin = json.loads(line.command("twin", "get", module, "--format", "json").stdout)
    settings: dict[str, Any] = twin["reported"].get("settings", {})
    return settings | {"desired_version": twin["desired"]["$version"]}


def test_a_twin_change_alters_a_running_module_and_is_reported(line: Line) -> None:
    before = reported(line, "camera")
    done = line.command("twin", "set", "camera", json.dumps({"settings": {"sample_share": 0.5}}))
    assert done.returncode == 0, done.stderr

    def told() -> dict[str, Any]:
        found = reported(line, "camera")
        return found if found.get("version") == found["desired_version"] > before["desired_version"] else {}

    assert line.wait("report of the change", told)["ok"]
    line.wait(
        "a sample at the cloud",
        lambda: [each for each in line.arrivals() if each["properties"]["kind"] == "sample"],
    )


def test_a_bad_twin_change_is_refused_in_words_and_changes_nothing(line: Line) -> None:
    line.command("twin", "set", "vibration", json.dumps({"settings": {"no_such_setting": 1}}))

    def told() -> dict[str, Any]:
        found = reported(line, "vibration")
        return found if found.get("ok") is False else {}

    assert "no_such_setting" in line.wait("refusal", told)["error"]
    line.command("twin", "set", "vibration", json.dumps({"settings": {"no_such_setting": None}}))
    line.wait("recovery", lambda: reported(line, "vibration").get("ok"))


def test_a_method_answers(line: Line) -> None:
    for module in ("camera", "vibration", "inference", "cache", "status"):
        done = line.command("method", module, "ping", "--format", "json")
        assert done.returncode == 0, done.stderr
        answer = json.loads(done.stdout)
        assert answer["status"] == 200
        assert answer["payload"]["module"] == module


def test_the_hub_restarts_and_the_modules_go_on(line: Line) -> None:
    def running() -> dict[str, int]:
        return {each["name"]: each["pid"] for each in line.control("agent", "/status")["modules"]}

    before = running()
    assert line.command("restart", "hub").returncode == 0
    seen = len(alerts(line, source="camera/conveyor"))
    line.wait("new alerts after the restart", lambda: len(alerts(line, source="camera/conveyor")) > seen)
    assert running() == before


def test_the_status_command_tells_what_runs(line: Line) -> None:
    found = json.loads(line.command("status", "--format", "json").stdout)
    assert {each["name"] for each in found["agent"]["modules"]} == set(line.manifest_modules())
