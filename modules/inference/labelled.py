"""Samples that people have judged, kept on the gateway so that a model can be taught here; none where it is not wanted.

A file `ALERT.labelled` is the sample message as a member of a batch (docs/formats/batch.md) with a property more,
`verdict`. Of several verdicts on an alert the last one holds; `unsure` takes the file away. Bounded by bytes, oldest
first out. Whoever teaches reads the folder; this writes it. Blocks: call it from a thread. Raises OSError.
"""

import threading
from dataclasses import replace
from pathlib import Path
from typing import Final

from modules.common.messages import BadMessage, Message, encode_member, member

SUFFIX: Final = ".labelled"
UNSURE: Final = "unsure"


class Labelled:
    """A folder of judged samples by the id of their alert."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._lock = threading.Lock()  # verdicts, tidying and forgetting come from threads of their own
        self._count = len(self._files())

    def judge(self, alert: str, verdict: str, sample: Message | None, *, megabytes: float) -> None:
        """Keep a sample with what a person says; without one the verdict on what is kept already changes."""
        path = self._folder / f"{alert}{SUFFIX}"
        with self._lock:
            if megabytes > 0 and verdict != UNSURE:
                kept = sample or self._read(path)
                if kept is not None:
                    self._write(path, replace(kept, properties={**kept.properties, "verdict": verdict}))
            elif verdict == UNSURE:
                path.unlink(missing_ok=True)
            self._bound(megabytes)

    def bound(self, megabytes: float) -> None:
        """Let the oldest go until the rest has room."""
        with self._lock:
            self._bound(megabytes)

    def _bound(self, megabytes: float) -> None:
        found = sorted(((path.stat().st_mtime, path) for path in self._files()), reverse=True)
        total, self._count = 0, len(found)
        for _, path in found:
            total += path.stat().st_size
            if total > megabytes * 1e6:
                path.unlink(missing_ok=True)
                self._count -= 1

    def forget(self) -> int:
        """Delete everything; how many samples there were."""
        with self._lock:
            files = self._files()
            for path in files:
                path.unlink(missing_ok=True)
            self._count = 0
            return len(files)

    def __len__(self) -> int:
        """How many samples there are. Does not block: health asks in the event loop."""
        return self._count

    def _files(self) -> list[Path]:
        return list(self._folder.glob(f"*{SUFFIX}"))

    def _read(self, path: Path) -> Message | None:
        try:
            return member(path.read_bytes())
        except (FileNotFoundError, BadMessage):
            return None

    def _write(self, path: Path, message: Message) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)
        fresh = self._folder / "new"
        fresh.write_bytes(encode_member(message))
        fresh.replace(path)
