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
    widest = max((answers.codec.dtype.itemsize for answers in groups if not answers.family.exact), default=0)
    for codec in (None, *LADDER):
        if codec and codec.dtype.itemsize >= widest:
            continue
        settings = [f"teach.codec={codec.value}"] if codec else []
        coded = [recoded(answers, codec) for answers in groups]
        if codec:
            yield settings[0], coded
        computed = [each for answers in coded for each in without_embedding(answers)]
        if computed != coded:
            yield " ".join([*settings, "teach.embedding=compute"]), computed


def recoded(answers: Answers, codec: Codec | None) -> Answers:
    """Return a group in another codec, if it is not one that is always exact."""
    return answers if codec is None or answers.family.exact else replace(answers, codec=codec, affine=None)


def without_embedding(answers: Answers) -> Iterator[Answers]:
    """Yield a group without the embedding output, and the group of embeddings that it is then computed from."""
    if answers.family is not Family.HIDDEN or 0 not in answers.layers:
        yield answers
        return
    if others := tuple(layer for layer in answers.layers if layer):
        yield replace(answers, layers=others)
    yield Answers(answers.teacher, Family.EMBEDDING, (0,), answers.width, Codec.F32)
