"""Side files and manifests: the side file is a shard's commit, the manifest a group's."""

import json
import math
from collections import Counter
from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from schemas.codec_error import Error
from schemas.digest import digest
from schemas.errors import IntegrityError, NewerFormatError
from schemas.store import stored_text, write_text

FORMAT = 1

Hash = Annotated[str, Field(pattern=r"^[0-9a-f]{32}$")]
Count = Annotated[int, Field(ge=0)]


class Sealed(BaseModel):
    """A small JSON document that carries the digest of its own content."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    format: int = FORMAT
    digest: str = ""

    def seal(self) -> Self:
        """Return the document with its digest filled in."""
        return self.model_copy(update={"digest": digest(self.model_dump(mode="json", exclude={"digest"}))})

    def write(self, path: Path) -> None:
        """Write the sealed document in one step."""
        write_text(path, self.seal().model_dump_json(indent=1) + "\n")

    @classmethod
    def read(cls, path: Path, remedy: str) -> Self:
        """Read and check a document; raises `IntegrityError` that names the file, `NewerFormatError` if a later
        version wrote it.
        """
        try:
            content = json.loads(stored_text(path, remedy))
            version, found = content["format"], content.pop("digest")
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            raise IntegrityError(f"a {cls.__name__}", f"{path}: {str(error)[:80]}", remedy) from None
        # Of the text as it stands, not of the model: a field that a later version adds must not break older files.
        if digest(content) != found:
            raise IntegrityError("content that has the digest it names", f"{path}: another digest", remedy)
        if not isinstance(version, int) or version > FORMAT:
            raise NewerFormatError(f"format {FORMAT} or older", f"{path}: format {version}", "upgrade offline-distill")
        try:
            document = cls.model_validate({**content, "digest": found})
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(map(str, first["loc"])) or "document"
            raise IntegrityError(f"a {cls.__name__}", f"{path}: {where}: {first['msg']}", remedy) from None
        return document


class SideFile(Sealed):
    """What one shard of one group holds.

    `settings` is the digest of what the content depends on beside the rows: a later shard with the same may copy rows
    from this one. `input` adds the rows themselves. `ids` is the digest of the row ids in order; `ranges` gives the
    smallest and largest number kept, per column, `errors` what its codec cost.
    """

    shard: Count
    settings: Hash
    input: Hash
    file: Annotated[str, Field(pattern=r"^\d{5}-[0-9a-f]{32}\.arrow$")]
    hash: Hash
    bytes: Count
    rows: Count
    ids: Hash
    accounting: dict[str, Count] = {}
    ranges: dict[str, tuple[float, float]] = {}
    errors: dict[str, Error] = {}


class Manifest(Sealed):
    """What a group holds and where; readers follow it and never list a folder."""

    group: str
    settings: dict[str, Any]
    shards: tuple[SideFile, ...]

    @property
    def rows(self) -> int:
        """Rows in all shards."""
        return sum(shard.rows for shard in self.shards)

    @property
    def ids(self) -> list[str]:
        """Digests of the shards' row ids; groups that agree in them have the same rows in the same order."""
        return [shard.ids for shard in self.shards]

    @property
    def bytes(self) -> int:
        """Bytes of all shard files."""
        return sum(shard.bytes for shard in self.shards)

    @property
    def accounting(self) -> dict[str, int]:
        """Sums of the shards' counts."""
        total: Counter[str] = Counter()
        for shard in self.shards:
            total.update(shard.accounting)
        return dict(total)

    @property
    def ranges(self) -> dict[str, tuple[float, float]]:
        """Smallest and largest number kept per column, over all shards."""
        merged: dict[str, tuple[float, float]] = {}
        for shard in self.shards:
            for column, (low, high) in shard.ranges.items():
                seen = merged.get(column, (math.inf, -math.inf))
                merged[column] = (min(seen[0], low), max(seen[1], high))
        return merged

    @property
    def errors(self) -> dict[str, Error]:
        """What the codecs of columns cost, over all shards."""
        merged: dict[str, Error] = {}
        for shard in self.shards:
            for column, error in shard.errors.items():
                merged[column] = merged.get(column, Error()) + error
        return merged
