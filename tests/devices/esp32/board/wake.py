"""Runs the leaf's cycles: micropython wake.py SETTINGS FOLDER CYCLES [key=value ...].

`unset=1` begins with a clock that was never set, `fault=` breaks the sensor, `faster=` (20) is how many times as fast
the pauses pass. Each cycle ends with a line of its facts; with `report=` there is one every so many cycles, with the
free heap, and the sensor is a table.
"""

import gc
import json
import sys
import time

from leaf.cycle import Leaf
from leaf.settings import load
from unixboard import UnixBoard

options = dict(word.split("=", 1) for word in sys.argv[4:])
faster, report = int(options.get("faster", "20")), int(options.get("report", "0"))
settings = load(sys.argv[1])
board = UnixBoard(
    sys.argv[2], options.get("fault", ""), unset="unset" in options, table=settings.samples if report else 0
)
leaf = Leaf(board, settings)
for number in range(int(sys.argv[3])):
    pause = leaf.cycle()
    if report:
        if (number + 1) % report == 0:
            gc.collect()
            print(json.dumps({"cycle": number + 1, "free": gc.mem_free(), "seq": leaf.backlog.seq}))
    else:
        log = leaf.backlog
        facts = {"seq": log.seq, "dropped": log.dropped, "failures": log.failures, "wait_ms": log.wait_ms}
        print(json.dumps(facts))
    leaf.keep()
    time.sleep_ms(pause // faster)
leaf.close()
