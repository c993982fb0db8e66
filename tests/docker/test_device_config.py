"""The templates of /etc/aziot/config.toml: readable, without a secret, without elevated permissions."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

TEMPLATES = sorted((Path(__file__).parents[2] / "docker" / "config").glob("*.toml"))


@pytest.mark.parametrize("file", TEMPLATES, ids=lambda file: file.stem)
def test_a_device_config_template(file: Path) -> None:
    text = file.read_text()
    config = tomllib.loads(text)
    assert config["allow_elevated_docker_permissions"] is False
    assert config["provisioning"]["source"] == "dps"
    assert config["provisioning"]["attestation"]["method"] == file.stem
    assert "connection_string" not in text
    assert re.findall(r"pin-value=([^\"]*)", text) in ([], ["<PIN>"])
    assert "value" not in config["provisioning"]["attestation"], "an inline key"


def test_there_is_one_for_a_tpm_and_one_for_a_certificate() -> None:
    assert [file.stem for file in TEMPLATES] == ["tpm", "x509"]
