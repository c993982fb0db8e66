"""What a client has subscribed to: kept over disconnects, and over the hub's own restarts.

The Python SDK never subscribes again after a reconnect: it counts on the server's memory (edgehub-contract 2.4).
"""

from localhub.hub.commits import Commits
from localhub.wire import topics


class Session:
    """One client's filters with the QoS granted; `kept` is false for a client that asked for a clean session."""

    def __init__(self, device: str, module: str | None, filters: dict[str, int], *, kept: bool) -> None:
        self.filters = filters
        self.kept = kept
        self._inputs = None if module is None else topics.inputs_prefix(device, module)

    def subscribed(self, prefix: str) -> bool:
        """Whether there is a filter for topics that begin with `prefix`."""
        return any(name.startswith(prefix) for name in self.filters)

    def inputs_qos(self) -> int | None:
        """The QoS at which the client wants its inputs; None: it has not subscribed to them."""
        if self._inputs is None:
            return None
        found = [qos for name, qos in self.filters.items() if name.startswith(self._inputs)]
        return max(found, default=None)


class Sessions:
    """All sessions that are to outlive their connection."""

    def __init__(self, stored: dict[str, dict[str, int]], commits: Commits) -> None:
        self._stored = stored
        self._commits = commits

    def open(self, client_id: str, device: str, module: str | None, *, clean: bool) -> tuple[Session, bool]:
        """The session of a client that connects, and whether it was there already; a clean one forgets the old."""
        if clean:
            if self._stored.pop(client_id, None) is not None:
                self._commits.open().sessions[client_id] = None
            return Session(device, module, {}, kept=False), False
        present = client_id in self._stored
        filters = self._stored.setdefault(client_id, {})
        if not present:
            self._commits.open().sessions[client_id] = {}
        return Session(device, module, filters, kept=True), present

    def forget(self, client_id: str) -> bool:
        """Lose a session; whether there was one. Its client must not be connected any more."""
        if self._stored.pop(client_id, None) is None:
            return False
        self._commits.open().sessions[client_id] = None
        return True

    def save(self, client_id: str, session: Session) -> None:
        """Put a changed session into the open commit; whoever answers the client waits for that commit."""
        if session.kept:
            self._commits.open().sessions[client_id] = dict(session.filters)
