"""What tests wait for, be it there or not yet."""

from collections.abc import Callable


def holds(condition: Callable[[], object]) -> bool:
    """Whether it is true now; what it looks up and does not find is still to come."""
    try:
        return bool(condition())
    except LookupError:
        return False
