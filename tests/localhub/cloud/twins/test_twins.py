"""The cloud's twins: seeded from the manifest, patched by people, reported by the hub."""

from typing import Any

import apsw
import pytest

from localhub.cloud.twins import CloudTwins, DesiredPatch
from localhub.identity import Identity
from localhub.twin import PatchError

CAMERA = Identity("gw1", "camera")


def manifest(settings: dict[str, Any] | None = None) -> dict[str, Any]:
    content: dict[str, Any] = {"$edgeAgent": {"properties.desired": {"modules": {"camera": {}, "cache": {}}}}}
    if settings is not None:
        content["camera"] = {"properties.desired": settings}
    return content


def test_every_module_gets_a_twin_at_version_1(database: apsw.Connection) -> None:
    twins = CloudTwins(database, "gw1")
    changed = twins.seed(manifest({"rate": 1}))
    assert {str(change.identity) for change in changed} == {"gw1/$edgeAgent", "gw1/$edgeHub", "gw1/camera", "gw1/cache"}
    twin = twins.get(CAMERA)
    assert twin is not None
    assert twin.versioned() == {"desired": {"rate": 1, "$version": 1}, "reported": {"$version": 1}}


def test_what_a_person_set_stays_until_the_manifest_changes(database: apsw.Connection) -> None:
    twins = CloudTwins(database, "gw1")
    twins.seed(manifest({"rate": 1, "zone": {"a": 1}}))
    assert twins.patch_desired(CAMERA, {"rate": 5}) == DesiredPatch(CAMERA, {"rate": 5}, 2)
    assert twins.seed(manifest({"zone": {"a": 1}, "rate": 1})) == []
    assert twins.seed(manifest({"rate": 2})) == [DesiredPatch(CAMERA, {"rate": 2, "zone": None}, 3)]
    twin = twins.get(CAMERA)
    assert twin is not None
    assert twin.desired.versioned() == {"rate": 2, "$version": 3}


def test_what_is_applied_replaces_what_was_set_and_the_next_run_begins_anew(database: apsw.Connection) -> None:
    twins = CloudTwins(database, "gw1")
    twins.seed(manifest({"rate": 1}))
    twins.patch_desired(CAMERA, {"rate": 5})
    assert twins.deploy(manifest({"rate": 1})) == [DesiredPatch(CAMERA, {"rate": 1}, 3)]
    assert twins.deploy(manifest({"rate": 1})) == []
    assert twins.deploy(manifest({"rate": 2})) == [DesiredPatch(CAMERA, {"rate": 2}, 4)]
    assert twins.seed(manifest({"rate": 1})) == [DesiredPatch(CAMERA, {"rate": 1}, 5)]


def test_reported_properties_carry_the_hubs_version(database: apsw.Connection) -> None:
    twins = CloudTwins(database, "gw1")
    twins.seed(manifest({}))
    twins.patch_reported(CAMERA, {"a": 1, "b": 2}, 4)
    twins.patch_reported(CAMERA, {"a": None}, 9)
    twins.patch_reported(Identity("press4"), {"x": 1}, 2)
    twin, leaf = twins.get(CAMERA), twins.get(Identity("press4"))
    assert twin is not None
    assert leaf is not None
    assert twin.reported.versioned() == {"b": 2, "$version": 9}
    assert leaf.reported.versioned() == {"x": 1, "$version": 2}
    assert [(state.device, state.module) for state in twins.all(["gw1", "press4"]) if state.module is None] == [
        ("press4", None)
    ]


def test_a_tools_whole_desired_half_is_taken(database: apsw.Connection) -> None:
    twins = CloudTwins(database, "gw1")
    twins.seed(manifest({}))
    assert twins.patch_desired(CAMERA, {"x": 1, "$version": 7, "$metadata": {}}).patch == {"x": 1}


def test_bad_patches_change_nothing(database: apsw.Connection) -> None:
    twins = CloudTwins(database, "gw1")
    twins.seed(manifest({}))
    with pytest.raises(PatchError):
        twins.patch_desired(CAMERA, {"a.b": 1})
    with pytest.raises(PatchError):
        twins.patch_desired(CAMERA, "x")
    with pytest.raises(KeyError):
        twins.patch_desired(Identity("gw1", "ghost"), {})
    twin = twins.get(CAMERA)
    assert twin is not None
    assert twin.desired.version == 1
