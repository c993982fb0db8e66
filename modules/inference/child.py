"""The process that holds the models: ``python -m modules.inference.child MEMORY_MB``, spoken to over stdin and stdout.

A model that crashes the runtime, leaks or hangs takes this process with it and nothing else; a model that asks for more
memory than MEMORY_MB is refused it by the system, before the gateway's other modules miss it. Requests, one at a time:
``load`` (path, sizing, orders), ``judge`` (name, items: facts and length of each body; the bodies behind each other),
``heat`` (name; a picture, answered with the picture under its heat map), ``drop`` (name),
``measure`` (name, path).
"""

import ctypes
import os
import resource
import signal
import sys
from dataclasses import asdict
from pathlib import Path
from typing import IO, Any, Final

from modules.inference import pipe
from modules.inference.card import CardError
from modules.inference.errors import BadInputError, ModelError, OutOfMemoryError
from modules.inference.golden import read_golden
from modules.inference.heatmap import shown
from modules.inference.measuring import measure
from modules.inference.runner import Runner, describe
from modules.inference.sizing import Sizing

_PR_SET_PDEATHSIG: Final = 1  # linux/prctl.h


def serve(requests: IO[bytes], answers: IO[bytes]) -> None:
    """Answer requests until the module closes its end."""
    runners: dict[str, Runner] = {}
    while (message := pipe.read(requests)) is not None:
        head, body = message
        picture = b""
        try:
            answer, picture = _answer(head, body, runners)
        except BadInputError as error:
            answer = _bad(error)
        except (OutOfMemoryError, MemoryError) as error:
            answer = {"out_of_memory": str(error) or "the model asked for more memory than it may have"}
        except (CardError, ModelError) as error:
            answer = {"model_error": str(error)}
        answers.write(pipe.pack(answer, picture))
        answers.flush()


def _answer(head: dict[str, Any], body: bytes, runners: dict[str, Runner]) -> tuple[dict[str, Any], bytes]:
    if head["do"] == "load":
        runner = Runner(
            Path(head["path"]),
            sizing=Sizing.of(head["sizing"]),
            orders=head["orders"],
            precision=head["precision"],
        )
        runners[head["name"]] = runner
        return {"loaded": describe(runner.loaded)}, b""
    if head["do"] == "drop":
        runners.pop(head["name"], None)
        return {}, b""
    runner = runners[head["name"]]
    if head["do"] == "heat":
        heat = runner.heat(body)
        return {}, b"" if heat is None else shown(body, heat, runner.card)
    if head["do"] == "measure":
        return {"measured": measure(runner, read_golden(Path(head["path"])))}, b""
    items = []
    start = 0
    for each in head["items"]:
        items.append((body[start : start + each["length"]], each["facts"]))
        start += each["length"]
    judged = runner.judge_each(items)
    return {"answers": [_bad(each) if isinstance(each, BadInputError) else asdict(each) for each in judged]}, b""


def _bad(error: BadInputError) -> dict[str, Any]:
    return {"bad_input": error.reason, "text": str(error)}


def main() -> None:
    """Keep stdout for answers alone, ignore the terminal's Ctrl-C, and end when the module does."""
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if sys.platform == "linux":
        # The module may be killed while a model hangs here and stdin is not read.
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    limit = int(sys.argv[1]) << 20
    resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))
    serve(sys.stdin.buffer, answers)


if __name__ == "__main__":
    main()
