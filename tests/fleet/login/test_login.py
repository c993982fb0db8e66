from __future__ import annotations

from pathlib import Path

import pytest

from fleet.exits import Exit, FleetError
from fleet.login import VARIABLE, find, parse

TEXT = "HostName=hub.azure-devices.net;SharedAccessKeyName=service;SharedAccessKey=a2V5PT0="


def test_a_connection_string_is_taken_apart_and_put_together() -> None:
    login = parse(TEXT + "\n")
    assert (login.host, login.policy, login.key, login.ca_file) == (
        "hub.azure-devices.net",
        "service",
        "a2V5PT0=",
        None,
    )
    assert login.connection_string == TEXT
    assert "a2V5" not in repr(login)


def test_an_authority_of_its_own_is_not_shown_to_the_sdk() -> None:
    login = parse("CaFile=/tmp/ca.pem;" + TEXT)
    assert login.ca_file == "/tmp/ca.pem"
    assert login.connection_string == TEXT


@pytest.mark.parametrize("text", ["", "HostName=x", TEXT + ";HostName=y", "nonsense"])
def test_what_is_no_connection_string_is_refused_in_words(text: str) -> None:
    with pytest.raises(FleetError) as refused:
        parse(text)
    assert refused.value.code == Exit.ACCESS


def test_what_was_given_counts_before_the_environment_and_that_before_dotenv(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text(f"# a comment\nOTHER=1\n{VARIABLE}='{TEXT}'\n")
    (tmp_path / "hub.txt").write_text(TEXT.replace("hub.", "file."))
    environ = {VARIABLE: TEXT.replace("hub.", "environ.")}
    assert find(TEXT.replace("hub.", "given."), environ, tmp_path).host == "given.azure-devices.net"
    assert find(f"@{tmp_path / 'hub.txt'}", environ, tmp_path).host == "file.azure-devices.net"
    assert find(None, environ, tmp_path).host == "environ.azure-devices.net"
    assert find(None, {}, tmp_path).host == "hub.azure-devices.net"


def test_no_hub_at_all_is_a_matter_of_the_command_line(tmp_path: Path) -> None:
    with pytest.raises(FleetError) as refused:
        find(None, {}, tmp_path)
    assert refused.value.code == Exit.USAGE
    with pytest.raises(FleetError) as absent:
        find("@nowhere.txt", {}, tmp_path)
    assert absent.value.code == Exit.CONTENT


@pytest.mark.parametrize(
    ("host", "azure"), [("a.azure-devices.net", True), ("127.0.0.1:8443", False), ("x.net", False)]
)
def test_azure_is_known_by_its_name(host: str, azure: bool) -> None:
    assert parse(TEXT.replace("hub.azure-devices.net", host)).on_azure is azure
