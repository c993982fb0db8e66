"""How many requests are answered: token buckets, for each client and for all together. Pure; times are passed in."""

from collections import OrderedDict
from dataclasses import dataclass
from typing import Final

_CLIENTS: Final = 1024


@dataclass(slots=True)
class Bucket:
    """Holds up to `size`, refilled by `per_s` each second."""

    per_s: float
    size: float
    level: float
    at: float

    def wait(self, now: float) -> float:
        """Take one; 0 when there was one, else seconds until there is (nothing is taken then)."""
        self.level = min(self.size, self.level + max(0.0, now - self.at) * self.per_s)
        self.at = now
        if self.level >= 1:
            self.level -= 1
            return 0.0
        return (1 - self.level) / self.per_s


class Limits:
    """Buckets by client, the one not heard of for longest giving way, and one for all."""

    def __init__(self, *, burst_s: float = 2.0) -> None:
        self._burst_s = burst_s
        self._clients: OrderedDict[str, Bucket] = OrderedDict()
        self._all: Bucket | None = None

    def wait(self, client: str, now: float, *, per_s: float, all_per_s: float) -> float:
        """Seconds that `client` is to wait, 0 to be answered now. The rates may change from call to call."""
        bucket = self._clients.get(client)
        if bucket is None:
            bucket = self._clients[client] = self._full(per_s, now)
            if len(self._clients) > _CLIENTS:
                self._clients.popitem(last=False)
        self._clients.move_to_end(client)
        bucket.per_s, bucket.size = per_s, max(1.0, per_s * self._burst_s)
        if (seconds := bucket.wait(now)) > 0:
            return seconds
        if self._all is None:
            self._all = self._full(all_per_s, now)
        self._all.per_s, self._all.size = all_per_s, max(1.0, all_per_s * self._burst_s)
        return self._all.wait(now)

    def _full(self, per_s: float, now: float) -> Bucket:
        size = max(1.0, per_s * self._burst_s)
        return Bucket(per_s, size, size, now)


class Failures:
    """Wrong tokens by client: after ten, one try each ten seconds."""

    def __init__(self) -> None:
        self._clients: OrderedDict[str, Bucket] = OrderedDict()

    def wait(self, client: str, now: float) -> float:
        """Seconds until `client` may try a token again, 0 when it may now. Nothing is taken."""
        bucket = self._clients.get(client)
        if bucket is None:
            return 0.0
        level = min(bucket.size, bucket.level + max(0.0, now - bucket.at) * bucket.per_s)
        return 0.0 if level >= 1 else (1 - level) / bucket.per_s

    def failed(self, client: str, now: float) -> None:
        """A wrong token came from `client`."""
        if client not in self._clients:
            self._clients[client] = Bucket(0.1, 10, 10, now)
            if len(self._clients) > _CLIENTS:
                self._clients.popitem(last=False)
        self._clients.move_to_end(client)
        self._clients[client].wait(now)
