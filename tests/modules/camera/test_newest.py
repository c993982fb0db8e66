from modules.camera.newest import Newest


def test_the_newest_wins_and_the_rest_is_counted() -> None:
    slot: Newest[int] = Newest()
    for number in range(5):
        slot.put(number)
    assert slot.take() == 4
    assert slot.skipped == 4
    slot.put(5)
    slot.close()
    assert slot.take() == 5
    assert slot.take() is None
