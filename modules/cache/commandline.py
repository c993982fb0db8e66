"""The command line: asks the cache that runs in a state folder, or looks into its store where none runs."""

from __future__ import annotations

import argparse
import json
import logging
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

from modules.cache import control
from modules.cache.arguments import MOST_SHOWN, BadArgumentsError, Erasing, Nothing, Page, parse
from modules.cache.figures import erasure_document
from modules.cache.keyring import Keyring, KeyringDamagedError
from modules.cache.operatorkey import OperatorKeyError, PrivateKey
from modules.cache.record import PRIORITIES
from modules.cache.sealing import Blind, Sealer
from modules.cache.settings import CacheSettings
from modules.cache.store import Erase, Store, StoreError
from modules.cache.store.keyfile import KeyFile
from modules.cache.store.opening import DATABASE
from modules.cache.verbs import exported
from modules.cache.workload import Workload, WorkloadRefusedError, WorkloadUnreachableError

EXIT_OK = 0
EXIT_USAGE = 2
EXIT_DAMAGED = 3
EXIT_REFUSED = 4

_PASSWORD = "MILLWATCH_OPERATOR_PASSWORD"  # noqa: S105 -- the name of a variable
_FAILURES = (
    StoreError,
    KeyError,
    KeyringDamagedError,
    OperatorKeyError,
    OSError,
    WorkloadRefusedError,
    WorkloadUnreachableError,
)
_ARGUMENTS = {
    "inspect": ("priority", "after", "count"),
    "export": ("priority", "after", "count"),
    "erase": ("source", "from", "to", "who", "why"),
    "replay": ("source", "from", "to", "stop"),
}


def main(arguments: Sequence[str]) -> int:
    """Run one verb; its exit code: 0, 2 for bad arguments, 3 when damage was found, 4 when it could not be done."""
    logging.basicConfig(format="%(message)s")
    options = _parse(arguments)
    asked = {name: value for name in _ARGUMENTS.get(options.verb, ()) if (value := getattr(options, name)) is not None}
    try:
        if options.private_key is None:
            return _ask(options, asked)
    except control.NotRunningError:
        pass  # it is stopped, or it was never here: look into the store itself
    except OSError as error:
        return _refuse(options.verb, str(error))
    return _look(options, asked)


def _parse(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m modules.cache", description=__doc__)
    parser.add_argument("verb", choices=sorted(VERBS))
    parser.add_argument("--state", type=Path, default=Path(os.environ.get("MILLWATCH_STATE", "/data")), metavar="DIR")
    parser.add_argument("--priority", type=int, choices=PRIORITIES, help="inspect, export: which one (export: all)")
    parser.add_argument("--after", type=int, metavar="SEQ", help="inspect, export: only what comes behind it")
    parser.add_argument("--count", type=int, help="inspect: how many")
    parser.add_argument("--source", metavar="PATTERN", help="erase, replay: whose records, as press4/*")
    parser.add_argument("--from", metavar="TIME", help="erase, replay: as 2026-01-02T03:04:05Z")
    parser.add_argument("--to", metavar="TIME", help="erase, replay")
    parser.add_argument("--who", help="erase: who asks for it")
    parser.add_argument("--why", help="erase: and why")
    parser.add_argument("--stop", action="store_true", default=None, help="replay: stop the one that is at work")
    parser.add_argument(
        "--private-key",
        type=Path,
        metavar="FILE",
        help=f"export, verify: the operator's, for a store without its gateway; its password in {_PASSWORD}",
    )
    return parser.parse_args(arguments)


# A cache that runs


def _ask(options: argparse.Namespace, asked: dict[str, object]) -> int:
    if options.verb == "export":
        return _export_all(options, asked)
    status, answer = control.ask(options.state, options.verb, asked)
    return _said(options.verb, status, answer)


def _export_all(options: argparse.Namespace, asked: dict[str, object]) -> int:
    """Page by page, as the answers are small."""
    for priority in PRIORITIES if options.priority is None else (options.priority,):
        page: dict[str, object] = {"count": MOST_SHOWN} | asked | {"priority": priority}
        while True:
            status, answer = control.ask(options.state, "export", page)
            if status != 200 or not isinstance(answer, Mapping):
                return _said("export", status, answer)
            for record in answer["records"]:
                _say(record)
            if not answer["next"]:
                break
            page["after"] = answer["next"]
    return EXIT_OK


def _said(verb: str, status: int, answer: object) -> int:
    if status == 200:
        _say(answer)
        return EXIT_DAMAGED if verb == "verify" and isinstance(answer, Mapping) and answer["damaged"] else EXIT_OK
    text = answer.get("error", answer) if isinstance(answer, Mapping) else answer
    return _refuse("", str(text), EXIT_USAGE if status == 400 else EXIT_REFUSED)


# A store whose cache is stopped


def _look(options: argparse.Namespace, asked: Mapping[str, object]) -> int:
    verb = options.verb
    if VERBS[verb] is None:
        return _refuse(verb, f"only a running cache can do that, and none runs in {options.state}")
    folder = options.state / "store" if (options.state / "store").is_dir() else options.state
    if not (folder / DATABASE).exists():
        return _refuse(verb, f"there is no store in {options.state}")
    try:
        store = _open(folder, options)
    except _FAILURES as error:
        hint = "needs the module's IOTEDGE_ environment, to have the key unwrapped, or --private-key: "
        return _refuse(verb, f"{hint if isinstance(error, KeyError) else ''}{error}")
    try:
        run = VERBS[verb]
        assert run is not None
        return run(store, folder, asked)
    except BadArgumentsError as error:
        return _refuse("", str(error), EXIT_USAGE)
    except _FAILURES as error:
        return _refuse(verb, str(error))
    finally:
        store.abandon()


def _open(folder: Path, options: argparse.Namespace) -> Store:
    if options.verb in {"stats", "inspect"}:
        return Store.open(folder, Blind(), look=True)
    keyring = Keyring.decode((folder / "keys.json").read_bytes())
    if options.private_key is not None:
        private = PrivateKey.read(options.private_key, os.environ.get(_PASSWORD))
        return Store.open(folder, Sealer(keyring.unwrap_as_operator(private)), look=True)
    sealer = Sealer(keyring.unwrap(Workload.from_environment(os.environ)))
    if options.verb in {"verify", "export"}:
        return Store.open(folder, sealer, look=True)
    return Store.open(folder, sealer, limits=CacheSettings.from_environment().limits())


def _stats(store: Store, _folder: Path, asked: Mapping[str, object]) -> int:
    parse("stats", Nothing, asked)
    document = asdict(store.stats())
    _say(document | {"erasures": [erasure_document(each) for each in store.stats().erasures]})
    return EXIT_OK


def _inspect(store: Store, _folder: Path, asked: Mapping[str, object]) -> int:
    page = parse("inspect", Page, asked)
    _say({"records": [asdict(entry) for entry in store.inspect(page.priority, after=page.after, most=page.count)]})
    return EXIT_OK


def _verify(store: Store, _folder: Path, _asked: Mapping[str, object]) -> int:
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


def _export(store: Store, _folder: Path, asked: Mapping[str, object]) -> int:
    """Every record as a line of JSON, its body in base64."""
    page = parse("export", Page, asked)
    for priority in (page.priority,) if "priority" in asked else PRIORITIES:
        after = page.after
        while records := store.read(priority, after, most=MOST_SHOWN):
            after = records[-1].seq
            for record in records:
                _say(exported(record))
    return EXIT_OK


def _erase(store: Store, _folder: Path, asked: Mapping[str, object]) -> int:
    order = parse("erase", Erasing, asked)
    _say(erasure_document(store.erase(Erase(range=order.range(), who=order.who, why=order.why))))
    return EXIT_OK


def _rotate(store: Store, folder: Path, asked: Mapping[str, object]) -> int:
    parse("rotate", Nothing, asked)
    workload = Workload.from_environment(os.environ)
    keys = KeyFile(folder, workload, logging.getLogger(__name__).warning, lambda _seconds: None, 0.0)
    keys.unlock(folder / DATABASE)
    changed = keys.rotate()
    store.rekey(changed.keys, changed.copy)
    _say({"key": max(changed.keys), "keys": sorted(changed.keys)})
    return EXIT_OK


def _say(document: object) -> None:
    sys.stdout.write(json.dumps(document) + "\n")


def _refuse(verb: str, text: str, code: int = EXIT_REFUSED) -> int:
    sys.stderr.write(f"{verb}: {text}\n" if verb else f"{text}\n")
    return code


VERBS: Mapping[str, Callable[[Store, Path, Mapping[str, object]], int] | None] = {
    "stats": _stats,
    "inspect": _inspect,
    "verify": _verify,
    "export": _export,
    "erase": _erase,
    "rotate": _rotate,
    "replay": None,
    "flush": None,
    "pause": None,
    "resume": None,
}
