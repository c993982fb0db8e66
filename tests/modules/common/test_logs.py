import logging
import re

import pytest

from modules.common.logs import EdgeFormatter, Limited


@pytest.mark.parametrize(
    ("level", "prefix", "label"),
    [(logging.ERROR, 3, "ERR"), (logging.WARNING, 4, "WRN"), (logging.INFO, 6, "INF"), (logging.DEBUG, 7, "DBG")],
)
def test_a_line_has_iot_edges_form(level: int, prefix: int, label: str) -> None:
    record = logging.LogRecord("x", level, "f", 1, "text %d", (5,), None)
    line = EdgeFormatter().format(record)
    assert re.fullmatch(rf"<{prefix}> \d{{4}}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{{3}} \+00:00 \[{label}\] - text 5", line)


def test_a_traceback_stays_with_its_line() -> None:
    try:
        int("inside")
    except ValueError as error:
        record = logging.LogRecord("x", logging.ERROR, "f", 1, "failed", (), (type(error), error, error.__traceback__))
    first, *rest = EdgeFormatter().format(record).split("\n")
    assert first.endswith("[ERR] - failed")
    assert rest
    assert all(line.startswith("    ") for line in rest)


def test_the_same_warning_is_said_once_and_then_counted(caplog: pytest.LogCaptureFixture) -> None:
    limited = Limited(logging.getLogger("limited"), seconds=60)
    for _ in range(5):
        limited.warning("a", "bad reading from %s", "press4")
    limited.warning("b", "other")
    assert [record.getMessage() for record in caplog.records] == ["bad reading from press4", "other"]
    limited._seconds = 0
    limited.warning("a", "bad reading from %s", "press4")
    assert caplog.records[-1].getMessage() == "bad reading from press4 (4 more like it before)"
