"""Bearing signals: what may be done to a recording without changing its label, and machines that are made up.

Made-up machines are there for what nine bearings of one rig cannot teach: that healthy machines come at every speed,
with every noise, resonance, mesh and hum. Impacts follow McFadden & Smith (J. Sound and Vibration 96, 1984).
"""

from collections.abc import Mapping
from typing import Final

import numpy as np
from numpy.typing import NDArray

from devices.rolling_bearing import Bearing, Machine

Signal = NDArray[np.float64]

ORDERS: Final[Mapping[str, float]] = {"bpfi": 5.415, "bpfo": 3.585, "ftf": 0.3983, "bsf2": 4.714}  # SKF 6205-2RS
LINE_OF: Final = {"inner_race": "bpfi", "outer_race": "bpfo", "ball": "bsf2"}


def resampled(signal: Signal, count: int) -> Signal:
    """The signal with `count` samples in the same time, band-limited (by its spectrum)."""
    spectrum = np.fft.rfft(signal)
    new = np.zeros(count // 2 + 1, complex)
    kept = min(len(new), len(spectrum))
    new[:kept] = spectrum[:kept]
    return np.multiply(np.fft.irfft(new, count), count / len(signal))


def at_speed(signal: Signal, factor: float, count: int, random: np.random.Generator) -> Signal:
    """`count` samples of the same machine turning `factor` times as fast; the place is drawn."""
    need = int(np.ceil(count * factor)) + 8
    start = int(random.integers(0, max(1, len(signal) - need + 1)))
    fine = resampled(signal[start : start + need], 4 * len(signal[start : start + need]))
    return np.asarray(np.interp(np.arange(count) * factor * 4 + 4, np.arange(len(fine)), fine))


def low_passed(signal: Signal, random: np.random.Generator) -> Signal:
    """As a decimation filter near half the sampling rate leaves it."""
    frequency = np.fft.rfftfreq(len(signal))
    edge, width = random.uniform(0.38, 0.5), random.uniform(0.005, 0.05)
    response = 1 / (1 + np.exp(np.clip((frequency - edge) / width, -50, 50)))
    return np.fft.irfft(np.fft.rfft(signal) * response, len(signal))


def coloured(signal: Signal, random: np.random.Generator) -> Signal:
    """Through another path from bearing to sensor: a smooth gain over frequency, some 4 dB either way."""
    count = len(signal) // 2 + 1
    gain = np.interp(np.linspace(0, 1, count), np.linspace(0, 1, 6), random.normal(0, 4, 6))
    return np.fft.irfft(np.fft.rfft(signal) * 10 ** (gain / 20), len(signal))


def noisy(signal: Signal, snr_db: float, random: np.random.Generator) -> Signal:
    """White noise added, by its ratio to the signal's power."""
    return signal + random.normal(0, signal.std() * 10 ** (-snr_db / 20), len(signal))


def with_tones(signal: Signal, rate_hz: float, shaft_hz: float, random: np.random.Generator) -> Signal:
    """Shaft harmonics, strangers and supply hum, slightly modulated by the shaft."""
    time = np.arange(len(signal)) / rate_hz
    out = signal.copy()
    for _ in range(int(random.integers(1, 5))):
        kind = int(random.integers(3))
        frequency = (
            shaft_hz * random.integers(1, 30),
            random.uniform(20, 5000),
            50 * random.integers(1, 12) * random.choice([1.0, 1.2]),
        )[kind]
        depth = random.uniform(0, 0.5)
        swing = 1 + depth * np.cos(2 * np.pi * shaft_hz * time + random.uniform(0, 6))
        out += random.uniform(0.05, 0.6) * signal.std() * swing * np.cos(2 * np.pi * frequency * time)
    return out


def healthy(count: int, rate_hz: float, random: np.random.Generator) -> tuple[Signal, float]:
    """A made-up healthy machine and its speed in 1/min: flow and friction noise, unbalance, mesh, hum."""
    shaft = float(np.exp(random.uniform(np.log(8), np.log(70))))
    time = np.arange(count) / rate_hz

    def wave(frequency: float) -> Signal:
        return np.cos(2 * np.pi * frequency * time + random.uniform(0, 6))

    out = _resonant_noise(count, rate_hz, random)
    if random.random() < 0.6:  # load swings a little with the shaft
        swing = 1 + random.uniform(0, 0.35) * wave(shaft * int(random.choice([1, 1, 2])))
        out *= swing
    unbalance = 10 ** random.uniform(-1.2, 0.7)
    for harmonic in range(1, int(random.integers(2, 10))):
        out += unbalance * random.uniform(0.1, 1) / harmonic * wave(shaft * harmonic)
    if random.random() < 0.6:
        teeth, strength = int(random.integers(8, 60)), 10 ** random.uniform(-1.3, 0.5)
        for harmonic in (1, 2):
            side_bands = 1 + random.uniform(0, 0.8) * wave(shaft)
            out += strength / harmonic * side_bands * wave(shaft * teeth * harmonic)
    if random.random() < 0.6:
        out = with_tones(out, rate_hz, shaft, random)
    if random.random() < 0.3:
        hum, strength = float(random.choice([100.0, 120.0])), 10 ** random.uniform(-1.3, 0.3)
        for harmonic in range(1, 8):
            out += strength * random.random() * wave(hum * harmonic)
    if random.random() < 0.05:  # somebody drops a spanner
        start = int(random.integers(0, count))
        after = np.arange(count - start) / rate_hz
        out[start:] += random.uniform(2, 8) * np.exp(-after * random.uniform(200, 1000)) * wave(2000)[start:]
    return out, shaft * 60


def simulated(count: int, rate_hz: float, random: np.random.Generator) -> tuple[Signal, float]:
    """A healthy machine of devices/rolling_bearing.py and its speed in 1/min; unbalance up to 25 times the noise."""
    rpm = float(random.uniform(400, 4200))
    machine = Machine(rpm=rpm, noise=1.0, unbalance=float(np.exp(random.uniform(np.log(0.02), np.log(25)))))
    source = Bearing(machine, rate_hz=rate_hz, seed=int(random.integers(2**32, 2**62)))
    return source.block(count).astype(np.float64), rpm


def faulty(kind: str, count: int, rate_hz: float, random: np.random.Generator) -> tuple[Signal, float]:
    """A made-up machine with one damaged part (a key of LINE_OF) and its speed in 1/min."""
    out, rpm = healthy(count, rate_hz, random)
    out /= out.std()
    shaft = rpm / 60
    period = 1 / (ORDERS[LINE_OF[kind]] * shaft)
    step = period * (1 + random.normal(0, 0.0015))
    jitter = random.uniform(0.001, 0.012)
    impacts = int(count / rate_hz / step) + 1
    times = random.uniform(0, period) + np.cumsum(step * (1 + random.normal(0, jitter, impacts)))
    times = times[times < count / rate_hz]
    turning = {"inner_race": shaft, "ball": ORDERS["ftf"] * shaft, "outer_race": shaft}[kind]
    depth = random.uniform(0, 0.3) if kind == "outer_race" else random.uniform(0.3, 1.2)
    force = np.maximum(0, 1 + depth * np.cos(2 * np.pi * turning * times + random.uniform(0, 6)))
    if kind == "ball":  # it strikes one race, then the other
        force *= np.where(np.arange(len(force)) % 2, 1.0, random.uniform(0.4, 1))
    force *= 1 + random.normal(0, random.uniform(0, 0.3), len(force))
    train = np.zeros(count)
    np.add.at(train, np.minimum((times * rate_hz).astype(int), count - 1), force)
    ringing = np.fft.irfft(np.fft.rfft(train) * _resonances(count, rate_hz, random, (900, 4600), (0.01, 0.08)), count)
    return out + 10 ** random.uniform(0.1, 0.9) * ringing / ringing.std(), rpm


def _resonant_noise(count: int, rate_hz: float, random: np.random.Generator) -> Signal:
    frequency = np.fft.rfftfreq(count, 1 / rate_hz)
    response = 10 ** random.uniform(-2, 0.3) + 2 * 0.05 * _resonances(count, rate_hz, random, (200, 5800), (0.01, 0.2))
    response = response * (1 + frequency / random.uniform(300, 20_000)) ** random.uniform(-1.5, 0)
    noise = np.fft.irfft(np.fft.rfft(random.normal(size=count)) * response, count)
    return np.asarray(noise / noise.std())


def _resonances(
    count: int,
    rate_hz: float,
    random: np.random.Generator,
    between: tuple[float, float],
    damping: tuple[float, float],
) -> NDArray[np.complex128]:
    """One to four resonances as a response over the bins of rfft."""
    frequency = np.fft.rfftfreq(count, 1 / rate_hz)
    response = np.zeros(len(frequency), complex)
    for _ in range(int(random.integers(1, 5))):
        at, zeta = random.uniform(*between), random.uniform(*damping)
        response += random.uniform(0.1, 1) * at**2 / (at**2 - frequency**2 + 2j * zeta * at * frequency)
    return response
