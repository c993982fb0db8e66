"""What `run` refuses before it starts anything, and what it leaves in the state folder when it does not."""

from __future__ import annotations

import json
import os
import socket
from pathlib import Path
from typing import Any

import pytest

from localhub.address import another, check, free_port
from localhub.agent.plan import Plan
from localhub.exits import CannotStartError, Exit
from localhub.identity import Auth, Identities
from localhub.prepare import Options, Prepared, prepare

ADDRESS = "127.61.3.1"
MODULE = {
    "version": "1.0",
    "type": "docker",
    "status": "running",
    "restartPolicy": "always",
    "settings": {"image": "registry/echo:1", "createOptions": "{}"},
}
TOML = '[modules.echo]\ncommand = ["${PYTHON}", "echo.py"]\n\n[devices.press4]\ncommand = ["${PYTHON}", "leaf.py"]\n'


def manifest(**modules: dict[str, Any]) -> str:
    system = {
        "edgeAgent": {"type": "docker", "settings": {"image": "agent:1", "createOptions": "{}"}},
        "edgeHub": {
            "type": "docker",
            "status": "running",
            "restartPolicy": "always",
            "settings": {"image": "hub:1", "createOptions": "{}"},
        },
    }
    runtime = {"type": "docker", "settings": {"minDockerVersion": "v1.25"}}
    content = {
        "$edgeAgent": {
            "properties.desired": {
                "schemaVersion": "1.1",
                "runtime": runtime,
                "systemModules": system,
                "modules": modules,
            }
        },
        "$edgeHub": {
            "properties.desired": {
                "schemaVersion": "1.1",
                "routes": {"up": {"route": "FROM /messages/modules/echo/* INTO $upstream", "timeToLiveSecs": 60}},
                "storeAndForwardConfiguration": {"timeToLiveSecs": 60},
            }
        },
    }
    return json.dumps({"modulesContent": content}, indent=2)


@pytest.fixture
def options(tmp_path: Path) -> Options:
    (tmp_path / "deployment.json").write_text(manifest(echo=MODULE))
    (tmp_path / "localhub.toml").write_text(TOML)
    return Options(manifest=tmp_path / "deployment.json", state=tmp_path / "state", address=ADDRESS)


def path(options: Options) -> Path:
    assert options.manifest is not None
    return options.manifest


def released(prepared: Prepared) -> Prepared:
    os.close(prepared.lock)
    return prepared


def with_options(options: Options, **facts: Any) -> Options:
    return Options(**{name: getattr(options, name) for name in Options.__slots__} | facts)


def test_the_state_folder(options: Options) -> None:
    prepared = released(prepare(options))
    state = prepared.state
    plan = Plan.from_json((state.agent / "plan.json").read_bytes())
    assert [module.name for module in plan.modules] == ["echo"]
    assert [device.name for device in plan.devices] == ["press4"]
    identities = Identities.load(state.identities)
    assert set(identities.modules) == {"echo"}
    assert set(identities.devices) == {"gw1", "press4"}
    assert "$edgeHub" in json.loads(state.manifest.read_bytes())
    again = released(prepare(options))
    assert Identities.load(again.state.identities) == identities
    assert again.state.metrics_port == state.metrics_port
    fresh = released(prepare(with_options(options, fresh=True, leaves=[])))
    assert Identities.load(fresh.state.identities) != identities
    assert [device.running for device in fresh.plan.devices] == [False]


def test_leaf_devices_get_certificates_where_they_are_declared_for_one(options: Options) -> None:
    toml = path(options).with_name("localhub.toml")
    toml.write_text(TOML + 'auth = "x509_ca"\n[devices.oven2]\ncommand = ["x"]\nauth = "x509_thumbprint"\n')
    state = released(prepare(options)).state
    devices = Identities.load(state.identities).devices
    assert {name: credential.auth for name, credential in devices.items()} == {
        "gw1": Auth.SAS,
        "press4": Auth.X509_CA,
        "oven2": Auth.X509_THUMBPRINT,
    }
    assert state.device_certificate("press4").exists()
    released(prepare(options))
    assert Identities.load(state.identities).devices == devices
    toml.write_text(TOML)
    released(prepare(options))
    assert Identities.load(state.identities).devices["press4"].key


@pytest.mark.parametrize(
    ("toml", "says"),
    [
        ("[modules.echo]\ncommand = 3\n", r"localhub.toml:2: modules.echo.command must be a list of strings"),
        ("[modules.ecko]\ncommand = ['x']\n", r"localhub.toml:1: ecko: the manifest deploys no such module.*: echo"),
        ("", r"deployment.json:\d+: echo: image registry/echo:1 has no command here: add \[modules.echo\]"),
    ],
)
def test_a_configuration_that_is_wrong_is_refused_with_its_line(options: Options, toml: str, says: str) -> None:
    (path(options).parent / "localhub.toml").write_text(toml)
    with pytest.raises(CannotStartError, match=says) as error:
        prepare(options)
    assert error.value.code == Exit.REFUSED
    assert not options.state.exists()


@pytest.mark.parametrize(
    ("before", "after", "says"),
    [
        ("INTO $upstream", "INTO", r"deployment.json:\d+:\d+: .*route.*"),
        ("INTO $upstream", 'INTO BrokeredEndpoint(\\"/modules/ecko/inputs/i\\")', r"deployment.json:\d+:.*ecko"),
        ('"registry/echo:1"', '""', r"deployment.json:\d+:.*image"),
        ('"modulesContent"', "modulesContent", r"deployment.json:2:\d+: "),
    ],
)
def test_a_manifest_that_is_wrong_is_refused_with_its_line(
    options: Options, before: str, after: str, says: str
) -> None:
    text = path(options).read_text()
    assert before in text
    path(options).write_text(text.replace(before, after))
    with pytest.raises(CannotStartError, match=says) as error:
        prepare(options)
    assert error.value.code == Exit.REFUSED
    assert not options.state.exists()


def test_a_layer_is_laid_over_the_manifest(options: Options, tmp_path: Path) -> None:
    layer = {"modulesContent": {"$edgeAgent": {"properties.desired.modules.second": MODULE}}}
    (tmp_path / "layer.json").write_text(json.dumps(layer))
    (tmp_path / "localhub.toml").write_text(f"{TOML}[modules.second]\ncommand = ['x']\n")
    prepared = released(prepare(with_options(options, layers=[tmp_path / "layer.json"])))
    assert {module.name for module in prepared.plan.modules} == {"echo", "second"}


def test_a_command_from_the_dockerfile(options: Options, tmp_path: Path) -> None:
    folder = tmp_path / "modules" / "echo"
    folder.mkdir(parents=True)
    (folder / "module.json").write_text(
        json.dumps(
            {
                "$schema-version": "0.0.1",
                "image": {
                    "repository": "registry/echo",
                    "tag": {"version": "1.0", "platforms": {"amd64": "./Dockerfile.amd64"}},
                    "contextPath": "./",
                },
                "language": "python",
            }
        )
    )
    (folder / "Dockerfile.amd64").write_text('FROM python:3.11\nWORKDIR /app\nCMD ["python3", "-u", "./main.py"]\n')
    template = path(options).with_name("deployment.template.json")
    template.write_text(path(options).read_text().replace("registry/echo:1", "${MODULES.echo}"))
    (tmp_path / "localhub.toml").unlink()
    (module,) = released(prepare(with_options(options, manifest=template))).plan.modules
    assert (module.command, module.folder) == (["${PYTHON}", "-u", "./main.py"], str(folder))
    assert module.image == "registry/echo:1.0-amd64"


def test_a_manifest_that_is_not_there(options: Options) -> None:
    with pytest.raises(CannotStartError, match=r"none\.json"):
        prepare(with_options(options, manifest=Path("none.json")))


def test_an_address_that_is_taken_names_another(options: Options) -> None:
    with socket.create_server((ADDRESS, 8883)):
        with pytest.raises(CannotStartError, match=r"127.61.3.1:8883 is taken .*; use --address 127.61.3.2") as error:
            prepare(options)
        assert error.value.code == Exit.BUSY
        assert another(ADDRESS) == "127.61.3.2"


@pytest.mark.parametrize("address", ["10.0.0.1", "factory"])
def test_an_address_of_the_network_is_not_served(address: str) -> None:
    with pytest.raises(CannotStartError, match="not a loopback address") as error:
        check(address)
    assert error.value.code == Exit.USAGE


def test_a_wanted_port_is_kept_while_it_is_free() -> None:
    port = free_port(ADDRESS)
    assert free_port(ADDRESS, port) == port
    with socket.create_server((ADDRESS, port)):
        assert free_port(ADDRESS, port) != port


def test_one_state_folder_serves_one_localhub(options: Options) -> None:
    prepared = prepare(options)
    with pytest.raises(CannotStartError, match=rf"another localhub \(process {os.getpid()}\) runs with state") as error:
        prepare(options)
    assert error.value.code == Exit.BUSY
    released(prepared)
    released(prepare(options))


def test_fresh_empties_only_what_is_ours(options: Options, tmp_path: Path) -> None:
    precious = tmp_path / "precious"
    precious.mkdir()
    (precious / "thesis.txt").write_text("ten years")
    with pytest.raises(CannotStartError, match="not a state folder"):
        prepare(with_options(options, state=precious, fresh=True))
    assert [path.name for path in precious.iterdir()] == ["thesis.txt"]


def test_fresh_begins_anew_where_nothing_is_yet(options: Options, tmp_path: Path) -> None:
    for state in (tmp_path / "not" / "yet", tmp_path / "empty"):
        (tmp_path / "empty").mkdir(exist_ok=True)
        assert released(prepare(with_options(options, state=state, fresh=True))).state.root == state
