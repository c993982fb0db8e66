"""From samples that people judged to the challenger's scores: five gateways, Flower's own processes over TLS, localhub.

One of the five lies. What each sends, encrypted and all in all, is far less than its samples are.
"""

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from devices.line import free_port
from fleet.__main__ import main as fleet
from localhub.cloud.service.serving import login
from localhub.testing import Hub, running, write_manifest
from modules.common.messages import FLOAT32, new_id, rfc3339
from modules.inference.card import read_card
from modules.inference.runner import Runner
from tests.models.federated.conftest import COUNT, LABELS, RATE, Fill, fill, window  # noqa: F401  a fixture
from tests.modules.inference.updates.conftest import certificate, issued, web  # noqa: F401  fixtures
from tests.system.relay import Relay

ROOT = Path(__file__).resolve().parents[2]
PYTHON = ROOT / ".venv-federated" / "bin" / "python"
BASE = ROOT / "models" / "bearing"
HOST = "127.0.0.1"
ROUNDS = 5
SAMPLE = 4 * COUNT  # bytes
MODULE = """
import os, runpy, sys
os.environ.update(MILLWATCH_STATE={state!r}, MILLWATCH_VIEW_PORT="0")
sys.path.insert(0, {root!r})
runpy.run_module("modules.inference", run_name="__main__")
"""

pytestmark = [
    pytest.mark.soak,
    pytest.mark.system,
    pytest.mark.timeout(1800),
    pytest.mark.skipif(not PYTHON.exists(), reason="needs Flower's environment: make federated"),
]


@pytest.fixture
def tls(tmp_path: Path) -> dict[str, str]:
    """A private authority, and a certificate of it for the server: paths."""
    (tmp_path / "tls").mkdir()
    ca, served = certificate(tmp_path / "tls")
    return {"ca": str(ca), "served": str(served)}


@pytest.fixture
def join(tmp_path: Path, tls: dict[str, str]) -> Iterator[Callable[..., Relay]]:
    """`join(name, server, samples, program)` starts a gateway behind a relay of its own; all end with the test."""
    children: list[subprocess.Popen[bytes]] = []
    with ExitStack() as stack:

        def start(name: str, server: str, samples: Path, program: str = "models.federated") -> Relay:
            relay = Relay(HOST, server)
            stack.callback(relay.close)
            words = ["join", str(BASE), "--samples", str(samples), "--server", relay.address, "--ca", tls["ca"]]
            words += ["--here", f"{HOST}:{free_port()}", "--home", str(tmp_path / name / "flower")]
            children.append(subprocess.Popen([PYTHON, "-m", program, *words], cwd=ROOT))
            stack.callback(children[-1].wait, 120)
            return relay

        try:
            yield start
        finally:
            for each in children:
                each.terminate()


def learn(folder: Path, server: str, tls: dict[str, str], out: Path) -> dict[str, Any]:
    """The operator's part, as it is typed."""
    words = ["learn", str(BASE), "--listen", server, "--gateways", "5", "--rounds", str(ROUNDS), "--version", "1.1.0"]
    words += ["--ca", tls["ca"], "--certificate", tls["served"], "--key", tls["served"], "--out", str(out)]
    words += ["--home", str(folder / "link"), "--format", "json"]
    done = subprocess.run(
        [PYTHON, "-m", "models.federated", *words], cwd=ROOT, capture_output=True, timeout=1200, check=False
    )
    assert done.returncode == 0, done.stderr.decode()[-4000:]
    facts: dict[str, Any] = json.loads(done.stdout)  # nothing of Flower's is on stdout
    return facts


def right(package: Path, seed: int = 99, each: int = 10) -> float:
    """Share of windows of machines that no gateway has, on which a package is right."""
    random, card, runner = np.random.default_rng(seed), read_card(package), Runner(package)
    hits = 0
    for number in range(each * len(LABELS)):
        label = LABELS[number % len(LABELS)]
        body, facts = window(label, random)
        (said,) = runner.judge([(body, {name: float(value) for name, value in facts.items()})])
        hits += card.labels[int(said.argmax())] == label
    return hits / (each * len(LABELS))


class Machine:
    """A machine whose windows the gateway's module gets, as from its vibration module."""

    def __init__(self, hub: Hub, label: str) -> None:
        self._hub, self._label, self._random = hub, label, np.random.default_rng(5)
        self._seq, self._time = 0, datetime.now(UTC)

    def turn(self) -> None:
        body, facts = window(self._label, self._random)
        self._seq, self._time = self._seq + 1, self._time + timedelta(seconds=COUNT / RATE)
        named = {"kind": "waveform", "schema": "1", "source": "vibration/press0", "seq": str(self._seq)}
        facts = {**facts, "count": str(COUNT), "unit": "m/s2", "time": rfc3339(self._time), **named}
        self._hub.send("inference/waveforms", body, {**facts, "$.mid": new_id(), "$.ct": FLOAT32})


def judged_here(hub: Hub, machine: Machine, folder: Path) -> None:
    """The module raises an alert, a person says that it is right, and the sample stays here with what was said."""
    alerts = hub.watch("inference/alerts")
    hub.until(lambda: hub.reported("inference").get("models"), 60, "the module")
    for _ in range(30):
        machine.turn()
    raised = alerts.one(120).system["messageId"]
    kept = folder / f"{raised}.labelled"

    def judged() -> bool:
        """Once more where the alert was quicker than the disk."""
        said = hub.call("inference", "verdict", {"id": raised, "verdict": "true", "by": "Ada"})
        assert said.status == 200, said
        return kept.exists()

    hub.until(judged, 60, "the sample that was judged")
    assert kept.stat().st_size > SAMPLE


def test_five_gateways_learn_and_the_result_is_tried_beside_what_runs(
    web: Any,  # noqa: F811  the fixture
    tmp_path: Path,
    fill: Fill,  # noqa: F811  and this
    tls: dict[str, str],
    join: Callable[..., Relay],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    show: Callable[[str], None],
) -> None:
    monkeypatch.setenv("MILLWATCH_KEY_PASSPHRASE", "correct horse")
    place = ["--repository", str(web.folder), "--keys", str(tmp_path / "keys"), "--quiet"]
    assert fleet(["model", "keys", "create", *place, "--format", "json"]) == 0
    root = json.loads(capsys.readouterr().out)
    samples = [fill(f"press{number}", seed=number, each=6) for number in range(5)]

    (tmp_path / "line").mkdir()
    (tmp_path / "line" / "inference.py").write_text(MODULE.format(state=str(tmp_path / "press0"), root=str(ROOT)))
    settings = {
        "packages": {"bearing": {"path": str(BASE)}},
        "labelled_mb": 64,
        "score_s": 1,
        "updates": {"url": web.url, "root": root["root"], "root_sha256": root["sha256"], "ca": str(web.ca)},
    }
    manifest = write_manifest(
        tmp_path / "line",
        {"inference": [sys.executable, "inference.py"]},
        {"up": "FROM /messages/* INTO $upstream"},
        {"inference": {"settings": settings}},
    )
    with running(manifest) as hub:
        hub.until((hub.state.root / "cloud" / "service.port").exists, 60, "the service API")
        where = ["--device", hub.state.gateway, "--login", f"{login(hub.state)};CaFile={hub.state.ca_certificate}"]
        machine = Machine(hub, "outer_race")
        judged_here(hub, machine, samples[0])

        server, out = f"{HOST}:{free_port()}", tmp_path / "learnt"
        relays = [join(f"press{number}", server, samples[number]) for number in range(4)]
        relays.append(join("press4", server, samples[4], "tests.system.federated_liar"))
        facts = learn(tmp_path, server, tls, out)
        assert (facts["package"], facts["rounds"]) == ("bearing/1.1.0", ROUNDS)
        assert facts["samples"] >= 4 * 24 + 1  # the honest ones, in the last round too
        assert facts["left_out"]
        assert all("too far" in each for each in facts["left_out"])
        assert len({each.split()[3] for each in facts["left_out"]}) == 1  # the liar, and nobody else
        show(f"bytes a gateway sent: {[each.sent for each in relays]}; its samples: {24 * SAMPLE}")
        assert all(0 < each.sent < 24 * SAMPLE / 2 for each in relays)  # nearly all of it is Flower's asking for work
        before, after = right(BASE), right(out)
        show(f"right on machines that no gateway has: {before:.0%} before, {after:.0%} after")
        assert after >= before

        assert fleet(["model", "publish", str(out), *place]) == 0
        scores = hub.watch("inference/scores")
        assert fleet(["model", "trial", "bearing", "waveform/bearing/1.1.0", *where]) == 0

        def tried() -> bool:
            trial = hub.reported("inference").get("trials", {}).get("bearing", {})
            return bool(trial.get("state") == "running")

        hub.until(tried, 180, "the challenger")

        def counted() -> list[dict[str, Any]]:
            machine.turn()
            return [each.json for each in scores.all if each.json.get("trial", {}).get("n")]

        hub.until(counted, 180, "the challenger's scores")
        score = counted()[-1]
        show(f"the challenger's scores: {json.dumps(score)}")
        assert score["trial"]["of"] == "bearing"
        assert hub.reported("inference")["models"]["bearing"]["version"] == "1.0.0"  # the champion speaks
