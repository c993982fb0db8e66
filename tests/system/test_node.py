"""The Node.js SDK, as it comes from npm, in modules of a foreign manifest: any SDK's language is served."""

import hashlib
import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from localhub.testing import Hub, running, write_manifest

NODE = Path(__file__).parent / "node"
PACKAGE = ("package.json", "package-lock.json", ".npmrc")
UNREACHABLE = ("ENOTFOUND", "ECONNREFUSED", "ECONNRESET", "ETIMEDOUT", "EAI_AGAIN", "ENETUNREACH", "E403", "E407")


def test_the_lock_pins_by_hash_and_names_no_address() -> None:
    text = (NODE / "package-lock.json").read_text(encoding="utf-8")
    packages = json.loads(text)["packages"]
    assert {name: packages[f"node_modules/{name}"]["version"] for name in packages[""]["dependencies"]} == json.loads(
        (NODE / "package.json").read_text(encoding="utf-8")
    )["dependencies"]
    assert [name for name, each in packages.items() if name and "integrity" not in each] == []
    assert "://" not in text, "write it with `npm run lock`"


@pytest.fixture(scope="module")
def packages() -> Path:
    """node_modules as locked, installed once for each lock into the user's cache."""
    missing = [tool for tool in ("node", "npm") if shutil.which(tool) is None]
    if missing:
        pytest.skip(f"needs {' and '.join(missing)} (Node.js 18 or later): a real module in another language")
    digest = hashlib.sha256((NODE / "package-lock.json").read_bytes()).hexdigest()[:16]
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "millwatch"
    target = cache / f"node-{digest}"
    if not target.is_dir():
        cache.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=cache) as name:
            _install(Path(name) / "new")
            try:
                (Path(name) / "new").rename(target)
            except OSError:  # another run was first
                assert target.is_dir()
    return target / "node_modules"


def _install(folder: Path) -> None:
    folder.mkdir()
    for name in PACKAGE:
        shutil.copy(NODE / name, folder / name)
    command = ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode and any(code in done.stderr for code in UNREACHABLE):
        pytest.skip(f"npm reaches no registry: {done.stderr.strip().splitlines()[0]}")
    assert done.returncode == 0, done.stderr


@pytest.fixture(scope="module")
def hub(packages: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hub]:
    """Two modules, both `node app.js` in the foreign manifest's localhub.toml; what `press` finds goes to `saw`."""
    folder = tmp_path_factory.mktemp("node")
    shutil.copy(NODE / "app.js", folder)
    (folder / "node_modules").symlink_to(packages)
    manifest = write_manifest(
        folder,
        modules={"press": ["node", "app.js"], "saw": ["node", "app.js"]},
        routes={
            "hot": "FROM /messages/modules/press/outputs/alerts WHERE kind = 'hot' AND $body.temperature > 0 "
            'INTO BrokeredEndpoint("/modules/saw/inputs/alerts")',
            "up": "FROM /messages/modules/saw/outputs/* INTO $upstream",
        },
        desired={"press": {"limit": 80}, "saw": {"limit": 90}},
    )
    assert 'command = ["node", "app.js"]' in (folder / "localhub.toml").read_text(encoding="utf-8")
    with running(manifest) as hub:
        yield hub


def test_it_reads_its_twin_and_reports_over_each_patch(hub: Hub) -> None:
    hub.wait_reported("press", {"limit": 80})
    version = hub.set_desired("press", {"limit": 60})
    hub.wait_reported("press", {"limit": 60, "seen": version})


def test_it_receives_sends_with_properties_and_the_other_receives_through_the_route(hub: Hub) -> None:
    hub.wait_reported("saw", {"limit": 90})
    version = hub.set_desired("press", {"limit": 70})
    hub.wait_reported("press", {"seen": version})
    before = len(hub.arrivals())
    alerts, onward = hub.watch("press/alerts"), hub.watch("saw/alerts")
    for temperature in (20, 75, 99):  # too cold for both, for the second, for none
        hub.send("press/readings", {"temperature": temperature}, {"$.mid": f"m{temperature}"})
    lukewarm, hot = alerts.wait(2)
    assert lukewarm.json == {"temperature": 75, "input": "readings"}
    assert hot.properties == {"kind": "hot", "place": "hall 1 / press & saw"}
    assert hot.system["messageId"] == "m99"
    assert hot.system["contentType"] == "application/json"
    assert onward.one().json == {"temperature": 99, "input": "alerts"}
    hub.until(lambda: len(hub.arrivals()) == before + 1, what="the arrival in the cloud")
    assert hub.arrivals()[-1].source == "gw1/saw"


def test_it_answers_a_direct_method(hub: Hub) -> None:
    hub.wait_reported("saw", {"limit": 90})
    answer = hub.call("saw", "getLimit", {"by": "test"})
    assert (answer.status, answer.payload) == (200, {"limit": 90, "asked": {"by": "test"}})


def test_it_invokes_a_method_of_the_other_module_over_https(hub: Hub) -> None:
    if any("port 443" in line and "cannot be bound" in line for line in hub.logs("hub", 1000)):
        pytest.skip("needs the right to bind port 443 of a loopback address: the SDKs call no other port")
    hub.wait_reported("saw", {"limit": 90})
    answer = hub.call("press", "ask", {"module": "saw", "method": "getLimit"})
    assert answer.status == 200, answer
    assert answer.payload == {"status": 200, "payload": {"limit": 90, "asked": "from ask"}}
    assert hub.call("press", "ask", {"module": "ghost", "method": "getLimit"}).status == 502


def test_it_is_served_after_the_hub_was_killed(hub: Hub) -> None:
    hub.restart("hub", kill=True)
    hub.wait_connected("press", "saw")
    alerts = hub.watch("press/alerts")
    hub.send("press/readings", {"temperature": 99})
    assert alerts.one(within_s=60).json["temperature"] == 99
