"""Where localhub does otherwise than edgeHub, as data: how it is by itself, and how `--strict` makes it.

docs/decisions/localhub-differences.md has the reasons, and those differences that no switch can sensibly undo. Each
default is localhub's own way; EDGEHUB is edgeHub's and edgeAgent's. Times are in seconds.
"""

from dataclasses import dataclass, field
from typing import Final

from localhub.agent.policy import Timings


@dataclass(frozen=True, slots=True, kw_only=True)
class Manners:
    """One way to behave. The sources are edgeHub's, by the sections of edgehub-contract."""

    patient: bool = False
    """A message for a module that is away is tried again after 1, 2, 4 ... 60 s, also when the module is back before;
    its time to live is not looked at again meanwhile (6.2, 6.3)."""

    synced: bool = True
    """What is acknowledged has been synced to the disk, not only written (6.1)."""

    expire_every: float = 5.0
    """How often what has expired is taken out of the queues (6.3, MessageCleanupIntervalSecs)."""

    keeps_routeless: bool = True
    """A queue whose last route goes is delivered; otherwise its messages are lost (6.5)."""

    forging: bool = False
    """A module may publish as another one (9.2)."""

    oversize_hold: float = 30.0
    """How long the connection of a client that sends an oversize packet again and again is held at most (4)."""

    unstored_hold: float = 1.0
    """How long the connection of a client whose message could not be stored is held before it is closed (6.1)."""

    upstream_batch: int = 100
    """Messages sent to the cloud in one batch (6.2, MaxUpstreamBatchSize)."""

    reauthenticate_every: float = 5.0
    """How often the proofs of connected clients are checked again (2.5, ConnectionReauthenticator)."""

    answers_unsubscribed: bool = True
    """A twin GET is answered also when the client has not subscribed to the answer (2.4)."""

    report_every: float = 0.0
    """The least time between two reported patches to the cloud (7.1, ReportedPropertiesSyncFrequencySecs)."""

    fills_payload: bool = True
    """A method called without a payload gets `null`: the Node.js SDK cannot read what edgeHub sends, nothing."""

    settle: float = 0.0
    """How long a method call that waited for its module waits on once it has subscribed (3.6)."""

    restarts: Timings = field(default_factory=Timings)
    """The pauses before an ended module is started again (7.3, RestartPolicyManager)."""


LOCALHUB: Final = Manners()

EDGEHUB: Final = Manners(
    patient=True,
    synced=False,
    expire_every=1_800.0,
    keeps_routeless=False,
    forging=True,
    oversize_hold=0.0,
    unstored_hold=0.0,
    upstream_batch=10,
    reauthenticate_every=300.0,
    answers_unsubscribed=False,
    report_every=5.0,
    fills_payload=False,
    settle=3.0,
    restarts=Timings(unit_s=10.0, longest_s=300.0, steady_s=600.0),
)
