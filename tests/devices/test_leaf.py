"""Which client a leaf device makes of its environment."""

from __future__ import annotations

import threading
from datetime import UTC, datetime
from pathlib import Path

import pytest

from devices.leaf import Leaf, LeafError
from localhub import certs

HOST = "HostName=hub.net;DeviceId=press4"
KEY = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="


@pytest.fixture
def facts(tmp_path: Path) -> dict[str, str]:
    """A device with a certificate."""
    authority = certs.Authority.create(datetime.now(UTC))
    certificate, key = authority.leaf("press4", datetime.now(UTC))
    for name, content in (("ca.pem", authority.pem()), ("leaf.pem", certificate), ("leaf.key", key)):
        (tmp_path / name).write_bytes(content)
    return {
        "LEAF_CONNECTION_STRING": f"{HOST};x509=true;GatewayHostName=127.0.0.9",
        "LEAF_CA_FILE": str(tmp_path / "ca.pem"),
        "LEAF_CERTIFICATE_FILE": str(tmp_path / "leaf.pem"),
        "LEAF_KEY_FILE": str(tmp_path / "leaf.key"),
    }


@pytest.mark.filterwarnings("ignore:ssl.PROTOCOL_TLSv1_2 is deprecated:DeprecationWarning")
def test_a_key_or_a_certificate(facts: dict[str, str]) -> None:
    Leaf.from_environment(threading.Event(), facts)
    facts["LEAF_CONNECTION_STRING"] = f"{HOST};SharedAccessKey={KEY};GatewayHostName=127.0.0.9"
    Leaf.from_environment(threading.Event(), facts)


@pytest.mark.parametrize(
    ("missing", "says"),
    [
        ("LEAF_CONNECTION_STRING", "are not set"),
        ("LEAF_CA_FILE", "are not set"),
        ("LEAF_CERTIFICATE_FILE", "needs LEAF_CERTIFICATE_FILE"),
        ("LEAF_KEY_FILE", "needs LEAF_KEY_FILE"),
    ],
)
def test_what_is_missing_is_named(facts: dict[str, str], missing: str, says: str) -> None:
    del facts[missing]
    with pytest.raises(LeafError, match=says):
        Leaf.from_environment(threading.Event(), facts)
