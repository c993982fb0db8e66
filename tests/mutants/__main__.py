"""``python -m tests.mutants [NAME ...]``: sabotage one line at a time; the named test must fail each time.

The sabotages stand beside this file, one TOML file for each part of the tree. Each runs in a copy of the tree, so the
checkout is never touched. A sabotage whose line has moved, and a test that fails without it, are failures of this
program too: a proof that no longer bites must not look like one that does.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import tomllib
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
TEST_SECONDS = 300


@dataclass(frozen=True)
class Sabotage:
    """One line made wrong, and the test that must notice."""

    name: str
    file: str
    old: str
    new: str
    test: str
    venv: str = ".venv"  # where the test's libraries are; one that is not made yet is said, and no failure


def sabotages() -> list[Sabotage]:
    """All of them, file by file, in each file's order."""
    found: dict[str, Sabotage] = {}
    for path in sorted(Path(__file__).parent.glob("*.toml")):
        for name, fields in tomllib.loads(path.read_text(encoding="utf-8")).items():
            if name in found:
                sys.exit(f"{path.name} has a second sabotage called {name}: rename it")
            found[name] = Sabotage(name=name, **fields)
    return list(found.values())


def copy_tree(target: Path) -> None:
    """The tracked files, and those not yet tracked that git does not ignore."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        check=True,
    )
    for name in filter(None, listed.stdout.decode().split("\0")):
        if (ROOT / name).is_file():
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, target / name)


def passes(tree: Path, test: str, python: str = sys.executable) -> bool:
    """True when the test ran and passed; SystemExit when it did not run at all."""
    data = os.environ.get("MILLWATCH_DATA") or str(ROOT.parent / "shared" / "data")
    done = subprocess.run(
        [python, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", test],
        cwd=tree,
        env={**os.environ, "MILLWATCH_DATA": data},
        capture_output=True,
        text=True,
        timeout=TEST_SECONDS,
        check=False,
    )
    if done.returncode not in {0, 1} or (done.returncode == 0 and " passed" not in done.stdout):
        sys.exit(f"{test} did not run:\n{done.stdout[-2000:]}{done.stderr[-2000:]}")
    return done.returncode == 0


def survives(tree: Path, sabotage: Sabotage) -> str | None:
    """Why the sabotage was not caught; None when it was."""
    path = tree / sabotage.file
    sound = path.read_text(encoding="utf-8")
    if sound.count(sabotage.old) != 1:
        return f"its line stands {sound.count(sabotage.old)} times in {sabotage.file}: mend its entry in tests/mutants"
    python = sys.executable if sabotage.venv == ".venv" else str(ROOT / sabotage.venv / "bin" / "python")
    if not passes(tree, sabotage.test, python):
        return f"{sabotage.test} fails without it"
    path.write_text(sound.replace(sabotage.old, sabotage.new), encoding="utf-8")
    try:
        return f"{sabotage.test} still passes" if passes(tree, sabotage.test, python) else None
    except subprocess.TimeoutExpired:
        return None  # a test that hangs has noticed too
    finally:
        path.write_text(sound, encoding="utf-8")


def main(argv: list[str]) -> int:
    """1 where a sabotage survives."""
    parser = argparse.ArgumentParser(prog="python -m tests.mutants", description=__doc__)
    parser.add_argument("names", nargs="*", help="only these sabotages")
    wanted = parser.parse_args(argv).names
    asked = [each for each in sabotages() if not wanted or each.name in wanted]
    chosen = [each for each in asked if (ROOT / each.venv).exists() or each.venv == ".venv"]
    for sabotage in asked:
        if sabotage not in chosen:
            print(f"not tried {sabotage.name}: make {sabotage.venv.removeprefix('.venv-')} first", flush=True)
    survivors = 0
    with tempfile.TemporaryDirectory(prefix="mutants-") as folder:
        copy_tree(Path(folder))
        for sabotage in chosen:
            why = survives(Path(folder), sabotage)
            survivors += why is not None
            print(f"{'SURVIVED' if why else 'caught  '}  {sabotage.name}{': ' + why if why else ''}", flush=True)
    print(f"{len(chosen) - survivors} passed, {survivors} failed")
    return int(survivors > 0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
