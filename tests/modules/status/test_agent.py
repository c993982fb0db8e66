"""edgeAgent's metrics, as localhub serves them and as edgeAgent's own page looks."""

import asyncio
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from localhub.agent.metrics import Deeds, HostFacts, ModuleFacts, render
from modules.common.view import ViewServer
from modules.status.agent import Agent
from modules.status.agentmetrics import Scrape, compared, read

# Two modules of a real edgeAgent's page (doc/BuiltInMetrics.md): quoted labels, a summary, several versions of one.
REAL = """
# HELP edgeAgent_used_cpu_percent Percent of cpu used by all processes
# TYPE edgeAgent_used_cpu_percent summary
edgeAgent_used_cpu_percent_sum{iothub="h",edge_device="d",instance_number="i",module_name="camera"} 12.5
edgeAgent_used_cpu_percent_count{iothub="h",edge_device="d",instance_number="i",module_name="camera"} 5
edgeAgent_used_cpu_percent{iothub="h",edge_device="d",instance_number="i",module_name="camera",quantile="0.5"} 2.25
edgeAgent_used_cpu_percent{iothub="h",edge_device="d",instance_number="i",module_name="camera",quantile="0.99"} 4.5
# TYPE edgeAgent_module_start_total counter
edgeAgent_module_start_total{module_name="camera",module_version="1.0"} 2
edgeAgent_module_start_total{module_name="camera",module_version="1.1"} 1
# TYPE edgeAgent_used_memory_bytes gauge
edgeAgent_used_memory_bytes{module_name="camera",ms_telemetry="True"} 73400320
edgeAgent_total_time_running_correctly_seconds{module_name="camera"} 90
edgeAgent_total_time_expected_running_seconds{module_name="camera"} 100
edgeAgent_available_disk_space_bytes{disk_name="sda"} 5
something_else{module_name="x"} 1
"""


def test_a_page_of_edge_agent_is_understood() -> None:
    (name,) = read(REAL).modules
    shown = read(REAL).modules[name].shown()
    assert (name, shown["restarts"], shown["cpu_percent"], shown["cpu_percent_p99"]) == ("camera", 2, 2.25, 4.5)
    assert (shown["memory_bytes"], shown["correct_share"], shown["running"]) == (73400320, 0.9, None)
    assert read(REAL).host == {"disk_free_bytes": 5}


def page(correct: float, expected: float) -> Scrape:
    facts = ModuleFacts(
        name="camera", version="1", cpu_percent=[1.0, 3.0], memory=9, processes=2, starts=1, stops=0,
        correct_s=correct, expected_s=expected,
    )  # fmt: skip
    host = HostFacts(uptime_s=1, agent_uptime_s=1, disk_total=2, disk_free=1, memory_total=4)
    return read(render([facts], host, Deeds(), {"iothub": "h", "edge_device": 'd"\\'}))


@pytest.mark.parametrize(
    ("before", "now", "running"),
    [((5, 5), (10, 10), True), ((5, 5), (5, 10), False), ((5, 5), (5, 5), None), ((0, 0), (3, 9), True)],
)
def test_localhubs_page_says_what_runs(before: Any, now: Any, running: bool | None) -> None:
    assert compared(page(*before), page(*now)).modules["camera"].running is running


@given(st.text(max_size=300))
def test_no_page_breaks_it(text: str) -> None:
    try:
        read(text)
    except ValueError:
        return


def test_an_agent_that_is_away_is_said_and_one_that_comes_back_is_heard() -> None:
    async def part() -> None:
        server = ViewServer(REAL.encode, host="127.0.0.1", port=0, name="agent")
        await server.start()
        where = [""]
        agent = Agent(lambda: where[0], asyncio.Event())
        await agent.ask()
        assert "agent_metrics" in agent.text
        where[0] = "http://127.0.0.1:9/metrics"
        await agent.ask()
        assert "cannot be read" in agent.text
        assert agent.shown()["heard"] is False
        assert "127.0.0.1" not in agent.text
        where[0] = f"{server.url}/healthz"
        await agent.ask()
        where[0] = f"{server.url}/metrics"
        await agent.ask()
        shown = agent.shown()
        assert (shown["heard"], shown["text"]) == (True, "")
        assert set(agent.scrape.modules) == {"camera"}
        await agent.close()
        await server.stop()

    asyncio.run(part())
