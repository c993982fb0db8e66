from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleet.commands.status import row, troubled
from fleet.gateway import Gateway, gateway, settled, totals

DEVICE: dict[str, Any] = {"deviceId": "ulm-1", "connectionState": "Connected", "tags": {"line": 3}}


def agent(*, code: int = 200, seen: int = 4, state: str = "running", description: str = "") -> dict[str, Any]:
    return {
        "properties": {
            "desired": {"modules": {"camera": {"status": "running"}, "spare": {"status": "stopped"}}, "$version": 4},
            "reported": {
                "lastDesiredVersion": seen,
                "lastDesiredStatus": {"code": code, "description": description},
                "modules": {
                    "camera": {
                        "status": "running",
                        "runtimeStatus": state,
                        "version": "1.2",
                        "statusDescription": "why",
                    },
                    "spare": {"status": "stopped", "runtimeStatus": "stopped", "settings": {"image": "r:5/spare:0.3"}},
                },
            },
        },
        "configurations": {"base": {"status": "Applied"}, "other": {"status": "Targeted"}},
    }


STATUS: dict[str, Any] = {
    "properties": {
        "reported": {
            "gateway": {
                "level": "warn",
                "headline": "press3 shakes",
                "alerts": {"critical": 2, "warning": 0, "info": 1, "unhandled": 1},
                "link": {"edgeHub": {"state": "up"}, "cloud": {"state": "down"}},
                "queue": {"depth": 300, "hours_left": -1},
                "drift": {"bearing": 0.4},
            }
        }
    }
}


def test_three_twins_become_one_row() -> None:
    one = gateway(DEVICE, {"$edgeAgent": agent(), "status": STATUS})
    assert one == Gateway(
        device="ulm-1",
        connected=True,
        deployment="current",
        deployments=["base"],
        versions={"camera": "1.2", "spare": "0.3"},
        line="warn",
        headline="press3 shakes",
        link="down",
        queue=300,
        alerts={"critical": 2, "info": 1, "unhandled": 1},
        drift={"bearing": 0.4},
        tags={"line": 3},
    )
    assert row(one) == [
        "ulm-1", "up", "current", "warn", "down", "300", "2 critical, 1 info", "bearing 0.4", "camera 1.2, spare 0.3",
    ]  # fmt: skip
    assert troubled(one)


@pytest.mark.parametrize(
    ("twin", "deployment", "trouble"),
    [
        (agent(), "current", False),
        (agent(seen=3), "pending", True),
        (agent(code=400, description="no command"), "refused", True),
        (agent(state="backoff"), "current", True),
        ({}, "none", False),
    ],
)
def test_what_became_of_the_deployment(twin: dict[str, Any], deployment: str, trouble: bool) -> None:
    one = gateway(DEVICE, {"$edgeAgent": twin})
    assert one.deployment == deployment
    assert troubled(one) is trouble
    assert troubled(gateway(DEVICE | {"connectionState": "Disconnected"}, {"$edgeAgent": twin}))


@pytest.mark.parametrize(
    ("twin", "wanted", "outcome"),
    [
        (agent(), 4, ""),
        (agent(), 3, ""),
        (agent(), 5, None),
        (agent(code=400, description="no command"), 4, "400 no command"),
        (agent(code=400, description="of before"), 5, None),
        (agent(state="backoff"), 4, "camera backoff: why"),
        (agent(state="failed"), 4, "camera failed: why"),
        (agent(state="unknown"), 4, None),
        ({}, 1, None),
    ],
)
def test_a_gateway_has_settled_when_it_runs_or_says_why_not(
    twin: dict[str, Any], wanted: int, outcome: str | None
) -> None:
    assert settled(twin, wanted) == outcome


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["properties", "reported", "desired", "modules", "gateway", "link", "queue", "alerts", "a"]
            ),
            inner,
            max_size=4,
        )
    ),
)


@given(st.dictionaries(st.sampled_from(["$edgeAgent", "status"]), st.dictionaries(st.just("properties"), JSON)))
def test_whatever_a_gateway_reports_it_gets_a_row(modules: Any) -> None:
    one = gateway(DEVICE, modules)
    assert len(row(one)) == 9
    assert isinstance(troubled(one), bool)


def test_totals_count_each_alert_once() -> None:
    fine = gateway(DEVICE, {"$edgeAgent": agent()})
    loud = gateway(DEVICE, {"$edgeAgent": agent(state="failed"), "status": STATUS})
    assert totals([fine, loud]) == {
        "gateways": 2, "connected": 2, "current": 2, "pending": 0, "refused": 0, "failing": 1, "alerts": 3,
    }  # fmt: skip
