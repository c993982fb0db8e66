"""The terminal's view and the bundle, against the real server."""

import asyncio
import io
import os
import sys
import zipfile
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson
import pytest

from modules.status import commandline
from modules.status.top import Painter, duration, plain, render, size

if TYPE_CHECKING:
    from tests.modules.status.conftest import Line

Play = Callable[[Callable[["Line"], Awaitable[None]]], None]
SECRET = "hunter2-Zq9-hunter2"


async def run(line: "Line", *arguments: str, **environment: str) -> tuple[int, bytes, str]:
    """The command as a person starts it: its status, output and errors."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "modules.status", *arguments, "--url", line.url),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env={**os.environ, "COLUMNS": "120", **environment},
    )
    out, errors = await process.communicate()
    assert process.returncode is not None
    return process.returncode, out, errors.decode()


def test_top_says_what_the_page_says(play_line: Play) -> None:
    async def part(line: "Line") -> None:
        line.heartbeat("vibration")
        line.heartbeat("cache", facts={"depth": 7, "bytes": 900, "link": "down", "outage_hours_left": 60.5})
        line.alert(text="\x1b[2Jhot\x1b]0;gone\x07")
        await line.settled()
        code, out, errors = await run(line, "top", "--once")
        said = out.decode()
        assert (code, errors) == (0, "")
        assert "ACT NOW" in said and "press3/vibration-velocity" in said and "7 records" in said
        assert "60.5 h of outage left" in said and "cloud down" in said
        assert "\x1b" not in said and "\x07" not in said
        code, out, _ = await run(line, "top", "--format", "json")
        assert orjson.loads(out)["line"]["level"] == "stop"

    play_line(part)


def test_top_says_why_it_cannot(capsys: pytest.CaptureFixture[str]) -> None:
    assert commandline.main(["top", "--once", "--url", "http://127.0.0.1:9"]) == 4
    assert "--url" in capsys.readouterr().err


def test_no_secret_is_in_a_bundle(play_line: Play, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    planted = {
        "url": f"rtsp://admin:{SECRET}@camera/stream",
        "password": SECRET,
        "note": f"SharedAccessKey={SECRET};x=1",
        "nested": [{"api_key": SECRET, "said": f"Bearer {SECRET}"}],
    }
    logs = tmp_path / "logs"
    logs.mkdir()
    (logs / "camera.log").write_text(
        f"<6> [INF] - opening rtsp://admin:{SECRET}@camera/stream\npassword={SECRET}\n"
        f"-----BEGIN PRIVATE KEY-----\n{SECRET}\n-----END PRIVATE KEY-----\nthe line is all right\n"
    )
    monkeypatch.setenv("MILLWATCH_CAMERA_PASSWORD", SECRET)

    async def part(line: "Line") -> None:
        line.view.handlers["settings"] = lambda _query: ("application/json", orjson.dumps({"values": planted}))
        line.view.handlers["models"] = lambda _query: ("application/json", orjson.dumps({"models": {"m": planted}}))
        line.heartbeat("camera", facts={"cameras": {"line1": planted}, **planted})
        line.heartbeat("vibration")
        line.heartbeat("inference", text=f"cannot read rtsp://u:{SECRET}@x")
        line.alert(text=f"token={SECRET}", evidence=planted)
        await line.settled()
        (logs / "status.log").write_text(f"the operator typed {line.token} here\n")
        state = ("--state", str(tmp_path), "--logs", str(logs))
        code, out, errors = await run(line, "bundle", "--out", str(tmp_path / "b.zip"), *state)
        assert code == 0, errors
        code, streamed, _ = await run(line, "bundle", "--out", "-", *state)
        for packed in ((tmp_path / "b.zip").read_bytes(), streamed):
            files = dict(contents(packed))
            assert {"settings.json", "alerts.json", "audit.json", "kept.json", "metrics.txt"} <= files.keys()
            for name, text in files.items():
                assert SECRET not in text, name
                assert line.token not in text, name
                assert line.view.token not in text, name
            assert "the line is all right" in files["logs/00-camera.log"]
            assert "camera/stream" in files["settings.json"]
            assert "Nothing is missing" in files["README.txt"]
        assert out.decode().strip() == str(tmp_path / "b.zip")
        assert (tmp_path / "b.zip").stat().st_mode & 0o077 == 0

    play_line(part)


def contents(packed: bytes) -> list[tuple[str, str]]:
    with zipfile.ZipFile(io.BytesIO(packed)) as bundle:
        return [(name, bundle.read(name).decode()) for name in bundle.namelist()]


def test_a_bundle_of_a_module_that_is_down_has_what_is_on_disk(play_line: Play, tmp_path: Path) -> None:
    async def part(line: "Line") -> None:
        line.alert()
        await line.settled()

    play_line(part)
    (tmp_path / "gone").symlink_to("nowhere")  # as a file that goes between the listing and the look at it
    out = tmp_path / "b.zip"
    arguments = ["bundle", "--url", "http://127.0.0.1:9", "--state", str(tmp_path), "--out", str(out)]
    assert commandline.main(arguments) == 0
    files = dict(contents(out.read_bytes()))
    kept = orjson.loads(files["kept.json"])
    assert (kept["check"], kept["alerts"][0]["source"]) == ("ok", "press3/vibration-velocity")
    sizes = orjson.loads(files["system.json"])["state"]
    assert "gone" not in sizes
    assert any(sizes.values())
    assert "alerts.json: http://127.0.0.1:9 does not answer" in files["README.txt"]


def test_the_document_is_checked(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert commandline.main(["openapi"]) == 0
    document = tmp_path / "openapi.json"
    document.write_text(capsys.readouterr().out)
    assert commandline.main(["openapi", "--check", str(document)]) == 0
    document.write_text(document.read_text().replace("acknowledge", "acknowledged"))
    assert commandline.main(["openapi", "--check", str(document)]) == 3


def summary(**changed: Any) -> dict[str, Any]:
    return {
        "line": {"level": "ok", "headline": "The line is all right", "details": [], "active": []},
        "queue": {"known": False},
        "link": {},
        "modules": [],
        "agent": {"heard": False, "text": "away"},
    } | changed


def test_colours_are_for_terminals() -> None:
    assert "\x1b[32m" in render(summary(), Painter(colours=True, width=100))
    assert "\x1b" not in render(summary(), Painter(colours=False, width=20))


@pytest.mark.parametrize(
    ("value", "shown"), [(0, "0 B"), (999, "999 B"), (1500, "1.5 KB"), (73400320, "73.4 MB"), (4e15, "4000.0 TB")]
)
def test_sizes(value: float, shown: str) -> None:
    assert size(value) == shown


@pytest.mark.parametrize(("value", "shown"), [(0, "0 s"), (119, "119 s"), (150, "2 min"), (9e3, "2 h"), (9e5, "10 d")])
def test_durations(value: float, shown: str) -> None:
    assert duration(value) == shown


def test_nothing_moves_the_cursor() -> None:
    assert plain("a\x1b[2J\x9b\u202eb\r\n\x00") == "a [2J  b   "
