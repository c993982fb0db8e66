"""What edgeHub counts besides messages: twins, methods, how long the cloud was away (edgehub-contract 6.6)."""

from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

from localhub.hub.metrics import Labels, Summary

EDGE_HUB: Final = "edge_hub"  # a module and edgeHub (DeviceMessageHandler.cs)
UPSTREAM: Final = "upstream"  # edgeHub and IoT Hub (CloudProxy.cs)


class Calls:
    """Calls of one kind by their labels: how many, and how long they took."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self.total: defaultdict[Labels, int] = defaultdict(int)
        self.seconds: defaultdict[Labels, Summary] = defaultdict(Summary)
        self._clock = clock

    @contextmanager
    def timed(self, *labels: str) -> Iterator[None]:
        """Count one, and the time that the block takes; also one that fails."""
        began = self._clock()
        self.total[labels] += 1
        try:
            yield
        finally:
            self.seconds[labels].observe(self._clock() - began)


class ServiceMetrics:
    """The figures of one hub's services. `hub` is edgeHub's own id, DEVICE/$edgeHub.

    As edgeHub's, a hub begins disconnected: until it first reaches the cloud it was not away, and yet the time counts
    (DeviceConnectivityManager.cs). So the cloud is reached where offline_duration_seconds has counted one more than
    offline_count.
    """

    def __init__(self, hub: str, clock: Callable[[], float]) -> None:
        self.twin_reads: Final = Calls(clock)  # source, id
        self.reports: Final = Calls(clock)  # target, id
        self.methods: Final = Calls(clock)  # from, to
        self.offline: Final = Calls(clock)  # id
        self._hub = hub
        self._clock = clock
        self._offline_since: float | None = clock()

    def link_is(self, *, up: bool) -> None:
        """The link to the cloud is up or down, perhaps as before."""
        if not up and self._offline_since is None:
            self._offline_since = self._clock()
            self.offline.total[(self._hub,)] += 1
        elif up and self._offline_since is not None:
            self.offline.seconds[(self._hub,)].observe(self._clock() - self._offline_since)
            self._offline_since = None
