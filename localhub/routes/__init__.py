"""The route language of edgeHub: parse, compile, evaluate, explain. Pure; nothing here does I/O.

    message = RoutingMessage(properties={"kind": "alert"}, source=Sender(module="vibration", output="alerts"))
    evaluate('kind = "alert"', message)                            # True, False or None (undefined)
    takes('FROM /messages/* WHERE kind = "alert" INTO $upstream', message)
    Condition.compile('kind = "alert"').explain(message).lines()   # which term decided

    config = parse_edgehub_desired(desired)                        # ConfigRefusedError: edgeHub answers status 400
    table = RouteTable.compile(config, device="gw1")               # ConfigCompileError: 200, yet the old routes stay
    table.match(message)                                           # [Target(endpoint, module, input, priority, ...)]

Sources: edgeHub's own grammar, compiler and evaluator (Azure/iotedge, Microsoft.Azure.Devices.Routing.Core).
"""

from localhub.routes.ask import evaluate, takes
from localhub.routes.condition import Condition, Term
from localhub.routes.config import DEFAULT_PRIORITY, HubConfig, RouteSpec, parse_edgehub_desired
from localhub.routes.errors import (
    ConfigCompileError,
    ConfigRefusedError,
    RouteCompileError,
    RouteError,
    RouteRefusedError,
    RouteSyntaxError,
)
from localhub.routes.message import RoutingMessage, Sender
from localhub.routes.route import Route, Sink, parse_route
from localhub.routes.table import UPSTREAM, RouteTable, Target, Verdict

__all__ = [
    "DEFAULT_PRIORITY",
    "UPSTREAM",
    "Condition",
    "ConfigCompileError",
    "ConfigRefusedError",
    "HubConfig",
    "Route",
    "RouteCompileError",
    "RouteError",
    "RouteRefusedError",
    "RouteSpec",
    "RouteSyntaxError",
    "RouteTable",
    "RoutingMessage",
    "Sender",
    "Sink",
    "Target",
    "Term",
    "Verdict",
    "evaluate",
    "parse_edgehub_desired",
    "parse_route",
    "takes",
]
