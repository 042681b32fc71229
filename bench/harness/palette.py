"""How the pictures look.

Colours: Okabe and Ito, Color Universal Design, 2008; told apart with every kind of colour blindness. Lines also
differ in their dashes.
"""

from __future__ import annotations

from typing import Any

OURS = "#0072B2"
RIVALS = ("#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
AIM = "#A60000"
GRID = "#BBBBBB"

DASHES: tuple[Any, ...] = ("-", (0, (5, 1.5)), (0, (1, 1)), (0, (6, 1.5, 1, 1.5)), (0, (3, 1, 1, 1, 1, 1)), (0, (8, 3)))

STYLE: Any = {
    "font.size": 9,
    "axes.titlesize": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.color": "#E6E6E6",
    "grid.linewidth": 0.6,
    "axes.axisbelow": True,
    "svg.fonttype": "none",
    "svg.hashsalt": "reactive_config",
    "legend.frameon": False,
}


def look(index: int) -> dict[str, Any]:
    """Colour and dashes of a subject by its place in the case; 0 is ours."""
    if index == 0:
        return {"color": OURS, "linestyle": "-", "linewidth": 2.0, "zorder": 3}
    rival = index - 1
    return {
        "color": RIVALS[rival % len(RIVALS)],
        "linestyle": DASHES[1 + rival % (len(DASHES) - 1)],
        "linewidth": 1.4,
    }
