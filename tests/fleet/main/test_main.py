from __future__ import annotations

import pytest

from fleet.__main__ import TOPICS, main
from fleet.exits import HELP, Exit
from fleet.registry import COMMANDS


def test_every_command_can_be_loaded_and_explained(capsys: pytest.CaptureFixture[str]) -> None:
    for name in COMMANDS:
        with pytest.raises(SystemExit) as ended:
            main([name, "--help"])
        assert ended.value.code == 0
        assert "--login" in capsys.readouterr().out


@pytest.mark.parametrize("topic", TOPICS)
def test_help_topics_are_printed(topic: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["help", topic]) == Exit.OK
    assert capsys.readouterr().out == TOPICS[topic]


def test_the_help_page_has_every_exit_code() -> None:
    assert [int(line[:4]) for line in HELP.splitlines() if line[:4].strip().isdecimal()] == sorted(Exit)


def test_an_error_is_one_line_and_its_code(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["twin", "show", "gw1", "--login", "HostName=x"]) == Exit.ACCESS
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err == (
        "fleet: the connection string has no SharedAccessKeyName, SharedAccessKey; see: python -m fleet help login\n"
    )
