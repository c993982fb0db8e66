"""Logs, sealing and the metrics page."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.parser import text_string_to_metric_families

from localhub.agent import proc
from localhub.agent.logs import LogFile, older, tail
from localhub.agent.metrics import CpuGauge, Deeds, HostFacts, ModuleFacts, render
from localhub.agent.sealing import SealBrokenError, Sealer


def test_a_log_is_bounded_and_its_end_is_kept(tmp_path: Path) -> None:
    path = tmp_path / "logs" / "a.log"
    log = LogFile(path, limit=100)
    for number in range(100):
        log.write(f"line {number}\n".encode())
        assert path.stat().st_size <= 100
    log.close()
    assert older(path).stat().st_size <= 100
    assert tail(path, 12) == [f"line {number}" for number in range(88, 100)]
    assert tail(path, 0) == tail(tmp_path / "none.log", 5) == []


def test_a_log_goes_on_where_it_ended(tmp_path: Path) -> None:
    for word in (b"one\n", b"two\n"):
        log = LogFile(tmp_path / "a.log")
        log.write(word)
        log.close()
    assert tail(tmp_path / "a.log", 5) == ["one", "two"]


@given(st.binary(), st.binary())
def test_what_was_sealed_opens(plaintext: bytes, vector: bytes) -> None:
    sealer = Sealer(bytes(32))
    sealed = sealer.seal("m", "1", plaintext, vector)
    assert sealer.open("m", "1", sealed, vector) == plaintext
    assert sealer.seal("m", "1", plaintext, vector) != sealed  # a repeated vector gives nothing away


@given(st.binary(min_size=1), st.data())
def test_what_was_altered_or_is_anothers_does_not_open(plaintext: bytes, data: st.DataObject) -> None:
    sealer = Sealer(bytes(32))
    sealed = sealer.seal("m", "1", plaintext, b"iv")
    for module, generation, vector in (("n", "1", b"iv"), ("m", "2", b"iv"), ("m", "1", b"other")):
        with pytest.raises(SealBrokenError, match="was not sealed by module"):
            sealer.open(module, generation, sealed, vector)
    at = data.draw(st.integers(0, len(sealed) - 1))
    altered = bytearray(sealed)
    altered[at] ^= 1
    for broken in (bytes(altered), sealed[:at], b""):
        with pytest.raises(SealBrokenError):
            sealer.open("m", "1", broken, b"iv")


def test_the_master_key_is_made_once_and_is_private(tmp_path: Path) -> None:
    path = tmp_path / "agent" / "workload.key"
    sealed = Sealer.of(path).seal("m", "1", b"text", b"")
    assert Sealer.of(path).open("m", "1", sealed, b"") == b"text"
    assert path.stat().st_mode & 0o777 == 0o600


def test_cpu_in_percent_of_a_core() -> None:
    gauge = CpuGauge()
    assert [gauge.sample(now, cpu) for now, cpu in ((0, 5), (1, 5.5), (1.05, 6), (3, 6.5))] == [0, 50, 50, 50]
    assert list(gauge.samples) == [50, 50]


def test_the_metrics_page_is_what_prometheus_reads() -> None:
    module = ModuleFacts(
        name='a"b\\',
        version="1.0",
        cpu_percent=[1.0, 2.0, 3.0],
        memory=4096,
        processes=2,
        starts=3,
        stops=2,
        correct_s=9.5,
        expected_s=10,
    )
    host = HostFacts(uptime_s=1, agent_uptime_s=1, disk_total=2, disk_free=1, memory_total=8)
    page = render([module, module], host, Deeds(), {"iothub": "h", "edge_device": "gw1", "instance_number": "1"})
    families = {family.name: family for family in text_string_to_metric_families(page)}
    cpu = {
        (sample.name, sample.labels.get("quantile")): sample.value
        for sample in families["edgeAgent_used_cpu_percent"].samples
    }
    assert cpu["edgeAgent_used_cpu_percent", "0.5"] == 2
    assert cpu["edgeAgent_used_cpu_percent_count", None] == 3
    memory = families["edgeAgent_used_memory_bytes"].samples[0]
    assert memory.value == 4096
    assert memory.labels == {
        "module_name": 'a"b\\',
        "iothub": "h",
        "edge_device": "gw1",
        "instance_number": "1",
        "ms_telemetry": "True",
    }
    assert families["edgeAgent_module_start"].samples[0].value == 3


# edgehub-contract 6.7, and in edgeAgent's own source: name as Prometheus' text has it, its own labels.
DISK = "disk_name disk_filesystem disk_filetype"
EDGE_AGENT = {
    "total_time_running_correctly_seconds": "module_name",
    "total_time_expected_running_seconds": "module_name",
    "module_start_total": "module_name module_version",
    "module_stop_total": "module_name module_version",
    "command_latency_seconds": "command quantile",
    "iothub_syncs_total": "",
    "unsuccessful_iothub_syncs_total": "",
    "deployment_time_seconds": "quantile",
    "host_uptime_seconds": "",
    "iotedged_uptime_seconds": "",
    "available_disk_space_bytes": DISK,
    "total_disk_space_bytes": DISK,
    "used_memory_bytes": "module_name",
    "total_memory_bytes": "module_name",
    "created_pids_total": "module_name",
    "total_network_in_bytes": "module_name",
    "total_network_out_bytes": "module_name",
    "total_disk_read_bytes": "module_name",
    "total_disk_write_bytes": "module_name",
    "used_cpu_percent": "module_name quantile",
    "metadata": "edge_agent_version experimental_features host_information",
}


def test_every_figure_of_edgeagent_is_there_with_its_labels() -> None:
    module = ModuleFacts(
        name="m", version="1", cpu_percent=[1.0], memory=1, processes=1, starts=1, stops=0, correct_s=1, expected_s=1
    )
    host = HostFacts(uptime_s=1, agent_uptime_s=1, disk_total=2, disk_free=1, memory_total=8)
    deeds = Deeds(deployments=[1.0])
    with deeds.commands.timed("start"):
        pass
    page = render([module], host, deeds, {"iothub": "h", "edge_device": "gw1", "instance_number": "1"})
    assert "# TYPE edgeagent_direct_method_invocations_count counter" in page
    found = {
        sample.name.removeprefix("edgeAgent_"): set(sample.labels)
        for family in text_string_to_metric_families(page)
        for sample in family.samples
        if not sample.name.endswith(("_sum", "_count"))
    }
    common = {"iothub", "edge_device", "instance_number", "ms_telemetry"}
    assert found == {name: set(labels.split()) | common for name, labels in EDGE_AGENT.items()}


def test_traffic_is_that_of_all_interfaces_but_the_loopback() -> None:
    text = """Inter-|   Receive                                                |  Transmit
 face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo colls carrier compressed
    lo: 999999    1    0    0    0     0          0         0 999999    1    0    0    0     0       0          0
  eth0:   1500   20    0    0    0     0          0         0    700    8    0    0    0     0       0          0
eth1:20 1 0 0 0 0 0 0 3 1 0 0 0 0 0 0
"""  # noqa: E501  as the kernel writes it
    assert proc.traffic(text) == (1520, 703)
    assert proc.network(os.getpid()) == (0, 0), "a process shares the machine's network"


def test_the_bytes_of_the_disk_are_the_kernels(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "7").mkdir()
    (tmp_path / "7" / "io").write_text("rchar: 1\nwchar: 2\nread_bytes: 4096\nwrite_bytes: 8192\n")
    monkeypatch.setattr(proc, "PROC", tmp_path)
    assert proc.storage(7) == (4096, 8192)
    assert proc.storage(8) == (0, 0)
