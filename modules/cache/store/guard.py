"""SQLite's errors, as what a caller can act on."""

from __future__ import annotations

from collections.abc import Callable
from types import TracebackType

import apsw

from modules.cache.store import schema
from modules.cache.store.errors import StoreDamagedError, StoreError, StoreFailingError, StoreFullError


class Guard:
    """`with guard:` around whatever touches the database; keeps no state, so it serves nested and again.

    `full` says why SQLite has no room. (A class and not a generator: it is entered at every commit.)
    """

    def __init__(self, full: Callable[[], StoreFullError]) -> None:
        self._full = full

    def __enter__(self) -> None:
        """Nothing to prepare."""

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Raises StoreDamagedError, StoreFullError or StoreFailingError in place of SQLite's."""
        failure = self.meaning(error)
        if failure is not None:
            raise failure from error

    def meaning(self, error: BaseException | None) -> StoreError | None:
        """What an error means for a caller; None for one that is not SQLite's, or that is a bug of ours."""
        if isinstance(error, schema.DAMAGE):
            return StoreDamagedError(str(error))
        if isinstance(error, apsw.FullError):
            return self._full()
        if isinstance(error, schema.FAILURE):
            return StoreFailingError(f"{type(error).__name__}: {error}")
        return None
