"""Pictures of every depth, size and state of repair from a folder."""

import os
import random
import struct
import subprocess
import sys
import zlib
from pathlib import Path

import cv2
import numpy as np
import pytest

from modules.camera.frame import BadPicture, Frame
from modules.camera.sources import Folder

ROOT = Path(__file__).parents[4]
RAMP = np.linspace(0, 1, 64)[None, :].repeat(48, 0)


def frames(folder: Path) -> tuple[list[Frame], dict[str, int]]:
    source = Folder(type="folder", path=folder, rate_hz=200, repeat=False).source()
    source.open()
    found: list[Frame] = []
    bad: dict[str, int] = {}
    while True:
        try:
            frame = source.read()
        except BadPicture as error:
            bad[error.reason] = bad.get(error.reason, 0) + 1
            continue
        if frame is None:
            return found, bad
        found.append(frame)


@pytest.mark.parametrize(
    ("name", "picture"),
    [
        ("grey.png", (255 * RAMP).astype(np.uint8)),
        ("grey16.png", (65535 * RAMP).astype(np.uint16)),
        ("colour16.png", (65535 * RAMP).astype(np.uint16)[:, :, None].repeat(3, 2)),
        ("alpha.png", (255 * RAMP).astype(np.uint8)[:, :, None].repeat(4, 2)),
        ("grey16.tiff", (65535 * RAMP).astype(np.uint16)),
        ("grey.jpg", (255 * RAMP).astype(np.uint8)),
        ("grey.bmp", (255 * RAMP).astype(np.uint8)),
    ],
)
def test_every_depth_becomes_eight_bits_in_three_colours(tmp_path: Path, name: str, picture: np.ndarray) -> None:
    assert cv2.imwrite(str(tmp_path / name), picture)
    (frame,), bad = frames(tmp_path)
    assert not bad
    assert frame.picture.dtype == np.uint8
    assert frame.picture.shape == (48, 64, 3)
    assert np.abs(frame.picture.mean(axis=(0, 2)) - 255 * RAMP[0]).max() < 4
    assert (frame.encoded is not None) == name.endswith(".jpg")


def test_small_empty_damaged_and_missing_pictures_are_counted_by_reason(tmp_path: Path) -> None:
    good = cv2.imencode(".jpg", np.full((48, 64, 3), 90, np.uint8))[1].tobytes()
    (tmp_path / "a.jpg").write_bytes(good)
    (tmp_path / "b.jpg").write_bytes(b"")
    (tmp_path / "c.jpg").write_bytes(good[:40])
    (tmp_path / "d.png").write_bytes(cv2.imencode(".png", np.zeros((4, 4), np.uint8))[1].tobytes())
    (tmp_path / "e.jpg").symlink_to(tmp_path / "none.jpg")
    cv2.imwrite(str(tmp_path / "f.tiff"), (255 * RAMP).astype(np.float32))
    (tmp_path / "g.jpg").write_bytes(good)
    found, bad = frames(tmp_path)
    assert [frame.item for frame in found] == ["a.jpg", "g.jpg"]
    assert bad == {"corrupt": 3, "too_small": 1, "unreadable": 1}


def black_png(width: int, height: int) -> bytes:
    """A whole grey PNG, made without its pixels."""

    def chunk(name: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))

    head = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    pixels = zlib.compress(bytes((width + 1) * height), 1)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")


def test_a_picture_of_a_hundred_megapixels_is_refused_and_the_next_one_comes(tmp_path: Path) -> None:
    """In a process of its own: OpenCV reads its bound when it is loaded, and here others may have loaded it."""
    (tmp_path / "a.png").write_bytes(black_png(10_000, 10_000))
    (tmp_path / "b.png").write_bytes(cv2.imencode(".png", np.zeros((48, 64), np.uint8))[1].tobytes())
    program = (
        "import sys; from pathlib import Path\n"
        "import modules.camera\n"  # as the module does, before anything else loads OpenCV
        "from tests.modules.camera.sources.test_folder import frames\n"
        "found, bad = frames(Path(sys.argv[1]))\n"
        "status = Path('/proc/self/status').read_text()\n"  # getrusage counts the parent's peak, too
        "print([frame.item for frame in found], bad, int(status.partition('VmHWM:')[2].split()[0]) // 1024)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path)],
        cwd=ROOT,
        env={key: value for key, value in os.environ.items() if not key.startswith("OPENCV_")},
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    told, peak = done.stdout.strip().rsplit(" ", 1)
    assert told == "['b.png'] {'too_large': 1}"
    assert int(peak) < 250, "decoding it would have taken 300 MB"


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".bmp", ".tiff"])
def test_any_damage_is_a_picture_or_counted(tmp_path: Path, suffix: str) -> None:
    draw = random.Random(suffix)
    noise = np.random.default_rng(1).integers(0, 256, (48, 64, 3), np.uint8)
    whole = cv2.imencode(suffix, noise)[1].tobytes()
    for number in range(40):
        damaged = bytearray(whole[: draw.randrange(len(whole))] if number % 2 else whole)
        for _ in range(draw.randrange(1, 30)):
            damaged[draw.randrange(len(damaged))] = draw.randrange(256) if damaged else 0
        (tmp_path / f"{number:03}{suffix}").write_bytes(damaged)
    found, bad = frames(tmp_path)
    assert len(found) + sum(bad.values()) == 40
    assert set(bad) <= {"corrupt", "too_small", "too_large"}
