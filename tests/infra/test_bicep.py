"""infra/main.bicep, as far as it can be held to something without Azure.

No Bicep compiler is on a package index that this project uses. Its grammar is checked by pycep-parser, the routes by
localhub's own route language, which is IoT Hub's; types and versions against a list.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from pycep import BicepParser

from fleet.commands.alerts import ON_AZURE
from localhub.routes import RoutingMessage, Sender, evaluate

FILE = Path(__file__).parents[2] / "infra" / "main.bicep"
TEXT = FILE.read_text(encoding="utf-8")
CODE = re.sub(r"//.*", "", TEXT)

# As learn.microsoft.com/azure/templates has them; none is a preview.
TYPES = {
    "Microsoft.ManagedIdentity/userAssignedIdentities@2023-01-31",
    "Microsoft.Storage/storageAccounts@2023-05-01",
    "Microsoft.Storage/storageAccounts/blobServices@2023-05-01",
    "Microsoft.Storage/storageAccounts/blobServices/containers@2023-05-01",
    "Microsoft.Storage/storageAccounts/managementPolicies@2023-05-01",
    "Microsoft.EventHub/namespaces@2024-01-01",
    "Microsoft.EventHub/namespaces/eventhubs@2024-01-01",
    "Microsoft.Authorization/roleAssignments@2022-04-01",
    "Microsoft.Devices/IotHubs@2023-06-30",
    "Microsoft.Devices/provisioningServices@2022-12-12",
}


def routes() -> dict[str, tuple[str, list[str]]]:
    """name -> condition, endpoints."""
    block = CODE[CODE.index("routes: [") : CODE.index("fallbackRoute")]
    form = r"name: '(?P<name>[^']+)'.*?condition: '(?P<condition>(?:\\'|[^'])*)'.*?endpointNames: \[(?P<ends>[^\]]*)\]"
    return {
        found["name"]: (found["condition"].replace("\\'", "'"), re.findall(r"'([^']+)'", found["ends"]))
        for found in re.finditer(form, block, re.DOTALL)
    }


def taken(body: Any = None, **properties: str) -> set[str]:
    """The routes that take a message, as the cache sends it up."""
    system = {"contentType": "application/json", "contentEncoding": "utf-8"}
    message = RoutingMessage(
        properties=properties, system=system, body=json.dumps(body or {}).encode(), source=Sender("gw1", "cache", "up")
    )
    return {name for name, (condition, _) in routes().items() if evaluate(condition, message)}


def test_every_resource_is_of_a_known_type_and_version() -> None:
    assert set(re.findall(r"^resource \w+ '([^']+)'", CODE, re.MULTILINE)) == TYPES


def test_brackets_close_and_no_secret_stands_in_it() -> None:
    plain = re.sub(r"'(?:\\'|[^'\n])*'", "''", CODE)
    for opening, closing in ("{}", "[]", "()"):
        assert plain.count(opening) == plain.count(closing)
    assert not re.search(r"(?i)(accountkey|sharedaccesskey|password)\s*[:=]\s*'?[A-Za-z0-9+/]{16,}", CODE)


def test_its_grammar_is_bicep() -> None:
    parsed = BicepParser().parse(text=TEXT)
    assert {f"{one['type']}@{one['api_version']}" for one in parsed["resources"].values()} == TYPES
    assert set(parsed["parameters"]) == {"name", "location", "tier", "units", "keepDays"}


def test_what_is_named_is_there() -> None:
    endpoints = CODE[CODE.index("endpoints: {") : CODE.index("routes: [")]
    known = set(re.findall(r"name: '([^']+)'", endpoints)) | {"events"}
    wanted = {end for _, ends in routes().values() for end in ends}
    assert wanted <= known
    defined = set(re.findall(r"^(?:resource|param|var) (\w+)", CODE, re.MULTILINE))
    used = set(re.findall(r"(?<![\w.'])([a-z]\w+)\.(?:id|name|properties|listKeys)\b", CODE))
    assert used <= defined
    assert "container `alerts`" in ON_AZURE  # what `fleet alerts` says on Azure
    assert "var alertsContainer = 'alerts'" in CODE


@pytest.mark.parametrize(
    ("properties", "body", "wanted"),
    [
        ({"kind": "alert", "severity": "critical"}, {"state": "raised"}, {"alerts-live", "alerts-kept"}),
        ({"kind": "alert", "severity": "warning"}, {"state": "raised"}, {"alerts-live", "alerts-kept"}),
        ({"kind": "alert", "severity": "critical"}, {"state": "updated"}, {"alerts-kept"}),
        ({"kind": "alert", "severity": "info"}, {"state": "raised"}, {"alerts-kept"}),
        ({"kind": "sample"}, None, {"samples"}),
        ({"kind": "batch", "kinds": "sample,score"}, None, {"samples"}),
        ({"kind": "batch", "kinds": "score,window"}, None, {"aggregates"}),
        ({"kind": "window"}, None, {"aggregates"}),
        ({"kind": "anomaly"}, None, {"aggregates"}),
        ({"kind": "score"}, None, {"aggregates"}),
        ({"kind": "verdict"}, None, {"aggregates"}),
        ({"kind": "health"}, None, set()),
        ({}, None, set()),
    ],
)
def test_messages_go_where_they_belong(properties: dict[str, str], body: Any, wanted: set[str]) -> None:
    assert taken(body, **properties) == wanted


def test_of_every_kind_that_goes_up_something_is_kept() -> None:
    formats = (FILE.parents[1] / "docs" / "formats" / "messages.md").read_text(encoding="utf-8")
    kinds = set(re.findall(r"^\| `(\w+)` \| ", formats[formats.index("## Kinds") :], re.MULTILINE))
    assert {"alert", "window", "anomaly", "score", "sample", "verdict", "batch"} <= kinds
    for kind in ("alert", "window", "anomaly", "score", "sample", "verdict"):
        assert taken(kind=kind), kind
