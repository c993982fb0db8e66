"""Rules of single sensors from a file on the module's volume: lists too long for a twin, which holds 32 KB.

CSV (RFC 4180) in UTF-8. The first line names the columns: `sensor`, and any fields of a rule but `match` and `advice`.
An empty cell leaves the rule's default; a range is written `3.6..21`, states are parted by spaces. A listed sensor is
judged by its line alone, whatever pattern fits its name.
"""

import asyncio
import csv
import io
import logging
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path

from pydantic import ValidationError

from modules.common.listed import ListFile
from modules.common.settings import SettingsError
from modules.vibration.scalar.rules import Rule

log = logging.getLogger(__name__)

_FIELDS = frozenset(Rule.model_fields) - {"match", "advice"}
_RANGES = frozenset({"measures", "alive"})


class Lists:
    """The list in force: its rules, and what is told of it in the twin and in health."""

    def __init__(self, folder: Path, wanted: ListFile | None) -> None:
        self._folder = folder
        self._wanted: ListFile | None = None
        self.rules: dict[str, Rule] = {}
        self.told: dict[str, object] = {}
        self.changed = asyncio.Event()
        try:
            self.take(wanted)
        except SettingsError as error:
            # At the start there is no list to keep: its sensors are judged by patterns until a twin names a good one.
            log.error("the list of sensors cannot be used: %s", error)  # noqa: TRY400 - the text says it all
            self.told = {"file": wanted.file if wanted else "", "error": str(error)}
            self.changed.set()

    def take(self, wanted: ListFile | None) -> None:
        """Put a list into force, None for no list. Raises SettingsError; the one before then stays."""
        if wanted == self._wanted and "error" not in self.told:
            return
        rules = {} if wanted is None else load(self._folder, wanted)
        self._wanted, self.rules = wanted, rules
        self.told = {} if wanted is None else {"file": wanted.file, "sha256": wanted.sha256, "sensors": len(rules)}
        self.changed.set()

    async def report(self, tell: Callable[[Mapping[str, object]], Awaitable[None]]) -> None:
        """Say in the twin which list is in force, now and whenever that changes."""
        while True:
            await self.changed.wait()
            self.changed.clear()
            await tell({"sensor_list": self.told or None})


def load(folder: Path, wanted: ListFile) -> dict[str, Rule]:
    """Read the list `wanted` from `folder`: rules by sensor name.

    Raises SettingsError that names the file, and the line where one is wrong; then nothing of the list is used.
    """
    text = wanted.text(folder)
    try:
        return parse(text)
    except SettingsError as error:
        raise SettingsError(f"{wanted.file}: {error}") from error


def parse(text: str) -> dict[str, Rule]:
    """Turn the list's text into rules by sensor name. Raises SettingsError with the number of a line that is wrong."""
    lines = csv.reader(io.StringIO(text), strict=True)
    rules: dict[str, Rule] = {}
    same: dict[tuple[str, ...], Rule] = {}  # most lines of a list differ in the name only
    try:
        head = next(lines, [])
        if "sensor" not in head or len(set(head)) != len(head) or set(head) - _FIELDS - {"sensor"}:
            raise SettingsError(f"line 1: the columns are sensor and any of {', '.join(sorted(_FIELDS))}, each once")
        for cells in lines:
            if not cells:
                continue
            if len(cells) != len(head):
                raise SettingsError(f"line {lines.line_num}: {len(cells)} cells, the first line has {len(head)}")
            line = dict(zip(head, cells, strict=True))
            name = line.pop("sensor")
            if not name or name in rules:
                raise SettingsError(f"line {lines.line_num}: {'no sensor' if not name else f'{name} again'}")
            key = tuple(line.values())
            if key not in same:
                same[key] = _rule(line, lines.line_num)
            rules[name] = same[key]
    except csv.Error as error:
        raise SettingsError(f"line {lines.line_num}: {error}") from error
    return rules


def _rule(line: dict[str, str], number: int) -> Rule:
    values: dict[str, object] = {"group": "listed", "match": ()}
    for field, cell in line.items():
        if field in _RANGES and cell:
            values[field] = tuple(cell.split(".."))
        elif field == "when" and cell:
            values[field] = tuple(cell.split())
        elif cell:
            values[field] = cell
    try:
        return Rule.model_validate(values)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = ".".join(map(str, first["loc"]))
        raise SettingsError(f"line {number}: {f'{place}: ' if place else ''}{first['msg']}") from error
