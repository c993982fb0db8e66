"""The command's words, as far as they go without Flower."""

import json
from pathlib import Path

import pytest

from models.federated.__main__ import Exit, main
from tests.models.federated.conftest import Fill

BEARING = Path(__file__).resolve().parents[3] / "models" / "bearing"


def test_show_counts_the_samples_of_a_gateway(fill: Fill, capsys: pytest.CaptureFixture[str]) -> None:
    folder = str(fill("press1", seed=1, each=2))
    assert main(["show", str(BEARING), "--samples", folder, "--format", "json"]) == Exit.OK
    said = json.loads(capsys.readouterr().out)
    assert said["samples"] == {"normal": 2, "inner_race": 2, "ball": 2, "outer_race": 2}
    assert (said["labels"], said["features"]) == (4, 24)


def test_a_folder_that_is_no_package_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["show", str(tmp_path)]) == Exit.CONTENT
    assert str(tmp_path) in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "status", "said"),
    [
        ([], Exit.OK, "would learn bearing/1.1.0 of bearing/1.0.0"),
        (["--gateways", "2"], Exit.REFUSED, "trimmed needs 3 gateways for 1 that may lie, not 2"),
        (["--strategy", "best"], Exit.REFUSED, "no strategy best"),
        (["--steps", "0"], Exit.REFUSED, "nobody learns"),
        (["--rounds", "0"], Exit.REFUSED, "nobody learns"),
        (["--listen", "192.0.2.1:9092"], Exit.REFUSED, "no plain link to 192.0.2.1:9092"),
    ],
)
def test_what_would_be_learnt_is_said_before(
    words: list[str], status: Exit, said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("flwr", reason="needs Flower: make federated")
    common = ["learn", str(BEARING), "--gateways", "5", "--version", "1.1.0", "--out", str(tmp_path), "--dry-run"]
    assert main([*common, *words]) == status
    told = capsys.readouterr()
    assert said in told.out + told.err
