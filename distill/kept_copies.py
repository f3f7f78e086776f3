"""Kept copies: which of the cached copies an arm learns from, by what the teacher said of them."""

from typing import assert_never

import numpy as np
from jaxtyping import Bool, Float, Int

from distill.decision import decided
from distill.teacher import Teacher
from distill.training_rows import TrainingRows
from schemas.configuration import KeepCopies
from schemas.signal import answer_of
from schemas.task import NO_ANSWERS, Kind

ROWS_PER_BATCH = 512


def keep_copies(
    rows: TrainingRows,
    chosen: Int[np.ndarray, " chosen"],
    teacher: Teacher,
    answered: Bool[np.ndarray, " rows"],
    wanted: KeepCopies,
) -> tuple[Int[np.ndarray, " kept"], dict[str, int]]:
    """Return the rows that are left of some chosen ones, originals being kept whatever is said of them, and counts.

    `answered` says for which rows of all there is an answer. `copies` = `kept` + `disagreeing` + `unsure`: what another
    verdict leaves out is not judged a second time. Where words are judged, a copy with more or fewer of them than its
    original agrees with nothing; nor does one whose original has no answer. Without an answer of its own it is unsure.
    """
    answers = answers_of(rows, chosen[answered[chosen]], teacher)
    is_original = rows.is_original
    number_of = {int(rows.ids[row]): row for row in chosen[is_original[chosen]].tolist()}
    kept, counts = [], {"copies": 0, "kept": 0, "disagreeing": 0, "unsure": 0}
    for row in chosen.tolist():
        if not is_original[row]:
            original = number_of.get(int(rows.origins[row]), -1)
            fate = fate_of(rows.kind, answers.get(original), answers.get(row), wanted)
            counts["copies"] += 1
            counts[fate] += 1
            if fate != "kept":
                continue
        kept.append(row)
    return np.array(kept, np.int64), counts


def answers_of(
    rows: TrainingRows, chosen: Int[np.ndarray, " chosen"], teacher: Teacher
) -> dict[int, Float[np.ndarray, "units classes"]]:
    """Return what the teacher said of each row, or of each word of it, nan for a word that was cut away."""
    signal = answer_of(rows.kind)
    found: dict[int, Float[np.ndarray, "units classes"]] = {}
    for start in range(0, len(chosen), ROWS_PER_BATCH):
        batch = rows.batch(chosen[start : start + ROWS_PER_BATCH])
        answer = teacher.answer(batch, [signal])[signal]
        if rows.words is None:
            found.update(zip(batch.rows.tolist(), answer.cpu().numpy()[:, None], strict=True))
            continue
        said = iter(batch.at_words(answer).cpu().numpy())
        for row in batch.rows.tolist():
            pieces = rows.words.first_pieces[rows.words.ends[row] : rows.words.ends[row + 1]]
            words = np.full((len(pieces), answer.shape[-1]), np.nan, np.float32)
            for word in np.flatnonzero(pieces >= 0):
                words[word] = next(said)
            found[row] = words
    return found


def fate_of(
    kind: Kind,
    before: Float[np.ndarray, "others classes"] | None,
    after: Float[np.ndarray, "units classes"] | None,
    wanted: KeepCopies,
) -> str:
    """Return what becomes of a copy: `kept`, `disagreeing` or `unsure`."""
    if after is None:
        return "unsure"
    if wanted.agreement and (before is None or not agrees(kind, before, after)):
        return "disagreeing"
    if wanted.confidence and not (sureness(kind, after) >= wanted.confidence).all():
        return "unsure"
    return "kept"


def agrees(kind: Kind, before: Float[np.ndarray, "others classes"], after: Float[np.ndarray, "units classes"]) -> bool:
    """Whether two answers are the same verdict, of every word that was judged in both."""
    if before.shape != after.shape:
        return False
    judged = ~np.isnan(before).any(-1) & ~np.isnan(after).any(-1)
    return bool((decided(kind, before[judged]) == decided(kind, after[judged])).all())


def sureness(kind: Kind, answers: Float[np.ndarray, "units classes"]) -> Float[np.ndarray, " judged"]:
    """Return the probability of what was decided, of every word that was judged; of a set of labels, the least sure."""
    judged = answers[~np.isnan(answers).any(-1)].astype(np.float64)
    match kind:
        case Kind.CLASSIFICATION | Kind.TOKEN_CLASSIFICATION:
            return np.exp(judged.max(-1) - np.logaddexp.reduce(judged, -1))
        case Kind.MULTI_LABEL:
            return np.exp(-np.logaddexp(0, -np.abs(judged))).min(-1)
        case Kind.REGRESSION | Kind.NONE:
            # The configuration refuses to ask: a number is not more or less sure.
            raise NO_ANSWERS
        case _:
            assert_never(kind)
