"""The cards as training writes them, before files and figures are known."""

from typing import Any

from models.training import bearing, lite, sources, steel, tiles, whole
from modules.inference.card import Card, Decision, Golden, Input, Output

VERSION = "1.0.0"
_HOW = (
    "python -m models.training (PyTorch 2.13, CPU; int8: onnxruntime static quantisation, calibrated on training data)"
)

_BEARING_CHOICES = (
    "When no simulated machine was among those learnt from, 10 of 200 healthy ones were alarmed within 0.6 h at 0.5"
    " and 3 of 5 windows (seed 77). Number and weight of the 3000 simulated machines were chosen of six settings on"
    " other such machines (seed 79). Three settings, and eight rules of threshold and votes with each, were looked "
    "at in the tables below, too: 24 hidden units were kept for 48 lost one of 27 alarms, and this rule because no "
    "window of seed 79 passed 0.6. The first setting let simulated machines into the inner folds: no type was left "
    "untaught in the fold of 7 mil, and 7 of 9 bearings were named, 5 of 9 at 0 dB. A healthy machine tells nothing"
    " of types, so the inner folds do without; but that was decided after seeing it"
)

_RENDERED = (
    f"{whole.RENDERED:.0%} of the pictures learnt from are rendered tiles (modules/camera/conveyor.py), none of which "
    "is among those judged below: the default line has no other camera"
)


def picture_card(package: str, dataset: Any) -> Card:
    """The card of `tile` or `steel`."""
    return tile_card() if package == tiles.NAME else steel_card(dataset.labels)


def tile_card() -> Card:
    """Magnetic tiles."""
    return Card(
        format=1,
        name=tiles.NAME,
        version=VERSION,
        title="Magnetic tiles: OK or defective",
        task="picture",
        sources=("camera/*tile*", "camera/conveyor*", "camera/line*"),
        input=Input(name="picture", shape=(1, tiles.HEIGHT, tiles.WIDTH)),
        output=Output(scores="scores", heat="heat"),
        prepare=tiles.PREPARE,
        labels=("ok", "defect"),
        ok_label="ok",
        decision=Decision(
            threshold=0.5,
            uncertain=(0.3, 0.7),
            severity="warning",
            advice="Take the part out and look at it; the heat map says where.",
        ),
        golden=Golden(fp32=1e-3, int8=0.05),
        training={
            **sources.TERMS["magnetic_tile"],
            "rendered": _RENDERED,
            "how": _HOW,
            "transfer": lite.origin(),
            "parts": "one network, fitted in parts on the same folds: `marks` finds the defect in pieces of the "
            "picture at about its own size; `whole` judges the tile at 192 x 192; each is the mean of two that learnt "
            "in other orders. The score is the odds that either is right; each part's offset and unit, four numbers, "
            "are of all folds' scores, but in the figures below of those folds that are not judged",
            "choices": "of the folds that are not judged are the offsets and units. How many of the highest cells "
            "speak for a picture hardly matters (0.972 when that is of those folds, too). Of four kinds of contrast "
            "any four folds choose this one by the mean of each kind's fits, and any four choose two `whole` and not "
            "one. That pictures end beside a defect in 30 % of the pieces was thought of after looking at what fold 3 "
            "missed; by pictures cut beside a defect any four folds choose it, by those and pictures as they are in "
            "one any four but those without fold 3, which would have one of the two `marks` learn so, and by "
            "pictures as they are alone those would not at all: judged so, the AUROC is 0.973, 0.970 and 0.965. That "
            "either part suffices was decided on folds 0, 1 and 3; any four folds choose it, though without fold 0 a "
            "sum of both is as good. How long `marks` learns was fixed on fold 0, and `whole` on all five. Chance: "
            "with one of the two `marks` alone beside `whole` it is 0.974, with the other 0.968 "
            "(docs/decisions/tile-limits.md)",
            "limits": "50 tiles show all the defects and 7 of them cracks; 15 of the 43 pictures of cracks are of one "
            "tile. A single tile moves the figures of its fold by up to a tenth. Three tiles have pictures of both "
            "labels that show the same defect.",
        },
    )


def steel_card(labels: tuple[str, ...]) -> Card:
    """Steel surface types."""
    return Card(
        format=1,
        name=steel.NAME,
        version=VERSION,
        title="Hot-rolled steel: type of surface defect",
        task="picture",
        sources=("camera/*steel*", "camera/*neu*", "camera/*strip*"),
        input=Input(name="picture", shape=(1, steel.SIDE, steel.SIDE)),
        output=Output(scores="scores"),
        prepare=steel.PREPARE,
        labels=labels,
        decision=Decision(confident=0.5, severity="warning", advice="Mark the strip; check rolls and descaling."),
        golden=Golden(fp32=1e-3, int8=0.05),
        training={
            **sources.TERMS["neu_det"],
            "how": _HOW,
            "transfer": lite.origin(),
            "fitted": "a linear answer on the means and deviations of 120 channels; the rest is as ImageNet left it",
            "choices": "side (96 or 128) and strides read were compared on these same folds: 98.2 to 99.6 % right",
            "limits": "The set has no defect-free class: the model tells types of defect apart, not good from bad.",
        },
    )


def bearing_card() -> Card:
    """Bearing faults."""
    size = bearing.features_size()
    return Card(
        format=1,
        name=bearing.NAME,
        version=VERSION,
        title="Rolling bearing: normal, inner race, ball or outer race, at known shaft speed",
        task="waveform",
        sources=("*",),
        input=Input(name="features", shape=(size,)),
        output=Output(scores="scores"),
        prepare=bearing.PREPARE,
        labels=bearing.LABELS,
        ok_label="normal",
        decision=Decision(
            threshold=0.6,
            uncertain=(0.35, 0.65),
            confident=0.5,
            average=12,
            raise_k=3,
            of_n=5,
            clear_k=0,
            severity="critical",
            advice="Plan the change of this bearing; listen to it and watch its vibration severity until then.",
        ),
        golden=Golden(fp32=2e-3, int8=0.08),
        training={
            **sources.TERMS["cwru_de12k"],
            "how": _HOW,
            "choices": _BEARING_CHOICES,
        },
    )
