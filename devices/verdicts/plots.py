"""The verdicts as pictures. matplotlib is among the packages for development only (requirements/dev.in)."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure

from devices.verdicts.judge import IMPACTS, LINE, LOUDER, Verdict

_COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7")  # told apart by most eyes (Okabe, Ito 2008)
_LIMIT = "#666666"


def draw(verdicts: Sequence[Verdict], folder: Path) -> list[Path]:
    """Write verdict-lines.png, verdict-impacts.png and verdict-bands.png; return their paths."""
    mpl.rcParams.update({"font.size": 8, "axes.spines.top": False, "axes.spines.right": False})
    folder.mkdir(parents=True, exist_ok=True)
    figures = {"lines": _lines(verdicts), "impacts": _impacts(verdicts), "bands": _bands(verdicts)}
    paths = []
    for name, figure in figures.items():
        paths.append(folder / f"verdict-{name}.png")
        figure.savefig(paths[-1], dpi=100)
    return paths


def _figure(verdicts: Sequence[Verdict]) -> Figure:
    return Figure(figsize=(7.2, 0.19 * len(verdicts) + 1.1), layout="constrained")


def _lines(verdicts: Sequence[Verdict]) -> Figure:
    figure = _figure(verdicts)
    axes = figure.subplots()
    rows = np.arange(len(verdicts))
    for column, part in enumerate(verdicts[0].summary.parts):
        heights = [each.summary.lines[column] for each in verdicts]
        axes.plot(heights, rows, "o", color=_COLOURS[column % len(_COLOURS)], markersize=4, label=part)
    _dress(axes, verdicts, "bearing lines of the envelope spectrum, times their background (mean of the windows)", LINE)
    axes.legend(loc="lower right", frameon=False)
    return figure


def _impacts(verdicts: Sequence[Verdict]) -> Figure:
    figure = _figure(verdicts)
    axes = figure.subplots()
    axes.plot([each.summary.kurtosis for each in verdicts], np.arange(len(verdicts)), "o", color=_COLOURS[0])
    axes.axvline(3, color=_LIMIT, linewidth=0.8, linestyle=":")
    _dress(axes, verdicts, "mean kurtosis (dotted: Gaussian noise)", IMPACTS)
    return figure


def _dress(axes: mpl.axes.Axes, verdicts: Sequence[Verdict], title: str, limit: float) -> None:
    axes.set_xscale("log")
    ticks = [tick for tick in (1, 2, 3, 5, 10, 20, 50, 100) if axes.get_xlim()[0] <= tick <= axes.get_xlim()[1]]
    axes.set_xticks(ticks, [str(tick) for tick in ticks])
    axes.minorticks_off()
    axes.axvline(limit, color=_LIMIT, linewidth=0.8, linestyle="--")
    axes.text(limit, -1.2, f" limit {limit:g}", color=_LIMIT, va="center")
    axes.set_yticks(np.arange(len(verdicts)), [each.summary.sensor for each in verdicts])
    axes.set_ylim(len(verdicts) - 0.5, -1.8)
    axes.grid(axis="y", linewidth=0.3)
    axes.set_title(title, loc="left")


def _bands(verdicts: Sequence[Verdict]) -> Figure:
    figure = _figure(verdicts)
    axes = figure.subplots()
    bands = max(len(each.louder_db) for each in verdicts)
    heights = np.array([[*each.louder_db, *[np.nan] * (bands - len(each.louder_db))] for each in verdicts])
    image = axes.imshow(heights, aspect="auto", cmap="RdBu_r", vmin=-40, vmax=40)
    for (row, column), value in np.ndenumerate(heights):
        if np.isfinite(value):
            weight = "bold" if value > LOUDER else "normal"
            shade = "white" if abs(value) > 24 else "black"
            axes.text(column, row, f"{value:.0f}", ha="center", va="center", fontweight=weight, color=shade, fontsize=7)
    axes.set_yticks(np.arange(len(verdicts)), [each.summary.sensor for each in verdicts])
    axes.set_xticks(np.arange(bands), [f"{number + 1}/{bands}" for number in range(bands)])
    axes.set_title(f"dB above the quietest of the group, by band of the range; bold: beyond {LOUDER:g}", loc="left")
    figure.colorbar(image, ax=axes, label="dB", shrink=0.6)
    return figure
