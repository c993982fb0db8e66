"""What the routes say: text edgeHub refuses or ignores, sources and sinks that lead nowhere."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from localhub.manifest.manifest import Manifest
from localhub.manifest.positions import Path
from localhub.manifest.problem import Place, Problem, error
from localhub.manifest.rules.hub import ROUTES
from localhub.routes import Route, RouteCompileError, RouteError, parse_route

# /messages/modules/MODULE/outputs/OUTPUT
_MODULE_SEGMENT: Final = 2
_ROOTS: Final = ("messages", "twinchangenotifications", "*")


@dataclass(frozen=True, slots=True)
class NamedRoute:
    """A route of the manifest that edgeHub's parser accepts."""

    name: str
    route: Route
    path: Path  # of the text
    manifest: Manifest

    def place(self, offset: int = 0) -> Place:
        """Where a character of the route's text stands."""
        return self.manifest.tree.inside(self.path, offset)

    @property
    def segments(self) -> list[str]:
        """The source, cut at its slashes."""
        return self.route.source.strip("/").split("/")

    @property
    def source_module(self) -> str | None:
        """The module that the source names, None where it names none."""
        segments = self.segments
        if len(segments) <= _MODULE_SEGMENT or [part.lower() for part in segments[:2]] != ["messages", "modules"]:
            return None
        return None if segments[_MODULE_SEGMENT] == "*" else segments[_MODULE_SEGMENT]


def texts(manifest: Manifest) -> Iterator[tuple[str, str, Path]]:
    """Name, text and path of every route that has a text."""
    routes = manifest.tree.get(ROUTES)
    for name, value in routes.items() if isinstance(routes, dict) else ():
        if isinstance(value, str) and value.strip():
            yield name, value, (*ROUTES, name)
        elif isinstance(value, dict) and isinstance(value.get("route"), str) and value["route"].strip():
            yield name, value["route"], (*ROUTES, name, "route")


def parsed(manifest: Manifest) -> Iterator[NamedRoute]:
    """Every route that parses."""
    for name, text, path in texts(manifest):
        try:
            yield NamedRoute(name, parse_route(text), path, manifest)
        except RouteError:
            continue  # told by check


def check(manifest: Manifest) -> Iterator[Problem]:
    """Mistakes in each route's text, and names that lead nowhere."""
    for name, text, path in texts(manifest):
        try:
            route = parse_route(text)
        except RouteError as mistake:
            place = manifest.tree.inside(path, mistake.offset)
            said = f"route {name}: {mistake.problem} (edgeHub refuses all routes, status 400)"
            yield error("route-syntax", place, said, mistake.hint)
            continue
        try:
            route.compile()
        except RouteCompileError as mistake:
            place = manifest.tree.inside(path, mistake.offset)
            said = f"route {name}: {mistake.problem} (edgeHub reports status 200 and keeps the old routes)"
            yield error("route-compile", place, said, mistake.hint)
        named = NamedRoute(name, route, path, manifest)
        if route.ignored:
            at = len(text.rstrip()) - len(route.ignored)
            said = f"route {name}: edgeHub ignores what stands behind the sink: {route.ignored!r}"
            yield error("route-rest", named.place(at), said, "put the condition before INTO; one route has one sink")
        yield from _source(named)
        yield from _sink(named)


def _source(named: NamedRoute) -> Iterator[Problem]:
    segments = named.segments
    place = named.place(named.route.parsed.source_at)
    if any("*" in segment for segment in segments[:-1]) or (segments[-1] != "*" and "*" in segments[-1]):
        said = f"route {named.name}: a star that is not the whole last part matches nothing: {named.route.source}"
        yield error("route-star", place, said, "write one route for each module or output")
        return
    if segments[0].lower() not in _ROOTS:
        said = f"route {named.name}: nothing is ever sent from {named.route.source}"
        yield error("route-source", place, said, "sources begin with /messages or /twinChangeNotifications, or are /*")
        return
    if segments[0].lower() == "messages" and len(segments) > 1 and segments[1].lower() not in {"modules", "*"}:
        said = f"route {named.name}: nothing is ever sent from {named.route.source}"
        yield error("route-source", place, said, "write /messages/* or /messages/modules/MODULE/outputs/OUTPUT")
        return
    module = named.source_module
    known = list(named.manifest.modules())
    if module is None:
        return
    if module.lower() not in {name.lower() for name in known}:
        said = f"route {named.name}: the source names module {module!r}, which is not in the manifest"
        yield error("route-module", place, said, _known(known))
    rest = [segment.lower() for segment in segments[_MODULE_SEGMENT + 1 :]]
    if rest and rest[0] not in {"outputs", "*"}:
        said = f"route {named.name}: nothing is ever sent from {named.route.source}"
        yield error("route-source", place, said, f"write /messages/modules/{module}/outputs/OUTPUT")


def _sink(named: NamedRoute) -> Iterator[Problem]:
    sink, known = named.route.sink, list(named.manifest.modules())
    place = named.place(named.route.parsed.sink_at)
    if sink.module is None:
        return
    if sink.module not in known:
        said = f"route {named.name}: the sink names module {sink.module!r}, which is not in the manifest"
        yield error("route-module", place, said, _known(known))
    segments = (named.route.parsed.address or "").strip().removeprefix("/").split("/")
    if [segments[0].lower(), segments[2].lower()] != ["modules", "inputs"]:
        said = f"route {named.name}: edgeHub reads the address as module {sink.module!r}, input {sink.input!r}"
        yield error("route-address", place, said, f'write "/modules/{sink.module}/inputs/{sink.input}"')


def _known(modules: list[str]) -> str:
    return f"the modules are {', '.join(modules)}" if modules else "the manifest has no modules"
