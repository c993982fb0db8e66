"""Settings of several kinds under one field: `type` names the kind, whose file is imported when it is asked for."""

from collections.abc import Mapping
from importlib import import_module
from typing import Final, Generic, TypeVar

from pydantic import BaseModel, ValidationError

P = TypeVar("P", bound=BaseModel)


class Kinds(Generic[P]):
    """The kinds of one package: `type`, and the class of its settings as "file.Class" in that package."""

    def __init__(self, package: str, base: type[P], places: Mapping[str, str]) -> None:
        self.places: Final = dict(places)
        self._package, self._base = package, base

    def settings_of(self, kind: object) -> type[P]:
        """The settings of a kind; its file is imported now, not before. Raises ValueError for an unknown one."""
        if not isinstance(kind, str) or kind not in self.places:
            raise ValueError(f"type must be one of {', '.join(self.places)}")
        file, _, name = self.places[kind].partition(".")
        found: type[P] = getattr(import_module(f"{self._package}.{file}"), name)
        assert issubclass(found, self._base)
        return found

    def checked(self, value: object) -> object:
        """A mapping as the settings of its kind, for a BeforeValidator. Raises ValueError, in one line."""
        if not isinstance(value, Mapping):
            return value
        try:
            return self.settings_of(value.get("type")).model_validate(value)
        except ValidationError as error:
            lines = (f"{'.'.join(map(str, each['loc']))}: {each['msg']}" for each in error.errors(include_url=False))
            raise ValueError("; ".join(lines)) from error
