"""Real processes: restarts, stops, output, and nothing left behind."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from localhub.agent import proc
from localhub.agent.environment import OWNER
from localhub.agent.keeper import NOT_STARTED, Keeper
from localhub.agent.logs import tail
from localhub.agent.orphans import Records
from localhub.agent.plan import Planned
from localhub.agent.policy import Policy, Runtime, Timings
from localhub.agent.runner import Launch, LaunchError, ProcessRunner

pytestmark = pytest.mark.anyio
QUICK = Timings(unit_s=0.01, longest_s=0.05, steady_s=30, most=4)
OBEYS = "import time\nprint('up', flush=True)\ntime.sleep(60)\n"
DEAF = f"import signal\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\n{OBEYS}"
FAMILY = """
import subprocess, sys, time
child = subprocess.Popen([sys.executable, "-S", "-c", "import time; time.sleep(60)"])
print(child.pid, flush=True)
time.sleep(60)
"""


@pytest.fixture
def keep(tmp_path: Path) -> Callable[..., Keeper]:
    def make(planned: Planned) -> Keeper:
        async def launch() -> Launch:
            return Launch(
                name=planned.name,
                command=tuple(planned.command),
                folder=Path(planned.folder),
                env={**os.environ, OWNER: str(tmp_path)},
                log=tmp_path / f"{planned.name}.log",
            )

        runner = ProcessRunner(Records(tmp_path / "living.json", str(tmp_path)))
        return Keeper(planned.name, runner, launch, planned.policy, QUICK)

    return make


async def until(fact: Callable[[], object], *, within_s: float = 60) -> None:
    async with asyncio.timeout(within_s):
        while not fact():  # noqa: ASYNC110  what is waited for happens in another process
            await asyncio.sleep(0.01)


KeepFixture = Callable[..., Keeper]
ProgramFixture = Callable[..., Planned]


async def test_a_crash_is_started_again_until_it_is_given_up(keep: KeepFixture, program: ProgramFixture) -> None:
    # The kernel counts hundredths of a second.
    busy = "import time\nwhile time.process_time() < 0.05: pass\nraise SystemExit(3)\n"
    keeper = keep(program("crash", busy, policy=Policy.ON_FAILURE))
    await keeper.start()
    await keeper.ended()
    assert (keeper.state, keeper.restarts, keeper.starts, keeper.exit_code) == (Runtime.FAILED, 4, 5, 3)
    assert keeper.usage().cpu_s > 0


async def test_success_is_not_started_again_on_failure(
    keep: KeepFixture, program: ProgramFixture, tmp_path: Path
) -> None:
    keeper = keep(
        program("done", "import sys\nprint('out')\nprint('err', file=sys.stderr)\n", policy=Policy.ON_FAILURE)
    )
    await keeper.start()
    await keeper.ended()
    assert (keeper.state, keeper.restarts, keeper.exit_code) == (Runtime.STOPPED, 0, 0)
    assert sorted(tail(tmp_path / "done.log", 9)) == ["err", "out"]


async def test_kill_is_a_crash_and_stop_is_not(keep: KeepFixture, program: ProgramFixture, tmp_path: Path) -> None:
    keeper = keep(program("obeys", OBEYS, policy=Policy.ALWAYS))
    await keeper.start()
    assert keeper.state is Runtime.RUNNING
    first = keeper.pid
    keeper.kill()
    await until(lambda: keeper.pid not in (None, first))
    assert keeper.exit_code == 137
    await until(lambda: tail(tmp_path / "obeys.log", 1) == ["up"])
    await keeper.stop()
    assert (keeper.state, keeper.exit_code, keeper.pid) == (Runtime.STOPPED, 143, None)
    await keeper.restart()
    assert keeper.state is Runtime.RUNNING
    await keeper.stop()


async def test_who_does_not_stop_is_killed(keep: KeepFixture, program: ProgramFixture, tmp_path: Path) -> None:
    keeper = keep(program("deaf", DEAF, policy=Policy.ALWAYS))
    await keeper.start()
    await until(lambda: tail(tmp_path / "deaf.log", 1))
    await keeper.stop(grace_s=0.1)
    assert (keeper.state, keeper.exit_code) == (Runtime.STOPPED, 137)


async def test_what_a_module_started_ends_with_it(keep: KeepFixture, program: ProgramFixture, tmp_path: Path) -> None:
    keeper = keep(program("family", FAMILY))
    await keeper.start()
    await until(lambda: tail(tmp_path / "family.log", 1))
    child = int(tail(tmp_path / "family.log", 1)[0])
    running = keeper.running
    assert running is not None
    assert running.owns(child)
    assert not running.owns(os.getpid())
    assert keeper.usage(pss=True).processes == 2
    assert (keeper.usage(pss=True).pss or 0) > 0
    await keeper.stop()
    await until(lambda: proc.started(child) is None)


async def test_a_command_that_is_not_there_says_so(keep: KeepFixture, tmp_path: Path) -> None:
    keeper = keep(Planned(name="none", command=["./none"], folder=str(tmp_path), policy=Policy.NEVER))
    await keeper.start()
    await keeper.ended()
    assert (keeper.state, keeper.exit_code) == (Runtime.FAILED, NOT_STARTED)
    assert "cannot start ./none in" in (keeper.exit_text or "")
    assert "cannot start ./none in" in tail(tmp_path / "none.log", 1)[0]


async def test_stop_during_the_pause_of_a_restart(keep: KeepFixture, program: ProgramFixture) -> None:
    keeper = keep(program("crash", "raise SystemExit(1)\n", policy=Policy.ALWAYS))
    await keeper.start()
    await until(lambda: keeper.state is Runtime.BACKOFF)
    await keeper.stop()
    assert keeper.state is Runtime.STOPPED


async def test_a_launch_that_cannot_be_made_is_a_failed_start(tmp_path: Path) -> None:
    async def launch() -> Launch:
        raise LaunchError("no such variable")

    runner = ProcessRunner(Records(tmp_path / "living.json", "x"))
    keeper = Keeper("a", runner, launch, Policy.NEVER)
    await keeper.start()
    assert keeper.state is Runtime.FAILED
    assert keeper.expected_s > keeper.correct_s == 0


STARTER = """
import asyncio, sys
from pathlib import Path
from localhub.agent.orphans import Records
from localhub.agent.runner import Launch, ProcessRunner

folder = Path(sys.argv[1])

async def main():
    runner = ProcessRunner(Records(folder / "living.json", str(folder)))
    launch = Launch(name="family", command=(sys.executable, "-S", str(folder / "family.py")), folder=folder,
                    env={"LOCALHUB_STATE": str(folder)}, log=folder / "family.log")
    await (await runner.start(launch)).wait()

asyncio.run(main())
"""


def started(command: list[str]) -> subprocess.Popen[bytes]:
    return subprocess.Popen(command, start_new_session=True)


async def test_kill_9_of_the_agent_leaves_no_module_and_the_next_start_ends_the_rest(tmp_path: Path) -> None:
    (tmp_path / "family.py").write_text(FAMILY)
    agent = started([sys.executable, "-c", STARTER, str(tmp_path)])
    try:
        await until(lambda: tail(tmp_path / "family.log", 1))
        child = int(tail(tmp_path / "family.log", 1)[0])
        facts = proc.stat(child)
        assert facts is not None
        module = facts.parent
    finally:
        agent.send_signal(signal.SIGKILL)
        agent.wait()
    await until(lambda: proc.started(module) is None)  # the kernel's doing
    assert proc.started(child) is not None  # a grandchild has another parent
    foreign = started(["sleep", "60"])
    try:
        records = Records(tmp_path / "living.json", str(tmp_path))
        assert records.end_leftovers(grace_s=1) == ["family"]
        await until(lambda: proc.started(child) is None)
        assert records.end_leftovers() == []
        assert foreign.poll() is None
    finally:
        foreign.kill()
        foreign.wait()


def test_a_recorded_id_that_is_somebody_elses_now_is_left_alone(tmp_path: Path) -> None:
    records = Records(tmp_path / "living.json", str(tmp_path))
    foreign = started(["sleep", "60"])
    try:
        records.add("a", foreign.pid)
        text = (tmp_path / "living.json").read_text()
        (tmp_path / "living.json").write_text(text.replace(f'"{proc.started(foreign.pid)}"', '"1"'))
        assert Records(tmp_path / "living.json", str(tmp_path)).end_leftovers() == []
        time.sleep(0.05)
        assert foreign.poll() is None
    finally:
        foreign.kill()
        foreign.wait()


def test_records_that_cannot_be_read_hold_nothing(tmp_path: Path) -> None:
    for text in ("{", "{}", '{"boot": "another", "living": {"a": [1, "1"]}}'):
        (tmp_path / "living.json").write_text(text)
        assert Records(tmp_path / "living.json", "x").end_leftovers() == []
