"""localhub.toml: what it holds, and where it is wrong."""

from __future__ import annotations

from pathlib import Path

import pytest

from localhub.config import ConfigError, expand, line_of, load, parse
from localhub.identity import Auth

GOOD = """
[modules.camera]
command = ["${PYTHON}", "-m", "modules.camera"]
env = { WIDTH = 640, MOVING = true }

[devices.plant]
command = ["${PYTHON}", "sensors.py"]
restart = "on-failure"
start = "manual"
auth = "x509_ca"

[screen]
highlight = "kind = 'alert'"
page = "http://127.0.0.1:8080"
"""


def test_a_whole_file(tmp_path: Path) -> None:
    config = parse(GOOD, tmp_path / "localhub.toml")
    assert config.modules["camera"].command == ("${PYTHON}", "-m", "modules.camera")
    assert config.modules["camera"].env == {"WIDTH": "640", "MOVING": "true"}
    assert config.devices["plant"].restart == "on-failure"
    assert config.devices["plant"].start == "manual"
    assert config.devices["plant"].auth is Auth.X509_CA
    assert config.devices["plant"].folder == tmp_path
    assert config.screen.highlight == "kind = 'alert'"


@pytest.mark.parametrize(
    ("text", "line", "says"),
    [
        ("[modules.a]\ncommand = [\n", 2, "not TOML"),
        ("[modules.a]\n\n[modules.b]\ncommand = 'x'\n", 4, "list of strings"),
        ("[modules.a]\ncomand = ['x']\n", 2, "known are: command, folder, env"),
        ("[modul]\n", 1, "known are: modules, devices, screen"),
        ("modules = 3\n", 1, "must be a table"),
        ("[devices.d]\nrestart = 'never'\n", 1, "needs a command"),
        ("[devices.d]\ncommand = ['x']\nrestart = 'always'\n", 3, "never, on-failure"),
        ("[devices.d]\ncommand = ['x']\nfolder = 'none'\n", 3, "is no folder"),
        ("[modules.a]\n[modules.a.env]\nX = [1]\n", 3, "string, a number"),
        ("[screen]\npage = 1\n", 2, "must be a string"),
    ],
)
def test_what_is_wrong_and_on_which_line(tmp_path: Path, text: str, line: int, says: str) -> None:
    with pytest.raises(ConfigError, match=says) as error:
        parse(text, tmp_path / "localhub.toml")
    assert error.value.line == line


def test_a_file_is_utf_8(tmp_path: Path) -> None:
    (tmp_path / "good.toml").write_text(GOOD)
    assert list(load(tmp_path / "good.toml").devices) == ["plant"]
    (tmp_path / "latin.toml").write_bytes(b"\xff")
    with pytest.raises(ConfigError, match="UTF-8"):
        load(tmp_path / "latin.toml")


def test_expand() -> None:
    assert expand("${A}/x ${B:-none} ${C:-}", {"A": "1", "B": ""}) == "1/x none "
    with pytest.raises(KeyError, match="D"):
        expand("${D}", {})


def test_line_of_a_key_that_is_not_there_is_its_table() -> None:
    assert line_of("\n[modules.a]\nx = 1\n", ("modules", "a", "command")) == 2
