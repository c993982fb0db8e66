"""How large the models may grow on this machine, and what they run on. Pure but for `machine`."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Self

CPU: Final = "CPUExecutionProvider"
# Of those that onnxruntime knows (docs, execution-providers), the ones that judge on the machine itself, best first.
PREFERRED: Final = (
    "TensorrtExecutionProvider",
    "CUDAExecutionProvider",
    "ROCMExecutionProvider",
    "MIGraphXExecutionProvider",
    "QNNExecutionProvider",
    "OpenVINOExecutionProvider",
    "CoreMLExecutionProvider",
    "ACLExecutionProvider",
    CPU,
)
LEAST_MB: Final = 384  # ONNX Runtime, OpenCV and small models
_NUMBERS: Final = 250_000  # in the inputs of one run
_SHARE: Final = 0.8  # of the container's memory: the rest is the module's own
_CGROUP: Final = (Path("/sys/fs/cgroup/memory.max"), Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"))


@dataclass(frozen=True, slots=True)
class Sizing:
    """What each session is made with."""

    threads: int = 1
    arena: bool = False  # keeps freed memory for the next run: quicker by a little, larger by the peak
    batch: int = 16  # items in one run of the network at most; of large ones fewer
    providers: tuple[str, ...] = ()  # in order of preference; none: PREFERRED

    def items(self, numbers: int) -> int:
        """Items in one run of a network whose input has that many numbers: memory grows with both, and speed does not.

        A small network is quicker with several at once; of a large one each fills the processor by itself.
        """
        return max(1, min(self.batch, _NUMBERS // max(1, numbers)))

    def document(self) -> dict[str, Any]:
        """As the child is told."""
        return {
            "threads": self.threads,
            "arena": self.arena,
            "batch": self.batch,
            "providers": list(self.providers),
        }

    @classmethod
    def of(cls, document: Mapping[str, Any]) -> Self:
        """The reverse."""
        return cls(**{**document, "providers": tuple(document["providers"])})


@dataclass(frozen=True, slots=True)
class Machine:
    """What this process may use: cores, and MB of memory where a container bounds it."""

    cores: int
    memory_mb: int | None

    def threads(self, wanted: int) -> int:
        """No more than there are cores: threads beyond them only take turns."""
        return max(1, min(wanted, self.cores))

    def child_mb(self, wanted: int) -> int:
        """The child's limit: below the container's, so that the model is refused memory and not the module killed."""
        if self.memory_mb is None:
            return wanted
        return max(LEAST_MB, min(wanted, int(self.memory_mb * _SHARE)))


def machine(limits: Sequence[Path] = _CGROUP) -> Machine:
    """What the system tells of the machine (cgroup v2, then v1)."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    for path in limits:
        try:
            text = path.read_text(encoding="ascii").strip()
        except OSError:
            continue
        if text.isdigit() and int(text) < 1 << 50:  # v1 says 'none' as a number near 2^63
            return Machine(cores, int(text) >> 20)
    return Machine(cores, None)


def candidates(wanted: Sequence[str], available: Sequence[str]) -> tuple[list[str], dict[str, str]]:
    """Execution providers to try, in order, the CPU's last; and why a wanted one is left out."""
    left_out = {each: "this build of ONNX Runtime does not have it" for each in wanted if each not in available}
    chosen = [each for each in (wanted or PREFERRED) if each in available and each != CPU]
    return [*chosen, CPU], left_out
