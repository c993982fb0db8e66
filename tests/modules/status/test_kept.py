"""What outlives a restart, a kill and a damaged file, and how much room it takes."""

import os
import signal
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modules.common.messages import Alert, Message, json_message, new_id
from modules.status.kept import Act, Alerts, Audit, Database, Filter, Links

NOW = datetime(2026, 1, 2, tzinfo=UTC)
MINUTE = 60_000


def message(number: int = 0, **changed: Any) -> tuple[Message, Alert]:
    facts: dict[str, Any] = {
        "source": f"press{number}",
        "rule": "level",
        "severity": "warning",
        "state": "raised",
        "text": "hot",
        "sampled": NOW,
    }
    alert = Alert(**facts | changed)
    return (
        json_message(alert.document(), kind="alert", source=alert.source, seq=number, time=NOW, message_id=new_id()),
        alert,
    )


def add(alerts: Alerts, number: int = 0, **changed: Any) -> dict[str, Any]:
    shown = alerts.add(*message(number, **changed), NOW + timedelta(seconds=number))
    assert shown is not None
    return shown


def found(alerts: Alerts, **wanted: Any) -> list[dict[str, Any]]:
    return [each for part in alerts.find(Filter(**wanted)) for each in part]


def size(folder: Path) -> int:
    return sum(each.stat().st_size for each in folder.glob("status.db*"))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "status.db"


def test_what_people_said_is_kept_with_the_alert(path: Path) -> None:
    database = Database(path)
    alerts = Alerts(database, 1000, 1 << 30)
    first = add(alerts)["id"]
    alerts.acknowledge(first, "Ada", "on it", 1)
    alerts.acknowledge(first, "Bob", "me too", 2)
    alerts.judge(first, "true", "Ada", "", 3)
    alerts.judge(first, "false", "Eve", "a draught", 4)
    alerts.resolve(first, "Ada", "done", 5)
    database.close()
    kept = Alerts(Database(path), 1000, 1 << 30).get(first)
    assert kept is not None
    assert kept["acknowledged"] == {"who": "Ada", "why": "on it", "at": "1970-01-01T00:00:00.001Z"}
    assert (kept["verdict"]["verdict"], kept["verdict"]["who"], kept["resolved"]["who"]) == ("false", "Eve", "Ada")


def test_a_resolved_condition_stands_no_longer_until_it_is_reported_again(path: Path) -> None:
    alerts = Alerts(Database(path), 1000, 1 << 30)
    first = add(alerts)
    assert [each.alert_id for each in alerts.conditions()] == [first["id"]]
    alerts.resolve(first["id"], "Ada", "", 1)
    assert alerts.conditions() == []
    again = add(alerts, 0, state="updated")
    assert [each.alert_id for each in alerts.conditions()] == [again["id"]]


def test_a_condition_keeps_its_beginning(path: Path) -> None:
    alerts = Alerts(Database(path), 1000, 1 << 30)
    add(alerts, 1, source="press")
    add(alerts, 50, source="press", state="updated")
    (stands,) = alerts.conditions()
    assert (stands.since, stands.seen) == ((NOW + timedelta(seconds=1)).timestamp(), NOW.timestamp() + 50)


def test_rows_are_bounded_and_what_stands_is_spared(path: Path) -> None:
    alerts = Alerts(Database(path), 1000, 1 << 30)
    stands = add(alerts, 0, source="old")
    for number in range(1, 2600):
        add(alerts, number, source="busy", item=f"part-{number}")
    assert alerts.counts()["warning"] <= 1501 + 1
    assert alerts.get(stands["id"]) is not None
    assert [each.source for each in alerts.conditions()] == ["old", "busy"]


def test_bytes_are_bounded_whatever_modules_send(path: Path) -> None:
    bound = 4 << 20
    alerts = Alerts(Database(path), 100_000, bound)
    for number in range(400):
        add(alerts, number, item=f"part-{number}", evidence={"x": "y" * 60_000})
        # The log that SQLite writes ahead comes on top: 4 MB, and what it has outgrown at its last checkpoint.
        assert size(path.parent) <= bound + bound // 10 + (9 << 20)
    assert found(alerts, limit=1)[0]["source"] == "press399"
    assert alerts.counts()["warning"] > 20


def test_filters(path: Path) -> None:
    alerts = Alerts(Database(path), 1000, 1 << 30)
    for number in range(6):
        add(
            alerts,
            number,
            severity="critical" if number == 2 else "warning",
            rule="deviation" if number > 3 else "level",
        )
    second = found(alerts, severity="critical")[0]
    alerts.acknowledge(second["id"], "Ada", "", 1)
    alerts.judge(second["id"], "true", "Ada", "", 1)

    def sources(**wanted: Any) -> list[str]:
        return [each["source"] for each in found(alerts, **wanted)]

    assert sources(acknowledged=True) == sources(judged=True) == sources(severity="critical") == ["press2"]
    assert sources(rule="deviation") == ["press5", "press4"]
    assert sources(source="press1") == ["press1"]
    assert sources(source="%") == sources(module="vibration") == []
    start = int(NOW.timestamp() * 1000)
    assert sources(since_ms=start + 4000) == ["press5", "press4"]
    assert sources(until_ms=start + 2000) == ["press1", "press0"]
    assert sources(limit=2) == ["press5", "press4"]
    assert sources(before=3) == ["press1", "press0"]


def test_a_search_through_many_comes_in_parts(path: Path) -> None:
    alerts = Alerts(Database(path), 5000, 1 << 30)
    for number in range(1203):
        add(alerts, number, severity="critical" if number in (3, 700) else "warning")
    assert [each["source"] for each in found(alerts, severity="critical")] == ["press700", "press3"]
    assert [each["source"] for each in found(alerts, source="press3", limit=1000)][-1] == "press3"
    parts = list(alerts.find(Filter(source="press3", limit=1000)))
    assert sum(not part for part in parts) >= 1203 // 500  # where who asks lets others go first
    assert max(map(len, list(alerts.find(Filter(limit=1000))))) <= 20
    assert len(found(alerts, limit=1000)) == 1000


def test_counts_are_those_of_the_file(path: Path) -> None:
    database = Database(path)
    alerts = Alerts(database, 1000, 1 << 30)
    for number in range(2300):
        add(alerts, number, severity="critical" if number % 7 == 0 else "info", item=f"part-{number}")
    rows = database.execute("SELECT severity, count(*) FROM alerts GROUP BY severity")
    assert alerts.counts() == {row[0]: row[1] for row in rows}
    assert Alerts(database, 1000, 1 << 30).counts() == alerts.counts()


WRITER = """
import sys
from pathlib import Path
from datetime import UTC, datetime
from modules.common.messages import Alert, json_message, new_id
from modules.status.kept import Act, Alerts, Audit, Database, Links
database = Database(Path(sys.argv[1]))
alerts, links, audit = Alerts(database, 1000, 1 << 30), Links(database), Audit(database)
now = datetime(2026, 1, 2, tzinfo=UTC)
for number in range(10_000):
    facts = dict(rule="level", severity="warning", state="raised", text="hot", sampled=now)
    alert = Alert(source=f"press{number % 40}", **facts)
    message = json_message(alert.document(), kind="alert", source="x", seq=number, time=now, message_id=new_id())
    alerts.add(message, alert, now)
    with database.durable():
        alerts.acknowledge(message.message_id, "Ada", str(number), number + 1)
        audit.note(Act("Ada", "acknowledge", message.message_id), number)
    links.change("cloud", "up" if number % 2 else "down", number)
    print(number, message.message_id, flush=True)
"""


def test_a_kill_forgets_nothing_that_was_answered(path: Path) -> None:
    command = [sys.executable, "-c", WRITER, str(path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=dict(os.environ)) as writer:
        assert writer.stdout is not None
        said = [writer.stdout.readline().split() for _ in range(60)]
        writer.send_signal(signal.SIGKILL)
        said += [line.split() for line in writer.stdout]
    database = Database(path)
    assert database.set_aside == ""
    alerts, audit, links = Alerts(database, 1000, 1 << 30), Audit(database), Links(database)
    answered = [each for each in said if len(each) == 2]
    for number, message_id in answered:
        kept = alerts.get(message_id)
        assert kept is not None and kept["acknowledged"]["why"] == number
    noted = {each["about"] for each in audit.find(before=None, limit=1000)}
    assert {message_id for _, message_id in answered} <= noted
    assert len(links.find(link=None, before=None, limit=1000, now_ms=0)) >= len(answered)
    assert len(alerts.conditions()) == 40


@pytest.mark.parametrize("at", [0, 20, 4096, 8192])
def test_a_damaged_file_is_set_aside_and_told(path: Path, at: int) -> None:
    database = Database(path)
    alerts = Alerts(database, 1000, 1 << 30)
    for number in range(50):
        add(alerts, number)
    database.close()
    for ending in ("-wal", "-shm"):
        path.with_name(path.name + ending).unlink(missing_ok=True)
    with path.open("r+b") as file:
        file.seek(at)
        file.write(b"\xa5" * 3000)
    again = Database(path)
    assert "set aside" in again.set_aside
    assert len(list(path.parent.glob("status.db.damaged-*"))) == 1
    assert found(Alerts(again, 1000, 1 << 30)) == []


def test_damage_while_it_runs_costs_the_file_and_not_the_next_alert(path: Path) -> None:
    database = Database(path)
    alerts = Alerts(database, 1000, 1 << 30)
    for number in range(200):
        add(alerts, number)
    database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    with path.open("r+b") as file:
        file.seek(4096)
        file.write(b"\xa5" * 40_000)
    database.execute("PRAGMA shrink_memory")
    shown = alerts.add(*message(201), NOW)
    assert shown is not None
    assert "set aside" in database.set_aside
    assert [each["source"] for each in found(alerts)] == ["press201"]
    assert alerts.counts() == {"warning": 1}


def test_a_row_that_rotted_still_says_what_there_was(path: Path) -> None:
    database = Database(path)
    alerts = Alerts(database, 1000, 1 << 30)
    rotten = add(alerts)["id"]
    database.execute("UPDATE alerts SET document = x'a5a5', rule = CAST(x'ff41' AS TEXT)")
    shown = alerts.get(rotten)
    assert shown is not None and (shown["source"], shown["rule"]) == ("press0", "\ufffdA")


def test_only_the_newest_damaged_files_are_kept(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(5):
        monkeypatch.setattr("modules.common.sqlitefile.time.time", lambda number=number: 1000 + number)
        path.write_bytes(b"this is no database" * 300)
        Database(path).close()
    assert sorted(each.name[-4:] for each in path.parent.glob("*.damaged-*")) == ["1003", "1004"]


def test_links_are_stretches_with_a_length(path: Path) -> None:
    links = Links(Database(path))
    assert links.change("cloud", "up", 0) is not None
    assert links.change("cloud", "up", 5 * MINUTE) is None
    down = links.change("cloud", "down", 10 * MINUTE)
    assert down is not None and (down["state"], down["until"]) == ("down", None)
    links.change("edgeHub", "up", 11 * MINUTE)
    newest, second, first = links.find(link=None, before=None, limit=10, now_ms=12 * MINUTE)
    assert (first["state"], first["seconds"], first["until"]) == ("up", 600, second["since"])
    assert (second["seconds"], newest["link"]) == (120, "edgeHub")
    assert links.find(link="cloud", before=second["number"], limit=10, now_ms=0) == [first]
    assert set(links.now(12 * MINUTE)) == {"cloud", "edgeHub"}


def test_nobody_knows_how_a_link_was_while_nobody_looked(path: Path) -> None:
    database = Database(path)
    Links(database).change("cloud", "up", 0)
    Links(database).seen(10 * MINUTE)
    links = Links(database)
    links.begin(12 * MINUTE)
    assert links.now(12 * MINUTE)["cloud"]["state"] == "up"
    links.begin(600 * MINUTE)
    unknown, up = links.find(link="cloud", before=None, limit=5, now_ms=600 * MINUTE)
    assert (unknown["state"], unknown["seconds"], up["seconds"]) == ("unknown", 590 * 60, 600)


@given(st.text(max_size=900), st.text(max_size=900))
def test_the_audit_trail_is_bounded_in_each_field(who: str, why: str) -> None:
    database = Database(Path(":memory:"))
    audit = Audit(database)
    audit.note(Act(who, "acknowledge", "x", why), 1)
    (found,) = audit.find(before=None, limit=5)
    assert (found["who"], found["why"]) == (who[:80], why[:400])
    database.close()


def test_the_audit_trail_is_bounded_in_entries(path: Path) -> None:
    database = Database(path)
    audit = Audit(database)
    with database.together():
        for number in range(10_250):
            audit.note(Act("Ada", "x", str(number)), number)
    newest = audit.find(before=None, limit=3)
    assert [each["about"] for each in newest] == ["10249", "10248", "10247"]
    assert database.execute("SELECT count(*) FROM actions")[0][0] <= 10_100
