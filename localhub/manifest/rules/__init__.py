"""What is asked of a manifest, one file for each noun.

Errors are what edgeHub, edgeAgent, az or iotedgedev refuses, and what does not do what it says; warnings are what works
but is rarely meant.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Final

from localhub.manifest.manifest import Manifest
from localhub.manifest.problem import Problem, Severity, error, warning
from localhub.manifest.rules import (
    agent,
    conditions,
    create_options,
    flow,
    hub,
    modules,
    never,
    placeholders,
    routes,
    twins,
)

_CHECKS: Final = (agent, modules, create_options, placeholders, hub, routes, conditions, never, flow, twins)

# Without these a manifest cannot run; what the others find does not keep it from running on one machine.
_NEEDED: Final = frozenset(
    {
        "content",
        "section",
        "agent",
        "system-modules",
        "module-entry",
        "module-value",
        "module-name",
        "image",
        "env",
        "create-options",
    }
    | {"module-placeholder", "hub", "hub-config", "route-syntax", "route-compile", "route-module", "twin"}
)
# What edgeAgent looks at when its desired properties change.
_OF_THE_AGENT: Final = frozenset(
    {
        "agent",
        "agent-schema",
        "runtime",
        "system-modules",
        "module-entry",
        "module-value",
        "module-name",
        "image",
        "env",
    }
    | {"env", "create-options"}
)
# Worth a line when the manifest is run: what vanishes or goes in circles at run time.
_WORTH_SAYING: Final = frozenset(
    {"twice", "ttl", "route-rest", "route-star", "route-source", "route-glued", "route-loop", "route-address"}
    | {"route-body-missing", "route-text-order", "route-no-output", "route-content-type"}
    | {"route-never", "route-word", "route-system-name", "route-body-test"}
)


# What a layered deployment may leave to the deployment under it.
_OF_THE_BASE: Final = frozenset({"agent", "hub", "hub-config", "system-modules", "ttl", "route-module"})


def findings(manifest: Manifest) -> Iterator[Problem]:
    """Everything that any rule finds; of a layer given without its base only what it says itself."""
    yield from manifest.problems
    if manifest.layer_alone:
        hint = "lint BASE --layer THIS asks whether the two fit"
        yield warning("layer", manifest.tree.root, "this is a layered deployment without its base", hint)
    for rule in _CHECKS:
        for problem in rule.check(manifest):
            if not (manifest.layer_alone and problem.rule in _OF_THE_BASE):
                yield problem


def of_the_agent(manifest: Manifest) -> Iterator[Problem]:
    """What edgeAgent has to say of its own section, whatever the rest of the manifest is."""
    for rule in (agent, modules, create_options):
        yield from (problem for problem in rule.check(manifest) if problem.rule in _OF_THE_AGENT)


def running(manifest: Manifest) -> Iterator[Problem]:
    """What keeps a manifest from running here, as errors, and what is worth saying when it runs, as warnings."""
    if manifest.layer_alone:
        hint = "run BASE --layer THIS"
        yield error("layer", manifest.tree.root, "a layered deployment cannot run without its base", hint)
    for problem in findings(manifest):
        if problem.rule in _NEEDED:
            yield problem
        elif problem.rule in _WORTH_SAYING:
            yield replace(problem, severity=Severity.WARNING)
