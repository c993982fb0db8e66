"""HTTPS from a static store, for the TUF client and for resuming a package: bounded in rate, in time and in place.

No redirects: what the operator named is asked, and nothing else.
"""

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

import urllib3
from tuf.api.exceptions import DownloadError, DownloadHTTPError, SlowRetrievalError
from tuf.ngclient import FetcherInterface

from modules.inference.updates.pace import Budget, Progress

_CHUNK: Final = 32 << 10
_AGENT: Final = "millwatch"


class Https(FetcherInterface):
    """Answers of an HTTPS server, given up after `gap_s` without a byte. Failures are TUF's DownloadErrors."""

    def __init__(
        self,
        *,
        ca: Path | None,
        bytes_per_s: float,
        gap_s: float,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._budget = Budget(bytes_per_s)
        self._clock, self._sleep = clock, sleep
        self._open_now: urllib3.BaseHTTPResponse | None = None
        self._pool = urllib3.PoolManager(
            cert_reqs="CERT_REQUIRED",
            ca_certs=None if ca is None else str(ca),
            retries=False,
            timeout=urllib3.Timeout(connect=gap_s, read=gap_s),
            headers={"User-Agent": _AGENT, "Accept-Encoding": "identity"},
        )

    def close(self) -> None:
        """Close what is open: a reader that gave up in the middle has not."""
        if self._open_now is not None:
            self._open_now.close()
        self._pool.clear()

    def part(self, url: str, start: int) -> tuple[int, int | None, Iterator[bytes]]:
        """The body of `url` from byte `start` on, where the server can: its first byte, the whole length, the bytes.

        The length is None where the server does not say. Raises DownloadError.
        """
        response = self._open(url, {"Range": f"bytes={start}-"} if start else {})
        try:
            begin, whole = _place(response, start)
        except ValueError as error:
            response.close()
            raise DownloadError(f"the answer makes no sense: {error}") from error
        return begin, whole, self._chunks(response)

    def _fetch(self, url: str) -> Iterator[bytes]:
        return self._chunks(self._open(url, {}))

    def _open(self, url: str, headers: dict[str, str]) -> urllib3.BaseHTTPResponse:
        try:
            response = self._pool.request(
                "GET", url, headers={**self._pool.headers, **headers}, preload_content=False, redirect=False
            )
        except urllib3.exceptions.TimeoutError as error:
            raise SlowRetrievalError(f"no answer: {error}") from error
        except (urllib3.exceptions.HTTPError, OSError) as error:
            raise DownloadError(f"the repository cannot be reached: {error}") from error
        if response.status not in (200, 206):
            response.close()
            raise DownloadHTTPError(f"HTTP status {response.status} for {url.rpartition('/')[2]}", response.status)
        self._open_now = response
        return response

    def _chunks(self, response: urllib3.BaseHTTPResponse) -> Iterator[bytes]:
        """What comes, as it comes: `read1` does not wait until a chunk is full, so that a trickle is seen as one."""
        progress = Progress()
        try:
            while True:
                begin = self._clock()
                chunk = response.read1(_CHUNK, decode_content=False)
                if not chunk:
                    return
                now = self._clock()
                if progress.too_slow(len(chunk), now - begin):
                    raise SlowRetrievalError("the bytes only trickle")
                yield chunk
                if (wait := self._budget.wait(len(chunk), now)) > 0:
                    self._sleep(wait)
        except urllib3.exceptions.TimeoutError as error:
            raise SlowRetrievalError(f"no more bytes: {error}") from error
        except (urllib3.exceptions.HTTPError, OSError) as error:
            raise DownloadError(f"the download broke off: {error}") from error
        finally:
            response.close()


def _place(response: urllib3.BaseHTTPResponse, asked: int) -> tuple[int, int | None]:
    """Where the body begins, and how long the whole file is (RFC 9110, 14.4). Raises ValueError."""
    if response.status == 206:
        unit, _, said = response.headers.get("Content-Range", "").partition(" ")
        span, _, whole = said.partition("/")
        begin = int(span.partition("-")[0])
        if unit != "bytes" or begin != asked:
            raise ValueError(f"bytes from {asked} on were asked, {said or unit} came")
        return begin, None if whole == "*" else int(whole)
    length = response.headers.get("Content-Length")
    return 0, None if length is None else int(length)
