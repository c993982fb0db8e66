"""What is read from a cloud's file: first arrivals, batches taken apart, nothing else."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from devices.verdicts.__main__ import main
from devices.verdicts.summaries import NoSummariesError, read
from localhub.cloud.arrivals import Arrivals
from localhub.cloud.database import open_database
from localhub.link import Telemetry
from modules.common.messages import Message, encode_member, json_message, pack

NOW = datetime(2026, 1, 2, tzinfo=UTC)


def window(sensor: str, seq: int, **more: Any) -> Message:
    facts = {"sensor": sensor, "group": "bearings", "count": 10, "kurtosis": 3.0, "rms": 1.0, "velocity": None}
    facts |= {"zone": None, "rpm": None, "bands": [1.0, 1.0], "orders": [2.0, 2.0], **more}
    document = {"of": "waveforms", "parts": ["outer race", "inner race"], "sensors": [facts]}
    return json_message(document, kind="window", source="vibration", seq=seq, time=NOW)


def arrived(path: Path, *messages: Message) -> Path:
    database = open_database(path)
    telemetry = []
    for message in messages:
        system = {"messageId": message.message_id, "connectionDeviceId": "gw"}
        system |= {"contentType": message.content_type or "", "contentEncoding": message.content_encoding or ""}
        telemetry.append(Telemetry(message.body, message.facts(), system))
    Arrivals(database).append(telemetry, NOW)
    database.close()
    return path


@pytest.mark.parametrize("compress", [False, True])
def test_summaries_are_read_once_each_batches_included(tmp_path: Path, compress: bool) -> None:
    alone, first, second = window("a", 1), window("a", 2), window("b", 3, kurtosis=9.0)
    readings = json_message({"of": "readings", "columns": {}}, kind="window", source="vibration", seq=4, time=NOW)
    alert = json_message({"source": "a"}, kind="alert", source="a", seq=1, time=NOW)
    members = [first, second, readings]
    batch = pack(first, [encode_member(each) for each in members], ["window"] * 3, seq=1, compress=compress)
    path = arrived(tmp_path / "cloud.db", alone, alert, batch, alone)
    found = read(path)
    assert [(each.sensor, each.windows) for each in found] == [("a", 20), ("b", 10)]
    assert found[1].kurtosis == 9.0


def test_the_command_says_who_is_faulty(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = arrived(tmp_path / "cloud.db", window("a", 1), window("b", 2, kurtosis=9.0))
    assert main([str(path)]) == 1
    assert "1 of 2 faulty" in capsys.readouterr().out
    assert main([str(path), "--json"]) == 1
    assert '"faulty": true' in capsys.readouterr().out
    assert main([str(arrived(tmp_path / "well.db", window("a", 1)))]) == 0


def test_a_file_that_tells_nothing_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    foreign = tmp_path / "foreign.db"
    foreign.write_bytes(b"no database at all, but long enough to be looked at as one" * 100)
    empty = arrived(tmp_path / "empty.db")
    for path in (foreign, empty, tmp_path / "missing.db"):
        with pytest.raises(NoSummariesError, match=path.name):
            read(path)
        assert main([str(path)]) == 2
        assert path.name in capsys.readouterr().err


def test_the_plots_are_drawn(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib", reason="needs matplotlib (requirements/dev.txt)")
    path = arrived(tmp_path / "cloud.db", window("a", 1), window("b", 2, bands=[1.0, 9.0], rms=9.0))
    assert main([str(path), "--plots", str(tmp_path / "plots")]) == 1
    drawn = sorted((tmp_path / "plots").iterdir())
    assert [each.name for each in drawn] == ["verdict-bands.png", "verdict-impacts.png", "verdict-lines.png"]
    assert all(each.read_bytes().startswith(b"\x89PNG") and each.stat().st_size > 3000 for each in drawn)
