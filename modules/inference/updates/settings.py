"""Where new versions come from, whom they must be signed by, and what fetching them may cost."""

from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field


class Updates(BaseModel):
    """The setting `updates`."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    url: str = Field(
        pattern=r"^https://[^\s?#]+$",
        max_length=1000,
        title="Repository",
        description="HTTPS address of the folder that holds `metadata` and `targets`",
    )
    root: Path = Field(
        title="Root of trust",
        description="file with a root metadata that the operator vouches for: absolute (mounted), or in /data",
    )
    root_sha256: str | None = Field(
        None,
        pattern=r"^[0-9a-f]{64}$",
        title="SHA-256 of the root of trust",
        description="in hex; with it the twin says which root is trusted, and the file only carries it",
    )
    ca: Path | None = Field(
        None, title="Certificate authority", description="PEM file; none: those that the system trusts"
    )
    bytes_per_s: int = Field(
        250_000, ge=1000, le=1_000_000_000, title="Bandwidth", description="bytes a second that fetching may take"
    )
    package_mb: float = Field(64.0, gt=0, le=2048, title="Largest package", description="MB, as archive and unpacked")
    kept: int = Field(
        2, ge=0, le=20, title="Versions kept", description="of all packages, beside those in use and the last good ones"
    )
    again_s: float = Field(
        900.0, ge=5, le=86_400, title="Next try", description="seconds after the repository's answer was refused"
    )
