"""``card.json``: what a model package says of itself, and what the engine is driven by.

docs/formats/model-package.md describes every field. Parsed once into frozen models; a field the format does not know
is an error, except below ``training`` and ``accuracy``, which are for readers.
"""

import itertools
from pathlib import Path
from typing import Annotated, Any, Final, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

FORMAT: Final = 1

Probability = Annotated[float, Field(ge=0, le=1)]


class CardError(ValueError):
    """A package that cannot be used as it is; the text says which part and what to do."""


class Part(BaseModel):
    """A frozen part of the card."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class PicturePrepare(Part):
    """From an encoded picture to the model's input: decode, crop, resize, scale, standardise, lay out."""

    kind: Literal["picture"]
    colour: Literal["grey", "rgb", "bgr"] = "grey"
    crop: tuple[Probability, Probability, Probability, Probability] | None = None  # x, y, width, height as shares
    width: int = Field(ge=1, le=4096)
    height: int = Field(ge=1, le=4096)
    fit: Literal["stretch", "letterbox"] = "stretch"
    interpolation: Literal["area", "linear", "quick"] = "area"  # quick: halved where twice too large, then linear
    scale: float = 1 / 255
    mean: tuple[float, ...] = (0.0,)  # per channel, after scaling
    std: tuple[Annotated[float, Field(gt=0)], ...] = (1.0,)
    standardise: bool = False  # each picture to its own mean 0 and deviation 1, after the above
    layout: Literal["chw", "hwc"] = "chw"


class WavePrepare(Part):
    """From a window of samples to the model's input: the samples themselves, or features at a bearing's orders."""

    kind: Literal["wave", "orders"]
    seconds: float = Field(gt=0, le=60)  # length of a window
    hop: float = Field(gt=0, le=1)  # from one window to the next, as a share of a window
    rate_hz: tuple[float, float]  # lowest and highest sampling rate the model may be given
    standardise: bool = False  # kind wave: each window to mean 0 and deviation 1
    bands: tuple[tuple[float, float], ...] = ()  # kind orders, in Hz
    orders: dict[str, float] = Field(default_factory=dict)  # kind orders: the bearing's, in orders of shaft speed
    lines: tuple[dict[str, float], ...] = ()
    families: tuple[tuple[int, ...], ...] = ()
    slip: float = Field(0.0, ge=0, le=0.1)
    shape_hz: tuple[float, ...] = ()  # edges of the pieces whose share of power is one figure each


class Constant(Part):
    """A further input that is always the same: a sampling rate, an empty state."""

    shape: tuple[Annotated[int, Field(ge=0, le=1 << 20)], ...] = ()
    dtype: Literal["float32", "float16", "int64", "int32", "uint8", "bool"] = "float32"
    value: float = 0.0


class Input(Part):
    """The model's input tensor, without the batch axis."""

    name: str
    shape: tuple[int, ...]
    dtype: Literal["float32", "float16", "uint8"] = "float32"
    constants: dict[str, Constant] = Field(default_factory=dict)  # with any, a run of the network takes one item


class Output(Part):
    """The model's output tensors by name."""

    scores: str  # shape (batch, labels)
    # What makes probabilities of the scores; `probability`: they are, of each label alone (or of the second of two).
    activation: Literal["softmax", "sigmoid", "none", "probability"] = "softmax"
    temperature: float = Field(1.0, gt=0)  # scores are divided by it: calibration
    heat: str | None = None  # shape (batch, h, w): where in the picture


class Decision(Part):
    """From probabilities to a verdict, and from verdicts to an alert."""

    threshold: Probability = 0.5  # not OK from this probability of not being OK on
    uncertain: tuple[Probability, Probability] = (0.5, 0.5)  # probabilities of not being OK kept as samples
    confident: Probability = 0.0  # below this share of the leading defect its type is 'undetermined'
    average: int = Field(1, ge=1, le=1000)  # waveforms: windows whose log-probabilities are averaged
    raise_k: int = Field(1, ge=1)
    of_n: int = Field(1, ge=1, le=1000)
    clear_k: int = Field(0, ge=0)  # cleared when no more than this of the last n windows are not OK
    severity: Literal["info", "warning", "critical"] = "warning"
    advice: str | None = None

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if not self.clear_k < self.raise_k <= self.of_n:
            raise ValueError("clear_k < raise_k <= of_n is not so")
        return self


class Histogram(Part):
    """How one statistic of the inputs was spread."""

    edges: tuple[float, ...] = Field(min_length=3)
    shares: tuple[Probability, ...] = Field(min_length=2)

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if len(self.edges) != len(self.shares) + 1 or any(a >= b for a, b in itertools.pairwise(self.edges)):
            raise ValueError("edges rise, and are one more than shares")
        if sum(self.shares) <= 0:
            raise ValueError("shares are nothing")
        return self


class Reference(Part):
    """What scores and inputs looked like when the model was judged, for noticing drift later."""

    edges: tuple[float, ...] = ()  # bins of the score
    shares: tuple[float, ...] = ()  # of the windows or pictures of the honest split, per bin
    count: int = Field(0, ge=0)  # of them; 0: not known
    looks: dict[str, Histogram] = Field(default_factory=dict)  # of the inputs, by statistic (looks.py)
    input: dict[str, tuple[float, float]] = Field(default_factory=dict)  # by statistic: lowest and highest usual value


class Golden(Part):
    """Largest difference of a probability from the one in golden.npz that still counts as the same."""

    fp32: float = Field(1e-3, gt=0, le=0.5)
    int8: float = Field(2e-2, gt=0, le=0.5)


class Card(Part):
    """A whole card."""

    format: Literal[1]
    name: str = Field(pattern=r"^[a-z0-9][a-z0-9_.-]*$", max_length=64)
    version: str = Field(pattern=r"^\d+\.\d+\.\d+$")
    title: str
    task: Literal["picture", "waveform"]
    sources: tuple[str, ...]  # patterns (fnmatch) of the sources it may judge
    input: Input
    output: Output
    prepare: Annotated[PicturePrepare | WavePrepare, Field(discriminator="kind")]
    labels: tuple[str, ...] = Field(min_length=2)
    ok_label: str | None = None  # None: every label is a finding
    decision: Decision = Decision()
    golden: Golden = Golden()
    files: dict[str, str] = Field(default_factory=dict)  # SHA-256 of each file beside the card
    reference: Reference = Reference()
    training: dict[str, Any] = Field(default_factory=dict)
    accuracy: dict[str, Any] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if (self.task == "picture") != (self.prepare.kind == "picture"):
            raise ValueError(f"prepare.kind {self.prepare.kind} does not go with task {self.task}")
        if len(set(self.labels)) != len(self.labels):
            raise ValueError("a label stands twice")
        if self.ok_label is not None and self.ok_label not in self.labels:
            raise ValueError(f"ok_label {self.ok_label!r} is none of the labels")
        if self.task == "waveform" and self.ok_label is None:
            raise ValueError("a waveform model needs an ok_label: its alerts are raised and cleared")
        return self

    @property
    def id(self) -> str:
        """Name and version as messages carry them."""
        return f"{self.name}/{self.version}"

    @property
    def ok_index(self) -> int | None:
        """Position of the OK label."""
        return None if self.ok_label is None else self.labels.index(self.ok_label)


def read_card(folder: Path) -> Card:
    """The card of a package folder. Raises CardError."""
    path = folder / "card.json"
    try:
        return Card.model_validate_json(path.read_bytes())
    except OSError as error:
        text = f"{folder.name}/card.json cannot be read ({error.strerror}); a package is a folder with card.json"
        raise CardError(text) from error
    except ValidationError as error:
        lines = (f"{'.'.join(map(str, e['loc'])) or 'card'}: {e['msg']}" for e in error.errors(include_url=False))
        raise CardError("card.json: " + "; ".join(lines)) from error
