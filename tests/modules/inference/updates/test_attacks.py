"""What TUF is there against, through a real HTTPS server with a CA of its own: each is refused, each for its reason.

The names of the attacks are those of the TUF specification, 1.5.2.
"""

import json
import shutil
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest
from tuf.api.metadata import MetaFile

from modules.inference.updates.fetcher import Https
from modules.inference.updates.reasons import Refused
from tests.modules.inference.updates.refusals import TARGET, Gateway, Operator, Web, refused

NEXT = "picture/made-up/1.1.0"


def known(gateway: Gateway, operator: Operator) -> None:
    """The gateway has seen two states of the repository."""
    operator.publish("1.0.0")
    gateway.fetch(TARGET)
    operator.publish("1.0.1")
    gateway.fetch("picture/made-up/1.0.1")


def test_what_the_operator_signed_is_installed(operator: Operator, gateway: Gateway) -> None:
    target = operator.publish()
    folder = gateway.fetch(target)
    assert gateway.store.find(target) == folder
    assert sorted(each.name for each in folder.iterdir()) == ["card.json", "model.onnx"]
    assert next(each["step"] for each in gateway.said) == "metadata"
    assert gateway.said[-1] == {"step": "unpack"}
    assert gateway.partial() == []


@pytest.mark.parametrize("role", ["targets", "snapshot", "timestamp", "root"])
def test_metadata_that_somebody_else_signed(operator: Operator, gateway: Gateway, role: str) -> None:
    operator.publish()
    wrong = "online" if role in ("targets", "root") else "targets"
    at = operator.root.with_name("2.root.json") if role == "root" else None

    def change(signed: Any) -> None:
        if role == "root":
            signed.version = 2

    operator.forge(role, change, wrong, at=at)
    assert refused(gateway) == "signature"


def test_a_signature_that_was_changed_on_the_way(operator: Operator, gateway: Gateway) -> None:
    operator.publish()
    path = operator.file("targets")
    document = json.loads(path.read_bytes())
    (signature,) = document["signatures"]
    signature["sig"] = signature["sig"][::-1]
    path.write_text(json.dumps(document))
    assert refused(gateway) == "signature"


def test_rollback_of_the_timestamp(operator: Operator, gateway: Gateway) -> None:
    old = operator.file("timestamp").read_bytes()
    known(gateway, operator)
    operator.file("timestamp").write_bytes(old)
    assert refused(gateway, NEXT) == "rollback"


def test_rollback_of_the_snapshot_by_whoever_has_the_online_key(operator: Operator, gateway: Gateway) -> None:
    known(gateway, operator)

    def change(signed: Any) -> None:
        signed.version += 1
        signed.snapshot_meta = MetaFile(version=1)

    operator.forge("timestamp", change)
    assert refused(gateway, NEXT) == "rollback"


def test_rollback_of_the_targets_by_whoever_has_the_online_key(operator: Operator, gateway: Gateway) -> None:
    known(gateway, operator)
    number = int(operator.file("snapshot").name.split(".")[0]) + 1

    def older(signed: Any) -> None:
        signed.version = number
        signed.meta["targets.json"] = MetaFile(version=1)

    def newer(signed: Any) -> None:
        signed.version += 1
        signed.snapshot_meta = MetaFile(version=number)

    operator.forge("snapshot", older, at=operator.folder / "metadata" / f"{number}.snapshot.json")
    operator.forge("timestamp", newer)
    assert refused(gateway, NEXT) == "rollback"


def test_what_was_seen_once_holds_although_that_update_was_refused(operator: Operator, gateway: Gateway) -> None:
    gateway.fetch(operator.publish())
    old = operator.file("timestamp").read_bytes()
    operator.publish("1.1.0")
    operator.forge("targets", lambda _signed: None, "online")
    assert refused(gateway, NEXT) == "signature"
    operator.file("timestamp").write_bytes(old)
    assert refused(gateway, NEXT) == "rollback"


@pytest.mark.parametrize("role", ["targets", "snapshot", "timestamp", "root"])
def test_freeze(operator: Operator, gateway: Gateway, role: str) -> None:
    operator.publish()

    def change(signed: Any) -> None:
        signed.expires = datetime.now(UTC).replace(microsecond=0) - timedelta(hours=1)
        if role == "root":
            signed.version = 2

    operator.forge(role, change, at=operator.root.with_name("2.root.json") if role == "root" else None)
    assert refused(gateway) == "expired"


def test_expired_metadata_blocks_updates_and_nothing_else(operator: Operator, gateway: Gateway) -> None:
    target = operator.publish(timestamp=1)
    gateway.fetch(target)

    def change(signed: Any) -> None:
        signed.expires = datetime.now(UTC).replace(microsecond=0) - timedelta(hours=1)

    operator.publish("1.1.0")
    operator.forge("timestamp", change)
    assert refused(gateway, NEXT) == "expired"
    assert gateway.store.find(target) is not None


def test_mix_and_match(operator: Operator, gateway: Gateway) -> None:
    operator.publish()
    before = operator.file("targets").read_bytes()
    operator.publish("1.1.0")
    operator.file("targets").write_bytes(before)
    assert refused(gateway) == "rollback"


def test_a_clock_of_1970_says_so_and_the_verified_model_stays(operator: Operator, gateway: Gateway) -> None:
    target = operator.publish()
    gateway.fetch(target)
    operator.publish("1.1.0")
    gateway.now = datetime(1970, 1, 1, 0, 3, tzinfo=UTC)
    with pytest.raises(Refused, match="clock says 1970-01-01 00:03") as refusal:
        gateway.fetch(NEXT)
    assert refusal.value.reason == "clock"
    assert gateway.store.find(target) is not None


def test_a_clock_set_back_to_before_what_was_seen(operator: Operator, gateway: Gateway) -> None:
    gateway.fetch(operator.publish())
    operator.publish("1.1.0")
    gateway.now -= timedelta(days=3)
    assert refused(gateway, NEXT) == "clock"


@pytest.mark.parametrize("key", ["root", "targets", "online"])
def test_a_key_is_replaced_and_the_old_one_signs_nothing_more(
    operator: Operator, gateway: Gateway, tmp_path: Path, key: str
) -> None:
    gateway.fetch(operator.publish())
    repository = operator.repository()
    repository.rotate(key)
    operator.done(repository)
    assert gateway.fetch(operator.publish("1.1.0"))
    old = type(operator.keys)(tmp_path / "old", lambda _name: "correct horse")
    (tmp_path / "old").mkdir()
    shutil.copy(tmp_path / "keys" / f"{key}.before.pem", tmp_path / "old" / f"{key}.pem")
    operator.publish("1.2.0")
    operator.keys = old
    role = {"root": "root", "targets": "targets", "online": "timestamp"}[key]

    def change(signed: Any) -> None:
        signed.version += role in ("root", "timestamp")

    operator.forge(role, change, at=operator.root.with_name("3.root.json") if role == "root" else None)
    assert refused(gateway, "picture/made-up/1.2.0") == "signature"


def test_a_root_of_years_ago_still_leads_to_the_newest(operator: Operator, gateway: Gateway) -> None:
    def change(signed: Any) -> None:
        signed.expires = datetime(2026, 1, 1, tzinfo=UTC)

    operator.forge("root", change)
    gateway.job.root.write_bytes(operator.root.read_bytes())
    for key in ("root", "targets", "root", "online"):
        repository = operator.repository()
        repository.rotate(key)
        operator.done(repository)
    assert gateway.fetch(operator.publish(), root_sha256=None)


def test_another_s_repository(operator: Operator, gateway: Gateway, tmp_path: Path) -> None:
    """Whoever owns the store, or its name, owns no key."""
    shutil.rmtree(tmp_path / "repository")
    shutil.rmtree(tmp_path / "keys")
    operator.keys = type(operator.keys)(tmp_path / "keys", lambda _name: "stranger's")
    repository = operator.repository()
    repository.create()
    operator.done(repository)
    operator.publish()
    assert refused(gateway) == "signature"


def test_a_root_that_is_not_the_one_the_twin_names(operator: Operator, gateway: Gateway) -> None:
    operator.publish()
    assert refused(gateway, root_sha256="0" * 64) == "root"
    assert refused(gateway, root=gateway.job.root.with_name("nowhere")) == "root"


def test_a_server_of_an_unknown_authority(operator: Operator, gateway: Gateway) -> None:
    operator.publish()
    assert refused(gateway, ca=None) == "link"


def test_a_redirect_is_not_followed(operator: Operator, gateway: Gateway, web: Web) -> None:
    operator.publish()

    def elsewhere(handler: BaseHTTPRequestHandler, _body: bytes) -> bool:
        handler.send_response(302)
        handler.send_header("Location", f"{web.url}/metadata/timestamp.json?again")
        handler.send_header("Content-Length", "0")
        handler.end_headers()
        return True

    web.faults["timestamp.json"] = elsewhere
    assert refused(gateway) == "missing"


def test_metadata_that_is_not_there_and_packages_that_are_not_signed(operator: Operator, gateway: Gateway) -> None:
    operator.publish()
    assert refused(gateway, "picture/made-up/9.9.9") == "unknown"
    operator.body().unlink()
    assert refused(gateway) == "missing"
    operator.file("timestamp").unlink()
    assert refused(gateway) == "missing"


def test_the_bandwidth_is_kept_to(operator: Operator, web: Web) -> None:
    operator.publish()
    body, now, slept = operator.body(), 0.0, list[float]()
    fetcher = Https(ca=web.ca, bytes_per_s=1000, gap_s=2, clock=lambda: now, sleep=slept.append)
    begin, whole, chunks = fetcher.part(f"{web.url}/targets/picture/made-up/{body.name}", 0)
    count = sum(len(chunk) for chunk in chunks)
    fetcher.close()
    assert (begin, whole, count) == (0, body.stat().st_size, body.stat().st_size)
    assert slept[-1] == pytest.approx(count / 1000)  # the clock stands still: the last wait is for all of it
