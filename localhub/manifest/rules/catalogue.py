"""Every rule of the linter: what it says and why. docs/guides/lint.md shows this table; a test holds them together."""
# ruff: noqa: E501  a table is read in whole lines

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, NamedTuple


class Rule(NamedTuple):
    """One rule, for the person who meets its name at the end of a line."""

    says: str
    why: str


_AZ: Final = "az iot edge set-modules refuses it"
_HUB: Final = "edgeHub refuses the whole document (status 400) and keeps the old one"

RULES: Final[Mapping[str, Rule]] = {
    # The file.
    "json": Rule("the file is no JSON, or no UTF-8", "nothing reads it"),
    "twice": Rule("a name stands twice in one object", "readers take the last one in silence"),
    "content": Rule("modulesContent is missing, misplaced, or has its old name", _AZ),
    "section": Rule("a section is no module's, or has other keys than properties.desired", "IoT Hub refuses it, or a twin is written that nobody reads"),
    "layer": Rule("a layered deployment without its base", "whether it fits can only be asked together: `--layer`"),
    "unknown-member": Rule("a member that the schemas do not have, such as storeLimits", _AZ),
    # Placeholders and module folders.
    "placeholder": Rule("a `${NAME}` that nothing fills in", "iotedgedev leaves it as it is, and Docker or the module meets it"),
    "module-placeholder": Rule("`${MODULES.name}` or `${MODULEDIR<path>}` without module.json or platform", "iotedgedev passes over folders without module.json in silence"),
    "module-json": Rule("a Dockerfile that module.json names is missing", "the build fails"),
    # $edgeAgent.
    "agent": Rule("$edgeAgent, or a part that it must have, is missing", _AZ),
    "agent-schema": Rule("schemaVersion is not literally 1.0 or 1.1", "edgeAgent refuses other than 1.0 and 1.1; for `1.1.0` az skips its validation in silence"),
    "runtime": Rule("runtime or its settings are not as edgeAgent reads them", _AZ),
    "registry": Rule("a registry's name, address or credentials cannot be used", _AZ),
    "password": Rule("a password stands in the manifest", "it belongs into .env, outside the repository"),
    "system-modules": Rule("edgeAgent or edgeHub is missing from systemModules, or something else stands there", _AZ),
    "module-entry": Rule("a module's entry is no object", _AZ),
    "module": Rule("a module lacks type, status, restartPolicy or settings", _AZ),
    "module-value": Rule("a value is none of those allowed (status, restartPolicy, imagePullPolicy, startupOrder, type)", _AZ),
    "module-name": Rule("a name with other characters than letters, digits, - and _, or a system module's", _AZ),
    "env": Rule("a variable's name holds + # $ . or a blank, or it has no value", _AZ),
    "image": Rule("a module has no image", "edgeAgent cannot start it"),
    "image-name": Rule("the image is no image reference", "Docker refuses it on the gateway"),
    # createOptions.
    "create-options": Rule("the pieces do not join, or what they make is no JSON object", "edgeAgent cannot read them"),
    "create-options-text": Rule("an object where a manifest needs text", _AZ),
    "create-options-length": Rule("a piece over 512 characters, or more than eight", "a twin's string holds no more; iotedgedev refuses more than 4 KB"),
    "create-options-member": Rule("a member that Docker does not know", "Docker passes over it in silence"),
    # $edgeHub.
    "hub": Rule("$edgeHub is missing", _AZ),
    "hub-config": Rule("schemaVersion, routes or storeAndForwardConfiguration are not as edgeHub reads them", _HUB),
    "hub-schema": Rule("schemaVersion is not literally 1.0, 1.1 or 1.2", "az skips its validation in silence"),
    "ttl": Rule("a time to live that is missing, 0 or negative", "missing or 0: every message expires at once; -1: edgeHub never frees its disk; 0 on a route stands for the common one"),
    "route-name": Rule("a route's name holds . $ # or a blank", _AZ),
    "route-form": Rule("a route's object lacks its text, or priority or timeToLiveSecs is out of bounds", _AZ),
    # What a route says.
    "route-syntax": Rule("the text is no route", _HUB),
    "route-compile": Rule("the types do not go together, or there is no such function", "edgeHub reports status 200 and keeps the old routes; at its first start it stops"),
    "route-rest": Rule("text after the sink, a second sink or a WHERE", "edgeHub ignores it in silence"),
    "route-star": Rule("a star that is not the whole last part of the source", "it matches nothing"),
    "route-source": Rule("a source that nothing is ever sent from", "it matches nothing"),
    "route-module": Rule("a source or sink names a module that the manifest does not have", "messages wait for a module that never comes"),
    "route-address": Rule("an address that edgeHub reads otherwise than it looks", "only the second and fourth part count"),
    "route-loop": Rule("a module is given what it sends itself", "messages go in circles; an error without a condition, a warning with one"),
    "route-no-output": Rule("`outputs/*` where the module sends without an output", "those messages are dropped"),
    # What a condition says.
    "route-glued": Rule("an operator without spaces round it", "it becomes part of a name that no message has"),
    "route-text-order": Rule("a property compared in order with a number in quotes", "texts are compared letter by letter"),
    "route-body-missing": Rule("a body path compared without a test for its type", "a missing path counts as more than any number or text"),
    "route-body-test": Rule("is_null or is_defined of a body path", "they answer otherwise than for properties"),
    "route-content-type": Rule("a condition on the body of a module that sets no content type", "it is never true"),
    "route-never": Rule("a condition that is never true: a property or a number alone, null, false", "the route takes nothing"),
    "route-word": Rule("TRUE, FALSE, NULL or UNDEFINED in capitals", "it is read as a property"),
    "route-system-name": Rule("a topic's short name, such as $cid, in a condition", "conditions know long names only"),
    # Twins.
    "twin": Rule("desired properties over 32 KB, deeper than 10, or with names a twin does not take", "IoT Hub refuses them"),
}  # fmt: skip


def table() -> str:
    """All rules as a table in Markdown."""
    rows = (f"| `{name}` | {rule.says} | {rule.why} |" for name, rule in RULES.items())
    return "\n".join(["| rule | it says | because |", "|---|---|---|", *rows]) + "\n"
