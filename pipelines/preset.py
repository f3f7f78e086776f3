"""How many copies of a row to make, and how much of it to change, by the number of rows."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Preset:
    """Values of `augment` for data sets of some size."""

    copies: int
    probability: float
    sizes: str

    @classmethod
    def of(cls, rows: int) -> "Preset":
        """Return the preset for a number of rows."""
        return next((preset for most, preset in PRESETS if rows <= most), LARGE)


PRESETS = (
    (9_999, Preset(30, 0.5, "fewer than 10,000")),
    (100_000, Preset(20, 0.4, "10,000 to 100,000")),
)
LARGE = Preset(10, 0.2, "more than 100,000")

WHY = {
    "copies": "30 below 10,000 rows, 20 up to 100,000, then 10: TinyBERT's script, too, makes fewer for large tasks",
    "probability": (
        "0.5, 0.4 or 0.2 by size, as stop words stay: Wang et al., 2023 (arXiv 2305.12565) find about 30 % changed "
        "tokens best for distillation, more for small sets, about 10 % above 100,000 rows"
    ),
}
"""What a configuration says beside its values."""
