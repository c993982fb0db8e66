import tomllib
from pathlib import Path

from modules.common.version import VERSION


def test_modules_report_the_projects_version() -> None:
    pyproject = Path(__file__).parents[3] / "pyproject.toml"
    assert tomllib.loads(pyproject.read_text())["project"]["version"] == VERSION
