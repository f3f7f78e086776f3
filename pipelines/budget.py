"""Budgets: what a cache of answers may take on disk, and what would fit where it is too much."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

from pipelines.progress import size
from pipelines.volume import Volume
from schemas.answers import Answers
from schemas.codec import Codec
from schemas.configuration import Teaching
from schemas.errors import ResourceError
from schemas.signal import Family

LADDER = (Codec.F16, Codec.INT8)


def bytes_of(groups: Sequence[Answers], volume: Volume) -> float:
    """Return what some groups take."""
    return sum(map(volume.bytes, groups))


def check_budget(teaching: Teaching, groups: Sequence[Answers], volume: Volume) -> None:
    """Refuse groups that would take more than the configuration allows."""
    needed = bytes_of(groups, volume)
    if teaching.budget is None or needed <= teaching.budget:
        return
    fitting = [
        f"{setting} ({size(small)})"
        for setting, found in smaller(groups)
        if (small := bytes_of(found, volume)) <= teaching.budget
    ]
    ways = [*fitting, "train.teacher=live", "lower augment.copies", "or a higher teach.budget"]
    raise ResourceError(
        f"answers of at most {size(teaching.budget)}, as `teach.budget` says",
        f"about {size(needed)} for {volume.rows:,} rows in {', '.join(answers.name for answers in groups)}",
        f"set {', '.join(ways)}",
    )


def smaller(groups: Sequence[Answers]) -> Iterator[tuple[str, list[Answers]]]:
    """Yield settings and the groups that they would make of these, from the gentlest on."""
    for codec in LADDER:
        coded = [each if each.family.exact else replace(each, codec=codec, affine=None) for each in groups]
        if any(answers.codec is not each.codec for answers, each in zip(groups, coded, strict=True)):
            yield f"teach.codec={codec.value}", coded
        computed = list(map(without_embedding, coded))
        if computed != coded:
            yield f"teach.codec={codec.value} teach.embedding=compute", computed


def without_embedding(answers: Answers) -> Answers:
    """Return a group without the embedding output."""
    if answers.family is not Family.HIDDEN:
        return answers
    return replace(answers, layers=tuple(layer for layer in answers.layers if layer))
