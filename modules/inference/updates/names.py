"""What a package is called wherever it is stored: `TASK/NAME/VERSION`, and `.tar` behind it as a TUF target. Pure."""

from typing import Annotated, Final

from pydantic import StringConstraints

PATTERN: Final = r"^(picture|waveform)/[a-z0-9][a-z0-9_.-]{0,63}/\d{1,6}\.\d{1,6}\.\d{1,6}$"

Target = Annotated[str, StringConstraints(pattern=PATTERN)]


def path_of(target: str) -> str:
    """The TUF target path."""
    return f"{target}.tar"


def parts_of(target: str) -> tuple[str, str, str]:
    """Task, name and version."""
    task, name, version = target.split("/")
    return task, name, version
