"""What a verdict says that a sample is, and what is left out."""

from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from models.federated.network import read_base
from models.federated.samples import judged, table, truth
from modules.common.messages import encode_member
from modules.inference.card import read_card
from tests.models.federated.conftest import LABELS, Fill
from tests.models.federated.conftest import judged as sample

MODELS = Path(__file__).resolve().parents[3] / "models"


@pytest.mark.parametrize(
    ("package", "label", "verdict", "means"),
    [
        ("bearing", "ball", "true", "ball"),
        ("bearing", "ball", "false", "normal"),
        ("bearing", "undetermined", "true", None),  # a fault, and nobody knows which
        ("bearing", "ball", "unsure", None),
        ("tile", "defect", "true", "defect"),
        ("tile", "undetermined", "true", "defect"),
        ("tile", "defect", "false", "ok"),
        ("steel", "crazing", "true", "crazing"),
        ("steel", "crazing", "false", None),  # no label says that all was well
    ],
)
def test_a_verdict_says_what_a_sample_is(package: str, label: str, verdict: str, means: str | None) -> None:
    card = read_card(MODELS / package)
    found = truth(sample(b"", {}, label=label, verdict=verdict), card)
    assert found == (None if means is None else card.labels.index(means))


def test_samples_of_other_models_half_files_and_bad_windows_are_left_out(fill: Fill) -> None:
    folder = fill("press1", seed=1, each=2)
    (folder / "half.labelled").write_bytes(b'{"id": "01')
    (folder / "new").write_bytes(b"a file that is being written")
    short = sample(b"\0" * 64, {"rate": "12000.0", "rpm": "1800"}, label="ball", verdict="true")
    (folder / "short.labelled").write_bytes(encode_member(short))
    base = read_base(MODELS / "bearing")
    assert Counter(LABELS[each.truth] for each in judged(folder, base.card)) == Counter(
        {**dict.fromkeys(LABELS, 2), "ball": 3}
    )
    rows, labels = table(judged(folder, base.card), base)
    assert rows.shape == (8, 24)
    assert np.bincount(labels).tolist() == [2, 2, 2, 2]
    assert list(judged(folder, read_card(MODELS / "tile"))) == []
