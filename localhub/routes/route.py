"""One route: where messages come from, which of them, and where they go."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from localhub.routes import utf16
from localhub.routes.condition import Condition
from localhub.routes.errors import RouteRefusedError
from localhub.routes.parser import ParsedRoute, parse
from localhub.routes.syntax import to_text

_SEGMENTS: Final = 4  # /modules/MODULE/inputs/INPUT
_ADDRESS_HINT: Final = 'write BrokeredEndpoint("/modules/MODULE/inputs/INPUT")'


@dataclass(frozen=True, slots=True)
class Sink:
    """Where a route leads: `$upstream` (module and input None) or an input of a module."""

    module: str | None = None
    input: str | None = None

    @property
    def upstream(self) -> bool:
        """True for `$upstream`."""
        return self.module is None

    def __str__(self) -> str:
        return "$upstream" if self.upstream else f'BrokeredEndpoint("/modules/{self.module}/inputs/{self.input}")'


@dataclass(frozen=True, slots=True)
class Route:
    """A route that edgeHub's parser accepts; its condition may still not compile (`compile` finds out)."""

    source: str
    sink: Sink
    parsed: ParsedRoute = field(compare=False, repr=False)
    prefix: str = field(default="", compare=False, repr=False)

    @property
    def text(self) -> str:
        """The text as it was given."""
        return self.parsed.text

    @property
    def condition(self) -> str:
        """The text of the condition; "true" where there is no WHERE."""
        return self.parsed.condition

    @property
    def ignored(self) -> str:
        """What stands behind the sink and is ignored."""
        return self.parsed.rest

    def compile(self) -> Condition:
        """The compiled condition; raises RouteCompileError."""
        return Condition(self.parsed)

    def matches_source(self, path: str) -> bool:
        """Whether a sender's folded path (`RoutingMessage.path`) lies under the route's source."""
        return path.startswith(self.prefix)

    def __str__(self) -> str:
        """The route in its plainest form, which parses to an equal route."""
        tree = self.parsed.tree
        condition = self.condition if tree is None else to_text(tree)
        where = "" if condition == "true" else f"WHERE {condition} "
        return f"FROM {self.source} {where}INTO {self.sink}"


def source_prefix(source: str) -> str:
    """What a sender's path must begin with (Routing.Core/messageSources/CustomMessageSource.cs)."""
    plain = source.strip().rstrip("*")
    if len(plain) > 1:
        plain = plain.rstrip("/")
    return utf16.upper(plain.strip().rstrip("/") + "/")


def parse_route(text: str) -> Route:
    """Reads a route as edgeHub does.

    Raises RouteSyntaxError for text that is no route and RouteRefusedError for a sink edgeHub does not know; both
    refuse the whole desired document there.
    """
    parsed = parse(text)
    return Route(parsed.source, _sink(parsed), parsed, source_prefix(parsed.source))


def _sink(parsed: ParsedRoute) -> Sink:
    """The sink (Hub.Core/routing/EndpointFactory.cs): only the second and fourth segment of an address are read."""
    if parsed.system is not None:
        if utf16.upper(parsed.system) != "$UPSTREAM":
            raise RouteRefusedError(
                f"there is no sink {parsed.system!r}", text=parsed.text, offset=parsed.sink_at, hint="write $upstream"
            )
        return Sink()
    assert parsed.function is not None
    assert parsed.address is not None
    if utf16.upper(parsed.function) != "BROKEREDENDPOINT":
        raise RouteRefusedError(
            f"there is no sink {parsed.function!r}", text=parsed.text, offset=parsed.sink_at, hint=_ADDRESS_HINT
        )
    segments = parsed.address.strip().removeprefix("/").removesuffix("/").split("/")
    if not parsed.address.strip() or len(segments) != _SEGMENTS:
        raise RouteRefusedError(
            f"the address {parsed.address!r} has not four segments",
            text=parsed.text,
            offset=parsed.sink_at,
            hint=_ADDRESS_HINT,
        )
    return Sink(segments[1], segments[3])
