"""What survives a restart, as bytes: the arrays of all sensors and the standing alarms of waveforms.

Format: a numpy .npz archive (uncompressed) of the columns, and under `facts` a JSON object as bytes:
{"version", "names", "units", "sources", "handled", "waveforms", "storms"}.
"""

import io
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from zipfile import BadZipFile

import numpy as np
import orjson
from numpy.typing import NDArray

_VERSION = 1


class StateError(ValueError):
    """A snapshot that this version cannot read; starting without it costs a warm-up."""


@dataclass(frozen=True, slots=True)
class State:
    """Everything worth keeping. `handled`: ids of the last messages handled to the end."""

    names: list[str]
    units: list[str | None]
    columns: Mapping[str, NDArray[np.generic]]
    sources: dict[str, int] = field(default_factory=dict)
    handled: list[str] = field(default_factory=list)
    waveforms: dict[str, Any] = field(default_factory=dict)
    storms: dict[str, list[str]] = field(default_factory=dict)

    def encode(self) -> bytes:
        """Return the snapshot's bytes."""
        facts = {
            "version": _VERSION,
            "names": self.names,
            "units": self.units,
            "sources": self.sources,
            "handled": self.handled,
            "waveforms": self.waveforms,
            "storms": self.storms,
        }
        buffer = io.BytesIO()
        text = np.frombuffer(orjson.dumps(facts), dtype=np.uint8)
        np.savez(buffer, allow_pickle=False, facts=text, **self.columns)
        return buffer.getvalue()

    @classmethod
    def decode(cls, body: bytes) -> "State":
        """Return the state in `body`; raises StateError."""
        try:
            with np.load(io.BytesIO(body), allow_pickle=False) as archive:
                facts = orjson.loads(archive["facts"].tobytes())
                columns = {name: archive[name] for name in archive.files if name != "facts"}
            if facts["version"] != _VERSION:
                raise StateError(f"version {facts['version']}, this is {_VERSION}")
            return cls(
                names=facts["names"],
                units=facts["units"],
                columns=columns,
                sources=facts["sources"],
                handled=facts["handled"],
                waveforms=facts["waveforms"],
                storms=facts["storms"],
            )
        except (BadZipFile, KeyError, TypeError, OSError, EOFError, ValueError) as error:
            raise StateError(str(error)) from error
