"""Flower's own SuperLink and SuperNodes over TLS: three gateways that learn, and one with too little to learn from."""

import datetime as dt
import ipaddress
import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

pytest.importorskip("flwr", reason="needs Flower: make federated-test")

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from localhub.address import free_port
from modules.inference.card import read_card

ROOT = Path(__file__).resolve().parents[3]
BASE = ROOT / "models" / "bearing"
HOST = "127.11.5.1"
Fill = Callable[..., Path]


@pytest.fixture
def certificate(tmp_path: Path) -> list[str]:
    """A private authority's certificate of the server, as arguments."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "federated")])
    now = dt.datetime.now(dt.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address(HOST))]), critical=False)
        .sign(key, hashes.SHA256())
    )
    (tmp_path / "ca.pem").write_bytes(made.public_bytes(serialization.Encoding.PEM))
    plain = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    (tmp_path / "key.pem").write_bytes(key.private_bytes(*plain))
    return ["--ca", str(tmp_path / "ca.pem")]


@pytest.fixture
def joined(tmp_path: Path, certificate: list[str]) -> Iterator[Callable[[str, str, Path], None]]:
    """Starts a gateway; all are ended with the test."""
    running: list[subprocess.Popen[bytes]] = []

    def join(name: str, server: str, samples: Path) -> None:
        words = [sys.executable, "-m", "models.federated", "join", str(BASE), "--samples", str(samples)]
        words += ["--server", server, "--here", f"{HOST}:{free_port(HOST)}", "--home", str(tmp_path / name / "flower")]
        running.append(subprocess.Popen([*words, *certificate], cwd=ROOT))

    try:
        yield join
    finally:
        for each in running:
            each.terminate()
        for each in running:
            each.wait(60)


@pytest.mark.soak
@pytest.mark.timeout(1800)
def test_a_head_is_learnt_by_gateways_that_keep_their_samples(
    tmp_path: Path, fill: Fill, certificate: list[str], joined: Callable[[str, str, Path], None]
) -> None:
    server = f"{HOST}:{free_port(HOST)}"
    for number in range(3):
        joined(f"press{number}", server, fill(f"press{number}", seed=number))
    joined("new", server, fill("new", seed=9, each=1))  # too few samples: it says so and is left out
    words = ["learn", str(BASE), "--listen", server, "--gateways", "4", "--rounds", "2", "--version", "1.1.0"]
    words += ["--certificate", str(tmp_path / "ca.pem"), "--key", str(tmp_path / "key.pem"), *certificate]
    words += ["--out", str(tmp_path / "out"), "--home", str(tmp_path / "link"), "--format", "json"]
    ran = subprocess.run(
        [sys.executable, "-m", "models.federated", *words], cwd=ROOT, capture_output=True, timeout=1500, check=False
    )
    assert ran.returncode == 0, ran.stderr.decode()[-4000:]
    facts = json.loads(ran.stdout.splitlines()[-1])
    assert (facts["package"], facts["rounds"], facts["samples"]) == ("bearing/1.1.0", 2, 3 * 16)
    assert all("4 judged samples are here" in each for each in facts["left_out"]) and len(facts["left_out"]) == 2
    card = read_card(tmp_path / "out")
    assert card.training["federated"]["base"] == "bearing/1.0.0"
    check = [sys.executable, "-m", "modules.inference", "check", str(tmp_path / "out")]
    assert subprocess.run(check, cwd=ROOT, capture_output=True, check=False).returncode == 0
