"""Curves of one waveform sensor for the page: waveform, spectrum and envelope spectrum with the fault orders marked."""

from collections.abc import Mapping

import numpy as np

from modules.vibration.waveform.channel import Channel
from modules.vibration.waveform.features import Float32
from modules.vibration.waveform.orders import Orders
from modules.vibration.waveform.spectrum import plan, transform
from modules.vibration.waveform.trend import figure

POINTS = 400  # of a curve: what a page can draw
_TURNS = 18  # orders shown of an envelope spectrum: three harmonics of an inner race


def waveform(channel: Channel) -> dict[str, object]:
    """Return the last window as `step_s` and `values` (m/s2), of each stretch the lowest and the highest."""
    window, rate = _window(channel), channel.assembler.rate_hz
    stride = max(2, -(-2 * window.size // POINTS))
    whole = window[: window.size // stride * stride].reshape(-1, stride)
    both = np.stack([whole.min(axis=1), whole.max(axis=1)], axis=1) if whole.size else whole
    return {"step_s": stride / rate / 2, "values": [figure(value) for value in both.reshape(-1).tolist()]}


def spectra(channel: Channel) -> dict[str, object]:
    """Return amplitude spectrum, envelope spectrum and fault orders.

    `amplitude` (m/s2) has a point every `step_hz` from 0, each the largest of the lines (`resolution_hz` apart) that it
    stands for, so that no line gets lost; empty until a window is whole. `envelope` is the same of the squared envelope
    in `band_hz`, from `first_hz`, as shares of its mean, or None until a band was chosen. `orders`: Hz by BPFO, BPFI,
    2xBSF and FTF, empty where speed or bearing is not known; the sidebands of 2xBSF stand FTF away from it.
    """
    rate = channel.assembler.rate_hz
    document: dict[str, object] = {
        "source": channel.name,
        "unit": "m/s2",
        "fs_hz": rate,
        "resolution_hz": rate / channel.assembler.window,
        "step_hz": rate / channel.assembler.window,
        "amplitude": [],
        "envelope": None,
        "orders": {},
        "speed_hz": figure(channel.rpm / 60) if channel.rpm else None,
        "speed_estimated": channel.estimated,
    }
    window = _window(channel)
    if window.size == channel.assembler.window:
        prepared = plan(channel.assembler.window, rate, channel.bands())
        amplitude = np.abs(transform(window[np.newaxis], prepared)[0]) * np.float32(prepared.gain)
        values, stride = _thinned(amplitude)
        document |= {"amplitude": values, "step_hz": prepared.resolution * stride}
    turns_hz = channel.rpm / 60 if channel.rpm else None
    bearing = channel.rule.bearing
    if turns_hz is not None and bearing is not None:
        document["orders"] = marks(bearing.orders(), turns_hz)
    if channel.envelope is not None and channel.band is not None:
        resolution = channel.resolution
        shown = channel.envelope.size
        if turns_hz is not None:
            shown = min(shown, int(_TURNS * turns_hz / resolution))
        gain = np.float32(2 / channel.band.length)  # a line's share of the mean, see envelope_spectrum
        values, stride = _thinned(np.sqrt(channel.envelope[2:shown]) * gain)
        document["envelope"] = {
            "resolution_hz": resolution,
            "step_hz": resolution * stride,
            "first_hz": 2 * resolution,
            "amplitude": values,
            "band_hz": [figure(channel.band.low * resolution), figure(channel.band.high * resolution)],
        }
    return document


def marks(orders: Orders, turns_hz: float) -> Mapping[str, float]:
    """Return where each part of a bearing knocks, in Hz, under the field's abbreviations."""
    outer, inner, ball, cage = orders.passes
    named = {"BPFO": outer, "BPFI": inner, "2xBSF": ball, "FTF": cage}
    return {name: figure(order * turns_hz) for name, order in named.items()}


def _window(channel: Channel) -> Float32:
    return channel.assembler.recent()[-channel.assembler.window :]


def _thinned(values: Float32) -> tuple[list[float], int]:
    """Return a curve of at most POINTS, the largest magnitude of each stretch, and how many values a stretch has."""
    stride = max(1, -(-values.size // POINTS))
    whole = values[: values.size // stride * stride].reshape(-1, stride)
    places = np.abs(whole).argmax(axis=1) if whole.size else np.zeros(0, dtype=np.intp)
    picked = whole[np.arange(whole.shape[0]), places]
    return [figure(value) for value in picked.tolist()], stride
