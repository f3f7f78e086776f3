"""The rows of a file that were looked at: how many could be read, how many could not, and what that means."""

from collections.abc import Collection, Iterator

from pipelines.record import Record, Reject
from schemas.errors import DataError

MOST_BAD = 0.01
"""Share of bad rows that are slips; more of them are a file that is read in the wrong way."""
KEPT = 1000
"""Bad rows that are kept to be looked at; more are no slips, however many good ones there are."""


class Survey:
    """Counts rows while they pass by, the first `limit` of them."""

    def __init__(self, limit: int | None = None) -> None:
        self.limit = limit
        self.whole = True
        self.good = 0
        self.bad = 0
        self.rejects: list[Reject] = []

    def rows(self, found: Iterator[Record | Reject]) -> Iterator[Record]:
        """Yield the good rows."""
        for each in found:
            if self.good + self.bad == self.limit:
                self.whole = False
                return
            if isinstance(each, Record):
                self.good += 1
                yield each
                continue
            self.bad += 1
            if len(self.rejects) < KEPT:
                self.rejects.append(each)

    @property
    def found(self) -> str:
        """What could not be read, in words."""
        first = self.rejects[0]
        count = f"{self.bad:,} of {self.good + self.bad:,} rows could not be read"
        return f"{count}, the first at {first.where}: {first.reason}"

    def error(self) -> DataError:
        """Return the refusal of a file with bad rows."""
        remedy = "save the file as UTF-8" if self.rejects[0].expected == "UTF-8" else "correct the rows or remove them"
        return DataError("rows that can be read", self.found, remedy)

    def check(self) -> None:
        """Refuse more bad rows than are slips."""
        if self.bad > KEPT or self.bad > MOST_BAD * (self.good + self.bad):
            raise self.error()

    def check_classes(self, names: Collection[str]) -> None:
        """Refuse bad rows that may hold a class which no good row has.

        A class whose name or whose texts have accents is lost as a whole where the file is not UTF-8.
        """
        known = [name.encode() for name in names]
        lost = [
            reject
            for reject in self.rejects
            if len(names) < 2 or (reject.expected == "UTF-8" and not any(name in reject.raw for name in known))
        ]
        if lost:
            error = self.error()
            classes = f"{', '.join(list(names)[:10])}" or "none"
            found = f"{self.found}; classes in the others: {classes}; {lost[0].where} may have another"
            raise DataError("all classes in rows that can be read", found, error.remedy)
