"""``python -m modules.inference``: the inference module; ``... check PACKAGE`` tells whether a package will run."""

import sys

from modules.common.edge import Edge
from modules.common.main import run_module
from modules.inference.module import InferenceModule
from modules.inference.settings import InferenceSettings


async def main() -> None:
    """Judge pictures and waveforms until told to stop."""
    edge = Edge("inference", InferenceSettings)
    InferenceModule(edge)
    await edge.run()


def check(arguments: list[str]) -> int:
    """The command `check`: imports ONNX Runtime, which the module itself leaves to its child."""
    from modules.inference.check import command  # noqa: PLC0415 - see above

    return command(arguments)


if __name__ == "__main__":
    if len(sys.argv) > 1 and sys.argv[1] == "check":
        sys.exit(check(sys.argv[2:]))
    sys.exit(run_module(main))
