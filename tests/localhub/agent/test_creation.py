"""createOptions become a create-container document: everything they say, and what edgeAgent adds."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from localhub.agent.creation import DIGEST_LABEL, OWNER_LABEL, SOCKET_INSIDE, Site, creation, published

SITE = Site.of(Path("/here/.state"), {"edgeHub": "172.18.0.1"})
SOCKET = Path("/here/.state/run/w/m.sock")


def made(options: dict[str, Any], **env: str) -> dict[str, Any]:
    return creation("m", "registry/m:1", options, env, socket=SOCKET, site=SITE)


def test_options_pass_through_and_what_edge_agent_adds() -> None:
    options: dict[str, Any] = {
        "ExposedPorts": {"1/tcp": {}},
        "Labels": {"theirs": "1"},
        "HostConfig": {
            "Memory": 5,
            "CapDrop": ["ALL"],
            "Mounts": [
                {"Type": "volume", "Source": "data", "Target": "/data"},
                {"Type": "bind", "Source": "/etc/x", "Target": "/x", "ReadOnly": True},
            ],
            "Binds": ["named:/n", "/host:/h:ro"],
            "ExtraHosts": ["plc:10.0.0.1"],
            "RestartPolicy": {"Name": "always"},
            "AutoRemove": True,
        },
    }
    config = made(options, A="1")
    host = config["HostConfig"]
    assert (config["Image"], config["Env"], config["ExposedPorts"]) == ("registry/m:1", ["A=1"], {"1/tcp": {}})
    assert (host["Memory"], host["CapDrop"]) == (5, ["ALL"])
    assert [mount["Source"] for mount in host["Mounts"]] == [SITE.volume("data"), "/etc/x", str(SOCKET)]
    assert host["Mounts"][-1]["Target"] == SOCKET_INSIDE
    assert host["Binds"] == [f"{SITE.volume('named')}:/n", "/host:/h:ro"]
    assert host["ExtraHosts"] == ["plc:10.0.0.1", "edgeHub:172.18.0.1"]
    assert not {"RestartPolicy", "AutoRemove"} & host.keys()
    assert config["Labels"]["theirs"] == "1"
    assert config["Labels"][OWNER_LABEL] == "/here/.state"
    assert config["NetworkingConfig"]["EndpointsConfig"][SITE.network]["Aliases"] == ["m"]
    assert options["HostConfig"]["AutoRemove"], "the caller's options were changed"


def test_a_module_that_brings_its_own_network_keeps_it() -> None:
    config = made({"HostConfig": {"NetworkMode": "host"}})
    assert config["HostConfig"]["NetworkMode"] == "host"
    assert "NetworkingConfig" not in config


ENV = st.dictionaries(st.sampled_from("ABCD"), st.text("xy=", max_size=3))


@given(ENV, ENV)
def test_what_edge_agent_gives_wins_over_the_options(theirs: dict[str, str], ours: dict[str, str]) -> None:
    config = made({"Env": [f"{key}={value}" for key, value in theirs.items()]}, **ours)
    lines = [tuple(line.split("=", 1)) for line in config["Env"]]
    assert dict(lines) == {**theirs, **ours}
    assert len(lines) == len({**theirs, **ours}), "a variable stands twice"


def test_a_digest_tells_documents_apart() -> None:
    one, same, other = made({}, A="1"), made({}, A="1"), made({}, A="2")
    assert one == same
    assert one["Labels"][DIGEST_LABEL] != other["Labels"][DIGEST_LABEL]


def test_two_sites_share_no_names() -> None:
    other = Site.of(Path("/elsewhere/.state"))
    assert {SITE.container("m"), SITE.volume("v"), SITE.network}.isdisjoint(
        {other.container("m"), other.volume("v"), other.network}
    )


def test_other_ports_of_the_host_at_the_same_address() -> None:
    options: dict[str, Any] = {
        "HostConfig": {"PortBindings": {"8080/tcp": [{"HostIp": "127.0.0.1", "HostPort": "8080"}]}}
    }
    bindings = published(options, {"8080/tcp": "9", "1/tcp": "2"})["HostConfig"]["PortBindings"]
    assert bindings["8080/tcp"] == [{"HostIp": "127.0.0.1", "HostPort": "9"}]
    assert bindings["1/tcp"] == [{"HostIp": "127.0.0.1", "HostPort": "2"}]
    assert options["HostConfig"]["PortBindings"]["8080/tcp"][0]["HostPort"] == "8080"
