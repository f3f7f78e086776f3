"""Decisions: what a model's answers say, in the words of the task."""

from typing import assert_never

import numpy as np
from jaxtyping import Float, Num

from schemas.task import NO_ANSWERS, Kind


def decided(kind: Kind, answers: Float[np.ndarray, "rows classes"]) -> Num[np.ndarray, "rows *classes"]:
    """Turn answers of rows or words into class indices, numbers, or a 1 for every class of probability over one half.

    The sigmoid is over one half where the logit is over zero.
    """
    match kind:
        case Kind.CLASSIFICATION | Kind.TOKEN_CLASSIFICATION:
            return answers.argmax(-1)
        case Kind.REGRESSION:
            return answers[:, 0]
        case Kind.MULTI_LABEL:
            return (answers > 0).astype(np.int8)
        case Kind.NONE:
            raise NO_ANSWERS
        case _:
            assert_never(kind)
