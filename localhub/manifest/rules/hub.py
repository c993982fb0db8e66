"""$edgeHub: schema version, store-and-forward, the form of the routes."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Final

from localhub.manifest.layers import DESIRED, HUB
from localhub.manifest.manifest import Manifest
from localhub.manifest.positions import Path
from localhub.manifest.problem import Problem, error, warning
from localhub.manifest.rules import shape
from localhub.routes import ConfigRefusedError, parse_edgehub_desired

ROOT: Final[Path] = (HUB, DESIRED)
ROUTES: Final[Path] = (*ROOT, "routes")
STORE: Final[Path] = (*ROOT, "storeAndForwardConfiguration")

_LITERAL: Final = ("1.0", "1.1", "1.2")
_WITH_BROKER: Final = ("1.2", "1.3")
_STRICT_STORE: Final = ("1.1", "1.2")
_ROUTE_NAME: Final = re.compile(r"[^.$# ]+")
_LONGEST: Final = 2**32 - 1


def check(manifest: Manifest) -> Iterator[Problem]:
    """The form of $edgeHub's desired properties; what the routes say is asked elsewhere."""
    tree = manifest.tree
    if HUB not in tree.value:
        yield error("hub", tree.root, f"there is no {HUB} section", "add it with schemaVersion, routes and a TTL")
        return
    desired = tree.get(ROOT)
    if not isinstance(desired, dict):
        yield error("hub", tree.place((HUB,)), f"{HUB} has no {DESIRED}", "add it")
        return
    version = desired.get("schemaVersion")
    allowed = ("mqttBroker", "integrity") if version in _WITH_BROKER else ()
    required = ("schemaVersion", "routes", "storeAndForwardConfiguration")
    yield from shape.members(tree, ROOT, desired, "hub", required=(), allowed=(*required, *allowed))
    yield from _accepted(manifest, desired)
    if isinstance(version, str) and re.fullmatch(r"1\.[0-3](\.\d+){0,2}", version) and version not in _LITERAL:
        said = f"az skips its validation in silence for schemaVersion {version!r}"
        yield warning("hub-schema", tree.place((*ROOT, "schemaVersion")), said, 'write "1.1"')
    yield from _store(manifest, desired.get("storeAndForwardConfiguration"), version)
    routes = desired.get("routes")
    for name, route in routes.items() if isinstance(routes, dict) else ():
        yield from _route_form(manifest, name, route, version)


def _accepted(manifest: Manifest, desired: dict[str, Any]) -> Iterator[Problem]:
    """What edgeHub itself refuses, but for the routes' texts, each of which is asked on its own."""
    without_routes = {**desired, "routes": {}} if isinstance(desired.get("routes"), dict) else desired
    try:
        parse_edgehub_desired(without_routes)
    except ConfigRefusedError as refusal:
        member = refusal.reason.split()[0].split(".")[0]
        place = manifest.tree.place((*ROOT, member))
        yield error("hub-config", place, f"edgeHub refuses the document: {refusal.reason}")
        return
    for name, value in desired["routes"].items() if isinstance(desired.get("routes"), dict) else ():
        try:
            parse_edgehub_desired({**desired, "routes": {name: value}})
        except ConfigRefusedError as refusal:
            text = value.get("route") if isinstance(value, dict) else value
            if refusal.error is None or not isinstance(text, str):  # else the rules for routes tell it, with its column
                place = manifest.tree.place((*ROUTES, name))
                yield error("hub-config", place, f"edgeHub refuses the document: {refusal}")


def _store(manifest: Manifest, store: Any, version: Any) -> Iterator[Problem]:
    tree = manifest.tree
    if not isinstance(store, dict):
        return
    ttl = store.get("timeToLiveSecs")
    hint = "write the seconds a message may wait, as 7200"
    if ttl is None:
        said = "timeToLiveSecs is missing: edgeHub takes 0, and every message expires as soon as it is stored"
        yield error("ttl", tree.place(STORE), said, hint)
    elif ttl == 0:
        said = "with timeToLiveSecs 0 every message expires as soon as it is stored"
        yield error("ttl", tree.place((*STORE, "timeToLiveSecs")), said, hint)
    elif isinstance(ttl, int) and ttl < 0:
        said = f"with timeToLiveSecs {ttl} nothing ever expires, and edgeHub does not free its disk"
        yield error("ttl", tree.place((*STORE, "timeToLiveSecs")), said, hint)
    if version in _STRICT_STORE:
        yield from shape.members(tree, STORE, store, "hub", required=(), allowed=("timeToLiveSecs",))


def _route_form(manifest: Manifest, name: str, route: Any, version: Any) -> Iterator[Problem]:
    tree, path = manifest.tree, (*ROUTES, name)
    if _ROUTE_NAME.fullmatch(name) is None:
        hint = "leave out . $ # and blanks; az iot edge set-modules refuses them"
        yield error("route-name", tree.place(path), f"a route cannot be called {name!r}", hint)
    if not isinstance(route, dict):
        return
    allowed = ("priority", "timeToLiveSecs")
    yield from shape.members(tree, path, route, "route-form", required=("route",), allowed=allowed)
    if "priority" in route and version != "1.0":
        yield from shape.whole(tree, (*path, "priority"), route["priority"], "route-form", 0, 9)
    if "timeToLiveSecs" in route:
        yield from shape.whole(tree, (*path, "timeToLiveSecs"), route["timeToLiveSecs"], "route-form", 0, _LONGEST)
        if route["timeToLiveSecs"] == 0:
            said = f"route {name}: timeToLiveSecs 0 stands for the one of storeAndForwardConfiguration"
            yield warning("ttl", tree.place((*path, "timeToLiveSecs")), said, "leave it out, or write the seconds")
