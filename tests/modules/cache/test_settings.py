import pytest

from modules.cache.batching import Batching
from modules.cache.settings import CacheSettings
from modules.cache.store import KindLimits
from modules.common.settings import SettingsError, validate


def test_kinds_become_limits() -> None:
    settings = validate(
        CacheSettings, {"kinds": {"score": {"ttl_hours": 2}, "sample": {"retention_hours": 0}, "alert": {}}}
    )
    assert settings.limits().kinds == {
        "score": KindLimits(7_200_000, None),
        "sample": KindLimits(None, 0),
        "alert": KindLimits(),
    }


def test_batches_are_for_the_priorities_that_are_named() -> None:
    assert CacheSettings().batching() == {}
    settings = validate(CacheSettings, {"batch": {"samples": True, "wait_s": 5, "gzip": True}})
    assert settings.batching() == {2: Batching(65_536, 5.0, gzip=True)}


@pytest.mark.parametrize(
    ("values", "said_of"),
    [
        ({"kinds": {"frame": {"ttl_hours": 1}}}, "frame: the kinds here are alert"),
        ({"kinds": {"score": {"ttl_hours": 0}}}, "kinds.score.ttl_hours"),
        ({"hours": {"zone": "Mars/Olympus"}}, "no time zone of that name"),
        ({"hours": {"windows": [{"opens": "25:00", "closes": "06:00"}]}}, "hours.windows.0.opens"),
        ({"batch": {"most_bytes": 1}}, "batch.most_bytes"),
    ],
)
def test_what_cannot_be_is_refused_in_words(values: dict[str, object], said_of: str) -> None:
    with pytest.raises(SettingsError, match=said_of):
        validate(CacheSettings, values)
