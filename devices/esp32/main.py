"""The ESP32's program: MicroPython runs main.py at every start, after a deep sleep too."""

import time

from leaf.board import Board
from leaf.cycle import Leaf
from leaf.settings import load

settings = load("/leaf.json")
board = Board(settings)
leaf = Leaf(board, settings)
while True:
    left = leaf.cycle()
    if settings.deep_sleep:
        leaf.close()
        board.sleep(left)
    while left > 0:
        nap = min(left, leaf.keep())
        time.sleep_ms(nap)
        left -= nap
