"""The process that holds the models: ``python -m modules.inference.child MEMORY_MB``, spoken to over stdin and stdout.

A model that crashes the runtime, leaks or hangs takes this process with it and nothing else; a model that asks for more
memory than MEMORY_MB is refused it by the system, before the gateway's other modules miss it. Requests, one at a time:
``load`` (path, threads, orders), ``judge`` (name, items: facts and length of each body; the bodies behind each other),
``heat`` (name), ``drop`` (name).
"""

import ctypes
import os
import resource
import signal
import sys
from pathlib import Path
from typing import IO, Any, Final

from modules.inference import pipe
from modules.inference.card import CardError
from modules.inference.errors import BadInputError, ModelError
from modules.inference.runner import Runner, describe

_PR_SET_PDEATHSIG: Final = 1  # linux/prctl.h


def serve(requests: IO[bytes], answers: IO[bytes]) -> None:
    """Answer requests until the module closes its end."""
    runners: dict[str, Runner] = {}
    while (message := pipe.read(requests)) is not None:
        head, body = message
        try:
            answer = _answer(head, body, runners)
        except BadInputError as error:
            answer = {"bad_input": error.reason, "text": str(error)}
        except (CardError, ModelError) as error:
            answer = {"model_error": str(error)}
        except MemoryError:
            answer = {"model_error": "the model needs more memory than the setting memory_mb gives it"}
        answers.write(pipe.pack(answer))
        answers.flush()


def _answer(head: dict[str, Any], body: bytes, runners: dict[str, Runner]) -> dict[str, Any]:
    if head["do"] == "load":
        runner = Runner(Path(head["path"]), threads=head["threads"], orders=head["orders"])
        runners[head["name"]] = runner
        return {"loaded": describe(runner.loaded)}
    if head["do"] == "drop":
        runners.pop(head["name"], None)
        return {}
    runner = runners[head["name"]]
    if head["do"] == "heat":
        heat = runner.heat(body)
        return {"heat": None if heat is None else heat.tolist()}
    items = []
    start = 0
    for each in head["items"]:
        items.append((body[start : start + each["length"]], each["facts"]))
        start += each["length"]
    return {"probabilities": runner.judge(items).tolist()}


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
