"""``golden.npz``: inputs as they come off the wire, with the probabilities the model gave where it was made.

Loading a package runs them all, because the same int8 model can answer differently on another processor: without VNNI
the 16-bit sums of u8 x s8 products saturate (onnxruntime, docs on quantization, 'When and why do I need U8U8').
"""

import io
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import orjson
from numpy.typing import NDArray

from modules.inference.card import CardError

NAME: Final = "golden.npz"
_STAMP: Final = (2020, 1, 1, 0, 0, 0)


@dataclass(frozen=True, slots=True)
class GoldenCase:
    """One input and what each precision answers to it."""

    body: bytes
    facts: Mapping[str, float]
    label: str  # the true one
    expected: Mapping[str, NDArray[np.float64]]  # by precision: probabilities, shape (labels,)


def read_golden(folder: Path) -> list[GoldenCase]:
    """The cases of a package; none when it has no such file. Raises CardError for a file that is not one."""
    path = folder / NAME
    if not path.exists():
        return []
    try:
        with np.load(path, allow_pickle=False) as archive:
            facts = orjson.loads(archive["facts"].tobytes())
            return [
                GoldenCase(
                    body=archive[f"body{number}"].tobytes(),
                    facts=each["facts"],
                    label=each["label"],
                    expected={name: np.array(values, np.float64) for name, values in each["expected"].items()},
                )
                for number, each in enumerate(facts)
            ]
    except (OSError, KeyError, ValueError, TypeError, zipfile.BadZipFile) as error:
        raise CardError(f"{NAME} is not a file of golden cases: fetch the package anew") from error


def write_golden(folder: Path, cases: Sequence[GoldenCase]) -> None:
    """Write the cases; the same cases give the same bytes."""
    facts = [
        {
            "facts": dict(case.facts),
            "label": case.label,
            "expected": {name: [round(float(v), 6) for v in values] for name, values in case.expected.items()},
        }
        for case in cases
    ]
    arrays = {f"body{number}": np.frombuffer(case.body, np.uint8) for number, case in enumerate(cases)}
    arrays["facts"] = np.frombuffer(orjson.dumps(facts), np.uint8)
    with zipfile.ZipFile(folder / NAME, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, values in arrays.items():
            buffer = io.BytesIO()
            np.save(buffer, values, allow_pickle=False)
            archive.writestr(zipfile.ZipInfo(f"{name}.npy", _STAMP), buffer.getvalue(), zipfile.ZIP_DEFLATED)
