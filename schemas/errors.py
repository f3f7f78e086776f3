"""Errors a user can act on: what was expected, what was found, what to do."""

from typing import ClassVar


class DistillError(Exception):
    """A refusal with three parts; each subclass has its own exit code."""

    code: ClassVar[int] = 1

    def __init__(self, expected: str, found: str, remedy: str) -> None:
        super().__init__(expected, found, remedy)
        self.expected = expected
        self.found = found
        self.remedy = remedy

    def __str__(self) -> str:
        return f"found: {self.found}\nexpected: {self.expected}\nto do: {self.remedy}"


class ConfigurationError(DistillError):
    """The command or the run configuration cannot be carried out as written."""

    code = 2


class DataError(DistillError):
    """Input rows were refused."""

    code = 3


class ModelError(DistillError):
    """A model, tokenizer or file of vectors does not fit its part."""

    code = 4


class IntegrityError(DistillError):
    """A stored artifact is not what its manifest says."""

    code = 5


class NewerFormatError(DistillError):
    """A later version wrote a stored artifact: it may be good, so nothing here may replace it."""

    code = IntegrityError.code


class QualityError(DistillError):
    """The work was done, but a count or a number is over its threshold."""

    code = 6


class ResourceError(DistillError):
    """Disk, memory, permission, lock or network stood in the way."""

    code = 7


KINDS: tuple[type[DistillError], ...] = (
    ConfigurationError,
    DataError,
    ModelError,
    IntegrityError,
    QualityError,
    ResourceError,
)
