"""`python -m models.federated learn|join|show|table`: a head learnt at gateways that keep their samples.

show   what the samples of a gateway are, and whether a package has a head that can be learnt
join   on a gateway: take part, as long as this runs
learn  at the operator's: wait for the gateways, learn, write a package; then `python -m fleet model publish` it
table  what it is worth, and what a liar does to it: the table of docs/guides/federated.md again
"""

from __future__ import annotations

import argparse
import json
import logging
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from enum import IntEnum
from pathlib import Path

import httpx

from models.federated.head import Pace
from models.federated.network import Base, NoHeadError, read_base, write_package
from models.federated.samples import judged
from modules.common.backoff import backoff
from modules.inference.card import CardError
from modules.inference.errors import ModelError


class Exit(IntEnum):
    """As those of `python -m fleet`."""

    OK = 0
    REFUSED = 1  # nothing was learnt
    CONTENT = 3  # the package cannot be learnt for
    AWAY = 5  # Flower's process has ended, or does not answer


def main(words: Sequence[str] | None = None) -> int:
    """Do what the verb says; one line for what went wrong."""
    options = _parser().parse_args(words)
    logging.basicConfig(level=logging.WARNING, format="%(message)s")
    try:
        if options.verb == "table":
            return _table(options)
        verbs = {"show": _show, "join": _join, "learn": _learn}
        return verbs[options.verb](read_base(options.package), options)
    except (CardError, ModelError, NoHeadError, OSError) as error:
        print(f"federated: {options.data if options.verb == 'table' else options.package}: {error}", file=sys.stderr)
        return Exit.CONTENT
    except KeyboardInterrupt:
        return Exit.OK if options.verb == "join" else Exit.REFUSED


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m models.federated", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="VERB")
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument("package", type=Path, help="the package that a head is learnt for; the same at every gateway")
    common.add_argument("--format", choices=("table", "json"), default="table", help="how to print")
    link = argparse.ArgumentParser(add_help=False)
    link.add_argument(
        "--ca", type=Path, help="who has signed the server's certificate; none: no TLS, on one machine only"
    )
    link.add_argument("--home", type=Path, default=Path(".flower"), help="folder for what Flower writes")

    show = verbs.add_parser("show", parents=[common], help="look, and change nothing")
    show.add_argument("--samples", type=Path, help="`labelled` in the state of a gateway's inference module")
    join = verbs.add_parser("join", parents=[common, link], help="take part, as this gateway")
    join.add_argument("--samples", type=Path, required=True, help="`labelled` in the inference module's state")
    join.add_argument("--server", required=True, metavar="HOST:PORT", help="where `learn` listens")
    join.add_argument(
        "--here", default="127.0.0.1:9094", metavar="HOST:PORT", help="for Flower's parts on this machine"
    )

    learn = verbs.add_parser("learn", parents=[common, link], help="learn, and write a package")
    learn.add_argument("--listen", default="127.0.0.1:9092", metavar="HOST:PORT", help="where gateways come to")
    learn.add_argument("--certificate", type=Path, help="the server's, PEM")
    learn.add_argument("--key", type=Path, help="and its key")
    learn.add_argument("--gateways", type=int, required=True, help="how many there are at least: it waits for them")
    learn.add_argument("--rounds", type=int, default=10)
    learn.add_argument("--steps", type=int, default=Pace().steps, help="of each gateway in a round")
    learn.add_argument("--strategy", default="trimmed", help="mean, trimmed, median")
    learn.add_argument("--liars", type=int, default=1, help="so many gateways may lie")
    learn.add_argument("--version", required=True, help="of the package that is written, as 1.1.0")
    learn.add_argument("--out", type=Path, required=True, metavar="DIR", help="where it is written")
    learn.add_argument("--dry-run", action="store_true", help="say what would be done, and do nothing")

    table = verbs.add_parser("table", help="some minutes on one core")
    table.add_argument("data", type=Path, help="folder of the real pictures, with magnetic_tile in it")
    return parser


def _show(base: Base, options: argparse.Namespace) -> int:
    labels, features = base.home.weight.shape
    found = (
        Counter(base.card.labels[each.truth] for each in judged(options.samples, base.card)) if options.samples else {}
    )
    facts = {"package": base.card.id, "labels": labels, "features": features, "samples": dict(found)}
    if options.format == "json":
        print(json.dumps(facts))
    else:
        print(f"{base.card.id}: a head of {features} features and {labels} labels can be learnt")
        for label, count in sorted(found.items()):
            print(f"{label:20} {count}")
    return Exit.OK


def _join(base: Base, options: argparse.Namespace) -> int:
    from models.federated import runtime  # noqa: PLC0415  `show` needs no Flower
    from models.federated.gateway import Gateway  # noqa: PLC0415

    def told(text: str) -> None:
        print(text, flush=True)

    gateway, tls = Gateway(base, options.samples, told), runtime.Tls(ca=options.ca)
    try:
        tls.check(options.server)
    except ValueError as error:
        print(f"federated: {error}", file=sys.stderr)
        return Exit.REFUSED
    waits = backoff(first=2.0, longest=30.0)
    while True:  # Flower's process gives up where a connection breaks in its handshake
        with runtime.supernode(options.server, tls, options.here, options.home) as child:
            if runtime.answer_tasks(options.here, gateway.reply, lambda: child.poll() is None, told):
                waits = backoff(first=2.0, longest=30.0)
        pause = next(waits)
        print(f"federated: flower-supernode has ended; once more in {pause:.0f} s", file=sys.stderr, flush=True)
        time.sleep(pause)


def _learn(base: Base, options: argparse.Namespace) -> int:
    from models.federated import runtime  # noqa: PLC0415  as above
    from models.federated.learn import NothingLearntError, Plan, learn  # noqa: PLC0415

    def say(text: str) -> None:
        print(text, file=sys.stderr, flush=True)

    logging.getLogger("flwr").setLevel(logging.ERROR)  # what matters of a round, `say` tells
    plan = Plan(options.gateways, options.rounds, options.strategy, options.liars, Pace(steps=options.steps))
    tls = runtime.Tls(options.ca, options.certificate, options.key)
    try:
        plan.possible(base)
        tls.check(options.listen)
        if options.dry_run:
            print(f"would learn {base.card.name}/{options.version} of {base.card.id} into {options.out}")
            return Exit.OK
        learnt = learn(base, plan, options.listen, tls, options.home, say)
    except (NothingLearntError, ValueError) as error:
        print(f"federated: {error}", file=sys.stderr)
        return Exit.REFUSED
    except (runtime.GoneError, httpx.HTTPError) as error:
        print(f"federated: {error}", file=sys.stderr)
        return Exit.AWAY
    card = write_package(base, learnt.head, options.out, version=options.version, told=learnt.told(plan))
    facts = {"package": card.id, "folder": str(options.out), **learnt.told(plan)}
    print(json.dumps(facts) if options.format == "json" else f"{card.id}: {options.out}")
    return Exit.OK


def _table(options: argparse.Namespace) -> int:
    from models.federated.table import compared, tile_base, tiles  # noqa: PLC0415  as above

    logging.disable(logging.WARNING)  # of every liar that is left out
    with tempfile.TemporaryDirectory() as folder:
        base = tile_base(Path(folder))
        print("| way | liar | AUROC, mean | worst | right |\n|---|---|---|---|---|")
        for found in compared(tiles(options.data, base), base.home):
            print(found.line(), flush=True)
    return Exit.OK


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # Flower's processes end with us
    sys.exit(main())
