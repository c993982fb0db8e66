"""Schemathesis over the checked-in document, against the real server on a real socket."""

import asyncio
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING

import orjson
import pytest

from modules.status.api import make_app

if TYPE_CHECKING:
    from tests.modules.status.conftest import Line

Play = Callable[[Callable[["Line"], Awaitable[None]]], None]
# What takes bodies and many parameters; the soak asks everything, and far more of it.
SHORT = "acknowledge|session$|settings/|links|alarms"
DOCUMENT = Path(__file__).parents[3] / "docs" / "openapi.json"


def test_the_document_that_is_checked_in_is_what_the_code_says() -> None:
    assert orjson.loads(DOCUMENT.read_bytes()) == orjson.loads(orjson.dumps(make_app(None).openapi()))


async def schemathesis(line: "Line", folder: Path, *more: str, examples: int, seed: int, phases: str) -> str:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "schemathesis.cli", "run", str(DOCUMENT), "--url", line.url),
        *("--header", f"Authorization: Bearer {line.token}", "--exclude-path", "/api/v1/events"),
        *("--max-examples", str(examples), "--seed", str(seed), "--generation-database", "none", "--no-color", *more),
        *("--phases", phases, "--workers", "1", "--request-timeout", "60"),
        cwd=folder,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    said, _ = await process.communicate()
    assert process.returncode == 0, said.decode()[-6000:]
    return said.decode()


def prepared(line: "Line") -> None:
    line.heartbeat("vibration")
    line.heartbeat("camera", facts={"cameras": {"line1": {"state": "ok"}}})
    line.heartbeat("inference", facts={"models": {"tile": {"state": "ok"}}})
    line.heartbeat("cache", facts={"depth": 3, "bytes": 99, "link": "up", "priorities": [{"priority": 0, "depth": 3}]})
    sounding = orjson.dumps({"alarms": [], "matching": 0, "outputs": {}})
    line.view.handlers["alarms"] = lambda _query: ("application/json", sounding)
    line.heartbeat("alarms")
    for number in range(5):
        line.alert(source=f"press{number}")


@pytest.fixture
def unlimited(monkeypatch: pytest.MonkeyPatch) -> None:
    """No request is too many, and a module that a laden machine holds up is no 503 of the server's making."""
    monkeypatch.setattr("modules.status.views._SECONDS", 60.0)
    for name in ("REQUESTS_PER_S", "REQUESTS_PER_S_ALL"):
        monkeypatch.setenv(f"MILLWATCH_{name}", "10000")


@pytest.mark.usefixtures("unlimited")
def test_the_server_keeps_to_its_document(play_line: Play, tmp_path: Path) -> None:
    async def part(line: "Line") -> None:
        prepared(line)
        await line.settled()
        said = await schemathesis(line, tmp_path, "--include-path-regex", SHORT, examples=1, seed=9, phases="coverage")
        assert " passed" in said

    play_line(part)


@pytest.mark.soak
@pytest.mark.usefixtures("unlimited")
@pytest.mark.parametrize("seed", [1, 2])
def test_the_server_keeps_to_its_document_for_long(play_line: Play, tmp_path: Path, seed: int) -> None:
    async def part(line: "Line") -> None:
        prepared(line)
        await line.settled()
        said = await schemathesis(line, tmp_path, examples=30, seed=seed, phases="examples,coverage,fuzzing,stateful")
        sys.stdout.write(said)

    play_line(part)
