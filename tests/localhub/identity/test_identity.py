"""Keys are made once and kept."""

from pathlib import Path

import pytest

from localhub.identity import Identities, Identity


def test_known_keys_are_kept_and_new_ones_added(tmp_path: Path) -> None:
    path = tmp_path / "identities.json"
    first = Identities.ensure(path, "gw1", ["camera"], ["press4"])
    second = Identities.ensure(path, "gw1", ["camera", "cache"], [])
    assert second.modules["camera"] == first.modules["camera"]
    assert second.devices == first.devices
    assert Identities.load(path) == second
    assert (
        len({*(one.key for one in second.devices.values()), *(module.key for module in second.modules.values())}) == 4
    )
    assert path.stat().st_mode & 0o077 == 0


def test_connection_strings_have_the_form_the_sdk_takes(tmp_path: Path) -> None:
    known = Identities.ensure(tmp_path / "i.json", "gw1", ["camera"], ["press4"])
    text = known.connection_string(Identity("press4"), "hub.net", "127.0.0.9")
    assert (
        text
        == f"HostName=hub.net;DeviceId=press4;SharedAccessKey={known.devices['press4'].key};GatewayHostName=127.0.0.9"
    )
    assert "ModuleId=camera;" in known.connection_string(Identity("gw1", "camera"), "hub.net", "127.0.0.9")
    with pytest.raises(KeyError):
        known.connection_string(Identity("ghost"), "hub.net", "127.0.0.9")
