"""What the agent tells of itself and of the hub beside the modules."""

from __future__ import annotations

import os
from collections.abc import Callable

from prometheus_client.parser import text_string_to_metric_families

from localhub.agent.edge import Edge
from localhub.agent.orphans import Records
from localhub.agent.plan import Plan, Planned
from localhub.agent.runner import ProcessRunner
from localhub.agent.service import Service
from localhub.state import State


def test_the_system_modules_have_figures_of_their_own(state: State, program: Callable[..., Planned]) -> None:
    records = Records(state.root / "living.json", str(state.root))
    service = Service(Edge(state, Plan(modules=[program("one", "pass")]), ProcessRunner(records)))

    def memory() -> dict[str, float]:
        families = {family.name: family for family in text_string_to_metric_families(service.page())}
        return {
            sample.labels["module_name"]: sample.value for sample in families["edgeAgent_used_memory_bytes"].samples
        }

    assert set(memory()) == {"one", "edgeAgent"}, "no hub is running"
    records.add("hub", os.getpid())
    assert set(memory()) == {"one", "edgeAgent", "edgeHub"}
    assert memory()["edgeHub"] > 1 << 20
    families = {family.name: family for family in text_string_to_metric_families(service.page())}
    correct = {
        sample.labels["module_name"]: sample.value
        for sample in families["edgeAgent_total_time_running_correctly_seconds"].samples
    }
    assert 0 <= correct["edgeHub"] < 600
