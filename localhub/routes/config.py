"""$edgeHub's desired properties (Hub.Core/config/{EdgeHubConfigParser,RouteSpec,RouteSpecConverter}.cs)."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from localhub.routes.errors import ConfigRefusedError, RouteError
from localhub.routes.route import Route, parse_route

DEFAULT_PRIORITY: Final = 2_000_000_000
HIGHEST_CUSTOM_PRIORITY: Final = 9
NEWEST_MINOR: Final = 3

_VERSION: Final = re.compile(r"\s*\+?(\d+)\s*\.\s*\+?(\d+)\s*(?:\.\s*\+?\d+\s*){0,2}", re.ASCII)
_UINT_MAX: Final = 2**32 - 1
_INT_MAX: Final = 2**31 - 1


@dataclass(frozen=True, slots=True)
class RouteSpec:
    """A named route with its priority (0 first, 2000000000 last and the default) and its own TTL.

    `ttl_s` in seconds; 0 means that the configuration's TTL holds.
    """

    name: str
    route: Route
    priority: int = DEFAULT_PRIORITY
    ttl_s: int = 0


@dataclass(frozen=True, slots=True)
class HubConfig:
    """What edgeHub takes from its twin.

    `ttl_s` in seconds holds for routes without one of their own: below 0 never expires, 0 expires at once (also where
    storeAndForwardConfiguration lacks timeToLiveSecs). `max_store_bytes` is storeLimits.maxSizeBytes.
    """

    schema_version: str
    routes: tuple[RouteSpec, ...]
    ttl_s: int
    max_store_bytes: int | None = None


def parse_edgehub_desired(desired: Mapping[str, Any]) -> HubConfig:
    """Reads desired properties as edgeHub does; raises ConfigRefusedError for what it answers with status 400."""
    version, minor = _schema_version(desired)
    routes = _member(desired, "routes")
    store = _member(desired, "storeAndForwardConfiguration")
    if not isinstance(store, Mapping):
        raise ConfigRefusedError('storeAndForwardConfiguration is missing; write {"timeToLiveSecs": 7200}')
    if minor and routes is None:
        raise ConfigRefusedError("routes is missing; write {} for no routes")
    if routes is not None and not isinstance(routes, Mapping):
        raise ConfigRefusedError("routes must be an object of name to route")
    specs = tuple(spec for name, value in (routes or {}).items() if (spec := _route(name, value, minor)) is not None)
    ttl = _member(store, "timeToLiveSecs")
    limits = _member(store, "storeLimits")
    return HubConfig(
        schema_version=version,
        routes=specs,
        ttl_s=0 if ttl is None else _whole("storeAndForwardConfiguration.timeToLiveSecs", ttl, -_INT_MAX - 1, _INT_MAX),
        max_store_bytes=_max_bytes(limits),
    )


def _member(document: Mapping[str, Any], name: str) -> Any:
    """A member by its name, in any case where the exact one is not there (Json.NET)."""
    if name in document:
        return document[name]
    return next((value for key, value in document.items() if key.lower() == name.lower()), None)


def _schema_version(desired: Mapping[str, Any]) -> tuple[str, int]:
    if "schemaVersion" not in desired:
        raise ConfigRefusedError('schemaVersion is missing; write "1.1"')
    value = desired["schemaVersion"]
    text = f"{value:g}" if isinstance(value, float) else str(value)
    match = _VERSION.fullmatch(text)
    if match is None:
        raise ConfigRefusedError(f'schemaVersion {text!r} is no version; write "1.1"')
    major, minor = int(match[1]), int(match[2])
    if major != 1 or minor > NEWEST_MINOR:
        raise ConfigRefusedError(f'schemaVersion {text!r} is not supported; write "1.1"')
    return text, minor


def _route(name: str, value: Any, minor: int) -> RouteSpec | None:
    """One entry of routes; None for a blank one, which schema 1.0 skips."""
    if not minor:
        if value is None or (isinstance(value, str) and not value.strip()):
            return None
        if isinstance(value, (Mapping, list)):
            raise ConfigRefusedError("routes as objects need schemaVersion 1.1 or later", route=name)
        return RouteSpec(name, _parsed(name, value if isinstance(value, str) else str(value)))
    if not name.strip():
        raise ConfigRefusedError("a route needs a name", route=name)
    if isinstance(value, str):
        return RouteSpec(name, _parsed(name, value))
    if not isinstance(value, Mapping):
        raise ConfigRefusedError("must be a text or an object with route, priority, timeToLiveSecs", route=name)
    text = _member(value, "route")
    priority: Any = DEFAULT_PRIORITY
    ttl: Any = 0
    for key, given in value.items():
        if key.lower() == "priority":
            priority = given
        elif key.lower() == "timetolivesecs":
            ttl = given
    priority = _whole("priority", priority, 0, _UINT_MAX, route=name)
    if priority > HIGHEST_CUSTOM_PRIORITY and priority != DEFAULT_PRIORITY:
        raise ConfigRefusedError(f"priority {priority} is not within 0 to 9", route=name)
    ttl = _whole("timeToLiveSecs", ttl, 0, _UINT_MAX, route=name)
    return RouteSpec(name, _parsed(name, "" if text is None else str(text)), priority, ttl)


def _parsed(name: str, text: str) -> Route:
    if not text.strip():
        raise ConfigRefusedError("the route is empty; write FROM source INTO sink", route=name)
    try:
        return parse_route(text)
    except RouteError as error:
        raise ConfigRefusedError(str(error), route=name, error=error) from error


def _whole(what: str, value: Any, low: int, high: int, *, route: str | None = None) -> int:
    """A whole number as Json.NET takes it: fractions are rounded, digits in quotes read."""
    number: int | None = None
    if isinstance(value, str):
        number = int(value) if re.fullmatch(r"\s*[+-]?[0-9]+\s*", value) else None
    elif isinstance(value, float):
        number = round(value) if math.isfinite(value) else None
    elif isinstance(value, int) and not isinstance(value, bool):
        number = value
    if number is None or not low <= number <= high:
        raise ConfigRefusedError(f"{what} {value!r} is not a whole number from {low} to {high}", route=route)
    return number


def _max_bytes(limits: Any) -> int | None:
    if not isinstance(limits, Mapping):
        return None
    size = _member(limits, "maxSizeBytes")
    return None if size is None else _whole("storeLimits.maxSizeBytes", size, -(2**63), 2**63 - 1)
