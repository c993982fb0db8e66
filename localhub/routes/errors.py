"""What can be wrong with a route, told in words.

edgeHub finds mistakes at two moments. A text that its grammar refuses (`RouteSyntaxError`), or whose source or sink
makes no sense (`RouteRefusedError`), refuses the whole desired document: status 400, the previous routes stay. A wrong
type or an unknown function (`RouteCompileError`) is found only when the router compiles, after status 200 was
reported: the previous routes stay then too, and only a log line tells.
"""

from __future__ import annotations


def line_and_column(text: str, offset: int) -> tuple[int, int]:
    """Line and column, both from 1, of a character offset in `text`."""
    line = text.count("\n", 0, offset) + 1
    return line, offset - (text.rfind("\n", 0, offset) + 1) + 1


class RouteError(ValueError):
    """A mistake in a route or a condition.

    `text` is the whole text, `offset` the place in it (characters from 0), `line` and `column` the same from 1,
    `problem` what is wrong and `hint` what to do about it (may be empty).
    """

    def __init__(self, problem: str, *, text: str, offset: int, hint: str = "") -> None:
        self.problem = problem
        self.text = text
        self.offset = offset
        self.hint = hint
        self.line, self.column = line_and_column(text, offset)
        super().__init__(problem)

    def __str__(self) -> str:
        hint = f"; {self.hint}" if self.hint else ""
        return f"line {self.line}, column {self.column}: {self.problem}{hint}"


class RouteSyntaxError(RouteError):
    """The text is not a route; edgeHub refuses the whole desired document (status 400). Correct the text."""


class RouteRefusedError(RouteError):
    """The text is a route, but its sink or source is none that edgeHub knows; refused like a syntax error."""


class RouteCompileError(RouteError):
    """The route is well formed but its condition does not compile; edgeHub reports 200 and keeps the old routes."""


class ConfigRefusedError(ValueError):
    """$edgeHub's desired properties are refused as a whole (status 400, previous configuration kept).

    `reason` says why; `route` names the route at fault, `error` is its mistake, both None where no route is at fault.
    """

    def __init__(self, reason: str, *, route: str | None = None, error: RouteError | None = None) -> None:
        self.reason = reason
        self.route = route
        self.error = error
        super().__init__(f"route {route!r}: {reason}" if route is not None else reason)


class ConfigCompileError(ValueError):
    """A route of an accepted configuration does not compile: status 200 stands, the previous routes stay in force."""

    def __init__(self, route: str, error: RouteCompileError) -> None:
        self.route = route
        self.error = error
        super().__init__(f"route {route!r}: {error}")
