"""Where messages go in a circle, and where a module's own code does not fit its routes."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Final

from localhub.manifest.manifest import Manifest
from localhub.manifest.problem import Problem, error, warning
from localhub.manifest.rules.conditions import mentions, uses_body
from localhub.manifest.rules.routes import NamedRoute, parsed
from localhub.routes import RoutingMessage, Sender

_SENDERS: Final = frozenset({"connectionmoduleid", "connectiondeviceid", "outputname"})
# A message sent without an output: send_message(...), not send_message_to_output(...).
_WITHOUT_OUTPUT: Final = re.compile(r"\.send_message\s*\(|\.sendEvent\s*\(|\.SendEventAsync\s*\(\s*\w+\s*\)")
_CONTENT_TYPE: Final = re.compile(r"content_?type", re.IGNORECASE)
_SOURCES: Final = frozenset({".py", ".js", ".ts", ".cs", ".java", ".c", ".cpp"})
_FOREIGN: Final = frozenset({"node_modules", ".venv", "venv", "site-packages"})  # not the module's own code
_LARGEST: Final = 1_000_000  # bytes; nobody writes larger source files


def check(manifest: Manifest) -> Iterator[Problem]:
    """Loops, `outputs/*`, and body conditions on messages without a content type."""
    routes = list(parsed(manifest))
    for named in routes:
        yield from _loop(named)
        yield from _star_output(named, routes)
        yield from _content_type(named)


def _loop(named: NamedRoute) -> Iterator[Problem]:
    """A source that takes in what its own sink sends."""
    module = named.route.sink.module
    if module is None:
        return
    own = RoutingMessage(source=Sender(module=module, output="*"))
    if not named.route.matches_source(own.path) or named.source_module is not None:
        return
    tree = named.route.parsed.tree
    if mentions(tree, _SENDERS):
        return
    said = (
        f"route {named.name}: {named.route.source} takes in what {module} itself sends, and gives it back to {module}"
    )
    hint = "add NOT is_defined($connectionModuleId) for leaf devices alone, or name the module in the source"
    place = named.place(named.route.parsed.source_at)
    if named.route.condition == "true":
        yield error("route-loop", place, said, hint)
    else:
        yield warning("route-loop", place, f"{said} where the condition holds", hint)


def _star_output(named: NamedRoute, routes: list[NamedRoute]) -> Iterator[Problem]:
    """`outputs/*` misses what a module sends without an output."""
    segments = [segment.lower() for segment in named.segments]
    module = named.source_module
    if module is None or segments[3:] not in (["outputs", "*"], ["outputs"]):
        return
    plain = RoutingMessage(source=Sender(module=module))
    if any(other.route.matches_source(plain.path) for other in routes):
        return
    folder = named.manifest.folder_of(module)
    found = None if folder is None else _first(folder, _WITHOUT_OUTPUT)
    if found is not None:
        said = f"route {named.name}: {named.route.source} misses messages sent without an output ({found})"
        hint = f"send to an output, or write /messages/modules/{module}/*"
        yield warning("route-no-output", named.place(named.route.parsed.source_at), said, hint)


def _content_type(named: NamedRoute) -> Iterator[Problem]:
    """$body conditions need a content type, which the SDK does not set by itself."""
    if not uses_body(named.route.parsed.tree):
        return
    folders = {module: named.manifest.folder_of(module) for module in _senders(named)}
    known = {module: folder for module, folder in folders.items() if folder is not None and _files(folder)}
    if not known or any(_first(folder, _CONTENT_TYPE) is not None for folder in known.values()):
        return
    said = f"route {named.name}: the condition looks into the body, but no content type is set in {' or '.join(known)}"
    hint = 'set content_type "application/json" and content_encoding "utf-8" on the message, or it never holds'
    yield warning("route-content-type", named.place(named.route.parsed.condition_at), said, hint)


def _senders(named: NamedRoute) -> list[str]:
    """The modules whose messages the route may see."""
    if named.source_module is not None:
        return [named.source_module]
    return [
        module
        for module in named.manifest.modules()
        if named.route.matches_source(RoutingMessage(source=Sender(module=module, output="*")).path)
    ]


@cache
def _files(folder: Path) -> tuple[Path, ...]:
    return tuple(
        sorted(
            path
            for path in folder.rglob("*")
            if path.suffix in _SOURCES
            and not _FOREIGN.intersection(path.relative_to(folder).parts)
            and path.is_file()
            and path.stat().st_size < _LARGEST
        )
    )


def _first(folder: Path, pattern: re.Pattern[str]) -> str | None:
    """The first line in a module's sources that has the pattern, as file:line."""
    for path in _files(folder):
        text = path.read_text("utf-8", "replace")
        if (match := pattern.search(text)) is not None:
            line = text.count("\n", 0, match.start()) + 1
            return f"{path}:{line}"
    return None
