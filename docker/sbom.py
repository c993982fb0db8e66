"""A bill of materials (CycloneDX 1.6, JSON) of each image, made from its lock file: nothing has to be built for it.

`python docker/sbom.py FOLDER [NAME...]`, with cyclonedx-bom installed (`make sbom` does that), writes each to
FOLDER/millwatch-NAME.cdx.json. Packages come with the hashes that the build insists on; the image and its base stand as
the component that they make up.
"""

import json
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any, Final

ROOT: Final = Path(__file__).resolve().parents[1]


def bill(name: str, root: Path = ROOT) -> dict[str, Any]:
    """The document of one module's image. Raises CalledProcessError when the lock file cannot be read."""
    version = tomllib.loads((root / "pyproject.toml").read_text())["project"]["version"]
    base = tomllib.loads((root / "docker" / "images.toml").read_text())["base"]["amd64"]
    command = [sys.executable, "-m", "cyclonedx_py", "requirements", f"requirements/{name}.txt"]
    options = ["--spec-version", "1.6", "--output-reproducible", "--output-format", "JSON", "--output-file", "-"]
    text = subprocess.run([*command, *options], cwd=root, capture_output=True, check=True).stdout
    document: dict[str, Any] = json.loads(text)
    image = f"millwatch-{name}"
    ref = f"pkg:docker/{image}@{version}"
    of_base = f"pkg:docker/{base.replace(':', '@')}"
    packages = [component["bom-ref"] for component in document["components"]]
    document["metadata"]["component"] = {
        "type": "container",
        "bom-ref": ref,
        "name": image,
        "version": version,
        "purl": ref,
        "licenses": [{"license": {"id": "MIT"}}],
    }
    document["components"].append(
        {
            "type": "container",
            "bom-ref": of_base,
            "name": base.split(":")[0],
            "version": base.split(":")[1],
            "purl": of_base,
        }
    )
    document["dependencies"] = [
        *(each for each in document.get("dependencies", []) if each["ref"] != ref),
        {"ref": ref, "dependsOn": sorted([*packages, of_base])},
        {"ref": of_base},
    ]
    return document


def main(folder: Path, names: list[str]) -> None:
    """Write those of the named modules, of all where none is named."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in names or sorted(path.parent.name for path in (ROOT / "modules").glob("*/module.json")):
        file = folder / f"millwatch-{name}.cdx.json"
        file.write_text(json.dumps(bill(name), indent=2) + "\n")
        sys.stdout.write(f"{file}\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:])
