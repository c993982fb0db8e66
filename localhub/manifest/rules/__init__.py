"""What is asked of a manifest, one file for each noun.

Errors are what edgeHub, edgeAgent, az or iotedgedev refuses, and what does not do what it says; warnings are what works
but is rarely meant.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Final

from localhub.manifest.manifest import Manifest
from localhub.manifest.problem import Problem, Severity
from localhub.manifest.rules import (
    agent,
    conditions,
    create_options,
    flow,
    hub,
    modules,
    placeholders,
    routes,
    twins,
)

_CHECKS: Final = (agent, modules, create_options, placeholders, hub, routes, conditions, flow, twins)

# Without these a manifest cannot run; what the others find does not keep it from running on one machine.
_NEEDED: Final = frozenset(
    {"content", "section", "agent", "module-entry", "module-value", "module-name", "image", "env", "create-options"}
    | {"module-placeholder", "hub", "hub-config", "route-syntax", "route-compile", "route-module", "twin"}
)
# Worth a line when the manifest is run: what vanishes or goes in circles at run time.
_WORTH_SAYING: Final = frozenset(
    {"twice", "ttl", "route-rest", "route-star", "route-source", "route-glued", "route-loop", "route-address"}
    | {"route-body-missing", "route-text-order", "route-no-output", "route-content-type"}
)


def findings(manifest: Manifest) -> Iterator[Problem]:
    """Everything that any rule finds."""
    yield from manifest.problems
    for rule in _CHECKS:
        yield from rule.check(manifest)


def running(manifest: Manifest) -> Iterator[Problem]:
    """What keeps a manifest from running here, as errors, and what is worth saying when it runs, as warnings."""
    for problem in findings(manifest):
        if problem.rule in _NEEDED:
            yield problem
        elif problem.rule in _WORTH_SAYING:
            yield replace(problem, severity=Severity.WARNING)
