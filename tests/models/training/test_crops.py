"""Pieces of pictures to learn from: where they lie, and that the mask goes with the picture."""

from unittest.mock import patch

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from models.training import crops as recipe
from models.training.crops import ANYWHERE, AROUND, BESIDE, MOST, SIDE, Crops, Sheet


def sheet(
    shape: tuple[int, int], *, label: str = "free", group: int = 0, masked: bool = True, at: float = 0.5
) -> Sheet:
    """Even grey; what is masked stands out by far."""
    contrast, mask = np.zeros(shape, np.float16), np.zeros(shape, np.uint8)
    if label != "free" and masked:
        y, x = int(at * (shape[0] - 24)), int(at * (shape[1] - 24))
        contrast[y : y + 24, x : x + 24] = 5.0
        mask[y : y + 24, x : x + 24] = 255
    return Sheet(contrast, mask, label != "free", label, group)


@settings(max_examples=25)
@given(
    st.integers(0, 2**32 - 1),
    st.tuples(st.integers(60, 500), st.integers(60, 700)),
    st.floats(0.0, 1.0),
)
def test_the_mask_lies_over_the_defect_and_both_within_the_picture(
    seed: int, shape: tuple[int, int], at: float
) -> None:
    crops = Crops([sheet((300, 300)), sheet(shape, label="crack", group=1, at=at)], [], np.random.default_rng(seed))
    for bevelled in (0.0, 0.0, 1.0):
        with patch.object(recipe, "BEVELLED", bevelled):
            piece = crops.draw()
        assert piece.contrast.shape == piece.mask.shape == piece.inside.shape == (SIDE, SIDE)
        assert np.abs(piece.contrast).max() <= MOST
        assert not piece.contrast[piece.inside == 0].any()
        assert piece.known
        surely = piece.mask == 1
        if surely.any() and not bevelled:  # stands out, under whatever light
            assert piece.contrast[surely].mean() > np.median(piece.contrast[piece.inside == 1]) + 1.5


@settings(max_examples=25)
@given(st.integers(0, 2**32 - 1))
def test_a_bevel_is_a_strip_from_top_to_bottom_and_no_defect(seed: int) -> None:
    crops = Crops([sheet((400, 400))], [], np.random.default_rng(seed))
    with patch.multiple(recipe, BEVELLED=1.0, RELIT=0.0, AROUND=0.0, ANYWHERE=0.0):
        pieces = [crops.draw() for _ in range(20)]
    for piece in pieces:
        shown = piece.inside * piece.inside[SIDE // 2] == 1
        assert np.abs(piece.contrast - piece.contrast[SIDE // 2])[shown].max() < 1e-6
        assert not piece.mask.any()
    across = np.abs([piece.contrast[SIDE // 2] for piece in pieces])
    assert 1 < across.max() <= 3
    # Narrow: most of a piece is as it was.
    assert np.median(np.mean(across > 0.2, axis=1)) < 0.3


@settings(max_examples=25)
@given(st.integers(0, 2**32 - 1))
def test_a_picture_may_end_beside_its_defect_or_anywhere(seed: int) -> None:
    rows = [sheet((1500, 1500)), sheet((1500, 1500), label="crack", group=1)]
    for around in (0.0, 1.0):
        crops = Crops(rows, [], np.random.default_rng(seed))
        with patch.multiple(recipe, CUT=1.0, STILL=1.0, AROUND=around, ANYWHERE=0.0):
            pieces = [crops.draw() for _ in range(10)]
        ended = [piece for piece in pieces if not piece.inside.all()]
        assert len(ended) > 3  # others would end beyond the piece
        for piece in ended:
            down, across = piece.inside.max(1) == 1, piece.inside.max(0) == 1
            assert (piece.inside == down[:, None] * across).all()
            assert piece.inside.mean() > 0.4  # the larger part stays
            assert piece.mask.any() == (around == 1.0)
            if around:
                line, held = (down, piece.mask.max(1) > 0) if across.all() else (across, piece.mask.max(0) > 0)
                end = np.abs(np.diff(line.astype(int))).argmax()
                assert np.abs(np.flatnonzero(held) - end).min() <= BESIDE + 2


def test_half_of_the_pieces_hold_a_defect_and_some_of_the_others_are_of_the_same_tiles() -> None:
    # Wide enough that a piece from anywhere seldom holds the defect.
    rows = [sheet((260, 1800), group=0), sheet((260, 1800), label="crack", group=1)]
    crops = Crops(rows, [sheet((260, 1800), label="crack", group=-1), sheet((260, 1800), group=-1)], _random())
    holds = [bool(crops.draw().mask.any()) for _ in range(250)]
    assert AROUND - 0.1 < np.mean(holds) < AROUND + ANYWHERE


def test_a_tile_with_many_pictures_is_drawn_no_oftener_than_another() -> None:
    many = [sheet((300, 300), label="crack", group=1, at=0.0) for _ in range(30)]
    crops = Crops([sheet((300, 300)), *many, sheet((300, 600), label="crack", group=2)], [], _random())
    of_second = [crops._of(crops._bad["crack"]).group == 2 for _ in range(400)]
    assert 0.4 < np.mean(of_second) < 0.6


def test_a_defect_that_nobody_marked_is_not_learnt_from() -> None:
    rows = [sheet((300, 300)), sheet((300, 300), label="crack", group=1, masked=False)]
    assert Crops(rows, [], _random())._bad == {}


def _random() -> np.random.Generator:
    return np.random.default_rng(7)
