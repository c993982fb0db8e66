"""`python -m localhub`: run a manifest on this machine, and watch, break and ask what runs."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from localhub import exits, faults
from localhub.exits import CannotStartError, Exit

Command = Callable[[argparse.Namespace], int]


def main(words: Sequence[str] | None = None) -> int:
    """Read the command line, hand over to the command, turn what went wrong into a line and an exit code."""
    words = list(sys.argv[1:] if words is None else words)
    if words and words[0] in ELSEWHERE:
        return ELSEWHERE[words[0]]()(words[1:])
    whole = not words or words[0].startswith("-")
    options = parser(with_cloud=whole or words[0] in ASKS_CLOUD).parse_args(words)
    try:
        return _run(options) if options.command == "run" else _ask(options)
    except CannotStartError as error:
        # A line that begins with FILE:LINE is one that editors and terminals can follow.
        print(error if error.code == Exit.REFUSED else f"localhub: {error}", file=sys.stderr)
        return error.code
    except KeyboardInterrupt:
        return Exit.OK
    except BrokenPipeError:
        sys.stderr.close()  # whoever read our output, as `head`, has had enough
        return Exit.OK


def parser(*, with_cloud: bool = True) -> argparse.ArgumentParser:
    """The command line; without the cloud's commands it is there sooner."""
    top = argparse.ArgumentParser(
        prog="localhub",
        description="edgeHub, edgeAgent, the workload API and the IoT Hub of one machine.",
        epilog=exits.TEXT,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = top.add_subparsers(dest="command", required=True, metavar="COMMAND")
    asking = argparse.ArgumentParser(add_help=False)
    asking.add_argument("--state", type=Path, default=Path(".state"), help="the state folder (default .state)")
    asking.add_argument("--format", choices=("text", "json"), default="text", help="how to print")
    run = "run a deployment manifest until Ctrl-C"
    _run_options(commands.add_parser("run", help=run, description=run, parents=[asking]))
    _gateway_verbs(commands, asking)
    asking = argparse.ArgumentParser(add_help=False, parents=[asking])
    asking.add_argument("--gateway", metavar="NAME", help="one that was added, in place of the first")

    def command(name: str, text: str) -> argparse.ArgumentParser:
        return commands.add_parser(name, help=text, description=text, parents=[asking])

    restart = command("restart", "restart hub, cloud, agent, or one module or leaf device")
    restart.add_argument("name")
    restart.add_argument("--kill", action="store_true", help="with SIGKILL, as a crash would")
    for verb, text in (("start", "start a module or leaf device"), ("halt", "stop one module or leaf device")):
        command(verb, text).add_argument("name")
    command("stop", "stop the whole localhub")
    link = command("link", "cut, slow or restore the link between hub and cloud")
    link.add_argument("link", choices=("up", "down", "slow"))
    link.add_argument("--bytes-per-s", type=int, help="for slow: the bandwidth")
    link.add_argument("--latency-ms", type=float, help="for slow: how long everything takes, each way")
    link.add_argument("--loss-percent", type=float, help="for slow: how many packets are lost, each way")
    status = command("status", "what runs and what flows")
    status.add_argument("--pss", action="store_true", help="memory as PSS, in --format json")
    send = command("send", "put a message into a module's input")
    send.add_argument("target", metavar="MODULE/INPUT")
    send.add_argument("file", type=Path, help="the body; - for standard input")
    send.add_argument("-p", "--property", action="append", default=[], metavar="KEY=VALUE")
    watch = command("watch", "print messages as they reach the hub")
    watch.add_argument("pattern", metavar="MODULE/OUTPUT", help="* in either place for any; $upstream")
    watch.add_argument("--where", help="a route condition, as \"kind = 'alert'\"")
    watch.add_argument("-n", type=int, default=0, help="stop after so many")
    fault = command("fault", "break something on purpose; `fault clear` ends what was set")
    faults.add_verbs(fault, asking)
    env = command("env", "the variables of a module or leaf device, for a shell or a debugger")
    env.add_argument("name")
    env.add_argument("--take", action="store_true", help="stop the module here; your process may stand for it")
    logs = command("logs", "the output of a module, leaf device, or of hub, cloud, agent")
    logs.add_argument("name")
    logs.add_argument("-n", type=int, default=40, help="lines")
    logs.add_argument("-f", "--follow", action="store_true", help="go on as it grows")
    if with_cloud:
        from localhub.cloud.commands import add_parsers  # noqa: PLC0415

        add_parsers(commands, asking)
    for name in ELSEWHERE:  # listed here, parsed by their own
        commands.add_parser(name, add_help=False, help=f"see: localhub {name} --help")
    return top


def _gateway_verbs(commands: Any, asking: argparse.ArgumentParser) -> None:
    text = "more gateways on this machine, with one cloud for all"
    verbs = commands.add_parser("gateway", help=text, description=text).add_subparsers(
        dest="verb", required=True, metavar="VERB"
    )
    add = verbs.add_parser("add", help="add and start gateways, each with its own hub and agent", parents=[asking])
    add.add_argument("names", nargs="+", metavar="NAME")
    add.add_argument("--manifest", type=Path, help="what they run (default: what the cloud deploys to them)")
    add.add_argument("--layer", type=Path, action="append", default=[], help="a layered deployment, lowest first")
    add.add_argument("--config", type=Path, help="localhub.toml (default: the manifest's, or the first gateway's)")
    add.add_argument("--address", help="of the only one that is added (default: the next 127.x address that is free)")
    verbs.add_parser("list", help="all of them, and how they do", parents=[asking])
    remove = verbs.add_parser("remove", help="stop them and forget their state; twins stay", parents=[asking])
    remove.add_argument("names", nargs="+", metavar="NAME")


def _run_options(run: argparse.ArgumentParser) -> None:
    run.add_argument("manifest", type=Path, help="deployment.template.json or a deployment manifest")
    run.add_argument("--layer", type=Path, action="append", default=[], help="a layered deployment, lowest first")
    run.add_argument("--config", type=Path, help="localhub.toml (default: the one beside the manifest)")
    run.add_argument("--address", default="127.0.0.1", help="any free 127.x address; MQTT is on its port 8883")
    run.add_argument("--fresh", action="store_true", help="empty the state folder first")
    run.add_argument(
        "--containers",
        action="store_true",
        help="modules as containers of this machine's Docker engine, from their images",
    )
    run.add_argument("--strict", action="store_true", help="do as edgeHub does, also where localhub knows better")
    run.add_argument("--plain", action="store_true", help="plain lines also on a terminal")
    run.add_argument("--leaf", action="append", metavar="NAME", help="start this leaf device instead of the usual ones")
    run.add_argument("--no-leaves", action="store_true", help="start no leaf device")
    run.add_argument("--page", help="an address to show to the person at the terminal")


def _run(options: argparse.Namespace) -> int:
    began = time.monotonic()
    from localhub.prepare import Options  # noqa: PLC0415  a status command does not need all this
    from localhub.run import run  # noqa: PLC0415
    from localhub.screen import Form  # noqa: PLC0415

    wanted = Options(
        manifest=options.manifest,
        layers=options.layer,
        config=options.config,
        state=options.state,
        address=options.address,
        fresh=options.fresh,
        containers=options.containers,
        strict=options.strict,
        leaves=[] if options.no_leaves else options.leaf,
    )
    form = Form.JSON if options.format == "json" else Form.PLAIN if options.plain else Form.AUTO
    return run(wanted, form=form, page=options.page, began=began)


def _ask(options: argparse.Namespace) -> int:
    from localhub import commands  # noqa: PLC0415  `run` does not wait for it

    return commands.run(options)


def _lint() -> Callable[[list[str]], int]:
    from localhub.manifest.lint import lint_main  # noqa: PLC0415

    return lint_main


def _explain() -> Callable[[list[str]], int]:
    from localhub.manifest.explain import explain_main  # noqa: PLC0415

    return explain_main


ASKS_CLOUD = ("apply", "cloud", "twin", "method")
ELSEWHERE: dict[str, Callable[[], Callable[[list[str]], int]]] = {"lint": _lint, "explain": _explain}

if __name__ == "__main__":
    sys.exit(main())
