"""One recording in memory: samples of one channel with their rate, unit and shaft speed."""

from __future__ import annotations

import re
import zipfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.io import loadmat, wavfile
from scipy.io.matlab import MatReadError

STANDARD_GRAVITY = 9.80665  # m/s2 per g (CGPM 1901)
SHORTEST = 64  # samples; less says nothing about a machine


class BadRecording(ValueError):
    """A file that holds no usable samples. ``reason`` is a short label for counters."""

    def __init__(self, reason: str, text: str) -> None:
        super().__init__(text)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Recording:
    """``samples`` float32, shape (n,), in ``unit`` (SenML); ``rate_hz`` samples a second; ``rpm`` of the shaft."""

    samples: NDArray[np.float32]
    rate_hz: float
    unit: str
    rpm: float | None = None
    label: str | None = None


def read(path: Path, *, rate_hz: float | None = None, rpm: float | None = None) -> Recording:
    """The recording in ``path``; ``rate_hz`` and ``rpm`` serve where the file does not tell them.

    .npz: keys ``signal``, ``fs_hz``, and ``rpm``, ``label``, ``unit`` where known; .mat: the first ``*_time`` array,
    drive end before others, with ``*RPM`` (the Case Western layout, 12 kHz unless told); .wav: the first channel at
    full scale 1; .csv: the last column, and the rate from the first where that is time in seconds. Accelerations in g
    become m/s2. Raises BadRecording: ``unreadable``, ``truncated``, ``no_rate``, ``not_finite``.
    """
    readers = {".npz": _npz, ".mat": _mat, ".wav": _wav, ".csv": _csv}
    try:
        recording = readers[path.suffix.lower()](path, rate_hz, rpm)
    except KeyError as error:
        raise BadRecording("unreadable", f"{path.name} has no {error}") from error
    except (OSError, ValueError, zipfile.BadZipFile, MatReadError, EOFError, NotImplementedError) as error:
        if isinstance(error, BadRecording):
            raise
        raise BadRecording("unreadable", f"{path.name}: {error}") from error
    if recording.samples.size < SHORTEST:
        raise BadRecording("truncated", f"{path.name} holds {recording.samples.size} samples, at least {SHORTEST} tell")
    if not np.isfinite(recording.samples).all():
        raise BadRecording("not_finite", f"{path.name} holds samples that are no numbers")
    return recording


def _made(
    samples: NDArray[np.floating], rate_hz: float | None, unit: str, rpm: float | None, path: Path, label: str | None
) -> Recording:
    if rate_hz is None or not rate_hz > 0:
        raise BadRecording("no_rate", f"{path.name} does not tell its sampling rate: give --rate")
    values = np.asarray(samples, np.float32).ravel()
    if unit == "g":
        values, unit = values * np.float32(STANDARD_GRAVITY), "m/s2"
    return Recording(values, float(rate_hz), unit, rpm, label)


def _npz(path: Path, rate_hz: float | None, rpm: float | None) -> Recording:
    # Opened here: numpy leaves the file open when a cut archive fails.
    with path.open("rb") as raw, np.load(raw, allow_pickle=False) as file:
        keys = set(file.files)
        rate = float(file["fs_hz"]) if "fs_hz" in keys else rate_hz
        speed = float(file["rpm"]) if "rpm" in keys else rpm
        unit = str(file["unit"]) if "unit" in keys else "g"
        name = "fault" if "fault" in keys else "label"
        label = str(file[name]) if name in keys else None
        return _made(file["signal"], rate, unit, speed, path, label)


def _mat(path: Path, rate_hz: float | None, rpm: float | None) -> Recording:
    file = loadmat(path)
    channels = sorted((name for name in file if name.endswith("_time")), key=lambda name: ("_DE_" not in name, name))
    if not channels:
        raise BadRecording("unreadable", f"{path.name} holds no *_time channel")
    speeds = [name for name in file if name.endswith("RPM")]
    speed = float(np.ravel(file[speeds[0]])[0]) if speeds else rpm
    return _made(file[channels[0]], rate_hz or 12_000.0, "g", speed, path, None)


def _wav(path: Path, _rate_hz: float | None, rpm: float | None) -> Recording:
    rate, samples = wavfile.read(path)
    channel = samples if samples.ndim == 1 else samples[:, 0]
    if np.issubdtype(channel.dtype, np.integer):
        span = np.iinfo(channel.dtype)
        middle = 128.0 if span.min == 0 else 0.0  # 8-bit WAV is unsigned
        channel = (channel.astype(np.float64) - middle) / (float(span.max) - middle)
    return _made(channel, rate, "m/s2", rpm, path, None)


def _csv(path: Path, rate_hz: float | None, rpm: float | None) -> Recording:
    lines = path.read_text(encoding="utf-8").splitlines()
    header = lines.pop(0) if lines and not re.fullmatch(r"[\s\d.,;eE+-]*", lines[0]) else ""
    if not lines:
        raise BadRecording("unreadable", f"{path.name} holds no rows of numbers")
    table = np.loadtxt(lines, delimiter=";" if ";" in lines[0] else ",", ndmin=2)
    rate = rate_hz
    if table.shape[1] > 1 and rate is None and len(table) > 1:
        steps = np.diff(table[:, 0])
        if np.all(steps > 0):
            rate = float(1 / np.median(steps))
    unit = "g" if re.search(r"\bg\b", re.split("[,;]", header)[-1]) else "m/s2"
    return _made(table[:, -1], rate, unit, rpm, path, None)
