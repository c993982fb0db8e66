"""TUF's own metadata on this gateway: refreshed over HTTPS, and never half on disk.

python-tuf replaces its files one by one and syncs none; a power cut could leave an empty timestamp, which TUF takes
for none at all, and with it the protection from rollback would be gone. So it works on a copy, which is synced and
takes the place of the folder as a whole; what was verified counts even where a later step is refused.

A clock before everything that was ever seen cannot tell what has expired, so it blocks updates by itself. This file
alone leans on python-tuf beyond what it documents: nothing but the names of its folders.
"""

import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from tuf.api.exceptions import DownloadError, RepositoryError
from tuf.api.metadata import TargetFile
from tuf.ngclient import FetcherInterface, Updater, UpdaterConfig

from modules.common.snapshot import Snapshot
from modules.inference.updates.disk import sync
from modules.inference.updates.reasons import Refused
from modules.inference.updates.refusal import refusal

EARLIEST: Final = datetime(2026, 1, 1, tzinfo=UTC)  # this program was not there before
_SLACK: Final = timedelta(days=1)  # by which a clock may have been set back
_CONFIG: Final = UpdaterConfig(max_root_rotations=64, targets_max_length=2_000_000, snapshot_max_length=500_000)


class Metadata:
    """The trusted metadata in `folder`; `root` is the one that the operator vouches for."""

    def __init__(self, folder: Path, url: str, root: bytes, fetcher: FetcherInterface) -> None:
        self._folder, self._fresh = folder / "metadata", folder / "metadata.new"
        self._seen = Snapshot(folder / "seen")
        self._url, self._root, self._fetcher = url.rstrip("/"), root, fetcher
        if not self._folder.exists() and self._fresh.exists():
            self._fresh.rename(self._folder)  # killed between the two renames below: it is whole

    def signed(self, path: str, now: datetime) -> TargetFile:
        """What is signed for a target now. Raises Refused."""
        self._check_clock(now)
        shutil.rmtree(self._fresh, ignore_errors=True)
        if self._folder.exists():
            shutil.copytree(self._folder, self._fresh, symlinks=True)
        self._fresh.mkdir(parents=True, exist_ok=True)
        try:
            updater = Updater(
                str(self._fresh),
                f"{self._url}/metadata/",
                fetcher=self._fetcher,
                config=_CONFIG,
                bootstrap=self._root,
            )
            updater.refresh()
            found = updater.get_targetinfo(path)
        except (RepositoryError, DownloadError) as error:
            raise refusal(error) from error
        finally:
            self._commit()
        self._seen.save(now.isoformat().encode())
        if found is None:
            raise Refused("unknown", f"{path} is none of the signed targets")
        return found

    def _check_clock(self, now: datetime) -> None:
        seen = self._seen.load()
        floor = max(EARLIEST, datetime.fromisoformat(seen.decode()) - _SLACK if seen else EARLIEST)
        if now < floor:
            said = f"this gateway's clock says {now:%Y-%m-%d %H:%M}, which is before {floor:%Y-%m-%d}: set it"
            raise Refused("clock", said)

    def _commit(self) -> None:
        for path in self._fresh.rglob("*"):
            if path.is_file() and not path.is_symlink():
                sync(path)
        for path in (self._fresh / "root_history", self._fresh, self._fresh.parent):
            if path.exists():
                sync(path)
        old = self._folder.with_name("metadata.old")
        shutil.rmtree(old, ignore_errors=True)
        if self._folder.exists():
            self._folder.rename(old)
        self._fresh.rename(self._folder)
        sync(self._folder.parent)
        shutil.rmtree(old, ignore_errors=True)
