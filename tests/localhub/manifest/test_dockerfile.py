"""What a Dockerfile says about starting its image, and the same on this machine."""

from pathlib import Path
from typing import Any

import pytest

from localhub.manifest import load_deployment
from localhub.manifest.dockerfile import parse


def test_the_exec_form_command_of_the_last_stage() -> None:
    start = parse(
        """# syntax
FROM --platform=linux/amd64 python:3.11 AS build
CMD ["never"]
ARG PLACE=/srv
FROM debian AS base
ENV A=1 \\
    # a comment in between
    B="two words"
ENV C=$A
WORKDIR $PLACE/app
ENTRYPOINT ["python3", "-u"]
FROM base
CMD ["main.py", "--fast"]
"""
    )
    assert start.command == ("python3", "-u", "main.py", "--fast")
    assert start.workdir == "/srv/app"
    assert start.env == {"A": "1", "B": "two words", "C": "1"}


@pytest.mark.parametrize("line", ["CMD python3 main.py", 'CMD {"a": 1}', "CMD [1]", "RUN x"])
def test_shell_form_is_no_command(line: str) -> None:
    assert parse(f"FROM x\n{line}\n").command == ()


def test_old_form_of_env_and_cmd_after_entrypoint() -> None:
    start = parse('FROM x\nENV A b c\nCMD ["a"]\nENTRYPOINT ["e"]\n')
    assert start.env == {"A": "b c"}
    assert start.command == ("e",)


def test_a_modules_command_runs_in_its_folder_with_this_python(solution: Any) -> None:
    deployment = load_deployment(solution.template, variables={"REGISTRY": "r"})
    folder = solution.folder / "modules" / "press"
    assert deployment.command_of("press") == (("${PYTHON}", "-u", str(folder / "main.py")), folder)
    assert deployment.command_of("nobody") is None


def test_a_package_runs_where_the_package_stands(tmp_path: Path) -> None:
    folder = tmp_path / "modules" / "camera"
    folder.mkdir(parents=True)
    words = parse('FROM x\nCMD ["python", "-m", "modules.camera"]').on_this_machine(folder)
    assert words == (("${PYTHON}", "-m", "modules.camera"), tmp_path)
