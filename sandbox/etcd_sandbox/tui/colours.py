"""The colours of the dashboard, as names that follow the terminal's or the theme's own palette."""

from __future__ import annotations

from rich.terminal_theme import TerminalTheme

PALETTE = (
    "cyan",
    "yellow",
    "green",
    "magenta",
    "blue",
    "bright_cyan",
    "bright_yellow",
    "bright_green",
    "bright_magenta",
    "bright_blue",
)
"""Of the processes, by their index in the cluster, the same as everywhere; red is left to what is wrong."""

PLAIN, GOOD, BAD, ODD, FAINT, STRONG = "", "green", "red", "yellow", "dim", "bold"


def of_process(index: int) -> str:
    """A process's or member's colour, by its index: members first."""
    return PALETTE[index % len(PALETTE)]


DARK = TerminalTheme(
    (18, 18, 18), (224, 224, 224),
    [(40, 40, 40), (255, 95, 95), (125, 205, 90), (230, 180, 60),
     (95, 155, 255), (220, 110, 220), (60, 200, 215), (200, 200, 200)],
    [(120, 120, 120), (255, 140, 130), (180, 240, 140), (250, 225, 120),
     (155, 195, 255), (245, 165, 245), (150, 240, 245), (255, 255, 255)],
)  # fmt: skip
"""For dark themes: Textual's own gives magenta the colour of red, and most bright ones that of the plain."""

LIGHT = TerminalTheme(
    (247, 247, 247), (20, 20, 20),
    [(0, 0, 0), (190, 20, 30), (40, 115, 30), (150, 95, 0),
     (35, 80, 190), (150, 40, 150), (0, 110, 125), (90, 90, 90)],
    [(110, 110, 110), (220, 60, 60), (80, 135, 0), (175, 120, 0),
     (80, 120, 220), (190, 80, 190), (0, 135, 155), (40, 40, 40)],
)  # fmt: skip
"""For light themes: dark enough to be read on white."""
