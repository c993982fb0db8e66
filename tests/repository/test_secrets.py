"""No secret is in the repository: nothing that looks like a key of Azure, a registry, a machine or a person."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LARGEST = 1_000_000  # bytes; the larger files are recordings and models
PATTERNS = {
    "private key": r"-----BEGIN (?:[A-Z]+ )*PRIVATE KEY-----\s+[A-Za-z0-9+/]{16}",
    "key of an IoT hub or device": r"SharedAccessKey=[A-Za-z0-9+/]{32,}={0,2}",
    "key of a storage account": r"AccountKey=[A-Za-z0-9+/]{60,}={0,2}",
    "token of an IoT hub": r"SharedAccessSignature sr=[^\s\"']+&sig=[A-Za-z0-9%]{30,}",
    "symmetric key": r"(?i)(?:primary|secondary|symmetric)_?key[\"']?\s*[:=]\s*[\"'][A-Za-z0-9+/]{40,}={0,2}[\"']",
    "password of a registry": r"(?m)^\s*(?:export )?[A-Z_]*(?:PASSWORD|SECRET|TOKEN|CONNECTION_STRING)=[^\s$<{\"']{6,}",
    "password in a manifest": r"(?i)\"(?:password|secret|token)\"\s*:\s*\"(?![\"$<{])[^\"\s]{6,}\"",
    "password in an address": r"[a-z]+://[^\s/:@\"'{}$<]+:(?!\$|\{|<)[^\s/:@\"'{}]{3,}@(?!192\.0\.2\.)\w",
    "key of a cloud": r"\b(?:AKIA|ASIA)[0-9A-Z]{16}\b",
    "token of a code host": r"\b(?:ghp|gho|ghs|github_pat|glpat|npm|pypi)[-_][A-Za-z0-9_-]{30,}",
    "signed web token": r"\beyJ[A-Za-z0-9_-]{15,}\.eyJ[A-Za-z0-9_-]{15,}\.[A-Za-z0-9_-]{20,}",
}
PLANTED = {
    "private key": "-----BEGIN EC PRIVATE KEY-----\n" + "MHcCAQEEIB" * 3,
    "key of an IoT hub or device": "HostName=h;DeviceId=d;SharedAccessKey=" + "aB3/" * 10 + "k1U=",
    "key of a storage account": "AccountKey=" + "aB3+" * 21 + "==",
    "token of an IoT hub": "SharedAccessSignature sr=h%2Fdevices&sig=" + "aB3%2F" * 8 + "&se=1",
    "symmetric key": '"primaryKey": "' + "aB3/" * 10 + 'k1U="',
    "password of a registry": "CONTAINER_REGISTRY_PASSWORD=hunter22",
    "password in a manifest": '"password": "hunter22"',
    "password in an address": "rtsp://admin:hunter22@10.0.0.5/stream",
    "key of a cloud": "AKIA" + "ABCDEFGHIJKLMNOP",
    "token of a code host": "ghp_" + "a1B2" * 9,
    "signed web token": "eyJ" + "hbGciOi" * 4 + ".eyJ" + "zdWIiOi" * 4 + "." + "s5Tz" * 6,
}


def findings(text: str) -> Iterator[tuple[str, str]]:
    for kind, pattern in PATTERNS.items():
        for found in re.finditer(pattern, text):
            yield kind, found[0]


@pytest.mark.parametrize("kind", PATTERNS)
def test_a_planted_secret_is_found(kind: str) -> None:
    assert kind in {found for found, _ in findings(f"before\n{PLANTED[kind]}\nafter")}


@pytest.mark.parametrize(
    "text",
    [
        "CONTAINER_REGISTRY_PASSWORD=",
        "PASSWORD=$OTHER",
        '"password": "$CONTAINER_REGISTRY_PASSWORD"',
        "rtsp://camera/1",
    ],
)
def test_what_only_names_a_secret_is_none(text: str) -> None:
    assert list(findings(text)) == []


def test_no_secret_is_committed() -> None:
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=False)
    if listed.returncode != 0:
        pytest.skip("not a clone of the repository: what is committed is not known")
    files = [ROOT / name for name in listed.stdout.split("\0") if name]
    assert not [file for file in files if file.name == ".env" or file.suffix in (".key", ".pfx", ".p12")]
    found = [
        f"{file.relative_to(ROOT)}: {kind}: {text[:60]}"
        for file in files
        if file != Path(__file__) and file.is_file() and file.stat().st_size < LARGEST
        for kind, text in findings(file.read_text(encoding="utf-8", errors="ignore"))
    ]
    assert found == []
