"""A cache: one folder of groups, all cut into the same shards."""

from dataclasses import dataclass
from pathlib import Path

from schemas.errors import ConfigurationError
from schemas.group import MANIFEST, Group
from schemas.manifest import Sealed
from schemas.mirror import mirror_of
from schemas.store import size_of

ORIGINALS_PER_SHARD = 256


class Layout(Sealed):
    """What a cache keeps for good: the data set's name and the number of shards, a power of two."""

    data_set: str
    shards: int


@dataclass(frozen=True)
class Cache:
    """A folder of groups."""

    path: Path

    def group(self, name: str) -> Group:
        """Return a group by its name, there or not."""
        return Group(self.path / name)

    def groups(self) -> list[Group]:
        """Return the groups that were committed, in order of name."""
        return [Group(path.parent) for path in self.notes() if path.name == MANIFEST]

    def folders(self) -> list[Group]:
        """Return all groups of which something was committed, be it one shard, in order of name."""
        found = {path.parent for path in self.notes() if path.name == MANIFEST or path.stem.isdigit()}
        return [Group(path) for path in sorted(found)]

    def notes(self) -> list[Path]:
        """Return the files by which shards and groups are committed, and others like them, in order."""
        if mirror := mirror_of(self.path / "any"):
            found = [self.path / name for name in mirror.names(self.path, deep=True)]
            return [path for path in found if path.suffix == ".json" and path.parent.parent == self.path]
        return sorted(self.path.glob("*/*.json"))

    def layout(self) -> Layout | None:
        """Return the layout if one was chosen."""
        path = self.path / "cache.json"
        remedy = f"delete {path} and run `distill augment` again: nothing that is there is made anew"
        return Layout.read(path, remedy) if size_of(path) is not None else None

    def choose_layout(self, data_set: str, originals: int, shards: int | None) -> Layout:
        """Return the layout, chosen once: `shards` if given, else at least about 256 originals a shard."""
        layout = self.layout()
        if layout is None:
            layout = Layout(data_set=data_set, shards=shards or default_shards(originals)).seal()
            layout.write(self.path / "cache.json")
        elif layout.data_set != data_set or (shards and shards != layout.shards):
            raise ConfigurationError(
                f"`name: {layout.data_set}` and `shards: {layout.shards}`, as {self.path} was begun with",
                f"`name: {data_set}` and `shards: {shards}`",
                "keep those settings or name another `cache`",
            )
        return layout


def default_shards(originals: int) -> int:
    """Return the largest power of two that leaves about 256 originals a shard or more, 99,999 shards at most."""
    return 1 << max(0, min(originals // ORIGINALS_PER_SHARD, 65536).bit_length() - 1)


def shard_of(origin: int, shards: int) -> int:
    """Return the shard of an original and its copies: the leading bits of its id, so that doubling splits each."""
    return origin >> (64 - (shards.bit_length() - 1)) if shards > 1 else 0
