"""azure-iot-hub, unmodified, against the service API of a running localhub."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest
from azure.iot.hub import IoTHubConfigurationManager, IoTHubRegistryManager
from azure.iot.hub.models import (
    CloudToDeviceMethod,
    Configuration,
    ConfigurationContent,
    ConfigurationMetrics,
    QuerySpecification,
    Twin,
    TwinProperties,
)
from msrest.exceptions import HttpOperationError

from localhub.testing import Hub

pytestmark = pytest.mark.system


def status_of(error: pytest.ExceptionInfo[HttpOperationError]) -> int:
    return int(error.value.response.status_code)


def content(manifest: Path) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(manifest.read_text())["modulesContent"]
    return document


def test_twins_are_read_patched_and_replaced(hub: Hub, registry: IoTHubRegistryManager) -> None:
    twin = registry.get_module_twin("gw1", "echo")
    assert twin.properties.desired["rate"] == 1
    assert twin.properties.reported["up"] is True
    patched = registry.update_module_twin("gw1", "echo", Twin(properties=TwinProperties(desired={"rate": 4})))
    assert hub.desired("echo")["rate"] == 4
    with pytest.raises(HttpOperationError) as stale:
        registry.update_module_twin("gw1", "echo", Twin(properties=TwinProperties(desired={"rate": 5})), twin.etag)
    assert status_of(stale) == 412
    replaced = Twin(properties=TwinProperties(desired={"only": 1}))
    registry.replace_module_twin("gw1", "echo", replaced, patched.etag)
    hub.until(lambda: "rate" not in hub.desired("echo"), 60, "the new twin")
    assert hub.desired("echo")["only"] == 1
    with pytest.raises(HttpOperationError) as bad:
        registry.update_module_twin("gw1", "echo", Twin(properties=TwinProperties(desired={"a b": 1})))
    assert status_of(bad) == 400
    with pytest.raises(HttpOperationError) as unknown:
        registry.get_module_twin("gw1", "ghost")
    assert status_of(unknown) == 404
    tagged = registry.update_twin("gw1", Twin(tags={"site": {"name": "Ulm"}}))
    assert registry.update_twin("gw1", Twin(tags={"site": {"line": 3}}), tagged.etag).tags == {
        "site": {"name": "Ulm", "line": 3}
    }


def test_methods(registry: IoTHubRegistryManager) -> None:
    answer = registry.invoke_device_module_method(
        "gw1", "echo", CloudToDeviceMethod(method_name="any", payload={"x": 1})
    )
    assert (answer.status, answer.payload) == (202, {"x": 1})
    for name, module in (("any", "$edgeAgent"), ("silent", "echo")):
        with pytest.raises(HttpOperationError) as error:
            registry.invoke_device_module_method(
                "gw1", module, CloudToDeviceMethod(method_name=name, response_timeout_in_seconds=5)
            )
        assert status_of(error) == 404


def test_identities_come_and_go_and_may_connect(hub: Hub, registry: IoTHubRegistryManager) -> None:
    device = registry.create_device_with_sas("leaf9", "", "", "enabled")
    key = device.authentication.symmetric_key.primary_key
    assert json.loads(hub.state.identities.read_text())["devices"]["leaf9"]["key"] == key
    assert registry.get_device("leaf9").etag == device.etag
    edge = registry.create_device_with_sas("gw2", "", "", "enabled", iot_edge=True)
    assert edge.capabilities.iot_edge
    module = registry.create_module_with_sas("gw2", "camera", "IotEdge", "", "")
    assert [one.module_id for one in registry.get_modules("gw2")] == ["$edgeAgent", "$edgeHub", "camera"]
    assert module.authentication.symmetric_key.primary_key
    assert {one.device_id for one in registry.get_devices(10)} >= {"gw1", "gw2", "leaf9"}
    assert registry.get_device_registry_statistics().total_device_count == 3
    registry.delete_module("gw2", "camera")
    for name in ("leaf9", "gw2"):
        registry.delete_device(name)
        with pytest.raises(HttpOperationError) as gone:
            registry.get_device(name)
        assert status_of(gone) == 404
    assert "leaf9" not in json.loads(hub.state.identities.read_text())["devices"]
    with pytest.raises(HttpOperationError) as here:
        registry.delete_device("gw1")
    assert status_of(here) == 400


def test_queries_go_page_by_page(registry: IoTHubRegistryManager) -> None:
    names = [f"paper{number:02}" for number in range(25)]
    for name in names:
        registry.create_device_with_sas(name, "", "", "enabled", iot_edge=True)
    try:
        query = QuerySpecification(query="SELECT * FROM devices WHERE STARTSWITH(deviceId, 'paper')")
        found, token, pages = [], None, 0
        while pages == 0 or token:
            page = registry.query_iot_hub(query, token, 10)
            found += [twin.device_id for twin in page.items]
            token, pages = page.continuation_token, pages + 1
        assert (found, pages) == (names, 3)
        with pytest.raises(HttpOperationError) as wrong:
            registry.query_iot_hub(QuerySpecification(query="SELECT * FROM devices GROUP BY x"))
        assert status_of(wrong) == 400
        assert "column 23" in wrong.value.response.text
    finally:
        for name in names:
            registry.delete_device(name)


def test_set_modules_reconfigures_the_gateway(
    hub: Hub, deployments: IoTHubConfigurationManager, manifest: Path
) -> None:
    changed = content(manifest)
    agent = changed["$edgeAgent"]["properties.desired"]
    agent["modules"]["second"] = copy.deepcopy(agent["modules"]["echo"])
    deployments.apply_configuration_on_edge_device("gw1", ConfigurationContent(modules_content=changed))
    hub.wait_reported("second", {"up": True}, within_s=60)
    wrongs: list[dict[str, Any]] = [{"echo": {"properties.desired": {}}}, {"$edgeAgent": {"desired": {}}}]
    for wrong in wrongs:
        with pytest.raises(HttpOperationError) as refused:
            deployments.apply_configuration_on_edge_device("gw1", ConfigurationContent(modules_content=wrong))
        assert status_of(refused) == 400
    agent["modules"]["second"]["restartPolicy"] = "sometimes"
    deployments.apply_configuration_on_edge_device("gw1", ConfigurationContent(modules_content=changed))
    said = hub.wait_reported("$edgeAgent", {"lastDesiredStatus": {"code": 400}})["lastDesiredStatus"]
    assert "sometimes" in said["description"]
    assert hub.module("second")["state"] == "running"


def test_deployments_reach_their_targets_by_priority(
    hub: Hub, deployments: IoTHubConfigurationManager, registry: IoTHubRegistryManager, manifest: Path
) -> None:
    registry.create_device_with_sas("gw2", "", "", "enabled", iot_edge=True)
    registry.update_twin("gw1", Twin(tags={"ring": "canary"}))
    base = Configuration(
        id="base",
        content=ConfigurationContent(modules_content=content(manifest)),
        target_condition="*",
        priority=1,
        metrics=ConfigurationMetrics(queries={"up": "SELECT deviceId FROM devices.modules WHERE is_defined(tags)"}),
    )
    layer = Configuration(
        id="rate",
        content=ConfigurationContent(modules_content={"echo": {"properties.desired.rate": 9}}),
        target_condition="tags.ring = 'canary'",
        priority=5,
    )
    try:
        deployments.create_configuration(base)
        made = deployments.create_configuration(layer)
        hub.until(lambda: hub.desired("echo").get("rate") == 9, 60, "the layer")
        assert registry.get_module_twin("gw2", "echo").properties.desired["rate"] == 1
        shown = deployments.get_configuration("rate").system_metrics.results
        assert (shown["targetedCount"], shown["appliedCount"]) == (1, 1)
        counted = deployments.get_configuration("base").system_metrics
        assert counted.results["appliedCount"] == 2
        query = QuerySpecification(query=counted.queries["appliedCount"])
        assert [row.device_id for row in registry.query_iot_hub(query).items] == ["gw1", "gw2"]
        hub.until(
            lambda: deployments.get_configuration("base").system_metrics.results["reportedSuccessfulCount"] == 1,
            20,
            "the report",
        )
        # What somebody patches afterwards stays until the deployments change.
        registry.update_module_twin("gw1", "echo", Twin(properties=TwinProperties(desired={"rate": 10})))
        hub.until(lambda: hub.desired("echo").get("rate") == 10, 60, "the patch")
        made.target_condition = "tags.ring = 'nobody'"
        deployments.update_configuration(made, made.etag)
        hub.until(lambda: hub.desired("echo").get("rate") == 1, 60, "the base alone")
        made.target_condition = "tags.ring ~ 1"
        with pytest.raises(HttpOperationError) as refused:
            deployments.update_configuration(made, "*")
        assert status_of(refused) == 400
        with pytest.raises(HttpOperationError) as stale:
            deployments.update_configuration(made, made.etag)
        assert status_of(stale) == 412
        assert [one.id for one in deployments.get_configurations(10)] == ["base", "rate"]
    finally:
        for name in ("rate", "base"):
            deployments.delete_configuration(name)
        registry.delete_device("gw2")
    assert registry.get_module_twin("gw1", "$edgeAgent").additional_properties["configurations"] == {}
