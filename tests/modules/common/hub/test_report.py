"""What no twin takes is refused by the hub, and the module says so and goes on: the real SDK and localhub."""

import json
import sys
from pathlib import Path

import pytest

from localhub.testing import running, write_manifest

pytestmark = pytest.mark.system

PROBE = Path(__file__).with_name("probe.py")
ROOT = PROBE.parents[4]


def test_a_refused_report_is_counted_and_the_next_one_is_taken(tmp_path: Path) -> None:
    story = tmp_path / "story"
    manifest = write_manifest(
        tmp_path,
        modules={"reporter": [sys.executable, str(PROBE), "reporter"]},
        routes={"up": "FROM /messages/* INTO $upstream"},
    )
    toml = tmp_path / "localhub.toml"
    env = {"MILLWATCH_STATE": "${MODULE_STATE}", "MILLWATCH_VIEW_PORT": "0", "PYTHONPATH": str(ROOT)}
    env["STORY"] = str(story)
    toml.write_text(
        f"{toml.read_text()}[modules.reporter.env]\n" + "".join(f"{k} = {json.dumps(v)}\n" for k, v in env.items())
    )
    with running(manifest) as hub:
        reported = hub.wait_reported("reporter", {"name": 2})
    assert "a name" not in reported
    assert story.read_text().splitlines() == ["refused 1"]  # once: the module was not restarted for it
