from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.io import savemat, wavfile

from devices.recording import STANDARD_GRAVITY, BadRecording, read

WAVE = np.sin(np.arange(1000) / 7).astype(np.float32)


def test_npz_in_g(tmp_path: Path) -> None:
    path = tmp_path / "a.npz"
    np.savez(path, signal=WAVE, fs_hz=12_000, rpm=1797, label="IR007", fault="IR")
    found = read(path)
    np.testing.assert_allclose(found.samples, WAVE * STANDARD_GRAVITY, rtol=1e-6)
    assert (found.rate_hz, found.unit, found.rpm, found.label) == (12_000, "m/s2", 1797, "IR")


def test_mat_of_the_bearing_data_center(tmp_path: Path) -> None:
    path = tmp_path / "a.mat"
    savemat(path, {"X105_FE_time": WAVE[:, None] * 2, "X105_DE_time": WAVE[:, None], "X105RPM": [[1772]]})
    found = read(path)
    np.testing.assert_allclose(found.samples, WAVE * STANDARD_GRAVITY, rtol=1e-6)
    assert (found.rate_hz, found.rpm) == (12_000, 1772)


@pytest.mark.parametrize(("kind", "scale"), [(np.int16, 32767), (np.int32, 2147483647), (np.float32, 1)])
def test_wav(tmp_path: Path, kind: type, scale: int) -> None:
    path = tmp_path / "a.wav"
    stereo: NDArray[Any] = np.stack([WAVE * scale, WAVE * 0], axis=1).astype(kind)
    wavfile.write(path, 8000, stereo)
    found = read(path, rpm=900)
    np.testing.assert_allclose(found.samples, WAVE, atol=1e-4)
    assert (found.rate_hz, found.rpm) == (8000, 900)


def test_csv_with_time_and_unit(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    rows = "\n".join(f"{index / 500},{value}" for index, value in enumerate(WAVE))
    path.write_text(f"time_s,acceleration in g\n{rows}\n")
    found = read(path)
    assert found.rate_hz == pytest.approx(500)
    np.testing.assert_allclose(found.samples, WAVE * STANDARD_GRAVITY, rtol=1e-5)


def test_csv_of_one_column_needs_its_rate(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("\n".join(map(str, WAVE)))
    with pytest.raises(BadRecording, match="--rate") as caught:
        read(path)
    assert caught.value.reason == "no_rate"
    assert read(path, rate_hz=100).samples.size == WAVE.size


def make_bad(folder: Path, name: str) -> Path:
    path = folder / name
    match name:
        case "short.npz":
            np.savez(path, signal=WAVE[:10], fs_hz=12_000)
        case "nan.npz":
            np.savez(path, signal=np.where(WAVE > 0.9, np.nan, WAVE), fs_hz=12_000)
        case "keyless.npz":
            np.savez(path, other=WAVE)
        case "cut.npz":
            np.savez(path, signal=WAVE, fs_hz=12_000)
            path.write_bytes(path.read_bytes()[:700])
        case _:
            path.write_bytes(b"nothing of the kind")
    return path


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("short.npz", "truncated"),
        ("nan.npz", "not_finite"),
        ("keyless.npz", "unreadable"),
        ("cut.npz", "unreadable"),
        ("rubbish.npz", "unreadable"),
        ("rubbish.mat", "unreadable"),
        ("rubbish.wav", "unreadable"),
        ("rubbish.csv", "unreadable"),
    ],
)
def test_what_cannot_be_used_says_why(tmp_path: Path, name: str, reason: str) -> None:
    with pytest.raises(BadRecording) as caught:
        read(make_bad(tmp_path, name))
    assert caught.value.reason == reason
    assert name in str(caught.value)


def test_the_real_recordings(real_data: Path) -> None:
    for path in sorted(real_data.rglob("*.npz"))[:5]:
        found = read(path)
        assert found.rate_hz == 12_000
        assert found.rpm is not None and 1700 < found.rpm < 1800
