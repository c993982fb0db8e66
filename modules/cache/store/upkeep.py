"""Giving pages that lie free back to the file system."""

from __future__ import annotations

from modules.cache.store.state import State

_GIVE_BACK_PAGES = 64  # moved in one transaction: well under what the smallest WAL holds
_WORTH_GIVING_BACK = 8  # one part in so many of the pages lies free


def worth_giving_back(state: State) -> bool:
    """Whether enough pages lie free in the file for the file system to have them back."""
    return int(state.connection.pragma("freelist_count")) > state.budget.pages // _WORTH_GIVING_BACK


def free_pages(state: State) -> bool:
    """Whether any page lies free in the file."""
    return bool(state.connection.pragma("freelist_count"))


def give_back(state: State) -> None:
    """Move some pages from the file's end into free ones and cut the file. Outside a transaction."""
    state.connection.execute(f"PRAGMA incremental_vacuum({_GIVE_BACK_PAGES})").fetchall()
    state.free = 0
