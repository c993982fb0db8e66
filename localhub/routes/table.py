"""All routes of a configuration, compiled, and where they send a message (Routing.Core/Evaluator.cs)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from localhub.routes import utf16
from localhub.routes.condition import Condition, Term
from localhub.routes.config import HubConfig, RouteSpec
from localhub.routes.errors import ConfigCompileError, RouteCompileError
from localhub.routes.message import RoutingMessage, Sender

UPSTREAM = "iothub"


@dataclass(frozen=True, slots=True)
class Target:
    """One endpoint a message goes to, and under which terms.

    `endpoint` is `iothub` for the cloud, else `DEVICE/MODULE/INPUT`. `priority` 0 is delivered first. `ttl_s` in
    seconds: below 0 the message never expires, at 0 it has expired as soon as it is stored. `route` is the route that
    won where several lead to the endpoint.
    """

    endpoint: str
    module: str | None
    input: str | None
    priority: int
    ttl_s: int
    route: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """What one route says about a message; `term` is None where the source did not match and nothing was evaluated."""

    name: str
    source_matches: bool
    value: bool | None
    term: Term | None
    target: Target


@dataclass(frozen=True, slots=True)
class _Entry:
    spec: RouteSpec
    condition: Condition
    evaluate: Callable[[RoutingMessage], bool | None] | None  # None: always true
    prefix: str
    target: Target


class RouteTable:
    """Compiled routes. Every route is asked about every message; every endpoint gets it once."""

    def __init__(self, config: HubConfig, entries: list[_Entry]) -> None:
        self.config = config
        self._entries = entries

    @property
    def endpoints(self) -> set[str]:
        """Every endpoint that some route leads to."""
        return {entry.target.endpoint for entry in self._entries}

    @classmethod
    def compile(cls, config: HubConfig, *, device: str = "") -> RouteTable:
        """Compiles all routes; raises ConfigCompileError at the first that does not compile.

        `parse_edgehub_desired` is the first moment of refusal (status 400), this is the second: edgeHub has reported
        status 200 by then, and the routes in force before stay in force.
        """
        entries = []
        for spec in config.routes:
            try:
                condition = spec.route.compile()
            except RouteCompileError as error:
                raise ConfigCompileError(spec.name, error) from error
            entries.append(_entry(spec, condition, config, device))
        # The smallest priority wins an endpoint, the earlier route a tie: so the first to match an endpoint has won.
        entries.sort(key=lambda entry: entry.target.priority)
        return cls(config, entries)

    def match(self, message: RoutingMessage) -> list[Target]:
        """Where the message goes, highest priority first; empty where no route wants it."""
        targets: list[Target] = []
        taken: set[str] = set()
        path = message.path
        for entry in self._entries:
            if not path.startswith(entry.prefix) or entry.target.endpoint in taken:
                continue
            if entry.evaluate is None or entry.evaluate(message):
                taken.add(entry.target.endpoint)
                targets.append(entry.target)
        return targets

    def constant(self, sender: Sender) -> list[Target] | None:
        """Where everything goes that a sender sends, as `match` says it; None where a condition has a say in it."""
        path = utf16.upper(sender.path)
        targets: dict[str, Target] = {}
        for entry in self._entries:
            if path.startswith(entry.prefix):
                if entry.evaluate is not None:
                    return None
                targets.setdefault(entry.target.endpoint, entry.target)
        return list(targets.values())

    def explain(self, message: RoutingMessage) -> list[Verdict]:
        """What each route says about the message, in the order of the configuration."""
        order = {spec.name: index for index, spec in enumerate(self.config.routes)}
        verdicts = []
        for entry in sorted(self._entries, key=lambda entry: order[entry.spec.name]):
            matches = message.path.startswith(entry.prefix)
            term = entry.condition.explain(message) if matches else None
            value = None if term is None else term.value
            verdicts.append(Verdict(entry.spec.name, matches, value, term, entry.target))
        return verdicts


def _entry(spec: RouteSpec, condition: Condition, config: HubConfig, device: str) -> _Entry:
    sink = spec.route.sink
    endpoint = UPSTREAM if sink.upstream else f"{device}/{sink.module}/{sink.input}"
    ttl_s = spec.ttl_s or config.ttl_s
    target = Target(endpoint, sink.module, sink.input, spec.priority, ttl_s, spec.name)
    evaluate = None if condition.text == "true" else condition.evaluate
    return _Entry(spec, condition, evaluate, spec.route.prefix, target)
