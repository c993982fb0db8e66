"""Tokens and sessions."""

import stat
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modules.status.tokens import SESSION_SECONDS, TokenError, Tokens

TOKENS = Tokens(b"r" * 24, b"o" * 24)


def test_they_are_made_once_and_for_this_user_only(tmp_path: Path) -> None:
    made = tmp_path / "tokens"
    tokens = Tokens.load(made, made)
    assert Tokens.load(made, made) == tokens
    assert tokens.read != tokens.operate
    assert {stat.S_IMODE(each.stat().st_mode) for each in made.iterdir()} == {0o600}
    assert stat.S_IMODE(made.stat().st_mode) & 0o077 == 0


def test_a_mounted_token_wins(tmp_path: Path) -> None:
    mounted = tmp_path / "mounted"
    mounted.mkdir()
    (mounted / "operate").write_text("a-token-from-the-site\n")
    tokens = Tokens.load(mounted, tmp_path / "made")
    assert tokens.operate == b"a-token-from-the-site"
    assert [each.name for each in (tmp_path / "made").iterdir()] == ["read"]


@pytest.mark.parametrize("bad", [b"", b"short", b"with a blank in it, long", b"\xc3\xa9" * 20, b"x" * 600])
def test_a_weak_token_is_refused_without_being_told(tmp_path: Path, bad: bytes) -> None:
    (tmp_path / "read").write_bytes(bad)
    with pytest.raises(TokenError, match="is no token") as refused:
        Tokens.load(tmp_path, tmp_path)
    assert not bad.strip() or bad.decode("latin-1") not in str(refused.value)


def test_two_tokens_that_are_one_are_refused(tmp_path: Path) -> None:
    for name in ("read", "operate"):
        (tmp_path / name).write_text("the-very-same-token")
    with pytest.raises(TokenError, match="the same"):
        Tokens.load(tmp_path, tmp_path)


def test_a_session_ends() -> None:
    cookie = TOKENS.session("read", 1000)
    assert TOKENS.session_role(cookie, 1001) == ("read", 1000 + SESSION_SECONDS)
    assert TOKENS.session_role(cookie, 1000 + SESSION_SECONDS) == ("none", 0)
    assert Tokens(b"x" * 24, b"o" * 24).session_role(cookie, 1001) == ("none", 0)


@given(st.text(max_size=80))
def test_no_cookie_but_ours_opens_anything(cookie: str) -> None:
    assert TOKENS.session_role(cookie, 0) == ("none", 0)


@given(st.sampled_from(["read", "operate", "none", "admin"]), st.text("0123456789", max_size=14), st.text(max_size=50))
def test_nothing_that_looks_like_one_does(role: str, ends: str, signature: str) -> None:
    assert TOKENS.session_role(f"{role}.{ends}.{signature}", 0) == ("none", 0)


@given(st.binary(max_size=40))
def test_no_token_but_these(given_token: bytes) -> None:
    wanted = {TOKENS.read: "read", TOKENS.operate: "operate"}.get(given_token, "none")
    assert TOKENS.role(given_token) == wanted
