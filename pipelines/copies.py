"""Copies in words: the numbers of their quality as people read them, on a page and on a terminal."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pipelines.mark import source_name
from schemas.task import Kind

POSITIONS = {
    "unchanged": ("left as they were", "of the eligible words had candidates and stayed in spite of them"),
    "no_candidates": ("without candidates", "of the eligible words had nothing to be replaced by"),
}


@dataclass(frozen=True)
class Figure:
    """A number with its name, and half a sentence that begins with it."""

    name: str
    value: str
    meaning: str


def figures(numbers: Mapping[str, Any], kind: Kind) -> list[Figure]:
    """Return the numbers of some copies, all that there can be, so that those of other copies stand beside them."""
    said, alike, variety = numbers["teacher"], numbers["self_bleu"], numbers["distinct"]
    one, two = ([plain(each[place]) for each in (variety["copies"], variety["originals"])] for place in (0, 1))
    rows = f"in {variety['sample']:,} copies of as many originals (in these {{}})"
    judged = "words of copies" if kind is Kind.TOKEN_CLASSIFICATION else "copies"
    found = [
        Figure("copies", f"{numbers['copies']:,}", "rows were made and kept"),
        Figure("unique", share(numbers["unique"]), "of them are different texts"),
        Figure("change rate", share(numbers["change_rate"]), "of the words with candidates were replaced"),
        Figure("differing words", share(numbers["differing_words"]), "of a copy's words are not the original's"),
        *(Figure(*each) for each in positions(numbers)),
        Figure("distinct-1", one[0], f"different words a word, {rows.format(one[1])}: more is more varied"),
        Figure("distinct-2", two[0], f"different pairs of words a pair, {rows.format(two[1])}"),
        Figure(
            "self-BLEU",
            plain(alike["mean"]),
            f"of 1: how alike the copies of one original are, for {alike['sample']:,} originals; less is more varied",
        ),
    ]
    if kind is Kind.REGRESSION:
        meaning = f"is how far the teacher's number moves, the mean over {said['compared']:,} copies"
        return [*found, Figure("teacher's shift", plain(said["difference"]), meaning)]
    changed = (
        f"of {said['compared']:,} {judged} have another verdict of the teacher than the original, and are taught it"
    )
    moved = "nats from the teacher's probabilities for the original to those for the copy (KL divergence); 0 is no move"
    return [
        *found,
        Figure("label flips", share(said["flips"]), changed),
        Figure("divergence", plain(said["divergence"]), moved),
    ]


def totals(quality: Mapping[str, Any]) -> list[Figure]:
    """Return what is known of all strategies together alone."""
    counts = {
        "repeated": "copies of one strategy that another had made were left out",
        "dissimilar": "copies too far from their original were left out",
        "near_ties": "words whose candidates rounding errors could put in another order",
    }
    yielded = (
        f"of {quality.get('trials', 0):,} trials gave a copy; the others changed nothing, or gave what is left out"
    )
    return [
        Figure("yield", share(quality["yield"]), yielded),
        *(
            Figure(name.replace("_", " "), f"{quality[name]:,}", text)
            for name, text in counts.items()
            if name in quality
        ),
    ]


def table(quality: Mapping[str, Any], kind: Kind) -> tuple[list[str], list[tuple[Figure, list[str]]]]:
    """Return names of columns and rows: a number of all copies, then the same of each strategy where there are some."""
    strategies = quality["strategies"]
    columns = {name: {each.name: each.value for each in figures(strategies[name], kind)} for name in strategies}
    whole = [*figures(quality, kind), *totals(quality)]
    return list(columns), [(each, [column.get(each.name, "–") for column in columns.values()]) for each in whole]


def copies_sentences(quality: Mapping[str, Any], kind: Kind) -> list[str]:
    """Return what the copies are like in a few lines."""
    said, variety = quality["teacher"], quality["distinct"]
    parts = ", ".join(f"{name} {value}" for name, value, _ in positions(quality))
    lines = [
        f"Copies: {quality['copies']:,} of {quality['originals']:,} originals, "
        f"{share(quality['yield'])} of the trials; {share(quality['unique'])} of them unique.",
        f"Words: {share(quality['differing_words'])} of a copy's words differ"
        + (f"; of the eligible ones: {parts}." if parts else "."),
        f"Variety: distinct-1 {plain(variety['copies'][0])} (originals {plain(variety['originals'][0])}), distinct-2 "
        f"{plain(variety['copies'][1])} ({plain(variety['originals'][1])}), self-BLEU "
        f"{plain(quality['self_bleu']['mean'])}.",
    ]
    if not said["compared"]:
        return [*lines, "The teacher was not asked for copies."]
    if kind is Kind.REGRESSION:
        return [*lines, f"The teacher's number moves by {plain(said['difference'])} from original to copy, on average."]
    unit = "words" if kind is Kind.TOKEN_CLASSIFICATION else "copies"
    return [
        *lines,
        f"The teacher says another thing of {share(said['flips'])} of the {unit} than of the original; its "
        f"probabilities move by {plain(said['divergence'])} nats.",
    ]


def positions(numbers: Mapping[str, Any]) -> list[tuple[str, str, str]]:
    """Return what became of the eligible words: name, share and meaning of each fate, replacements first."""
    found = numbers["positions"]
    replaced = [
        (f"by {source_name(source)}", share(part), "of the eligible words were replaced by it")
        for source, part in found.items()
        if source not in POSITIONS
    ]
    return replaced + [(name, share(found[fate]), text) for fate, (name, text) in POSITIONS.items() if fate in found]


def share(value: float | None) -> str:
    """Return a share as it is printed."""
    return "–" if value is None else f"{value:.1%}"


def plain(value: float | None) -> str:
    """Return a number as it is printed."""
    return "–" if value is None else f"{value:.3f}"
