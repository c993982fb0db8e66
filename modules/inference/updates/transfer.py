"""One signed file into place, over a link that breaks: what came stays, and the next try goes on behind it.

python-tuf's `download_target` begins anew each time, goes through /tmp, and writes the final name without a sync; here
the bytes go to a partial file named by the signed hash, which gets its own name only when length and hashes are right.
"""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Final

from tuf.api.exceptions import DownloadHTTPError, LengthOrHashMismatchError
from tuf.api.metadata import TargetFile

from modules.inference.updates.fetcher import Https
from modules.inference.updates.reasons import Refused

_STEP: Final = 1 << 20  # bytes between two syncs: what a power cut may cost
_PAST_THE_END: Final = 416

Say = Callable[[int], None]  # bytes there are so far


def transfer(fetcher: Https, url: str, signed: TargetFile, part: Path, say: Say) -> None:
    """Bring `part` to the signed length and prove its hashes. Raises DownloadError, Refused: oversize, hash.

    On DownloadError the partial file stays for the next try; what is refused is deleted.
    """
    part.parent.mkdir(parents=True, exist_ok=True)
    there = part.stat().st_size if part.exists() else 0
    if there > signed.length:
        part.unlink()
        there = 0
    if there < signed.length:
        _fill(fetcher, url, signed.length, part, there, say)
    say(signed.length)
    try:
        with part.open("rb") as file:
            signed.verify_length_and_hashes(file)
    except LengthOrHashMismatchError as error:
        part.unlink()
        raise Refused("hash", f"{signed.path}: {error}") from error


def _fill(fetcher: Https, url: str, length: int, part: Path, there: int, say: Say) -> None:
    try:
        begin, whole, chunks = fetcher.part(url, there)
    except DownloadHTTPError as error:
        if error.status_code == _PAST_THE_END:
            part.unlink(missing_ok=True)
            raise Refused("hash", f"the store's file ends before byte {there}, signed are {length}") from error
        raise
    if whole is not None and whole != length:
        part.unlink(missing_ok=True)
        reason = "oversize" if whole > length else "hash"
        raise Refused(reason, f"the store's file has {whole} bytes, signed are {length}")
    with part.open("r+b" if part.exists() else "w+b") as file:
        file.truncate(begin)  # a server that cannot resume begins anew
        file.seek(begin)
        synced = there = begin
        for chunk in chunks:
            there += len(chunk)
            if there > length:
                file.truncate(0)
                raise Refused("oversize", f"more than the signed {length} bytes came")
            file.write(chunk)
            say(there)
            if there - synced >= _STEP:
                _sync(file.fileno(), file.flush)
                synced = there
        _sync(file.fileno(), file.flush)


def _sync(number: int, flush: Callable[[], None]) -> None:
    flush()
    os.fsync(number)
