"""One question about one message: does a condition hold, does a route take it."""

from __future__ import annotations

from localhub.routes.condition import Condition
from localhub.routes.message import RoutingMessage
from localhub.routes.route import parse_route


def evaluate(condition: str, message: RoutingMessage) -> bool | None:
    """True, False or None (undefined): what edgeHub makes of a condition; only True lets a message pass.

    Raises RouteSyntaxError for what cannot stand behind WHERE, RouteCompileError for wrong types and functions.
    """
    outcome: bool | None = Condition.compile(condition).evaluate(message)
    return outcome


def takes(route: str, message: RoutingMessage) -> bool:
    """Whether a route takes a message: it comes from the route's source, and the condition holds.

    Raises RouteSyntaxError and RouteRefusedError (edgeHub refuses the document), RouteCompileError (it keeps the old
    routes).
    """
    parsed = parse_route(route)
    return parsed.matches_source(message.path) and parsed.compile().evaluate(message) is True
