"""What can be set for the sensors module: environment, then the twin's desired `settings`."""

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, SerializeAsAny

from modules.common.settings import Settings
from modules.sensors.sources import KINDS
from modules.sensors.sources.base import SourceSettings

AnySource = Annotated[SerializeAsAny[SourceSettings], BeforeValidator(KINDS.checked)]


class SensorsSettings(Settings):
    """All sources of this module by name, and how what they say is sent on."""

    sources: dict[Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{1,64}$")], AnySource] = Field(
        default={}, title="Sources", max_length=64
    )
    batch_s: float = Field(
        0.1, ge=0.01, le=60, title="Batches every", description="seconds that the readings of a source are gathered"
    )
    format: Literal["senml", "packed"] = Field("senml", title="Format of readings")
