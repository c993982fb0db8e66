"""What can be wrong with an input, a model, or the process that runs it."""


class BadInputError(ValueError):
    """An input no model can judge, however often it is tried. `reason` is a short label for counters."""

    def __init__(self, reason: str, detail: str = "") -> None:
        super().__init__(f"{reason}: {detail}" if detail else reason)
        self.reason = reason


class ModelError(RuntimeError):
    """A model that did not load, lies on its card, or answered with what is no probability."""


class ChildGoneError(RuntimeError):
    """The process that runs the models crashed or missed its deadline; it has been ended and can be started again."""
