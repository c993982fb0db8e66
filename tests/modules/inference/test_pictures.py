"""What the card says of a picture's scaling, against the same in plain steps."""

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from modules.inference.card import PicturePrepare
from modules.inference.errors import BadInputError
from modules.inference.pictures import decode, prepare_picture, prepare_pixels

PIXELS = np.random.default_rng(5).integers(0, 256, (40, 60, 3), dtype=np.uint8)


def plainly(pixels: NDArray[np.uint8], prepare: PicturePrepare) -> NDArray[np.float64]:
    """Scale, mean, std and standardise one after another, in float64."""
    sized = cv2.resize(pixels, (prepare.width, prepare.height), interpolation=cv2.INTER_AREA)
    sized = sized[:, :, ::-1] if prepare.colour == "rgb" else sized
    values = sized.reshape(*sized.shape[:2], -1).astype(np.float64) * prepare.scale
    values = (values - np.array(prepare.mean)) / np.array(prepare.std)
    if prepare.standardise:
        values = (values - values.mean()) / (values.std() + 8 / 255)
    return np.asarray(values.transpose(2, 0, 1) if prepare.layout == "chw" else values)


@given(
    colour=st.sampled_from(["grey", "rgb", "bgr"]),
    layout=st.sampled_from(["chw", "hwc"]),
    scale=st.sampled_from([1.0, 1 / 255, 2 / 255]),
    mean=st.sampled_from([(0.0,), (0.5,), (0.485, 0.456, 0.406)]),
    std=st.sampled_from([(1.0,), (0.25,), (0.229, 0.224, 0.225)]),
    standardise=st.booleans(),
)
def test_a_card_s_scaling_is_what_its_steps_would_give(
    colour: str, layout: str, scale: float, mean: tuple[float, ...], std: tuple[float, ...], *, standardise: bool
) -> None:
    if colour == "grey":
        mean, std = mean[:1], std[:1]
    prepare = PicturePrepare.model_validate(
        {"kind": "picture", "colour": colour, "layout": layout, "width": 16, "height": 12}
        | {"scale": scale, "mean": mean, "std": std, "standardise": standardise}
    )
    pixels = PIXELS[:, :, 0] if colour == "grey" else PIXELS
    found = prepare_pixels(pixels, prepare)
    assert found.dtype == np.float32
    assert found.flags.c_contiguous
    np.testing.assert_allclose(found.astype(np.float64), plainly(pixels, prepare), rtol=1e-4, atol=1e-4)


def test_an_even_picture_is_not_divided_by_nothing() -> None:
    prepare = PicturePrepare(kind="picture", width=8, height=8, standardise=True)
    assert not prepare_pixels(np.full((20, 20), 128, np.uint8), prepare).any()


@pytest.mark.parametrize("body", [b"", b"\xff\xd8 no picture", b"GIF89a", b"\x89PNG\r\n\x1a\n"])
def test_what_is_no_picture_is_refused_by_name(body: bytes) -> None:
    with pytest.raises(BadInputError) as refused:
        decode(body, PicturePrepare(kind="picture", width=8, height=8))
    assert refused.value.reason == "corrupt_picture"


@pytest.mark.parametrize("share", [0.2, 0.5, 0.9])
def test_a_jpeg_that_ends_early_is_refused_and_not_filled_with_grey(share: float) -> None:
    whole = cv2.imencode(".jpg", PIXELS)[1].tobytes()
    prepare = PicturePrepare(kind="picture", width=8, height=8)
    assert prepare_picture(whole, prepare).shape == (1, 8, 8)
    with pytest.raises(BadInputError, match="ends early"):
        prepare_picture(whole[: int(len(whole) * share)], prepare)


def jpeg(width: int, height: int) -> bytes:
    """A smooth picture: brighter to the right and to the bottom."""
    rows, columns = np.mgrid[0:height, 0:width]
    pixels = np.asarray(40 + 100 * columns / width + 80 * rows / height, np.uint8)
    return cv2.imencode(".jpg", pixels, [cv2.IMWRITE_JPEG_QUALITY, 95])[1].tobytes()


QUICK = PicturePrepare(kind="picture", width=40, height=30, interpolation="quick")


@pytest.mark.parametrize(
    ("size", "decoded"),
    [((40, 30), 1), ((79, 60), 1), ((80, 60), 2), ((160, 119), 2), ((160, 120), 4), ((999, 999), 8), ((30, 999), 1)],
)
def test_a_jpeg_is_decoded_no_larger_than_needed_and_never_too_small(size: tuple[int, int], decoded: int) -> None:
    width, height = size
    assert decode(jpeg(width, height), QUICK).shape == (-(-height // decoded), -(-width // decoded))


@pytest.mark.parametrize("fit", ["stretch", "letterbox"])
@pytest.mark.parametrize("crop", [None, (0.25, 0.25, 0.5, 0.5)])
@given(width=st.integers(20, 700), height=st.integers(20, 700))
def test_the_quick_way_sees_what_the_exact_one_sees(
    fit: str, crop: tuple[float, ...] | None, width: int, height: int
) -> None:
    quick = PicturePrepare.model_validate({**QUICK.model_dump(), "fit": fit, "crop": crop})
    exact = quick.model_copy(update={"interpolation": "area"})
    body = jpeg(width, height)
    seen, wanted = (np.asarray(prepare_picture(body, how, "uint8"), np.int64) for how in (quick, exact))
    assert seen.shape == wanted.shape
    inner = (slice(None), slice(3, -3), slice(3, -3))
    assert np.median(np.abs(seen[inner] - wanted[inner])) <= 6


def test_every_column_is_seen_by_the_quick_way_while_the_linear_one_skips_some() -> None:
    stripes = np.tile(np.array([0, 200, 200, 0], np.uint8), (30, 40))
    linear = QUICK.model_copy(update={"interpolation": "linear"})
    assert (prepare_pixels(stripes, QUICK, "uint8") == 100).all()
    assert (prepare_pixels(stripes, linear, "uint8") == 200).all()


@pytest.mark.parametrize("cut", [3, 8, 12, 21])
def test_a_jpeg_without_a_frame_header_is_refused_like_any_other(cut: int) -> None:
    body = jpeg(300, 300)[:cut] + b"\xff\xd9"
    with pytest.raises(BadInputError) as refused:
        decode(body, QUICK)
    assert refused.value.reason == "corrupt_picture"


def test_what_is_no_jpeg_goes_the_quick_way_too() -> None:
    pixels = np.tile(np.array([0, 200], np.uint8), (120, 80))
    found = prepare_picture(cv2.imencode(".png", pixels)[1].tobytes(), QUICK, "uint8")
    assert found.shape == (1, 30, 40)
    assert (found == 100).all()
