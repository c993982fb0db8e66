"""How `make test` runs the tests in two processes (pytest-xdist): hooks that conftest.py takes.

Who starts the whole line, containers or floods before them takes the machine as it is: those run one after another, in
one process. Every other folder is a group of its own, as its files share what is dear to start, or one address.
"""

from __future__ import annotations

import gc
import traceback
from pathlib import PurePath
from typing import Any

import pytest
from _pytest.threadexception import collect_thread_exception
from _pytest.unraisableexception import collect_unraisable

LINE = ("tests/docker", "tests/localhub/hub/process", "tests/system")
LEFT = pytest.StashKey[list[str]]()


def group(file: PurePath) -> str:
    """The group of a test file, which is named from the root of the tree."""
    folder = file.parent.as_posix()
    return "line" if folder in LINE else folder


def left(config: pytest.Config) -> str:
    """What the tests of this process left unclosed, or ""."""
    gc.collect()
    said = ""
    for collect in (collect_unraisable, collect_thread_exception):
        try:
            collect(config)
        except Exception as error:  # noqa: BLE001 - whatever a destructor or a thread ended with
            said += "".join(traceback.format_exception(error))
    return said


def pytest_configure(config: pytest.Config) -> None:
    """Nothing is known yet to be left."""
    config.stash[LEFT] = []


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: object) -> object:
    """A group goes to one process whole, the next to whichever has done its own."""
    from xdist.scheduler import LoadScopeScheduling  # noqa: PLC0415 - only where there are two processes

    class Groups(LoadScopeScheduling):  # type: ignore[misc]  # it has no types
        def _split_scope(self, nodeid: str) -> str:
            return group(PurePath(nodeid.partition("::")[0]))

    config.option.loadscopereorder = False  # as they are collected
    return Groups(config, log)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """The longest group begins, so that the others fill the time beside it and after it."""
    if hasattr(config, "workerinput"):
        items.sort(key=lambda item: group(item.path.relative_to(config.rootpath)) != "line")


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """Each of the two tells the one that started them what its tests left unclosed, and that one fails.

    pytest itself looks for it when all is over. In a process of xdist's that is too late: nobody hears it any more.
    """
    if hasattr(session.config, "workeroutput"):
        session.config.workeroutput["left"] = left(session.config)
    elif session.config.stash[LEFT]:
        session.exitstatus = session.exitstatus or pytest.ExitCode.TESTS_FAILED


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """Called where they were started, for each that has ended; one that crashed says nothing, and xdist reports it."""
    if said := getattr(node, "workeroutput", {}).get("left"):
        node.config.stash[LEFT].append(said)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """What was left, with the warnings that say where."""
    for said in config.stash[LEFT]:
        terminalreporter.section("left unclosed", red=True)
        terminalreporter.write_line(said)
