"""The table's own arithmetic, on tiles that are made up."""

import numpy as np
import pytest

pytest.importorskip("flwr", reason="needs Flower: make federated")

from models.federated.head import Head
from models.federated.table import LIES, Tiles, _figures, compared


def made_up(groups: int = 40) -> Tiles:
    random = np.random.default_rng(0)
    group = np.repeat(np.arange(groups), 4)
    truth = np.tile([0, 0, 1, 1], groups)
    features = random.normal(0, 1, (len(group), 6)) + np.outer(4.0 * truth, np.eye(6)[0])
    return Tiles(features, truth.astype(np.int64), group.astype(np.int64))


def test_auroc_is_the_share_of_pairs_in_the_right_order() -> None:
    data = made_up()
    head = Head(np.vstack([np.zeros(6), np.eye(6)[0]]), np.array([0.0, -1.0]))
    auroc, right = _figures(head, data.features, data.truth)
    good, bad = (data.features[data.truth == each, 0] for each in (0, 1))
    assert auroc == pytest.approx((bad[:, None] > good).mean())
    assert right == pytest.approx(((data.features[:, 0] > 1) == (data.truth == 1)).mean())


def test_every_way_and_every_liar_has_its_row() -> None:
    home = Head(np.zeros((2, 6)), np.zeros(2))
    rows = list(compared(made_up(), home, folds=1, strategies=("mean", "trimmed")))
    assert [(each.way, each.liar) for each in rows[2:]] == [
        (f"federated, {name}", liar) for name in ("mean", "trimmed") for liar in LIES
    ]
    assert [len(each.auroc) for each in rows] == [1, 5, *[1] * 8]
    assert all(np.mean(each.auroc) > 0.8 for each in rows)
