"""Whether the accelerometer itself is fit to be believed: a signal cut off at its range, or none at all."""

from typing import Literal

import numpy as np

from modules.vibration.waveform.features import Float32

Fault = Literal["clipping", "no signal"]

_RUN = 3  # samples at one extreme in a row: a sampled peak has one or two
_STEEP = 0.25  # of the RMS step from sample to sample; into a true peak a signal flattens, into a stop it runs


def fault(samples: Float32, share: float) -> Fault | None:
    """Return what is wrong with a window float32[n]: more than `share` of it stands at a stop, or it never moves.

    A lost bias or a cut cable gives one value for ever. An amplifier at its limit, or a converter at its largest code,
    gives runs of the largest or smallest value that are entered at full slope; the flat top of a slow sine sampled in
    coarse steps is entered with a step of one code and does not count.
    """
    high, low = samples.max(), samples.min()
    if high == low:
        return "no signal"
    for stop in (high, low):
        at_stop = samples == stop
        if np.count_nonzero(at_stop) > max(_RUN, share * samples.size) and _is_run_into(samples, at_stop):
            return "clipping"
    return None


def _is_run_into(samples: Float32, at_stop: np.ndarray[tuple[int], np.dtype[np.bool_]]) -> bool:
    edges = np.flatnonzero(np.diff(at_stop, prepend=False, append=False))
    begins, ends = edges[::2], edges[1::2]
    runs = begins[(ends - begins >= _RUN) & (begins > 0)]
    if not runs.size:
        return False
    steps = np.abs(np.diff(samples))
    code = steps[steps > 0].min()
    entered = float(np.median(np.abs(samples[runs] - samples[runs - 1])))
    return entered > 1.5 * code and entered > _STEEP * float(np.sqrt(np.mean(steps * steps)))
