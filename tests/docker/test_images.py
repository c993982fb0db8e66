"""Every image is made from one template, one base and one version, and runs as nobody in particular."""

from __future__ import annotations

import importlib.util
import json
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from types import ModuleType

import pytest

from localhub.manifest.dockerfile import parse

ROOT = Path(__file__).parents[2]
MODULES = sorted(path.parent.name for path in (ROOT / "modules").glob("*/module.json"))
DOCKERFILES = sorted((ROOT / "modules").glob("*/Dockerfile.*"))
VERSION = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]


def test_what_is_made_is_what_is_committed(images: ModuleType) -> None:
    for path, text in images.documents():
        assert path.read_text() == text, f"{path.relative_to(ROOT)}: run python docker/images.py write"


def test_a_version_is_changed_in_one_place(images: ModuleType, tmp_path: Path) -> None:
    for path in ("docker", "pyproject.toml", "localhub/pyproject.toml", "modules/common/version.py"):
        for file in [ROOT / path] if (ROOT / path).is_file() else filter(Path.is_file, (ROOT / path).iterdir()):
            copy = tmp_path / file.relative_to(ROOT)
            copy.parent.mkdir(parents=True, exist_ok=True)
            copy.write_text(file.read_text())
    for name in ("deployment.template.json", *(f"deployment.{layer}.template.json" for layer in images.LAYERS)):
        (tmp_path / name).write_text((ROOT / name).read_text())
    project = tmp_path / "pyproject.toml"
    project.write_text(project.read_text().replace(f'version = "{VERSION}"', 'version = "7.8.9"', 1))
    made = {path.relative_to(tmp_path).as_posix(): text for path, text in images.documents(tmp_path)}
    for path, text in made.items():
        assert "7.8.9" in text, path
        assert f'version": "{VERSION}' not in text, path
    assert len(made) == 4 * len(MODULES) + 4 + len(images.LAYERS)


@pytest.mark.parametrize("file", DOCKERFILES, ids=lambda file: f"{file.parent.name}-{file.name}")
def test_an_image_has_no_root_no_cache_and_only_its_own_module(file: Path) -> None:
    text, name = file.read_text(), file.parent.name
    final = text.rsplit("\nFROM ", 1)[1]
    assert re.findall(r"^USER (.*)$", final, re.MULTILINE) == ["13000"]
    assert "pip" not in final
    assert "--require-hashes" in text
    assert "--no-cache-dir" in text
    copied = re.findall(r"^COPY (modules/\S+)", final, re.MULTILINE)
    assert copied == ["modules/__init__.py", "modules/common", f"modules/{name}"]
    assert parse(text).command[-2:] == ("-m", f"modules.{name}")
    assert f'org.opencontainers.image.version="{VERSION}"' in final
    assert "HEALTHCHECK" in final
    assert not re.search(r"RUN --mount|COPY --(link|chmod)|<<", text), "BuildKit alone knows this"


@pytest.mark.parametrize("name", MODULES)
def test_module_json_names_every_platform(name: str) -> None:
    tag = json.loads((ROOT / "modules" / name / "module.json").read_text())["image"]["tag"]
    assert tag["version"] == VERSION
    for platform, dockerfile in tag["platforms"].items():
        assert (ROOT / "modules" / name / dockerfile).name == f"Dockerfile.{platform}"
    assert set(tag["platforms"]) == {"amd64", "arm64v8", "amd64.debug"}


def test_every_package_is_locked_by_hash() -> None:
    for name in [*(f"requirements/{module}" for module in MODULES), "docker/debug", "docker/build"]:
        text = (ROOT / f"{name}.txt").read_text()
        entries = re.findall(r"^(\S+==\S+).*((?:\\\n    --hash=sha256:[0-9a-f]{64} ?)+)", text, re.MULTILINE)
        assert len(entries) == len(re.findall(r"^[A-Za-z0-9]", text, re.MULTILINE)) > 0


def test_what_never_runs_is_left_out_and_the_rest_compiled(trim: ModuleType, tmp_path: Path) -> None:
    packages = tmp_path / "lib" / "python3.11" / "site-packages"
    for path in ("a/__init__.py", "a/tests/test_a.py", "a/b.pyx", "a/c.pyi", "numpy/f2py/x.py", "numpy/core.py"):
        (packages / path).parent.mkdir(parents=True, exist_ok=True)
        (packages / path).write_text("x = 1\n")
    trim.trim(tmp_path)
    left = {path.relative_to(packages).as_posix() for path in packages.rglob("*") if path.is_file()}
    assert {path for path in left if "__pycache__" not in path} == {"a/__init__.py", "numpy/core.py"}
    assert sum(path.endswith(".pyc") for path in left) == 2


def test_a_library_without_its_symbols_is_smaller_and_loads(trim: ModuleType, tmp_path: Path) -> None:
    found = importlib.util.find_spec("uvloop.loop")
    if found is None or found.origin is None:
        pytest.skip("no uvloop here, whose wheel carries its symbols")
    whole = Path(found.origin)
    shutil.copytree(whole.parent, tmp_path / "uvloop")
    library = tmp_path / "uvloop" / whole.name
    library.write_bytes(trim.bare(whole.read_bytes()))
    assert library.stat().st_size < whole.stat().st_size / 2
    assert trim.bare(library.read_bytes()) == library.read_bytes()
    program = "import asyncio, uvloop; uvloop.run(asyncio.sleep(0.01)); print(uvloop.loop.__file__)"
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout.strip() == str(library)


@pytest.mark.parametrize("content", [b"", b"text", b"\x7fELF\x01\x01" + bytes(60), b"!<arch>\n"])
def test_what_is_no_such_library_stays_as_it_is(trim: ModuleType, content: bytes) -> None:
    assert trim.bare(content) == content
