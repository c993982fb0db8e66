from modules.cache.stall import Stall


def test_it_is_down_when_nothing_moves_and_up_when_something_does() -> None:
    stall = Stall()
    assert stall.link == "unknown"
    assert stall.moved(0.0, 0.1)
    assert stall.link == "up"
    assert not stall.moved(0.2, 0.3), "it was up before"
    assert not stall.waits(10.0, 10.0 + stall.patience - 0.01)
    assert stall.waits(10.0, 10.0 + stall.patience)
    assert stall.link == "down"
    assert not stall.waits(10.0, 60.0), "it was down before"
    assert stall.moved(10.0, 61.0)
    assert stall.link == "up"


def test_what_moves_again_gets_its_patience_again() -> None:
    stall = Stall()
    stall.moved(0.0, 0.1)
    stall.moved(0.0, 5.0)
    assert not stall.waits(0.0, 5.0 + stall.patience - 0.1), "the oldest is old, but one has just left"


def test_a_slow_link_is_not_called_down() -> None:
    stall = Stall()
    now = 0.0
    for _ in range(5):
        stall.moved(now, now + 8.0)
        now += 8.0
    assert not stall.waits(now, now + 12.0)
    assert stall.link == "up"


def test_an_outage_does_not_make_the_link_look_slow() -> None:
    stall = Stall()
    stall.moved(0.0, 0.1)
    before = stall.patience
    stall.waits(1.0, 3600.0)
    stall.moved(1.0, 3600.0)
    assert stall.patience == before


def test_edgehub_s_own_word_counts_when_it_is_news() -> None:
    stall = Stall()
    assert not stall.told(away=None, now=0.0)
    assert stall.told(away=False, now=1.0)
    assert stall.link == "up"
    assert stall.told(away=True, now=2.0)
    assert stall.link == "down"
    assert stall.moved(1.5, 3.0), "edgeHub has not noticed yet"
    assert not stall.told(away=True, now=3.1), "no news"
    assert stall.link == "up"


def test_what_waits_has_its_patience_anew_when_edgehub_is_back() -> None:
    stall = Stall()
    stall.told(away=True, now=1.0)
    assert stall.told(away=False, now=60.0)
    assert not stall.waits(1.0, 60.0 + stall.patience - 0.1)
    assert stall.waits(1.0, 60.0 + stall.patience)
    assert not stall.told(away=False, now=70.0), "edgeHub takes its time to notice"
    assert stall.link == "down"


def test_one_slow_message_does_not_make_a_slow_link() -> None:
    stall = Stall()
    for number in range(5):
        stall.moved(float(number), number + 0.1)
    before = stall.patience
    stall.moved(5.0, 15.0)
    assert stall.patience == before
