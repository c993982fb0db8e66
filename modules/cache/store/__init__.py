"""The durable store: docs/formats/cache.md in code. Imports nothing of the module around it but records and seals."""

from modules.cache.store.batch import Batch
from modules.cache.store.budget import LEAST_BOUND, Budget
from modules.cache.store.clock import Clock
from modules.cache.store.erase import Erase, Erasure
from modules.cache.store.errors import (
    StoreBusyError,
    StoreDamagedError,
    StoreError,
    StoreFailingError,
    StoreForeignError,
    StoreFullError,
)
from modules.cache.store.report import Depth, Drop, Stats
from modules.cache.store.scan import Range
from modules.cache.store.state import KindLimits
from modules.cache.store.store import Append, Appended, Confirm, Hand, InFlight, Job, Limits, Rewind, Store

__all__ = [
    "LEAST_BOUND",
    "Append",
    "Appended",
    "Batch",
    "Budget",
    "Clock",
    "Confirm",
    "Depth",
    "Drop",
    "Erase",
    "Erasure",
    "Hand",
    "InFlight",
    "Job",
    "KindLimits",
    "Limits",
    "Range",
    "Rewind",
    "Stats",
    "Store",
    "StoreBusyError",
    "StoreDamagedError",
    "StoreError",
    "StoreFailingError",
    "StoreForeignError",
    "StoreFullError",
]
