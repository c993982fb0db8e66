"""``python -m modules.inference.updates``: fetch and prove one package, in a process of its own.

A job (job.py) comes on stdin, a line of JSON for each step goes to stdout, and the last says what became of it. TUF,
TLS and strangers' bytes live here and end with the process: the module holds none of it. It may be killed at any point.
"""

import ctypes
import re
import shutil
import signal
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Final

import orjson
from tuf.api.exceptions import DownloadError
from tuf.api.metadata import TargetFile

from modules.inference.updates.fetcher import Https
from modules.inference.updates.job import Job
from modules.inference.updates.metadata import Metadata
from modules.inference.updates.names import path_of
from modules.inference.updates.reasons import Refused
from modules.inference.updates.refusal import refusal
from modules.inference.updates.store import Store
from modules.inference.updates.transfer import transfer

_PR_SET_PDEATHSIG: Final = 1  # linux/prctl.h
_SHA256: Final = re.compile("[0-9a-f]{64}")
_TOLD: Final = 64 << 10  # bytes between two lines about the download

Say = Callable[..., None]


def fetch(job: Job, say: Say, now: datetime) -> Path:
    """Download, verify and unpack what `job` names. Raises Refused, OSError."""
    fetcher = Https(ca=job.ca, bytes_per_s=job.bytes_per_s, gap_s=job.gap_s)
    try:
        say(step="metadata")
        metadata = Metadata(job.folder, job.url, _root(job), fetcher)
        signed = metadata.signed(path_of(job.target), now)
        if signed.length > job.largest:
            raise Refused("oversize", f"{signed.length} bytes, package_mb allows {job.largest}")
        archive = job.folder / "partial" / _hash(signed)
        _make_room(job, archive, signed.length)
        _download(job, fetcher, signed, archive, say)
        say(step="unpack")
        path = Store(job.store).install(job.target, archive, job.largest)
        archive.unlink()
        return path
    finally:
        fetcher.close()


def _hash(signed: TargetFile) -> str:
    found = signed.hashes.get("sha256", "")
    if not _SHA256.fullmatch(found):
        raise Refused("metadata", f"no SHA-256 is signed for {signed.path}")
    return found


def _root(job: Job) -> bytes:
    try:
        content = job.root.read_bytes()
    except OSError as error:
        raise Refused("root", f"the root of trust {job.root.name} cannot be read: {error.strerror}") from error
    if job.root_sha256 not in (None, sha256(content).hexdigest()):
        raise Refused("root", f"{job.root.name} is not the root of trust that the twin names: its SHA-256 differs")
    return content


def _make_room(job: Job, archive: Path, length: int) -> None:
    """Of other downloads nothing is kept; the archive and what is in it must fit beside each other."""
    archive.parent.mkdir(parents=True, exist_ok=True)
    for each in archive.parent.iterdir():
        if each != archive:
            each.unlink()
    there = archive.stat().st_size if archive.exists() else 0
    free = shutil.disk_usage(archive.parent).free
    if free < 2 * length - there + job.spare:
        raise Refused("no_room", f"{length} bytes twice and {job.spare} to spare are needed, {free} are free")


def _download(job: Job, fetcher: Https, signed: TargetFile, archive: Path, say: Say) -> None:
    task, name, version = path_of(job.target).split("/")
    url = f"{job.url.rstrip('/')}/targets/{task}/{name}/{archive.name}.{version}"
    told = -_TOLD

    def count(there: int) -> None:
        nonlocal told
        if there - told >= _TOLD or there == signed.length:
            told = there
            say(step="download", done=there, of=signed.length)

    try:
        transfer(fetcher, url, signed, archive, count)
    except DownloadError as error:
        raise refusal(error) from error


def main() -> int:
    """Read the job, do it, tell."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)  # nothing is fetched for a module that is gone

    def say(**facts: object) -> None:
        sys.stdout.buffer.write(orjson.dumps(facts) + b"\n")
        sys.stdout.buffer.flush()

    job = Job.model_validate_json(sys.stdin.buffer.read())
    try:
        say(installed=str(fetch(job, say, datetime.now(UTC))))
    except Refused as error:
        say(refused=error.reason, text=str(error))
    except OSError as error:
        say(refused="disk", text=f"{error.strerror or error}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
