"""A module's settings: defaults, environment, the twin's desired properties, what was set on the gateway itself.

Each lies over the one before. A twin patch that cannot be used changes nothing: the last good settings stay, and the
module reports why. Pure but for `environment`.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Generic, Self, TypeVar

import orjson
from pydantic import BaseModel, ConfigDict, ValidationError

from modules.common.local import Locals, LocalSettingError, changed, given_way, overlay, settled

PREFIX = "MILLWATCH_"
_ERROR_LENGTH = 1000  # a string in a twin holds 4096 bytes (ReportedPropertiesValidator.cs); a person reads less


class SettingsError(ValueError):
    """Settings that cannot be used; the text says which field and why, for the person who set them."""


class Settings(BaseModel):
    """Base of every module's settings: frozen, and a field it does not know is an error, not a typo that passes."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    @classmethod
    def from_environment(cls) -> Self:
        """Defaults with `MILLWATCH_<FIELD>` over them. Raises SettingsError."""
        return validate(cls, environment(cls))


class Part(BaseModel):
    """A frozen part of the settings that refuses keys it does not know."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


S = TypeVar("S", bound=Settings)


def environment(settings_type: type[Settings], source: Mapping[str, str] | None = None) -> dict[str, Any]:
    """The fields that the environment sets: JSON where it parses as JSON, else the text itself."""
    variables = os.environ if source is None else source
    found: dict[str, Any] = {}
    for name in settings_type.model_fields:
        text = variables.get(PREFIX + name.upper())
        if text is None:
            continue
        try:
            found[name] = orjson.loads(text)
        except orjson.JSONDecodeError:
            found[name] = text
    return found


def validate(settings_type: type[S], values: Mapping[str, Any]) -> S:
    """`values` as settings; raises SettingsError with one line for all that is wrong."""
    try:
        return settings_type.model_validate(values)
    except ValidationError as error:
        lines = (f"{'.'.join(map(str, e['loc'])) or 'settings'}: {e['msg']}" for e in error.errors(include_url=False))
        raise SettingsError("; ".join(lines)[:_ERROR_LENGTH]) from error


def merge(base: Mapping[str, Any], patch: Mapping[str, Any]) -> dict[str, Any]:
    """A twin's merge: objects merge deeply, null deletes, everything else replaces (edgehub-contract, TwinStore.cs)."""
    merged = dict(base)
    for key, value in patch.items():
        if value is None:
            merged.pop(key, None)
        elif isinstance(value, Mapping):
            inner = merged.get(key)
            merged[key] = merge(inner if isinstance(inner, Mapping) else {}, value)
        else:
            merged[key] = value
    return merged


@dataclass(frozen=True, slots=True)
class Desired(Generic[S]):
    """What the twin and people here have asked for so far, and what became of it. Each change gives a new one."""

    settings_type: type[S]
    base: Mapping[str, Any]
    """What environment sets, under whatever the twin says."""
    wanted: Mapping[str, Any]
    """The twin's `settings` object, good or bad."""
    version: int | None
    settings: S
    """The last good settings."""
    error: str = ""
    good: Mapping[str, Any] = field(default_factory=dict)
    """The twin's last good `settings` object, and its version: what local settings lie over."""
    good_version: int = 0
    local: Locals = ()

    @classmethod
    def start(cls, settings_type: type[S], base: Mapping[str, Any]) -> "Desired[S]":
        """Before the twin is known. Raises SettingsError when the environment itself is wrong."""
        return cls(settings_type, base, {}, None, validate(settings_type, base))

    def recalled(self, local: Locals, twin: Mapping[str, Any] | None) -> "Desired[S]":
        """What was remembered from before a restart; what does not fit this version of the module gives way."""
        if twin is not None:
            known = replace(self, local=local).pulled(twin)
            if not known.error:
                return known
        while True:
            try:
                return replace(self, local=local, settings=self._laid({}, local))
            except SettingsError:
                local = given_way(local, {}, 0)

    def follows(self, patch: Mapping[str, Any]) -> bool:
        """Whether `patch` is the next one; if not, a patch was missed and the whole twin must be pulled again."""
        return self.version is not None and patch.get("$version") == self.version + 1

    def patched(self, patch: Mapping[str, Any]) -> "Desired[S]":
        """After a desired patch."""
        wanted = merge({"settings": self.wanted}, {k: v for k, v in patch.items() if k == "settings"}).get(
            "settings", {}
        )
        return self._try(wanted, patch.get("$version"))

    def pulled(self, desired: Mapping[str, Any]) -> "Desired[S]":
        """After reading the whole desired document. One without `$version`: edgeHub says that it knows none."""
        if not isinstance(desired.get("$version"), int):
            return self
        return self._try(desired.get("settings", {}), desired["$version"])

    def changed_here(self, patch: object, *, who: str, why: str, at: str) -> "Desired[S]":
        """After a change on the gateway; a null takes one back. Raises SettingsError, and nothing has changed."""
        try:
            local = changed(self.local, patch, wanted=self.good, version=self.good_version, who=who, why=why, at=at)
        except LocalSettingError as error:
            raise SettingsError(str(error)) from error
        return replace(self, local=local, settings=self._laid(self.good, local))

    def cleared(self) -> "Desired[S]":
        """Without any local setting, those that ended too. Raises SettingsError where the rest does not do alone."""
        return replace(self, local=(), settings=self._laid(self.good, ()))

    def refused(self, error: str, before: "Desired[S]") -> "Desired[S]":
        """After the module itself said no: the settings from before stay."""
        return replace(
            self,
            settings=before.settings,
            error=error[:_ERROR_LENGTH],
            good=before.good,
            good_version=before.good_version,
            local=before.local,
        )

    def report(self) -> dict[str, object]:
        """What goes into reported properties about the twin."""
        in_force = sum(each.in_force for each in self.local)
        return {"settings": {"version": self.version, "ok": not self.error, "error": self.error, "local": in_force}}

    def _try(self, wanted: object, version: object) -> "Desired[S]":
        known = version if isinstance(version, int) else None
        if not isinstance(wanted, Mapping):
            return replace(self, version=known, error="settings: not an object")
        local = settled(self.local, wanted, known)
        while True:
            try:
                settings = self._laid(wanted, local)
            except SettingsError as error:
                less = local if known is None else given_way(local, wanted, known)
                if less == local:
                    return replace(self, wanted=wanted, version=known, error=str(error))
                local = less
            else:
                break
        taken = replace(self, wanted=wanted, version=known, settings=settings, error="", local=local)
        return replace(taken, good=wanted, good_version=known or self.good_version)

    def _laid(self, wanted: Mapping[str, Any], local: Locals) -> S:
        """Environment, the twin over it, what was set here over both."""
        return validate(self.settings_type, merge(merge(self.base, wanted), overlay(local)))
