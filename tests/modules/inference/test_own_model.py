"""docs/guides/own-model.md, followed to the letter: from an ONNX file to an alert on the line."""

import json
import re
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from modules.common.messages import Alert, Message
from modules.inference.__main__ import command

GUIDE = Path(__file__).resolve().parents[3] / "docs" / "guides" / "own-model.md"


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", GUIDE.read_text(encoding="utf-8"), re.DOTALL)


def test_the_guide_leads_from_a_file_to_an_alert(
    run_module: Any,
    transport: Any,
    pictures_model: Any,
    frame: Callable[..., Message],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    make_package: Callable[..., Path],
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "press.onnx").write_bytes(pictures_model([0.0, 0.0], 16).SerializeToString())
    (tmp_path / "pictures").mkdir()
    scratched, good = (cv2.imencode(".png", np.full((40, 40), level, np.uint8))[1].tobytes() for level in (0, 255))
    (tmp_path / "pictures" / "a.png").write_bytes(scratched)
    for line in "".join(blocks("sh")).splitlines():
        python, option, module, name, *arguments = shlex.split(line)
        assert (python, option, module) == ("python", "-m", "modules.inference")
        run = command(name)
        assert run is not None
        assert run(arguments) == 0, line
    (patch,) = (json.loads(text) for text in blocks("json"))
    (folder,) = {each["path"] for each in patch["settings"]["packages"].values()}
    patch["settings"]["packages"]["press"]["path"] = str(tmp_path / Path(folder).name)

    async def part(line: Any) -> None:
        line.set(2, **patch["settings"])
        await line.runs("1.0.0", 2)
        await line.deliver(frame(good, source="camera/press1"), frame(scratched, source="camera/press1", item="bad"))

    run_module(part, shipped=make_package(document=shipped()))
    (sent,) = transport.outputs("alerts")
    alert = Alert.parse(sent.document())
    assert (sent.model, alert.label, alert.item) == ("press/1.0.0", "scratch", "bad")


def shipped() -> dict[str, Any]:
    """A package that is there already and judges another camera."""
    return {
        "format": 1,
        "name": "shipped",
        "version": "1.0.0",
        "title": "shipped",
        "task": "picture",
        "sources": ["camera/line*"],
        "input": {"name": "picture", "shape": [1, 4, 4]},
        "output": {"scores": "scores"},
        "prepare": {"kind": "picture", "width": 4, "height": 4},
        "labels": ["defect", "ok"],
        "ok_label": "ok",
    }
