"""A layered deployment as IoT Hub takes it, from its template; iotedgedev makes whole manifests only.

`python docker/layer.py TEMPLATE PLATFORM` writes config/NAME.PLATFORM.json: images by module.json, variables from the
environment and .env, createOptions as text in pieces of 512 characters.
"""

import json
import os
import sys
from pathlib import Path
from typing import Any, Final

ROOT: Final = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from localhub.manifest.environment import Environment  # noqa: E402  localhub stands beside this script's folder
from localhub.manifest.manifest import read_manifest  # noqa: E402
from localhub.manifest.options import cut, join  # noqa: E402

PREFIX: Final = "properties.desired.modules."


def layer(template: Path, platform: str) -> dict[str, Any]:
    """The content. Raises ManifestError for what is no JSON, OSError for what cannot be read."""
    environment = Environment.of(ROOT, os.environ, platform)
    manifest = read_manifest(template, (), environment)
    content: dict[str, Any] = json.loads(json.dumps(manifest.documents[0].value["modulesContent"]))
    for key, module in content.get("$edgeAgent", {}).items():
        if key.startswith(PREFIX) and isinstance(module, dict):  # else a part of a module, such as its status
            settings = module["settings"]
            module["settings"] = {"image": settings["image"], **cut(join(settings))}
    return {"modulesContent": content}


def main(template: Path, platform: str) -> None:
    """Write it."""
    file = ROOT / "config" / f"{template.name.removesuffix('.template.json')}.{platform}.json"
    file.parent.mkdir(exist_ok=True)
    file.write_text(json.dumps(layer(template, platform), indent=2) + "\n")
    sys.stdout.write(f"{file}\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]).resolve(), sys.argv[2])
