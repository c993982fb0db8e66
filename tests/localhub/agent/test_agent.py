"""The agent as a process of its own, with a hub that only answers, and modules that speak the workload API."""

from __future__ import annotations

import asyncio
import base64
import json
import os
import signal
import subprocess
import sys
import urllib.request
from collections.abc import AsyncIterator, Callable

import pytest
from azure.iot.device.iothub.edge_hsm import IoTEdgeHsm
from cryptography import x509

from localhub import control, sas
from localhub.agent import proc
from localhub.agent.edge import Edge
from localhub.agent.orphans import Records
from localhub.agent.plan import Plan, Planned
from localhub.agent.planner import Sources
from localhub.agent.policy import Policy
from localhub.agent.runner import ProcessRunner
from localhub.control.server import Call
from localhub.identity import Auth, Credential, Identities
from localhub.state import State

pytestmark = pytest.mark.anyio
ProgramFixture = Callable[..., Planned]
OBEYS = """
import os, time
print("up", os.environ.get("X"), os.environ.get("LEAF_CONNECTION_STRING"), flush=True)
time.sleep(60)
"""


@pytest.fixture
async def hub(state: State) -> AsyncIterator[None]:
    async def status(_call: Call) -> object:
        return {"clients": [{"id": "gw1/one"}, {"id": "gw1/two"}]}

    async with control.serving(control.application(control.get("/status", status)), state.hub_socket):
        yield


async def until(fact: Callable[[], object], *, within_s: float = 60) -> None:
    async with asyncio.timeout(within_s):
        while not fact():  # noqa: ASYNC110  what is waited for happens in another process
            await asyncio.sleep(0.02)


@pytest.fixture
async def edge(state: State) -> AsyncIterator[Edge]:
    """An agent inside this process whose module `one` is this process, so that the SDK can be called from here."""
    plan = Plan(modules=[Planned(name=name, command=["none"], folder=".") for name in ("one", "two")])
    edge = Edge(state, plan, ProcessRunner(Records(state.agent / "living.json", str(state.root))))
    async with edge.workload_api():
        edge.lent.add("one")
        yield edge


async def test_the_sdk_signs_and_trusts_through_the_workload_api(edge: Edge, state: State) -> None:
    facts = edge.module_facts("one")
    hsm = IoTEdgeHsm(  # type: ignore[no-untyped-call]
        module_id=facts["IOTEDGE_MODULEID"],
        generation_id=facts["IOTEDGE_MODULEGENERATIONID"],
        workload_uri=facts["IOTEDGE_WORKLOADURI"],
        api_version=facts["IOTEDGE_APIVERSION"],
    )
    assert await asyncio.to_thread(hsm.get_certificate) == state.ca_certificate.read_text()
    key = Identities.load(state.identities).modules["one"].key
    assert await asyncio.to_thread(hsm.sign, "data") == sas.sign(key, b"data")


def started(command: list[str]) -> subprocess.Popen[bytes]:
    return subprocess.Popen(command)


async def call(edge: Edge, module: str, what: str, **body: str) -> dict[str, str]:
    client = control.AsyncClient(edge.state.workload_socket(module))
    generation = edge.identities.modules[module].generation
    path = f"/modules/{module}/genid/{generation}/{what}?api-version=2020-07-07"
    answer: dict[str, str] = await client.post(path, body)
    return answer


def b64(data: bytes) -> str:
    return base64.b64encode(data).decode()


async def test_encrypt_decrypt_and_certificates(edge: Edge, state: State) -> None:
    sealed = await call(edge, "one", "encrypt", plaintext=b64(b"secret"), initializationVector=b64(b"iv"))
    opened = await call(edge, "one", "decrypt", ciphertext=sealed["ciphertext"], initializationVector=b64(b"iv"))
    assert base64.b64decode(opened["plaintext"]) == b"secret"
    with pytest.raises(control.ControlError, match="was not sealed by module one") as broken:
        await call(edge, "one", "decrypt", ciphertext=sealed["ciphertext"], initializationVector=b64(b"other"))
    assert broken.value.status == 400
    made = await call(edge, "one", "certificate/server", commonName="press.local", expiration="2020-01-01T00:00:00Z")
    certificate = x509.load_pem_x509_certificate(made["certificate"].encode())
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == ["press.local", "one"]
    certificate.verify_directly_issued_by(x509.load_pem_x509_certificate(state.ca_certificate.read_bytes()))
    assert "identity" not in await call(edge, "one", "certificate/identity", expiration="2099-01-01T00:00:00")


@pytest.mark.parametrize(
    ("module", "body", "status", "says"),
    [
        ("one", {"data": "%"}, 400, "data is not base64"),
        ("one", {}, 400, "the field 'data'"),
        ("two", {"data": ""}, 403, "does not belong to module two"),
    ],
)
async def test_what_the_workload_api_refuses(
    edge: Edge, module: str, body: dict[str, str], status: int, says: str
) -> None:
    with pytest.raises(control.ControlError, match=says) as refused:
        await call(edge, module, "sign", **body)
    assert refused.value.status == status


async def test_versions_and_unknown_modules(edge: Edge) -> None:
    client = control.AsyncClient(edge.state.workload_socket("one"))
    with pytest.raises(control.ControlError, match="known are 2018-06-28"):
        await client.get("/trust-bundle?api-version=2031-01-01")
    with pytest.raises(control.ControlError, match="no module three"):
        await client.post("/modules/$three/genid/1/sign?api-version=2018-06-28", {"data": ""})


@pytest.fixture
async def agent(state: State, hub: None, program: ProgramFixture) -> AsyncIterator[subprocess.Popen[bytes]]:  # noqa: ARG001
    two = program("two", OBEYS, policy=Policy.ALWAYS, order=1, X="${MODULE_STATE}")
    one = program("one", OBEYS, policy=Policy.ALWAYS, order=2)
    (state.agent).mkdir(exist_ok=True)
    plan = Plan(modules=[two, one], devices=[program("leaf", OBEYS)])
    (state.agent / "plan.json").write_bytes(plan.to_json())
    Sources.of(plan, folder=state.root, config=None, leaves=None).save(state.agent / "sources.json")
    process = started([sys.executable, "-m", "localhub.agent", "--state", str(state.root), "--grace", "5"])
    try:
        await until(lambda: state.log("leaf").exists() and state.log("leaf").read_text())
        yield process
    finally:
        process.kill()
        process.wait()


async def test_start_order_status_metrics_and_stop(agent: subprocess.Popen[bytes], state: State) -> None:
    words = {name: state.log(name).read_text().split() for name in ("one", "two", "leaf")}
    assert words["two"][1] == str(state.module_folder("two"))
    assert words["leaf"][2].startswith(f"HostName={state.hub_name};DeviceId=leaf;SharedAccessKey=")
    client = control.AsyncClient(state.agent_socket)
    status = await client.get("/status", pss=1)
    assert [module["name"] for module in status["modules"]] == ["two", "one"]
    two, one, leaf = (fact["started"] for fact in status["modules"] + status["leaves"])
    assert two < one < leaf  # startupOrder, then the leaf devices
    assert all(fact["state"] == "running" and fact["pss"] > 0 for fact in status["modules"] + status["leaves"])
    with pytest.raises(control.ControlError, match="does not belong"):
        await control.AsyncClient(state.workload_socket("one")).post(
            "/modules/one/genid/1/sign?api-version=2018-06-28", {"data": ""}
        )
    page = await asyncio.to_thread(_fetch, f"http://{state.address}:{status['metrics_port']}/metrics")
    assert 'edgeAgent_used_memory_bytes{iothub="localhub.azure-devices.net",edge_device="gw1"' in page
    pids = [fact["pid"] for fact in status["modules"] + status["leaves"]]
    agent.send_signal(signal.SIGTERM)
    await asyncio.to_thread(agent.wait)
    assert agent.returncode == 0
    assert [proc.started(pid) for pid in pids] == [None, None, None]


def _fetch(url: str) -> str:
    with urllib.request.urlopen(url) as answer:
        return str(answer.read().decode())


async def test_verbs(agent: subprocess.Popen[bytes], state: State) -> None:
    assert agent.poll() is None
    client = control.AsyncClient(state.agent_socket)
    assert (await client.post("/module/one/stop"))["state"] == "stopped"
    assert (await client.post("/module/one/start"))["state"] == "running"
    assert (await client.post("/module/one/restart"))["restarts"] == 1
    await client.post("/module/one/kill")
    lent = await client.post("/module/two/lend")
    assert lent["IOTEDGE_MODULEID"] == "two"
    assert lent == await client.get("/env/two")
    sign = f"/modules/two/genid/{lent['IOTEDGE_MODULEGENERATIONID']}/sign?api-version=2018-06-28"
    assert "digest" in await control.AsyncClient(state.workload_socket("two")).post(sign, {"data": ""})
    for path, says in (("/module/no/start", "there are: two, one, leaf"), ("/module/leaf/lend", "is not known")):
        with pytest.raises(control.ControlError, match=says):
            await client.post(path)
    leaf = await client.get("/env/leaf")
    assert set(leaf) == {"LEAF_CONNECTION_STRING", "LEAF_CA_FILE"}
    assert "DeviceId=leaf;SharedAccessKey=" in leaf["LEAF_CONNECTION_STRING"]
    with pytest.raises(control.ControlError, match="there are: two, one, leaf"):
        await client.get("/env/no")


async def test_a_leaf_with_a_certificate_is_given_its_files(state: State) -> None:
    Identities.ensure(state.identities, state.gateway, [], [], {"leaf": Credential(Auth.X509_CA)})
    plan = Plan(modules=[], devices=[Planned(name="leaf", command=["none"], folder=".")])
    facts = Edge(state, plan, ProcessRunner(Records(state.agent / "living.json", str(state.root)))).leaf_facts("leaf")
    assert facts["LEAF_CERTIFICATE_FILE"] == str(state.device_certificate("leaf"))
    assert facts["LEAF_KEY_FILE"] == str(state.device_key("leaf"))
    assert "DeviceId=leaf;x509=true;" in facts["LEAF_CONNECTION_STRING"]


async def test_kill_9_leaves_nothing_and_the_next_agent_starts_all_again(
    agent: subprocess.Popen[bytes], state: State
) -> None:
    status = await control.AsyncClient(state.agent_socket).get("/status")
    pids = [fact["pid"] for fact in status["modules"] + status["leaves"]]
    agent.kill()
    await asyncio.to_thread(agent.wait)
    await until(lambda: [proc.started(pid) for pid in pids] == [None, None, None])
    assert json.loads((state.agent / "living.json").read_text())["living"].keys() == {"one", "two", "leaf"}
    assert os.environ.get("LOCALHUB_STATE") is None
