"""A power cut as such: what a real file system had on its device when the writer was stopped."""

from __future__ import annotations

import os
import random
import shutil
import signal
import time
from pathlib import Path

import pytest

from tests.crash.filesystems import MIB, NotAllowedError, ext4, image_of, loop
from tests.crash.kills import Told, appender, check, hear_out, start
from tests.crash.tally import Tally

CUTS = 5
LONGEST_LIFE_S = 0.3


def test_what_was_acknowledged_is_on_the_device(tmp_path: Path) -> None:
    """The writer is stopped and the device's backing image copied; nothing else is synced by anybody."""
    dice, tally, image = random.Random(6), Tally(), tmp_path / "cut.img"
    try:
        with ext4(tmp_path / "disk", 24 * MIB) as disk, appender(disk) as helper:
            told = Told()
            for number in range(CUTS):
                child = start(helper, told)
                time.sleep(dice.uniform(0.02, LONGEST_LIFE_S))
                os.kill(child, signal.SIGSTOP)
                shutil.copyfile(image_of(disk), image)
                os.kill(child, signal.SIGKILL)
                hear_out(helper, told)
                tally.by_operation[told.operation()].crashes += 1
                with loop(tmp_path / "after", image) as after:
                    cut = told.copy()
                    check(after, cut, tally, told.operation(), f"cut {number}")
                check(disk, told, tally, told.operation(), f"kill {number}")
            assert told.newest > CUTS
    except NotAllowedError as error:
        pytest.skip(f"needs the right to mount: {error}")
    tally.check()
