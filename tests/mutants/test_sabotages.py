"""Each sabotage names a line that stands and a test that is there; that each is caught takes `make mutants`."""

import re

import pytest

from tests.mutants.__main__ import ROOT, Sabotage, sabotages


@pytest.mark.parametrize("sabotage", sabotages(), ids=lambda sabotage: sabotage.name)
def test_its_line_stands_once_and_its_test_is_there(sabotage: Sabotage) -> None:
    assert (ROOT / sabotage.file).read_text(encoding="utf-8").count(sabotage.old) == 1
    path, _, name = sabotage.test.partition("::")
    assert (ROOT / path).exists()
    wanted = re.escape(name.split("[")[0].rpartition("::")[2])
    if name:
        assert re.search(rf"\bdef {wanted}\(", (ROOT / path).read_text(encoding="utf-8"))
