"""`fleet model keys|list|publish|trial|promote|rollback`: the arguments, and what each does."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

from fleet.exits import Exit, FleetError
from fleet.model import gateways
from fleet.model.archive import TARGET, pack
from fleet.model.keys import KEYS, Keys
from fleet.model.repository import Repository
from fleet.options import at_least_one

KEY_STEPS: Final = ("create", "rotate", "renew")


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the verbs."""
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="VERB")
    again = _behind_the_verb()
    place = argparse.ArgumentParser(add_help=False, parents=[again])
    place.add_argument("--repository", type=Path, default=Path("model-repository"), metavar="DIR", help="its folder")
    place.add_argument("--keys", type=Path, default=Path("model-keys"), metavar="DIR", help="folder of the keys")

    keys = verbs.add_parser("keys", parents=[place], help="make, replace or renew the keys and what they sign")
    keys.add_argument("step", choices=KEY_STEPS)
    keys.add_argument("key", nargs="?", choices=KEYS, help="for rotate and renew; renew online is for every day")
    verbs.add_parser("list", parents=[place], help="what is signed, and until when")
    publish = verbs.add_parser("publish", parents=[place], help="sign packages and put them into the repository")
    publish.add_argument("package", nargs="+", type=Path, help="a package's folder")

    trial = verbs.add_parser("trial", parents=[again], help="let a challenger run beside a package")
    trial.add_argument("name", help="the package's name in the module's settings")
    trial.add_argument("target", nargs="?", type=_target, metavar="TASK/NAME/VERSION", help="the challenger")
    trial.add_argument("--end", action="store_true", help="end the trial; the champion stays")
    trial.add_argument("--share", type=float, help="it speaks for this share of the sources (else: shadow)")
    trial.add_argument("--guard", type=_object, metavar="JSON", help="window, disagreement, latency_ms, slow")
    trial.add_argument("--rule", type=_object, metavar="JSON", help="n, agreement, latency_ms: promotes by itself")
    promote = verbs.add_parser("promote", parents=[again], help="let a version run in place of the one before")
    promote.add_argument("name", help="the package's name in the module's settings")
    promote.add_argument("target", type=_target, metavar="TASK/NAME/VERSION")
    rollback = verbs.add_parser("rollback", parents=[place], help="withdraw a version, and go back to another")
    rollback.add_argument("name", help="the package's name in the module's settings")
    rollback.add_argument("target", type=_target, metavar="TASK/NAME/VERSION", help="the one that is withdrawn")
    rollback.add_argument("--to", type=_target, metavar="TASK/NAME/VERSION", help="none: what the gateway ships with")
    for each in (trial, promote, rollback):
        gateways.add_choice(each)


def _behind_the_verb() -> argparse.ArgumentParser:
    """The options of every command once more, without defaults: they may stand before the verb or behind it."""
    parent = argparse.ArgumentParser(add_help=False, argument_default=argparse.SUPPRESS)
    parent.add_argument("--login", metavar="TEXT|@FILE", help="the hub")
    parent.add_argument("--format", choices=("table", "json"), help="how to print")
    parent.add_argument("--dry-run", action="store_true", default=argparse.SUPPRESS, help="change nothing")
    parent.add_argument("--tries", type=at_least_one, help="how often to ask a hub that is busy")
    parent.add_argument("--quiet", action="store_true", default=argparse.SUPPRESS, help="no progress")
    return parent


def run(arguments: argparse.Namespace) -> int:
    """Do what the verb says. Raises FleetError."""
    verbs: dict[str, Callable[[argparse.Namespace], int]] = {
        "keys": _keys,
        "list": _list,
        "publish": _publish,
        "trial": _trial,
        "promote": lambda given: gateways.tell(given, gateways.promoted(given.name, given.target)),
        "rollback": _rollback,
    }
    return verbs[arguments.verb](arguments)


def _keys(arguments: argparse.Namespace) -> int:
    if (arguments.key is None) != (arguments.step == "create"):
        raise FleetError(f"keys {arguments.step} takes {'no' if arguments.key else 'a'} key", Exit.USAGE)
    if arguments.dry_run:
        print(f"would {arguments.step} {arguments.key or 'keys ' + ', '.join(KEYS)} in {arguments.keys}")
        return Exit.OK
    repository = _repository(arguments)
    if arguments.step == "create":
        repository.create()
    elif arguments.step == "rotate":
        repository.rotate(arguments.key)
    else:
        repository.renew(arguments.key)
    _write(arguments, repository)
    root = next((step for step in repository.steps() if step.path.endswith(".root.json")), None)
    if root is not None:
        digest = sha256(root.body).hexdigest()
        facts = {"root": str(arguments.repository / root.path), "sha256": digest}
        print(json.dumps(facts) if arguments.format == "json" else f"root of trust: {facts['root']}\nSHA-256: {digest}")
    return Exit.OK


def _list(arguments: argparse.Namespace) -> int:
    repository = _repository(arguments)
    roles = {
        name: {"version": n, "expires": f"{end:%Y-%m-%dT%H:%MZ}"} for name, (n, end) in repository.versions().items()
    }
    packages = {
        target: {"bytes": each.length, "sha256": each.hashes["sha256"]} for target, each in repository.targets().items()
    }
    if arguments.format == "json":
        print(json.dumps({"roles": roles, "packages": packages}, indent=2))
        return Exit.OK
    for name, role in roles.items():
        print(f"{name:10} version {role['version']:<5} until {role['expires']}")
    for target, each in packages.items():
        print(f"{target}  {each['bytes']:,} bytes")
    return Exit.OK


def _publish(arguments: argparse.Namespace) -> int:
    packed = [pack(folder) for folder in arguments.package]
    if arguments.dry_run:
        for each in packed:
            print(f"would sign {each.target}: {len(each.body):,} bytes")
        return Exit.OK
    repository = _repository(arguments)
    repository.publish(packed)
    _write(arguments, repository)
    targets = [each.target for each in packed]
    print(json.dumps({"published": targets}) if arguments.format == "json" else f"published {', '.join(targets)}")
    return Exit.OK


def _trial(arguments: argparse.Namespace) -> int:
    if arguments.end == (arguments.target is not None):
        raise FleetError("trial takes either a challenger or --end", Exit.USAGE)
    if arguments.end:
        return gateways.tell(arguments, gateways.ended(arguments.name))
    trial: dict[str, Any] = {"target": arguments.target, "guard": arguments.guard, "rule": arguments.rule}
    if arguments.share is not None:
        trial |= {"mode": "share", "share": arguments.share}
    return gateways.tell(arguments, gateways.tried(arguments.name, trial))


def _rollback(arguments: argparse.Namespace) -> int:
    """The repository first: a gateway that is told to go back must not find the bad version signed any more."""
    if arguments.to == arguments.target:
        raise FleetError("a version cannot be withdrawn and gone back to", Exit.USAGE)
    repository = _repository(arguments)
    signed = repository.targets()
    if arguments.to is not None and arguments.to not in signed:
        raise FleetError(f"{arguments.to} is not among the signed packages", Exit.CONTENT)
    if arguments.dry_run:
        print(f"would withdraw {arguments.target}", file=sys.stderr)
    elif arguments.target in signed:
        repository.withdraw(arguments.target)
        _write(arguments, repository)
    return gateways.tell(arguments, gateways.back(arguments.name, arguments.to))


def _repository(arguments: argparse.Namespace) -> Repository:
    return Repository(arguments.repository, Keys(arguments.keys))


def _write(arguments: argparse.Namespace, repository: Repository) -> None:
    steps = repository.steps()
    for number, step in enumerate(repository.write(), 1):
        if not arguments.quiet:
            print(f"{number}/{len(steps)} {step}", file=sys.stderr, flush=True)


def _target(text: str) -> str:
    if not TARGET.fullmatch(text):
        raise argparse.ArgumentTypeError(f"{text!r} is no TASK/NAME/VERSION, as picture/tile/1.1.0")
    return text


def _object(text: str) -> dict[str, Any]:
    try:
        found = json.loads(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"no JSON: {error}") from error
    if not isinstance(found, dict):
        raise argparse.ArgumentTypeError("no JSON object")
    return found
