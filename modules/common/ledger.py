"""The senders' own count for the proof that nothing is lost: every id given out, one a line.

Only when the environment names a folder (MILLWATCH_LEDGER); written before the message is sent, so an id that arrived
is always here.
"""

import os
from pathlib import Path

from modules.common.messages import Message


class Ledger:
    """Appends `output id` lines to `<folder>/<module>.ids`; does nothing without a folder."""

    def __init__(self, folder: str | None, module: str) -> None:
        self._file: int | None = None
        if folder:
            path = Path(folder)
            path.mkdir(parents=True, exist_ok=True)
            self._file = os.open(path / f"{module}.ids", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)

    def note(self, output: str, message: Message) -> None:
        """Write down that `message` is about to be sent to `output`; one write, so a kill leaves whole lines."""
        if self._file is not None:
            os.write(self._file, f"{output} {message.message_id}\n".encode())

    def close(self) -> None:
        """Close the file."""
        if self._file is not None:
            os.close(self._file)
            self._file = None
