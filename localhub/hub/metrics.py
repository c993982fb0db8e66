"""What the hub counts, under edgeHub's own names and labels (edgehub-contract 6.6).

Counting is a dictionary's entry, so that a message costs next to nothing; the figures get their Prometheus form in
exposition.py, only when somebody asks.
"""

import uuid
from collections import defaultdict, deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Final, NamedTuple

from localhub.hub.message import QueuedMessage
from localhub.hub.queues import Queue

QUANTILES: Final = (0.1, 0.5, 0.9, 0.99)
REMEMBERED: Final = 500  # observations a summary's quantiles are taken from

Labels = tuple[str, ...]


class Summary:
    """Count, sum and the quantiles of the last observations."""

    __slots__ = ("count", "recent", "total")

    def __init__(self) -> None:
        self.count = 0
        self.total = 0.0
        self.recent: deque[float] = deque(maxlen=REMEMBERED)

    def observe(self, value: float) -> None:
        """Take note of one value."""
        self.count += 1
        self.total += value
        self.recent.append(value)

    def quantiles(self) -> Iterator[tuple[float, float]]:
        """Each of QUANTILES with its value."""
        ordered = sorted(self.recent)
        for quantile in QUANTILES:
            yield quantile, ordered[min(int(quantile * len(ordered)), len(ordered) - 1)]


class Rate(NamedTuple):
    """What a client sends to and gets from the hub, by the second."""

    in_per_s: float
    out_per_s: float
    bytes_in: float
    bytes_out: float


class Traffic:
    """One client's messages and bytes since the start."""

    __slots__ = ("bytes_in", "bytes_out", "messages_in", "messages_out")

    def __init__(self) -> None:
        self.messages_in = self.messages_out = self.bytes_in = self.bytes_out = 0

    def totals(self) -> tuple[int, int, int, int]:
        """In the order of Rate's fields."""
        return self.messages_in, self.messages_out, self.bytes_in, self.bytes_out


@dataclass(slots=True)
class Arrivals:
    """From one sender's output."""

    size: Summary
    traffic: Traffic
    count: int = 0


@dataclass(slots=True)
class Flow:
    """From one sender's output to one queue."""

    send: Summary
    process: Summary
    traffic: Traffic
    count: int = 0


class Metrics:
    """Every figure of one hub; queue lengths and connected clients are asked for when they are wanted."""

    def __init__(self, hub_name: str, gateway: str, clock: Callable[[], float]) -> None:
        self.dropped_total: defaultdict[Labels, int] = defaultdict(int)
        self.unack_total: defaultdict[Labels, int] = defaultdict(int)
        self.connects: defaultdict[Labels, int] = defaultdict(int)
        self.disconnects: defaultdict[Labels, int] = defaultdict(int)
        self.refused: defaultdict[Labels, int] = defaultdict(int)
        self.retries: defaultdict[Labels, int] = defaultdict(int)
        self.sizes: defaultdict[Labels, Summary] = defaultdict(Summary)
        self.send_seconds: defaultdict[Labels, Summary] = defaultdict(Summary)
        self.process_seconds: defaultdict[Labels, Summary] = defaultdict(Summary)
        self.traffic: defaultdict[str, Traffic] = defaultdict(Traffic)
        self.rates: dict[str, Rate] = {}
        self.queues: Callable[[], Iterable[Queue]] = tuple
        self.clients: Callable[[], int] = int
        self._arrivals: dict[Labels, Arrivals] = {}
        self._flows: dict[tuple[int, str, str], Flow] = {}
        self._sent: dict[Labels, Flow] = {}
        # New at each start, as edgeHub's: whoever reads the figures can tell that they begin anew.
        self.common = (hub_name, gateway, uuid.uuid4().hex)
        self._clock = clock
        self._last: dict[str, tuple[int, int, int, int]] = {}

    def received(self, message: QueuedMessage, size: int) -> None:
        """A client's message came in."""
        key = message.system.get("outputName", ""), message.source
        arrivals = self._arrivals.get(key)
        if arrivals is None:
            arrivals = self._arrivals[key] = Arrivals(self.sizes[(message.source,)], self.traffic[message.source])
        arrivals.count += 1
        arrivals.size.observe(size)
        arrivals.traffic.messages_in += 1
        arrivals.traffic.bytes_in += size

    @property
    def received_total(self) -> dict[Labels, int]:
        """Messages taken in, by output and sender."""
        return {labels: arrivals.count for labels, arrivals in self._arrivals.items()}

    def sent(self, message: QueuedMessage, size: int, to: str, queue: Queue, seconds: float) -> None:
        """A receiver has acknowledged a message, `seconds` after it was sent."""
        key = queue.no, message.source, message.system.get("outputName", "")
        flow = self._flows.get(key)
        if flow is None:
            flow = self._flows[key] = self._flow(message, to, queue)
        flow.count += 1
        flow.send.observe(seconds)
        flow.process.observe(self._clock() - message.enqueued)
        flow.traffic.messages_out += 1
        flow.traffic.bytes_out += size

    def _flow(self, message: QueuedMessage, to: str, queue: Queue) -> "Flow":
        source, output, priority = message.source, message.output, str(queue.priority)
        to_cloud = to == queue.endpoint
        # The queue is called iothub, whom its messages go to upstream (CloudProxy.cs).
        receiver, to_input = ("upstream", "") if to_cloud else (to, queue.input)
        flow = Flow(
            self.send_seconds[source, receiver, output, to_input],
            self.process_seconds[source, receiver, priority],
            self.traffic[to],
        )
        self._sent[source, receiver, output, to_input, priority] = flow
        return flow

    def retried(self, to: str, operation: str) -> None:
        """A message is to be sent once more. edgeHub's names of operations begin with a blank."""
        self.retries[to, f" {operation}"] += 1

    @property
    def sent_total(self) -> dict[Labels, int]:
        """Messages delivered."""
        return {labels: flow.count for labels, flow in self._sent.items()}

    def dropped(self, reason: str, message: QueuedMessage | None) -> None:
        """A message is gone without having been delivered; None: it is not known any more which."""
        source, output = ("", "") if message is None else (message.source, message.output)
        self.dropped_total[reason, source, output] += 1

    def drops(self) -> dict[str, int]:
        """How many messages were dropped, by reason."""
        reasons: defaultdict[str, int] = defaultdict(int)
        for (reason, _, _), count in self.dropped_total.items():
            reasons[reason] += count
        return dict(reasons)

    def tick(self, seconds: float) -> None:
        """Work out the rates over the time since the last tick."""
        for client, traffic in self.traffic.items():
            now = traffic.totals()
            before = self._last.get(client, (0, 0, 0, 0))
            self._last[client] = now
            self.rates[client] = Rate(*((new - old) / seconds for new, old in zip(now, before, strict=True)))
