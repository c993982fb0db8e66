from concurrent.futures import ThreadPoolExecutor
from threading import Event

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from modules.camera.frame import BadPicture, Lazy, Picture, _jpeg, decode, encode


def jpeg(height: int, width: int) -> bytes:
    return cv2.imencode(".jpg", np.zeros((height, width, 3), np.uint8))[1].tobytes()


def test_two_who_want_a_picture_at_once_have_it_made_once() -> None:
    begun, another = Event(), Event()

    def make() -> Picture:
        if begun.is_set():
            another.set()
        begun.set()
        another.wait(0.5)  # time for the other one to begin, too
        return np.zeros((4, 4, 3), np.uint8)

    lazy = Lazy(make)
    with ThreadPoolExecutor(2) as threads:
        first = threads.submit(lazy.get)
        assert begun.wait(30)
        second = threads.submit(lazy.get)
        assert first.result() is second.result()
    assert not another.is_set()


def test_a_picture_comes_back_in_its_size() -> None:
    assert decode(jpeg(40, 60)).shape == (40, 60, 3)


@pytest.mark.parametrize(
    ("encoded", "reason"),
    [(b"", "corrupt"), (b"not a picture", "corrupt"), (jpeg(40, 60)[:80], "corrupt"), (jpeg(4, 60), "too_small")],
)
def test_what_cannot_be_used_says_why(encoded: bytes, reason: str) -> None:
    with pytest.raises(BadPicture) as caught:
        decode(encoded)
    assert caught.value.reason == reason


def test_a_bomb_of_pixels_is_refused() -> None:
    header = bytearray(jpeg(40, 60))
    start = header.index(b"\xff\xc0") + 5
    header[start : start + 4] = b"\xff\xff\xff\xff"
    with pytest.raises(BadPicture) as caught:
        decode(bytes(header))
    assert caught.value.reason in {"too_large", "corrupt"}


def test_the_limit_holds_whatever_the_picture() -> None:
    noise = np.random.default_rng(1).integers(0, 256, (1080, 1920, 3), dtype=np.uint8)
    encoded, made = encode(noise, quality=95, limit=50_000)
    assert made.shape < noise.shape
    assert len(encoded) <= 50_000
    assert decode(encoded).shape[2] == 3


def test_quality_goes_before_resolution() -> None:
    noise = np.random.default_rng(1).integers(0, 256, (480, 640, 3), dtype=np.uint8)
    smooth = np.asarray(cv2.GaussianBlur(noise, (9, 9), 0), np.uint8)
    whole, _ = encode(smooth, quality=95)
    smaller, _ = encode(smooth, quality=95, limit=len(whole) // 2)
    assert decode(smaller).shape == (480, 640, 3)


@given(share=st.floats(0.2, 0.99))
def test_the_best_quality_that_fits_is_taken(share: float) -> None:
    noise = np.random.default_rng(1).integers(0, 256, (120, 160, 3), dtype=np.uint8)
    smooth = np.asarray(cv2.GaussianBlur(noise, (5, 5), 0), np.uint8)
    limit = int(share * len(encode(smooth, quality=95)[0]))
    encoded, made = encode(smooth, quality=95, limit=limit)
    assert len(encoded) <= limit
    if made is smooth:
        better = next(q for q in range(40, 100) if len(_jpeg(smooth, q)) >= len(encoded)) + 6
        assert better > 95 or len(_jpeg(smooth, better)) > limit
