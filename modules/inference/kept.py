"""The pictures and windows behind the last alerts, on disk until a person has said what they think of them.

A verdict may come hours later and after a restart. Each file is the sample message itself, as a member of a batch
(docs/formats/batch.md): `ALERT.sample` until it is sent, then `ALERT.sent`, empty unless it is held for learning.
Bounded by bytes, number and age, oldest first out; nothing is synced, for what a power cut takes here is a picture and
not the alert. Blocks: call it from a thread.
"""

import logging
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from modules.common.messages import BadMessage, Message, encode_member, member

log = logging.getLogger(__name__)

_FILES: Final = 4096


@dataclass(frozen=True, slots=True)
class _File:
    size: int
    made: float  # s since the epoch


class Kept:
    """A folder of samples by the id of their alert. Raises OSError where the disk does."""

    def __init__(self, folder: Path, *, clock: Callable[[], float] = time.time) -> None:
        self._folder = folder
        self._clock = clock
        self._lock = threading.Lock()
        self._files: OrderedDict[str, _File] = OrderedDict()  # by file name, oldest first
        found = [(path, path.stat()) for path in folder.iterdir()] if folder.is_dir() else []
        for path, stat in sorted(found, key=lambda each: each[1].st_mtime):
            if path.suffix in (".sample", ".sent"):
                self._files[path.name] = _File(stat.st_size, stat.st_mtime)
            else:  # what a kill left half written
                path.unlink()

    def add(
        self, alert: str, sample: Message, *, sent: bool, megabytes: float, hours: float, hold: bool = False
    ) -> None:
        """Keep what shows `alert`, or only that it was sent (`hold`: and what); then let the oldest go."""
        with self._lock:
            if megabytes > 0 and hours > 0:
                self._write(alert, sample if hold or not sent else None, sent=sent)
            self._bound(megabytes, hours)

    def find(self, alert: str) -> tuple[Message | None, bool]:
        """The sample of `alert` that is still to be sent, and whether one was sent before."""
        with self._lock:
            if f"{alert}.sent" in self._files:
                return None, True
            return self._read(alert, f"{alert}.sample"), False

    def held(self, alert: str) -> Message | None:
        """What shows `alert`, sent or not, as long as it is here."""
        with self._lock:
            name = f"{alert}.sent"
            if name not in self._files:
                return self._read(alert, f"{alert}.sample")
            return self._read(alert, name) if self._files[name].size else None

    def sent(self, alert: str) -> None:
        """The sample of `alert` has gone up: its picture is needed here no longer."""
        with self._lock:
            self._write(alert, None, sent=True)

    def bound(self, megabytes: float, hours: float) -> None:
        """Let go what is too old, or too much since the bounds have changed."""
        with self._lock:
            self._bound(megabytes, hours)

    def forget(self) -> int:
        """Delete everything; how many alerts had something."""
        with self._lock:
            count = len(self._files)
            for name in list(self._files):
                self._drop(name)
            return count

    @property
    def size(self) -> int:
        """Bytes on disk."""
        return sum(each.size for each in self._files.values())

    def __len__(self) -> int:
        """How many alerts have something."""
        return len(self._files)

    def _read(self, alert: str, name: str) -> Message | None:
        if name not in self._files:
            return None
        try:
            return member((self._folder / name).read_bytes())
        except (OSError, BadMessage) as error:
            log.warning("the sample of alert %s cannot be read and is dropped: %s", alert, error)
            self._drop(name)
            return None

    def _write(self, alert: str, sample: Message | None, *, sent: bool) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)
        name, other = f"{alert}.sent", f"{alert}.sample"
        if not sent:
            if name in self._files:
                return  # an alert that is raised a second time by a redelivery
            name, other = other, name
        body = b"" if sample is None else encode_member(sample)
        fresh = self._folder / "new"
        fresh.write_bytes(body)
        fresh.replace(self._folder / name)
        self._files[name] = _File(len(body), self._clock())
        self._files.move_to_end(name)
        if other in self._files:
            self._drop(other)

    def _bound(self, megabytes: float, hours: float) -> None:
        room, eldest = megabytes * 1e6, self._clock() - hours * 3600
        total = self.size
        for name, each in list(self._files.items()):
            if total <= room and len(self._files) <= _FILES and each.made >= eldest:
                break
            total -= each.size
            self._drop(name)

    def _drop(self, name: str) -> None:
        (self._folder / name).unlink(missing_ok=True)
        del self._files[name]
