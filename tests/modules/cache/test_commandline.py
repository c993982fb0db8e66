import json
from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, Encoding, PrivateFormat

from modules.cache import commandline, control
from modules.cache.envelope import wrap
from modules.cache.operatorkey import OperatorKey
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


@pytest.mark.usefixtures("edged")
def test_erase_and_rotate_serve_a_stopped_store(kept: House, capsys: pytest.CaptureFixture[str]) -> None:
    span = ("--from", "2020-01-01T00:00:00Z", "--to", "2100-01-01T00:00:00Z")
    code, (done,) = run(kept, capsys, "erase", "--source", "press4/*", "--who", "Ada", *span)
    assert (code, done["state"], done["stored"]) == (0, "done", 3)
    code, (stats,) = run(kept, capsys, "stats")
    assert stats["erasures"][0]["who"] == "Ada"  # type: ignore[index]
    assert run(kept, capsys, "rotate") == (0, [{"key": 2, "keys": [1, 2]}])
    store = kept.open()
    assert store.oldest_key() == 2
    store.abandon()


@pytest.mark.usefixtures("edged")
def test_bad_arguments_and_what_needs_a_running_cache(kept: House, capsys: pytest.CaptureFixture[str]) -> None:
    state = ("--state", str(kept.root))
    assert commandline.main(["erase", "--source", "a", *state]) == commandline.EXIT_USAGE
    assert "who: Field required" in capsys.readouterr().err
    assert commandline.main(["inspect", "--count", "0", *state]) == commandline.EXIT_USAGE
    assert "count" in capsys.readouterr().err
    for verb in ("flush", "pause", "resume", "replay"):
        assert commandline.main([verb, *state]) == commandline.EXIT_REFUSED
        assert "only a running cache" in capsys.readouterr().err


def test_a_rescued_store_opens_with_the_operator_s_private_key(
    house: House,
    make_message: Make,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    private = X25519PrivateKey.generate()
    house.operator = OperatorKey(private.public_key())
    store = house.open()
    store.apply([Append([wrap(make_message(kind)) for kind in ("alert", "window")])])
    store.close()
    pem = tmp_path / "operator.pem"
    sealing = BestAvailableEncryption(b"secret")
    pem.write_bytes(private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, sealing))
    assert commandline.main(["export", "--state", str(house.root), "--private-key", str(pem)]) == 4
    assert "password" in capsys.readouterr().err.lower()
    monkeypatch.setenv("MILLWATCH_OPERATOR_PASSWORD", "secret")
    code, exported = run(house, capsys, "export", "--private-key", str(pem))
    assert code == 0
    assert [record["properties"]["kind"] for record in exported] == ["alert", "window"]  # type: ignore[index]
    assert run(house, capsys, "verify", "--private-key", str(pem))[0] == 0


def test_a_running_cache_is_asked_in_its_folder(
    kept: House, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[str, dict[str, object]]] = []
    pages = [{"records": [{"seq": 1}, {"seq": 4}], "next": 4}, {"records": [], "next": 0}]

    def ask(_folder: Path, verb: str, arguments: dict[str, object]) -> tuple[int, object]:
        asked.append((verb, dict(arguments)))
        if verb == "inspect":
            return 400, {"error": "inspect: in words"}
        return 200, pages[bool(arguments.get("after"))] if verb == "export" else {"damaged": 1, "records": 2}

    monkeypatch.setattr(control, "ask", ask)
    assert run(kept, capsys, "verify") == (commandline.EXIT_DAMAGED, [{"damaged": 1, "records": 2}])
    assert run(kept, capsys, "export", "--priority", "1") == (0, [{"seq": 1}, {"seq": 4}])
    assert commandline.main(["inspect", "--priority", "2", "--state", str(kept.root)]) == commandline.EXIT_USAGE
    assert capsys.readouterr().err == "inspect: in words\n"
    assert run(kept, capsys, "replay", "--stop")[0] == 0
    assert asked == [
        ("verify", {}),
        ("export", {"count": 100, "priority": 1}),
        ("export", {"count": 100, "priority": 1, "after": 4}),
        ("inspect", {"priority": 2}),
        ("replay", {"stop": True}),
    ]
