"""Lists too long for a twin, which holds 32 KB: files on the module's volume that the twin names by hash."""

from hashlib import sha256
from pathlib import Path
from typing import Annotated, Final

from pydantic import BaseModel, ConfigDict, Field

from modules.common.settings import SettingsError

_LARGEST: Final = 64 << 20  # bytes; a line of a hundred for each of half a million sensors


class ListFile(BaseModel):
    """Which file holds a list, and what its bytes must hash to: the twin says what is in force, not the volume."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    file: Annotated[
        str,
        Field(
            title="File",
            description="Name of a file in the folder of the module's state.",
            pattern=r"^[A-Za-z0-9_][A-Za-z0-9._-]*$",
            max_length=100,
        ),
    ]
    sha256: Annotated[str, Field(title="SHA-256", description="Of the file, in hex.", pattern=r"^[0-9a-f]{64}$")]

    def text(self, folder: Path) -> str:
        """What the file in `folder` says. Raises SettingsError that names the file when it is not the one meant."""
        path = folder / self.file
        try:
            if path.stat().st_size > _LARGEST:
                raise SettingsError(f"{self.file}: larger than {_LARGEST >> 20} MB")
            content = path.read_bytes()
        except OSError as error:
            raise SettingsError(f"{self.file}: {error.strerror or error}") from error
        found = sha256(content).hexdigest()
        if found != self.sha256:
            raise SettingsError(f"{self.file}: its SHA-256 is {found}, wanted is {self.sha256}")
        try:
            return content.decode("utf-8-sig")
        except UnicodeDecodeError as error:
            raise SettingsError(f"{self.file}: {error}") from error
