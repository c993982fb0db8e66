from hypothesis import given
from hypothesis import strategies as st

from modules.vibration.waveform.bands import candidates


def is_smooth(number: int) -> bool:
    for factor in (2, 3, 5):
        while number % factor == 0:
            number //= factor
    return number == 1


@given(length=st.integers(64, 60_000))
def test_bands_lie_in_the_spectrum_and_transform_quickly(length: int) -> None:
    for band in candidates(length):
        assert 0 <= band.low < band.high <= length // 2 + 1
        assert is_smooth(band.length)
