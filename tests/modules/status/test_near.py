"""Names and addresses: which host is asked, and who is on this machine."""

from pathlib import Path

import pytest

from modules.status.guard import host_name
from modules.status.near import default_gateway


@pytest.mark.parametrize(
    ("header", "name"),
    [("localhost:8080", "localhost"), ("[::1]:8080", "[::1]"), ("127.0.0.1", "127.0.0.1"), ("[::1", "[::1]"), ("", "")],
)
def test_a_host_header_is_read_without_its_port(header: str, name: str) -> None:
    assert host_name(header) == name


def test_the_default_gateway_is_read_from_the_kernels_table(tmp_path: Path) -> None:
    table = tmp_path / "route"
    table.write_text("Iface\tDestination\tGateway\neth0\t000011AC\t00000000\neth0\t00000000\t010011AC\n")
    assert default_gateway(table) == "172.17.0.1"
    assert default_gateway(tmp_path / "none") is None
