"""What can be set for the sensors module: environment, then the twin's desired `settings`."""

from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, SerializeAsAny, ValidationError

from modules.common.settings import Settings
from modules.sensors.sources import settings_of
from modules.sensors.sources.base import SourceSettings


def _by_type(value: object) -> object:
    """A source's settings, checked by the protocol that its `type` names."""
    if not isinstance(value, Mapping):
        return value
    kind = settings_of(value.get("type"))
    try:
        return kind.model_validate(value)
    except ValidationError as error:
        lines = (f"{'.'.join(map(str, each['loc']))}: {each['msg']}" for each in error.errors(include_url=False))
        raise ValueError("; ".join(lines)) from error


AnySource = Annotated[SerializeAsAny[SourceSettings], BeforeValidator(_by_type)]


class SensorsSettings(Settings):
    """All sources of this module by name, and how what they say is sent on."""

    sources: dict[Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{1,64}$")], AnySource] = Field(
        default={}, title="Sources", max_length=64
    )
    batch_s: float = Field(
        0.1, ge=0.01, le=60, title="Batches every", description="seconds that the readings of a source are gathered"
    )
    format: Literal["senml", "packed"] = Field("senml", title="Format of readings")
