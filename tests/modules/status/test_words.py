"""The page's catalogues: the same keys and placeholders in every language, nothing missing, nothing left over."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

import modules.status

PAGE = Path(modules.status.__file__).parent / "page"
WORDS = PAGE / "words"
LANGUAGES: dict[str, str] = json.loads((WORDS / "index.json").read_text(encoding="utf-8"))
# The forms that a language's plural has (Unicode CLDR, cardinal); what a catalogue has beyond them would never be read.
FORMS = {"en": {"one", "other"}, "de": {"one", "other"}, "es": {"one", "many", "other"}}


def catalogue(language: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((WORDS / f"{language}.json").read_text(encoding="utf-8"))
    return found


def texts(value: str | dict[str, str]) -> list[str]:
    return [value] if isinstance(value, str) else list(value.values())


def placeholders(text: str) -> set[str]:
    return set(re.findall(r"\{(\w+)\}", text))


def test_every_catalogue_can_be_chosen() -> None:
    assert {f"{each}.json" for each in LANGUAGES} | {"index.json"} == {each.name for each in WORDS.iterdir()}
    assert {"en", "de", "es"} <= set(LANGUAGES)


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_language_says_the_same_things(language: str) -> None:
    english, other = catalogue("en"), catalogue(language)
    assert set(other) == set(english)
    for key, value in other.items():
        assert isinstance(value, dict) == isinstance(english[key], dict), key
        wanted = placeholders(texts(english[key])[-1])
        for text in texts(value):
            assert text.strip(), key
            assert placeholders(text) == wanted, key
        if isinstance(value, dict):
            assert set(value) == FORMS[language], key


def used() -> tuple[set[str], list[re.Pattern[str]]]:
    """The keys that page and scripts name in full, and patterns of those that they put together."""
    whole, patterns = set[str](), list[re.Pattern[str]]()
    for path in (*PAGE.rglob("*.js"), PAGE / "index.html"):
        source = path.read_text(encoding="utf-8")
        whole |= set(re.findall(r'data-word(?:-label|-title|-placeholder)?="([^"]+)"', source))
        whole |= set(re.findall(r'"([a-z_]+\.[\w. ]+|yes|no)"', source))
        for template in re.findall(r"`([a-z_]+\.[^`\n]*\$\{[^`\n]*)`", source):
            parts = re.split(r"\$\{(?:[^{}]|\{[^{}]*\})*\}", template)
            patterns.append(re.compile(".+".join(map(re.escape, parts))))
    return whole, patterns


def test_no_word_is_left_over_and_none_is_missing() -> None:
    whole, patterns = used()
    english = set(catalogue("en"))
    left = {key for key in english - whole if not any(pattern.fullmatch(key) for pattern in patterns)}
    assert left == set()
    sources = "\n".join(path.read_text(encoding="utf-8") for path in PAGE.rglob("*.js"))
    named = set(re.findall(r'\bsay\("([^"]+)"', sources))
    named |= set(re.findall(r'="([a-z]+\.[a-z_]+)"', (PAGE / "index.html").read_text(encoding="utf-8")))
    assert named - english == set()
    for pattern in patterns:
        assert any(pattern.fullmatch(key) for key in english), pattern.pattern
