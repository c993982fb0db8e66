"""What can go wrong with a store; each says what to do next."""

from __future__ import annotations


class StoreError(Exception):
    """Base of what a store raises."""


class StoreFullError(StoreError):
    """There is no room: do not acknowledge, try again later. `disk`: the file system is full, not only the bound."""

    def __init__(self, text: str, *, disk: bool) -> None:
        super().__init__(text)
        self.disk = disk


class StoreFailingError(StoreError):
    """The disk refused a write or a sync: nothing was stored. Do not acknowledge, try again later."""


class StoreDamagedError(StoreError):
    """The file is not what was written: set it aside, salvage, begin anew."""


class StoreBusyError(StoreError):
    """Another process holds the store: only one copy of the module may run, and verbs need it stopped."""


class StoreForeignError(StoreError):
    """The file is a database, but no store of a version that this program reads."""
