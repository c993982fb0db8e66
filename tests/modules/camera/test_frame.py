import cv2
import numpy as np
import pytest

from modules.camera.frame import BadPicture, decode, encode


def jpeg(height: int, width: int) -> bytes:
    return cv2.imencode(".jpg", np.zeros((height, width, 3), np.uint8))[1].tobytes()


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
    encoded = encode(noise, quality=95, limit=50_000)
    assert len(encoded) <= 50_000
    assert decode(encoded).shape[2] == 3


def test_quality_goes_before_resolution() -> None:
    noise = np.random.default_rng(1).integers(0, 256, (480, 640, 3), dtype=np.uint8)
    smooth = np.asarray(cv2.GaussianBlur(noise, (9, 9), 0), np.uint8)
    whole = encode(smooth, quality=95)
    assert decode(encode(smooth, quality=95, limit=len(whole) // 2)).shape == (480, 640, 3)
