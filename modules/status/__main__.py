"""The gateway explains itself: `python -m modules.status`; with a verb, on the command line."""

import sys


async def start() -> None:
    """Take alerts and heartbeats in, and serve what they say."""
    from modules.common.edge import Edge  # noqa: PLC0415 - the command line does without all of these
    from modules.status.module import StatusModule  # noqa: PLC0415
    from modules.status.server import StatusServer  # noqa: PLC0415
    from modules.status.settings import StatusSettings  # noqa: PLC0415

    edge = Edge("status", StatusSettings)
    StatusServer(StatusModule(edge))
    await edge.run()


def main(arguments: list[str]) -> int:
    """Run as a module, or one verb."""
    if arguments:
        from modules.status import commandline  # noqa: PLC0415 - the running module does without it

        return commandline.main(arguments)
    from modules.common.main import run_module  # noqa: PLC0415

    return run_module(start)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
