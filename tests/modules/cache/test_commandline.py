import json
from collections.abc import Callable

import pytest

from modules.cache import commandline
from modules.cache.envelope import wrap
from modules.cache.store import Append
from modules.cache.store.house import House
from modules.cache.workload import Workload
from modules.common.messages import Message

Make = Callable[..., Message]


@pytest.fixture
def kept(house: House, make_message: Make) -> House:
    store = house.open()
    store.apply([Append([wrap(make_message(kind)) for kind in ("alert", "window", "sample")])])
    store.close()
    return house


@pytest.fixture
def edged(kept: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Workload, "from_environment", lambda _environment: kept.wrapper)


def run(kept: House, capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, list[dict[str, object]]]:
    code = commandline.main([*arguments, "--state", str(kept.root)])
    return code, [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def test_stats_and_inspect_need_no_key(kept: House, capsys: pytest.CaptureFixture[str]) -> None:
    code, (stats,) = run(kept, capsys, "stats")
    assert code == 0
    assert [depth["depth"] for depth in stats["priorities"]] == [1, 1, 1]  # type: ignore[attr-defined]
    code, (page,) = run(kept, capsys, "inspect", "--priority", "1")
    assert [record["kind"] for record in page["records"]] == ["window"]  # type: ignore[attr-defined]


@pytest.mark.usefixtures("edged")
def test_verify_and_export_open_every_record(kept: House, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(kept, capsys, "verify") == (0, [{"records": 3, "damaged": 0, "file": "ok"}])
    code, exported = run(kept, capsys, "export")
    assert code == 0
    assert [record["properties"]["kind"] for record in exported] == ["alert", "window", "sample"]  # type: ignore[index]


@pytest.mark.usefixtures("edged")
def test_looking_changes_nothing(kept: House, capsys: pytest.CaptureFixture[str]) -> None:
    before = (kept.live / "queue.db").read_bytes()
    for verb in ("stats", "inspect", "verify", "export"):
        run(kept, capsys, verb)
    assert (kept.live / "queue.db").read_bytes() == before
    store = kept.open()
    assert store.stats().priorities[0].depth == 1
    store.abandon()


def test_a_running_module_and_no_store_are_told_apart(kept: House, capsys: pytest.CaptureFixture[str]) -> None:
    store = kept.open()
    assert commandline.main(["stats", "--state", str(kept.root)]) == commandline.EXIT_REFUSED
    assert "in use" in capsys.readouterr().err
    store.abandon()
    assert commandline.main(["stats", "--state", str(kept.root / "nowhere")]) == commandline.EXIT_REFUSED
    assert "no store" in capsys.readouterr().err


def test_without_the_module_s_environment_it_says_what_it_lacks(
    kept: House, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("IOTEDGE_WORKLOADURI", raising=False)
    assert commandline.main(["export", "--state", str(kept.root)]) == commandline.EXIT_REFUSED
    assert "IOTEDGE_WORKLOADURI" in capsys.readouterr().err
