"""Pre-processing driven by the card. Training uses this very function, so that what is learnt is what is judged."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from modules.inference.card import Card, PicturePrepare, WavePrepare
from modules.inference.errors import BadInputError
from modules.inference.looks import picture_looks, wave_looks
from modules.inference.orders import OrderRecipe, order_features
from modules.inference.pictures import decode, prepare_pixels


def prepare(body: bytes, facts: Mapping[str, float], card: Card) -> NDArray[np.generic]:
    """One picture or window as the model's input without the batch axis.

    ``body``: an encoded picture, or float32 little endian samples; ``facts`` for a window: ``rate`` in Hz, and
    ``rpm`` in 1/min where the card reads orders. Raises BadInputError.
    """
    return prepare_and_look(body, facts, card)[0]


def prepare_and_look(
    body: bytes, facts: Mapping[str, float], card: Card
) -> tuple[NDArray[np.generic], Mapping[str, float]]:
    """As `prepare`, and the statistics of what came in, where the card says what is usual."""
    look = bool(card.reference.input or card.reference.looks)
    if isinstance(card.prepare, PicturePrepare):
        pixels = decode(body, card.prepare)
        dtype = "uint8" if card.input.dtype == "uint8" else "float32"
        return prepare_pixels(pixels, card.prepare, dtype), picture_looks(pixels) if look else {}
    samples = _samples(body)
    return prepare_window(samples, facts, card.prepare), wave_looks(samples) if look else {}


def prepare_window(
    samples: NDArray[np.floating[Any]], facts: Mapping[str, float], how: WavePrepare
) -> NDArray[np.float32]:
    """A window of samples, shape (n,), as the model's input: features (f,), or the samples themselves (1, n)."""
    rate = facts.get("rate", 0.0)
    if not how.rate_hz[0] <= rate <= how.rate_hz[1]:
        raise BadInputError("wrong_rate", f"{rate:g} Hz is outside {how.rate_hz[0]:g} to {how.rate_hz[1]:g}")
    if not np.isfinite(samples).all():
        raise BadInputError("nan", "the window holds NaN or infinity")
    if how.kind == "orders":
        rpm = facts.get("rpm", 0.0)
        if not rpm > 0:
            raise BadInputError("missing_property", "rpm: this model reads orders of shaft speed")
        try:
            return order_features(samples, rate, rpm, order_recipe(how))
        except ValueError as error:
            raise BadInputError("wrong_shape", str(error)) from error
    values = np.asarray(samples, np.float32)
    if how.standardise:
        values = (values - values.mean()) / max(float(values.std()), 1e-12)
    return values.reshape(1, -1)


def order_recipe(how: WavePrepare) -> OrderRecipe:
    """What the card says to read, as `order_features` takes it."""
    return OrderRecipe(
        bands=how.bands,
        orders=how.orders,
        lines=how.lines,
        slip=how.slip,
        families=how.families,
        shape_hz=how.shape_hz,
    )


def _samples(body: bytes) -> NDArray[np.float32]:
    if len(body) % 4 or not body:
        raise BadInputError("wrong_shape", f"{len(body)} bytes are no whole number of float32 samples")
    return np.frombuffer(body, "<f4")
