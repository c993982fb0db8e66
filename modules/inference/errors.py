"""What can be wrong with an input, a model, or the process that runs it."""

import re
from pathlib import Path
from typing import Final

_FOLDERS: Final = re.compile(r"(?<![\w.)\]}*])/(?:[^\s/:'\"]+/)+")


class BadInputError(ValueError):
    """An input no model can judge, however often it is tried. `reason` is a short label for counters."""

    def __init__(self, reason: str, detail: str = "") -> None:
        super().__init__(f"{reason}: {detail}" if detail else reason)
        self.reason = reason


class ModelError(RuntimeError):
    """A model that did not load, lies on its card, or answered with what is no probability."""


class OutOfMemoryError(ModelError):
    """A model that asked for more than the child may have: whatever it holds is given back with the child only."""


class ChildGoneError(RuntimeError):
    """The process that runs the models crashed or missed its deadline; it has been ended and can be started again."""


def without_paths(text: object, folder: Path | None = None) -> str:
    """An error's text as it may leave the module: files by their names, for a path says how the gateway is laid out.

    `folder` is cut off whole, blanks and all; of any other absolute path the folders go and the last name stays.
    """
    said = str(text)
    if folder is not None:
        for each in {str(folder), str(folder.resolve())}:
            said = said.replace(f"{each}/", "").replace(each, folder.name)
    return _FOLDERS.sub("", said)
