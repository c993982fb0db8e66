"""Settings changed on the gateway itself, and what becomes of them when the cloud changes the same. Pure.

A local setting is one value at one path below the twin's `settings`. It remembers the desired `$version` it was made
over, and what that version said at its path. It lies over the twin until a later version says something else there:
then the cloud wins, and the local setting is kept as overridden until somebody clears it. The rule, with its reasons:
docs/decisions/local-settings.md.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Final, Literal

import orjson

MOST: Final = 20
"""In force at once. With those that ended, and the bounds below, a report keeps to the 32 KB of edgeHub's patch."""
MOST_ENDED: Final = 8
MOST_VALUE_BYTES: Final = 256
_MOST_TEXT_BYTES: Final = 80  # of who, and of why
_MOST_PATH_BYTES: Final = 200
_BIGGEST: Final = 2**52  # a twin's integers (ReportedPropertiesValidator.cs)
_ESCAPED: Final = frozenset("%./$# ")

State = Literal["in force", "overridden", "adopted"]
Path = tuple[str, ...]


class LocalSettingError(ValueError):
    """A local change that cannot be taken; the text says why."""


@dataclass(frozen=True, slots=True)
class Said:
    """What a desired document says at a path: how many of its names are there, and the value where all are.

    `value` is None where the path ends early, as a twin holds no null.
    """

    depth: int
    value: Any = None

    def changed_to(self, now: "Said") -> bool:
        """Whether the cloud has spoken: another value, or something above the setting is gone or another."""
        if now.depth < self.depth or (now.depth > self.depth and self.value is not None):
            return True
        return canonical(now.value) != canonical(self.value)


@dataclass(frozen=True, slots=True)
class LocalSetting:
    """One value set on the gateway. `base` is the desired `$version` then (0: none known), `said` what it said."""

    path: Path
    value: Any
    base: int
    said: Said
    who: str
    why: str
    at: str
    state: State = "in force"
    version: int = 0
    """The desired `$version` that ended it."""
    cloud: Any = None
    """What that version says instead; None: nothing."""

    @property
    def in_force(self) -> bool:
        """Whether it lies over the twin."""
        return self.state == "in force"

    def ended(self, version: int, now: Said) -> "LocalSetting":
        """Given way to the cloud, which may have taken the very value over."""
        adopted = canonical(now.value) == canonical(self.value)
        return replace(self, state="adopted" if adopted else "overridden", version=version, cloud=now.value)


Locals = tuple[LocalSetting, ...]


def said(wanted: Mapping[str, Any], path: Path) -> Said:
    """What the twin's `settings` say at a path. A value in the way of the path counts as what it says."""
    value: Any = wanted
    for depth, name in enumerate(path):
        if not isinstance(value, Mapping):
            return Said(depth, value)
        if name not in value:
            return Said(depth)
        value = value[name]
    return Said(len(path), value)


def changed(
    known: Locals, patch: object, *, wanted: Mapping[str, Any], version: int, who: str, why: str, at: str
) -> Locals:
    """After a local change, given as a patch of `settings`: a null takes the local setting there back.

    A path above or below one that is already set locally takes its place. Raises LocalSettingError.
    """
    if not isinstance(patch, Mapping) or not patch:
        raise LocalSettingError("name the settings to change, as in the twin: {'settings': {'limit': 20}}")
    after = known
    for path, value in _leaves(patch, ()):
        new = LocalSetting(path, value, version, said(wanted, path), _cut(who), _cut(why), at)
        if value is not None:
            _check(new)
        if any(_same_change(new, each) for each in after):
            continue  # a command that is delivered twice is one change, also when the cloud has spoken in between
        after = tuple(each for each in after if not _overlap(each.path, path))
        if value is not None:
            after = (*after, new)
    if sum(each.in_force for each in after) > MOST:
        raise LocalSettingError(f"at most {MOST} settings are changed locally; clear some, or change the twin")
    return after


def settled(known: Locals, wanted: Mapping[str, Any], version: int | None) -> Locals:
    """After a desired document that was taken: what it says otherwise than before has the last word.

    A document without version decides nothing. One with a lower version is that of a twin made anew: local settings
    stay, and count from it on.
    """
    if version is None:
        return known
    return _trimmed(tuple(_settled(each, wanted, version) if each.in_force else each for each in known))


def given_way(known: Locals, wanted: Mapping[str, Any], version: int) -> Locals:
    """The newest that is in force gives way: what is left of them does not go together with the cloud's settings."""
    for index in reversed(range(len(known))):
        if known[index].in_force:
            ended = known[index].ended(version, said(wanted, known[index].path))
            return (*known[:index], ended, *known[index + 1 :])
    return known


def overlay(known: Locals) -> dict[str, Any]:
    """What lies over the twin's `settings`."""
    over: dict[str, Any] = {}
    for each in known:
        if each.in_force:
            inner = over
            for name in each.path[:-1]:
                inner = inner.setdefault(name, {})
            inner[each.path[-1]] = each.value
    return over


def report(known: Locals) -> dict[str, dict[str, Any]]:
    """As reported properties: by path, each with its value, base version, who, when, why, and what became of it."""
    return {property_name(each.path): _reported(each) for each in known}


def gone(known: Locals, names: Iterable[str]) -> dict[str, None]:
    """A patch that takes back what was reported under `names` and is no more."""
    return dict.fromkeys(set(names) - set(report(known)))


def property_name(path: Sequence[str]) -> str:
    """A path as one name of a twin, `cameras/line1/quality`; what may not stand in a name is percent-encoded."""
    return "/".join(
        "".join(
            f"%{ord(letter):02X}" if letter in _ESCAPED or letter.isspace() or not letter.isprintable() else letter
            for letter in name
        )
        for name in path
    )


def to_json(known: Locals) -> bytes:
    """As it is kept on disk."""
    return orjson.dumps([asdict(each) for each in known])


def from_json(data: bytes) -> Locals:
    """What `to_json` wrote."""
    return tuple(
        LocalSetting(**{**fields, "path": tuple(fields["path"]), "said": Said(**fields["said"])})
        for fields in orjson.loads(data)
    )


def canonical(value: object) -> bytes:
    """JSON with sorted names: equal bytes mean equal values."""
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS)


def _settled(setting: LocalSetting, wanted: Mapping[str, Any], version: int) -> LocalSetting:
    now = said(wanted, setting.path)
    if version < setting.base:
        return replace(setting, base=version, said=now)
    if version > setting.base and setting.said.changed_to(now):
        return setting.ended(version, now)
    return setting


def _leaves(patch: Mapping[str, Any], above: Path) -> Iterator[tuple[Path, Any]]:
    for name, value in patch.items():
        path = (*above, name)
        if isinstance(value, Mapping):
            if not value:
                raise LocalSettingError(f"{'.'.join(path)}: an empty object changes nothing")
            yield from _leaves(value, path)
        else:
            yield path, value


def _same_change(new: LocalSetting, known: LocalSetting) -> bool:
    same = (new.path, new.who, new.at) == (known.path, known.who, known.at)
    return same and canonical(new.value) == canonical(known.value)


def _overlap(one: Path, other: Path) -> bool:
    short = min(len(one), len(other))
    return one[:short] == other[:short]


def _check(setting: LocalSetting) -> None:
    where = ".".join(setting.path)
    try:
        size = len(canonical(setting.value))
    except TypeError as error:
        raise LocalSettingError(f"{where}: the value is no JSON") from error
    if size > MOST_VALUE_BYTES:
        raise LocalSettingError(
            f"{where}: the value has {size} bytes, more than {MOST_VALUE_BYTES}; what is as long belongs into the twin"
        )
    if len(property_name(setting.path).encode()) > _MOST_PATH_BYTES:
        raise LocalSettingError(f"{where}: the path is longer than {_MOST_PATH_BYTES} bytes")


def _trimmed(known: Locals) -> Locals:
    """The oldest of those that ended go when there are too many: they have been reported long since."""
    ended = [each for each in known if not each.in_force]
    gone = {id(each) for each in ended[: max(0, len(ended) - MOST_ENDED)]}
    return tuple(each for each in known if id(each) not in gone)


def _reported(setting: LocalSetting) -> dict[str, Any]:
    facts = {
        "value": _plain(setting.value),
        "state": setting.state,
        "base": setting.base,
        "who": setting.who,
        "why": setting.why,
        "at": setting.at,
    }
    if setting.in_force:
        return facts
    return facts | {"version": setting.version, "cloud": "not set" if setting.cloud is None else _plain(setting.cloud)}


def _plain(value: Any) -> Any:
    """A value as a twin takes it everywhere: lists and large integers as JSON text."""
    match value:
        case bool() | float():
            return value
        case int() if abs(value) <= _BIGGEST:
            return value
        case str():
            return _cut(value, MOST_VALUE_BYTES)
    return _cut(canonical(value).decode(), MOST_VALUE_BYTES)


def _cut(text: str, most: int = _MOST_TEXT_BYTES) -> str:
    return text.encode()[:most].decode(errors="ignore")
