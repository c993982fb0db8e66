"""The example of docs/guides/routes.md, run as it stands there."""

import re
from pathlib import Path

GUIDE = Path(__file__).resolve().parents[3] / "docs/guides/routes.md"


def test_the_guides_example_holds() -> None:
    [example] = re.findall(r"```python\n(.*?)```", GUIDE.read_text(), re.DOTALL)
    assert example.count("assert") == 7
    exec(compile(example, str(GUIDE), "exec"), {})
