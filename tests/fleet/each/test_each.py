from __future__ import annotations

import itertools
import threading

import pytest

from fleet.each import each
from fleet.exits import FleetError


def test_never_more_than_so_many_at_once_and_everybody_once() -> None:
    lock, running, most, done = threading.Lock(), 0, 0, []
    full = threading.Barrier(3)  # it takes three at once for any to go on

    def act(device: str) -> str:
        nonlocal running, most
        with lock:
            running += 1
            most = max(most, running)
        full.wait(20)
        with lock:
            running -= 1
            done.append(device)
        return device.upper()

    names = [f"gw{number}" for number in range(12)]
    outcomes = list(each(names, act, at_once=3))
    assert most == 3
    assert sorted(done) == sorted(names)
    assert {one.device: one.result for one in outcomes} == {name: name.upper() for name in names}


def test_one_that_fails_does_not_stop_the_others() -> None:
    def act(device: str) -> str:
        if device == "b":
            raise FleetError("is away")
        return device

    outcomes = {one.device: one for one in each("abc", act, at_once=1)}
    assert outcomes["b"].failure == "is away"
    assert [outcomes[name].document() for name in "ab"] == [
        {"device": "a", "result": "a"},
        {"device": "b", "failure": "is away"},
    ]
    assert outcomes["c"].result == "c"


def test_after_too_many_failures_nothing_is_begun() -> None:
    tried = []

    def act(device: str) -> None:
        tried.append(device)
        raise FleetError("no")

    outcomes = list(each("abcdef", act, at_once=1, most_failures=1))
    assert tried == ["a", "b"]
    assert [one.skipped for one in outcomes] == [False, False, True, True, True, True]
    assert outcomes[-1].document() == {"device": "f", "skipped": True}


def test_who_stops_listening_has_no_more_begun() -> None:
    tried: list[str] = []
    endless = (f"gw{number}" for number in itertools.count())
    outcomes = each(endless, tried.append, at_once=2)
    next(outcomes)
    outcomes.close()
    count = len(tried)
    assert count <= 4
    assert len(tried) == count


def test_a_fault_of_ours_is_not_an_outcome() -> None:
    with pytest.raises(ZeroDivisionError):
        list(each("a", lambda _device: 1 / 0, at_once=1))
