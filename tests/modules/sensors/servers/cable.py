"""Two pseudo terminals joined: what is written to one comes out of the other. Their paths are given."""

import os
import select
import sys
import tty
from pathlib import Path

pairs = []
for name in sys.argv[1:]:
    end, device = os.openpty()
    tty.setraw(end)
    tty.setraw(device)
    Path(name).symlink_to(os.ttyname(device))
    pairs.append((end, device))  # the device stays open: without it the end would say that nobody is there
sys.stdout.write("ready\n")
sys.stdout.flush()
here, there = pairs[0][0], pairs[1][0]
while True:
    for ready in select.select([here, there], [], [])[0]:
        os.write(there if ready == here else here, os.read(ready, 4096))
