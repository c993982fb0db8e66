"""Verbs for a store whose module is stopped: stats, verify, inspect, export."""

from __future__ import annotations

import argparse
import base64
import json
import os
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from modules.cache.envelope import unwrap
from modules.cache.keyring import Keyring, KeyringDamagedError
from modules.cache.record import PRIORITIES
from modules.cache.sealing import Blind, Sealer
from modules.cache.store import Store, StoreError
from modules.cache.store.store import DATABASE
from modules.cache.workload import Workload, WorkloadRefusedError, WorkloadUnreachableError

EXIT_OK = 0
EXIT_DAMAGED = 3
EXIT_REFUSED = 4


def main(arguments: Sequence[str]) -> int:
    """Run one verb; its exit code: 0, 3 when damage was found, 4 when the store could not be opened."""
    options = _parse(arguments)
    folder = options.state / "store" if (options.state / "store").is_dir() else options.state
    if not (folder / DATABASE).exists():
        sys.stderr.write(f"there is no store in {options.state}\n")
        return EXIT_REFUSED
    try:
        sealer = _sealer(folder) if options.verb in {"verify", "export"} else Blind()
        store = Store.open(folder, sealer, look=True)
    except (
        StoreError,
        KeyError,
        KeyringDamagedError,
        OSError,
        WorkloadRefusedError,
        WorkloadUnreachableError,
    ) as error:
        hint = (
            "needs the module's IOTEDGE_ environment, to have the key unwrapped: "
            if isinstance(error, KeyError)
            else ""
        )
        sys.stderr.write(f"{options.verb}: {hint}{error}\n")
        return EXIT_REFUSED
    try:
        return _VERBS[options.verb](store, options)
    finally:
        store.abandon()


def _parse(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m modules.cache", description=__doc__)
    parser.add_argument("verb", choices=sorted(_VERBS))
    parser.add_argument("--state", type=Path, default=Path(os.environ.get("MILLWATCH_STATE", "/data")), metavar="DIR")
    parser.add_argument("--priority", type=int, choices=PRIORITIES, default=0, help="inspect: which one")
    parser.add_argument("--count", type=int, default=20, help="inspect: how many")
    return parser.parse_args(arguments)


def _sealer(folder: Path) -> Sealer:
    keyring = Keyring.decode((folder / "keys.json").read_bytes())
    return Sealer(keyring.unwrap(Workload.from_environment(os.environ)))


def _say(document: object) -> None:
    sys.stdout.write(json.dumps(document) + "\n")


def _stats(store: Store, _options: argparse.Namespace) -> int:
    _say(asdict(store.stats()))
    return EXIT_OK


def _inspect(store: Store, options: argparse.Namespace) -> int:
    for entry in store.inspect(options.priority, most=options.count):
        _say(asdict(entry))
    return EXIT_OK


def _verify(store: Store, _options: argparse.Namespace) -> int:
    """The file's structure, then every record's seal; damaged records go to quarantine."""
    faults = store.check_file()
    seen = damaged = 0
    for priority in PRIORITIES:
        after, n, bad = store.verify(priority, 0)
        while n:
            seen, damaged = seen + n, damaged + bad
            after, n, bad = store.verify(priority, after)
    _say({"records": seen, "damaged": damaged, "file": faults or "ok"})
    return EXIT_DAMAGED if damaged or faults else EXIT_OK


def _export(store: Store, _options: argparse.Namespace) -> int:
    """Every record as a line of JSON, its body in base64."""
    for priority in PRIORITIES:
        after = 0
        while records := store.peek(priority, after, most=100, most_bytes=1 << 22):
            after = records[-1].seq
            for record in records:
                message = unwrap(record.message_id, record.kind, record.source, record.source_seq, record.payload)
                _say(
                    {
                        "message_id": message.message_id,
                        "priority": priority,
                        "content_type": message.content_type,
                        "content_encoding": message.content_encoding,
                        "properties": message.facts(),
                        "body": base64.b64encode(message.body).decode(),
                    }
                )
    return EXIT_OK


_VERBS = {"stats": _stats, "inspect": _inspect, "verify": _verify, "export": _export}
