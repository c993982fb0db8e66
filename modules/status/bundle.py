"""What support needs, in one file: settings, health, figures, the last alerts, logs, versions, audit; no secrets.

What cannot be had (a module that is down, logs that are elsewhere) is said in the bundle and no reason to make none.
"""

from __future__ import annotations

import importlib.metadata
import json
import os
import platform
import shutil
import sqlite3
import zipfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from modules.common.folder import sizes
from modules.common.version import VERSION
from modules.status.client import Client, UnreachableError
from modules.status.redact import redacted, text

_ALERTS: Final = 500
_LOG_BYTES: Final = 2 << 20  # of each, its end
_LOGS: Final = 40
_ASKED: Final = {
    "summary": ("/api/v1/summary", {}),
    "modules": ("/api/v1/modules", {}),
    "queue": ("/api/v1/queue", {}),
    "links": ("/api/v1/links", {"limit": 1000}),
    "models": ("/api/v1/models", {}),
    "cameras": ("/api/v1/cameras", {}),
    "sensors": ("/api/v1/sensors", {"limit": 1000}),
    "settings": ("/api/v1/settings", {}),
    "alerts": ("/api/v1/alerts", {"limit": _ALERTS}),
    "audit": ("/api/v1/audit", {"limit": 1000}),
    "latency": ("/api/v1/latency", {}),
    "readyz": ("/readyz", {}),
}
_TABLES: Final = ("alerts", "links", "actions")


def write(path: Path, client: Client, state: Path, logs: Iterable[Path], now: datetime) -> list[str]:
    """Write the bundle to `path`, readable by this user only; what is missing from it, and why. Raises OSError."""
    known = list(_secrets(state))
    missing: list[str] = []
    fresh = path.with_name(path.name + ".new")
    os.close(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600))
    with zipfile.ZipFile(fresh, "w", zipfile.ZIP_DEFLATED) as bundle:

        def put(name: str, value: object) -> None:
            bundle.writestr(name, text(value, known) if isinstance(value, str) else _json(redacted(value, known)))

        _answers(client, put, missing)
        _kept(state, put, missing)
        _logs(logs, put, missing)
        put("system.json", _system(state))
        put("README.txt", _readme(now, missing))
    fresh.replace(path)
    return missing


def _answers(client: Client, put: Callable[[str, object], None], missing: list[str]) -> None:
    for name, (path, query) in _ASKED.items():
        try:
            put(f"{name}.json", client.json(path, **query))
        except UnreachableError as error:
            missing.append(f"{name}.json: {error}")
    try:
        put("metrics.txt", client.text("/metrics"))
    except UnreachableError as error:
        missing.append(f"metrics.txt: {error}")


def _kept(state: Path, put: Callable[[str, object], None], missing: list[str]) -> None:
    """What is on disk, for the case that the module does not run."""
    path = state / "status.db"
    if not path.exists():
        missing.append(f"kept.json: there is no {path.name} in the state folder")
        return
    try:
        with closing(sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True)) as database:
            database.row_factory = sqlite3.Row
            tables = {name: [_row(row) for row in _newest(database, name)] for name in _TABLES}
            (checked,) = database.execute("PRAGMA quick_check(5)").fetchone()
    except sqlite3.Error as error:
        missing.append(f"kept.json: {type(error).__name__}: {error}")
    else:
        put("kept.json", {"check": checked, **tables})


def _newest(database: sqlite3.Connection, table: str) -> list[sqlite3.Row]:
    return database.execute(
        f"SELECT * FROM {table} ORDER BY number DESC LIMIT ?",  # noqa: S608 - fixed names
        (_ALERTS,),
    ).fetchall()


def _row(row: sqlite3.Row) -> dict[str, Any]:
    found = {name: row[name] for name in row.keys()}  # noqa: SIM118 - a Row iterates over its values
    if isinstance(found.get("document"), bytes):
        try:
            found["document"] = json.loads(found["document"])
        except ValueError:
            found["document"] = "not readable"
    return found


def _logs(logs: Iterable[Path], put: Callable[[str, object], None], missing: list[str]) -> None:
    files: list[Path] = []
    for each in logs:
        files += sorted(each.rglob("*.log")) if each.is_dir() else [each]
    if not files:
        missing.append("logs: none named with --logs; in containers `iotedge logs MODULE` or `iotedge support-bundle`")
    for number, path in enumerate(files[:_LOGS]):
        try:
            with path.open("rb") as file:
                file.seek(max(0, path.stat().st_size - _LOG_BYTES))
                put(f"logs/{number:02}-{path.name}", file.read().decode("utf-8", "replace"))
        except OSError as error:
            missing.append(f"logs/{path.name}: {error.strerror}")


def _system(state: Path) -> dict[str, object]:
    packages = {each.metadata["Name"]: each.version for each in importlib.metadata.distributions()}
    disk = shutil.disk_usage(state) if state.exists() else None
    return {
        "millwatch": VERSION,
        "python": platform.python_version(),
        "platform": platform.platform(),
        "machine": platform.machine(),
        "cpus": os.cpu_count(),
        "packages": dict(sorted(packages.items())),
        "sqlite": sqlite3.sqlite_version,
        "edge": {name: os.environ.get(f"IOTEDGE_{name}", "") for name in ("DEVICEID", "MODULEID", "APIVERSION")},
        "environment": {name: value for name, value in os.environ.items() if name.startswith("MILLWATCH_")},
        "state": sizes(state),
        "disk": None if disk is None else {"total": disk.total, "free": disk.free},
    }


def _readme(now: datetime, missing: list[str]) -> str:
    lines = [
        f"Millwatch {VERSION}, status module: a bundle for support, made {now.isoformat(timespec='seconds')}.",
        "Fields with telling names, tokens, passwords in addresses, keys and signatures are masked (***).",
        "Look through it before you send it on: texts that people typed in are as they typed them.",
        "",
        *(["Missing:", *(f"- {each}" for each in missing)] if missing else ["Nothing is missing."]),
    ]
    return "\n".join(lines) + "\n"


def _secrets(state: Path) -> Iterator[str]:
    """The module's own tokens, so that they are masked wherever they stand."""
    folders = [state / "tokens"]
    if given := os.environ.get("MILLWATCH_TOKENS"):
        folders.append(Path(given))
    for folder in folders:
        for name in ("read", "operate"):
            try:
                yield (folder / name).read_text(encoding="ascii").strip()
            except (OSError, ValueError):
                continue


def _json(value: object) -> str:
    return json.dumps(value, indent=1, ensure_ascii=False) + "\n"
