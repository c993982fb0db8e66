"""What a burst of samples says of a machine: velocity, acceleration and peak of the worst axis.

Velocity is the figure that ISO 20816-1 judges machines by, from 10 Hz on. Acceleration is integrated by a filter
1 / (s + w), w = 2 pi 10 Hz: an integrator above 10 Hz, -3 dB there, that forgets gravity and drift below it. It is
worked out as v += (a + a before) / 2 rate - (1 - exp(-w / rate)) v, the trapezium rule.
"""

import math

_LOWEST_HZ = 10.0
_SETTLE_S = 0.1  # six time constants of the filter
# Whole numbers, since every float that MicroPython works out is a piece of heap. The filter's factor has 12 bits, its
# sum eighths of a count: products stay within the 31 bits that are no heap, up to vibrations of some g.
_BITS, _FINE = 12, 8
_ONE = 1 << _BITS


def measure(samples: object, rate_hz: int, scale: float) -> tuple[float, float, float]:
    """RMS velocity in m/s, RMS acceleration and peak in m/s2, of array('h') x, y, z, ... ``scale`` m/s2 a count.

    Gravity and offset are taken away as each axis' mean. ValueError for fewer samples than the filter needs.
    """
    count = len(samples) // 3
    skipped = int(_SETTLE_S * rate_hz)
    if count <= 2 * skipped:
        raise ValueError("a burst needs more than %d samples" % (2 * skipped))
    kept = round(_ONE * (1.0 - math.exp(-2.0 * math.pi * _LOWEST_HZ / rate_hz)))
    velocity = acceleration = peak = 0.0
    for axis in range(3):
        total = 0
        for at in range(axis, 3 * count, 3):
            total += samples[at]
        mean = total // count
        speed = previous = squares = speeds = speeds2 = 0
        highest = lowest = 0
        for number in range(count):
            value = samples[3 * number + axis] - mean
            squares += value * value
            if value > highest:
                highest = value
            elif value < lowest:
                lowest = value
            speed += (value + previous) * _FINE - (speed * kept >> _BITS)
            previous = value
            if number >= skipped:
                speeds += speed
                speeds2 += speed * speed
        rest = total / count - mean  # what was rounded away
        acceleration = max(acceleration, scale * math.sqrt(max(0.0, squares / count - rest * rest)))
        peak = max(peak, scale * max(highest - rest, rest - lowest))
        counted = count - skipped
        variance = max(0.0, speeds2 / counted - (speeds / counted) ** 2)
        velocity = max(velocity, scale / (2 * _FINE * rate_hz) * math.sqrt(variance))
    return velocity, acceleration, peak
