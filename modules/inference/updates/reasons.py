"""Why an update is not taken: a short reason for counters and reported properties, and words for a person."""

from typing import Final

# Reasons that may pass by themselves soon: the link, not the repository, is to blame.
LINK: Final = frozenset({"link", "slow"})
# Reasons that lie in the package: another try would fetch the same bytes.
FINAL: Final = frozenset({"archive", "card"})


class Refused(Exception):
    """An update that is not taken; what runs goes on. `reason` is one of those in docs/formats/model-updates.md."""

    def __init__(self, reason: str, text: str) -> None:
        super().__init__(text)
        self.reason = reason
