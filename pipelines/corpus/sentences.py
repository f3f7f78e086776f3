"""Sentences: what rows are put together from; a simple rule, the same for every language."""

import re
from itertools import pairwise
from typing import Literal

END = re.compile(
    r"""
    [.!?…]+ ["'”’»)\]]*             # a mark, and what closes around it,
    (?= \s+ ["'“‘«(\[]* [^\W_a-z])  # before a word in capitals, a number, or a script without them;
    | [。！？]+ [」』”’）]*          # or a mark that no space follows
    """,
    re.VERBOSE,
)


def sentences(text: str, how: Literal["split", "lines"]) -> list[str]:
    """Return the sentences of a text in order, without white space around them; blank ones are none.

    A line's end ends a sentence. With `split` so does a mark of the sentence's end before what can begin one; an
    abbreviation before a name is cut too, which does no harm: the parts stay neighbours.
    """
    lines = (line.strip() for line in text.split("\n"))
    if how == "lines":
        return [line for line in lines if line]
    return [part for line in lines if line for part in split(line)]


def split(line: str) -> list[str]:
    """Cut a line after its full stops."""
    ends = [0, *(found.end() for found in END.finditer(line)), len(line)]
    parts = (line[start:end].strip() for start, end in pairwise(ends))
    return [part for part in parts if part]
