"""The cloud is away, the cache is killed, the hub restarts: afterwards everything is there, once."""

from devices.line import Line

WINDOW = 300  # the cache lets 100 messages of each priority be under way: what a crash may repeat


def given_out(line: Line) -> set[str]:
    found = set()
    for path in (line.state.parent / "ledger").glob("*.ids"):
        if path.stem != "cache":
            for each in path.read_text(encoding="ascii").splitlines():
                output, _, identity = each.partition(" ")
                if output in {"alerts", "windows", "scores"}:
                    found.add(identity)
    return found


def running(line: Line, name: str) -> int | None:
    pids: dict[str, int | None] = {each["name"]: each["pid"] for each in line.control("agent", "/status")["modules"]}
    return pids[name]


def depth(line: Line) -> int:
    queue = line.api("/api/v1/queue")
    return int(queue["depth"])


def test_nothing_is_lost_over_an_outage_with_crashes(line: Line) -> None:
    line.wait("first arrival", lambda: line.control("cloud", "/count")["arrivals"])
    assert line.command("link", "down").returncode == 0
    before = line.control("cloud", "/count")["arrivals"]
    line.wait("the page to know of the cut", lambda: line.api("/api/v1/queue")["link"] == "down")
    line.wait("messages kept in the cache", lambda: depth(line) >= 5)
    pid = running(line, "cache")
    line.control("agent", "/module/cache/kill", {})
    line.wait("another cache", lambda: running(line, "cache") not in {None, pid})
    assert line.command("restart", "hub").returncode == 0
    line.wait("a cache that is back and keeps more", lambda: depth(line) >= 8)
    assert line.control("cloud", "/count")["arrivals"] == before

    kept = given_out(line)
    assert line.command("link", "up").returncode == 0

    def missing() -> set[str]:
        return kept - {each["message_id"] for each in line.arrivals()}

    line.wait("everything given out before", lambda: not missing(), timeout_s=90)
    line.wait("the page to know that the link is back", lambda: line.api("/api/v1/queue")["link"] == "up")
    count = line.control("cloud", "/count")
    assert count["repeats"] <= WINDOW
    assert count["differing"] == 0
