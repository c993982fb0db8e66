"""``python -m modules.inference``: the inference module.

``... check PACKAGE`` tells whether a package will run, ``... new MODEL.onnx`` makes one of a bare ONNX file.
"""

import sys
from collections.abc import Callable

from modules.common.edge import Edge
from modules.common.main import run_module
from modules.inference.module import InferenceModule
from modules.inference.settings import InferenceSettings


async def main() -> None:
    """Judge pictures and waveforms until told to stop."""
    edge = Edge("inference", InferenceSettings)
    InferenceModule(edge)
    await edge.run()


def command(name: str) -> Callable[[list[str]], int] | None:
    """A command by name: these import ONNX Runtime, which the module itself leaves to its child."""
    if name == "check":
        from modules.inference import check  # noqa: PLC0415 - see above

        return check.command
    if name == "new":
        from modules.inference import new  # noqa: PLC0415 - see above

        return new.command
    return None


if __name__ == "__main__":
    if len(sys.argv) > 1 and (wanted := command(sys.argv[1])):
        sys.exit(wanted(sys.argv[2:]))
    sys.exit(run_module(main))
