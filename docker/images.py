"""One source for what every image has in common: version, base, labels, user, health check.

`python docker/images.py write` makes the Dockerfiles and module.json of every module, the debug manifest and the
versions from docker/images.toml, docker/Dockerfile.template and pyproject.toml; `check` says what differs from that.
"""

import json
import re
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

ROOT: Final = Path(__file__).resolve().parents[1]
DEBUG: Final = ".debug"
LAYERS: Final = ("camera2", "sensors", "alarms")
"""Layered deployments, each of the one module it is named for."""


def documents(root: Path = ROOT) -> Iterator[tuple[Path, str]]:
    """Every file that is made, with its text."""
    version: str = tomllib.loads((root / "pyproject.toml").read_text())["project"]["version"]
    facts = tomllib.loads((root / "docker" / "images.toml").read_text())
    template = (root / "docker" / "Dockerfile.template").read_text()
    for name, image in facts["images"].items():
        folder = root / "modules" / name
        for platform, base in facts["base"].items():
            yield folder / f"Dockerfile.{platform}", _dockerfile(template, name, image, base, version, debug=False)
        base = facts["base"]["amd64"]
        yield folder / f"Dockerfile.amd64{DEBUG}", _dockerfile(template, name, image, base, version, debug=True)
        yield folder / "module.json", _json(_module(name, image, [*facts["base"], f"amd64{DEBUG}"], version))
    manifest = json.loads((root / "deployment.template.json").read_text())
    for module in _modules(manifest).values():
        module["version"] = version
    yield root / "deployment.template.json", _json(manifest)
    yield root / "deployment.debug.template.json", _json(_debug(manifest, facts["images"]))
    for added in LAYERS:
        path = root / f"deployment.{added}.template.json"
        layer = json.loads(path.read_text())
        layer["modulesContent"]["$edgeAgent"][f"properties.desired.modules.{added}"]["version"] = version
        yield path, _json(layer)
    for path, line in (
        ("modules/common/version.py", f'VERSION = "{version}"'),
        ("localhub/pyproject.toml", f'version = "{version}"'),
    ):
        text = (root / path).read_text()
        yield root / path, re.sub(rf"^{line.split(' =')[0]} = .*$", line, text, count=1, flags=re.MULTILINE)


def _dockerfile(template: str, name: str, image: dict[str, Any], base: str, version: str, *, debug: bool) -> str:
    locks = [f"requirements/{name}.txt", *(["docker/debug.txt"] if debug else [])]
    built = ["docker/build.txt", "docker/trim.py"]
    copies = ["modules/__init__.py", "modules/common", f"modules/{name}", *image.get("copies", [])]
    ports = [*image.get("ports", []), 9600, *([image["debug_port"]] if debug else [])]
    run = ["-m", f"modules.{name}"]
    attach = ["-m", "debugpy", "--listen", f"0.0.0.0:{image['debug_port']}"] if debug else []
    return template.format_map(
        {
            "BASE": "{BASE}",
            "base": base,
            "locks": " ".join([*locks, *built]),
            "requirements": " ".join(f"-r /build/{Path(lock).name}" for lock in locks),
            "name": name,
            "description": image["description"] + (" (to be debugged)" if debug else ""),
            "version": version,
            "copies": "\n".join(f"COPY {path} {path}" for path in ["LICENSE", *copies]),
            "env": "".join(f" \\\n    {key}={value}" for key, value in image.get("env", {}).items()),
            "ports": " ".join(map(str, ports)),
            "command": json.dumps(["python3", "-u", *(["-Xfrozen_modules=off"] if debug else []), *attach, *run]),
        }
    )


def _module(name: str, image: dict[str, Any], platforms: list[str], version: str) -> dict[str, Any]:
    return {
        "$schema-version": "0.0.1",
        "description": image["description"],
        "image": {
            "repository": f"${{CONTAINER_REGISTRY_SERVER}}/millwatch-{name}",
            "tag": {"version": version, "platforms": {each: f"./Dockerfile.{each}" for each in platforms}},
            "buildOptions": [],
            "contextPath": "../../",
        },
        "language": "python",
    }


def _debug(manifest: dict[str, Any], images: dict[str, Any]) -> dict[str, Any]:
    """The same manifest with the debug images, each with its debugger's port on this host's loopback."""
    changed: dict[str, Any] = json.loads(json.dumps(manifest))
    for name, image in images.items():
        if name not in _modules(changed):
            continue  # a layer's
        settings = _modules(changed)[name]["settings"]
        settings["image"] = f"${{MODULES.{name}.debug}}"
        options, port = settings["createOptions"], f"{image['debug_port']}/tcp"
        options.setdefault("ExposedPorts", {})[port] = {}
        options["HostConfig"].setdefault("PortBindings", {})[port] = [
            {"HostIp": "127.0.0.1", "HostPort": str(image["debug_port"])}
        ]
        options["HostConfig"]["Memory"] = options["HostConfig"]["MemorySwap"] = 1 << 30  # a debugger wants room
    return changed


def _modules(manifest: dict[str, Any]) -> dict[str, Any]:
    modules: dict[str, Any] = manifest["modulesContent"]["$edgeAgent"]["properties.desired"]["modules"]
    return modules


def _json(document: dict[str, Any]) -> str:
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


def main(verb: str) -> int:
    """Write or check; 1 where something differs."""
    changed = [(path, text) for path, text in documents() if not path.exists() or path.read_text() != text]
    for path, text in changed:
        sys.stdout.write(f"{path.relative_to(ROOT)}\n")
        if verb == "write":
            path.write_text(text)
    return int(verb != "write" and bool(changed))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1] if len(sys.argv) > 1 else "check"))
