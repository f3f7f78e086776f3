"""Layer maps: which teacher block each student block learns from, both counted from 1."""

from collections.abc import Callable

from schemas.errors import ConfigurationError

Pairs = tuple[tuple[int, int], ...]


def uniform(student: int, teacher: int) -> Pairs:
    """Spread student blocks evenly, g(m) = floor(m·N/M); g(m) = 3m for 4 of 12 (Jiao et al., 2020, section 3)."""
    check(student, teacher)
    return tuple((m, m * teacher // student) for m in range(1, student + 1))


def top(student: int, teacher: int) -> Pairs:
    """Take the last blocks, g(m) = m + N - M."""
    check(student, teacher)
    return tuple((m, m + teacher - student) for m in range(1, student + 1))


def bottom(student: int, teacher: int) -> Pairs:
    """Take the first blocks, g(m) = m."""
    check(student, teacher)
    return tuple((m, m) for m in range(1, student + 1))


def last(student: int, teacher: int) -> Pairs:
    """Only the last block learns from the last block."""
    check(student, teacher)
    return ((student, teacher),)


def skip(student: int, teacher: int) -> Pairs:
    """All but the last student block, each from every (N/M)th teacher block (Sun et al., 2019, PKD-Skip)."""
    check(student, teacher)
    return tuple((m, m * (teacher // student)) for m in range(1, student))


MAPS: dict[str, Callable[[int, int], Pairs]] = {
    function.__name__: function for function in (uniform, last, skip, top, bottom)
}


def layer_map(name: str, student: int, teacher: int) -> Pairs:
    """Return the pairs of a map given by its name, or by explicit pairs such as `1-3 2-6`."""
    if name in MAPS:
        return MAPS[name](student, teacher)
    try:
        pairs = tuple((int(m), int(n)) for m, n in (pair.split("-") for pair in name.split()))
    except ValueError:
        pairs = ()
    if not pairs or any(not (1 <= m <= student and 1 <= n <= teacher) for m, n in pairs):
        raise ConfigurationError(
            f"a layer map: {', '.join(MAPS)}, or pairs such as `1-3 2-6` of {student} and {teacher} blocks",
            f"`{name}`",
            "correct the recipe's dial `layers`",
        )
    return pairs


def check(student: int, teacher: int) -> None:
    """Refuse a student deeper than its teacher."""
    if student > teacher:
        raise ConfigurationError(
            f"a student of at most {teacher} blocks, as its teacher has",
            f"{student} blocks",
            "lower `student.layers`, or give explicit pairs in the recipe's dial `layers`",
        )
