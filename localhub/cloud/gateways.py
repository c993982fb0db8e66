"""Which gateways run here: the one of `run`, and those that were added to it; and whose a device is."""

from __future__ import annotations

from collections.abc import Iterator

import apsw

from localhub.identity import Identities
from localhub.state import State


class Gateways:
    """The gateways of one cloud, each with its state folder; one may be known and not run just now."""

    def __init__(self, state: State, database: apsw.Connection) -> None:
        self.first, self._database = state, database
        self._states: dict[str, State] = {}
        self.refresh()

    def refresh(self) -> None:
        """Look again which ones there are."""
        added = (State.load(folder) for folder in self.first.gateways)
        self._states = {state.gateway: state for state in (self.first, *added)}

    def __iter__(self) -> Iterator[State]:
        return iter(self._states.values())

    def get(self, gateway: str) -> State | None:
        """The state folder of a gateway; None when none of that name runs here."""
        return self._states.get(gateway)

    def devices(self, gateway: str) -> list[str]:
        """A gateway and its leaf devices: those that its hub lets in."""
        state = self._states[gateway]
        known = Identities.load(state.identities).devices if state.identities.exists() else {}
        return list(dict.fromkeys((gateway, *known)))

    def home(self, device: str) -> State | None:
        """The gateway that a device is, or is behind: the first one's, unless it is another's.

        None for an IoT Edge device that does not run here.
        """
        if device in self._states:
            return self._states[device]
        for gateway, state in self._states.items():
            if gateway != self.first.gateway and device in self.devices(gateway):
                return state
        query = "SELECT edge FROM identities WHERE device = ? AND module = ''"
        return None if self._database.execute(query, (device,)).get else self.first
