"""Placeholders that nothing filled in, and the module.json files behind them."""

from __future__ import annotations

from collections.abc import Iterator

from localhub.manifest.manifest import Manifest, module_of_placeholder
from localhub.manifest.modulejson import FILE, ModuleJsonError, read_module_folder
from localhub.manifest.placeholders import left_over
from localhub.manifest.positions import JsonSyntaxError, Path
from localhub.manifest.problem import Place, Problem, error, warning


def check(manifest: Manifest) -> Iterator[Problem]:
    """What is left of placeholders in the merged manifest, one finding for each variable."""
    told: set[str] = set()
    for path, name in left_over(manifest.tree.value):
        if name in told:
            continue
        told.add(name)
        yield _unfilled(manifest, path, name)
    for folder in {folder.path: folder for folder in manifest.folders.values()}.values():
        for platform, dockerfile in folder.platforms.items():
            if not dockerfile.is_file():
                hint = "correct the path in image.tag.platforms"
                yield error(
                    "module-json", folder.place, f"the Dockerfile for {platform}, {dockerfile}, is missing", hint
                )


def _unfilled(manifest: Manifest, path: Path, name: str) -> Problem:
    place = manifest.tree.place(path)
    location = module_of_placeholder(name, manifest.environment)
    if location is None:
        if name in manifest.environment.documented:
            return warning("placeholder", place, f"the variable {name} is not set", f"put {name} into .env")
        hint = f"set {name} in the environment or in .env, and list it in .env.example"
        return error("placeholder", place, f"nothing fills in ${{{name}}}", hint)
    return _unfilled_module(manifest, place, name)


def _unfilled_module(manifest: Manifest, place: Place, name: str) -> Problem:
    location = module_of_placeholder(name, manifest.environment)
    assert location is not None
    folder, platform = location
    said = f"nothing fills in ${{{name}}}"
    if not (folder / FILE).is_file():
        hint = f"the key is the module's folder: make {folder / FILE}, or correct the name"
        return error("module-placeholder", place, f"{said}: {folder / FILE} is missing", hint)
    try:
        known = read_module_folder(folder, manifest.environment.values)
    except (ModuleJsonError, JsonSyntaxError) as mistake:
        return error("module-placeholder", mistake.place, f"{said}: {mistake}", "mend it")
    platforms = ", ".join(known.platforms) or "none"
    hint = f"it has {platforms}; add image.tag.platforms.{platform} or choose with DEFAULT_PLATFORM"
    return error("module-placeholder", place, f"{said}: {folder / FILE} has no platform {platform!r}", hint)
