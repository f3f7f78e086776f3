"""Tags of words in the scheme B, I, O, and the entities that a sentence's tags stand for."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

OUTSIDE = "O"
TAG = re.compile(r"O|[BI](?:-(?P<type>.+))?", re.DOTALL)


@dataclass(frozen=True, order=True, slots=True)
class Entity:
    """Neighbouring words of one type; `start` and `end` count words of the sentence."""

    start: int
    end: int
    type: str


def are_entity_tags(names: Sequence[str]) -> bool:
    """Whether all names are tags of the scheme, and one of them is for words outside entities."""
    return OUTSIDE in names and all(TAG.fullmatch(name) for name in names)


def entities(tags: Sequence[str]) -> list[Entity]:
    """Return the entities of a sentence, in order.

    As the shared task's own script has it (Tjong Kim Sang and De Meulder, 2003), an entity may begin with I: after a
    word outside entities, and after one of another type.
    """
    found: list[Entity] = []
    start, inside = 0, None
    for place, tag in enumerate([*tags, OUTSIDE]):
        type = None if tag == OUTSIDE else tag[2:]
        if inside is not None and (type != inside or tag[0] == "B"):
            found.append(Entity(start, place, inside))
            inside = None
        if inside is None and type is not None:
            start, inside = place, type
    return found
