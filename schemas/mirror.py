"""Mirrors: local folders that stand for a place in an object store.

What is published in a mirror is sent to the store in the same order, so a side file is the commit there too; what can
change is read from the store every time, and a shard, whose name is made of its content, is fetched once.
"""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from schemas.digest import digest
from schemas.errors import ConfigurationError, ResourceError
from schemas.temporary import temporary_beside

MARK = ".mirror"
ROOT = "DISTILL_MIRRORS"
"""Variable that names where mirrors lie; by default beside other programs' caches."""
BLOCK = 1 << 23


@dataclass(frozen=True)
class Mirror:
    """A folder and the address that it stands for."""

    folder: Path
    url: str

    @classmethod
    def at(cls, url: str) -> "Mirror":
        """Return the mirror of an address on this machine, which may be new."""
        root = Path(os.environ.get(ROOT) or Path.home() / ".cache" / "offline-distill")
        return cls(root.absolute() / f"{Path(urlsplit(url).path).name}-{digest(url)[:12]}", url)

    def open(self) -> "Mirror":
        """Make the folder a mirror; raises `ConfigurationError` for an address of no known store."""
        _ = self.place
        if mirror_of(self.folder / "any") != self:
            self.folder.mkdir(parents=True, exist_ok=True)
            # Others of this machine may read it at this moment.
            temporary = temporary_beside(self.folder / MARK)
            temporary.write_text(self.url, encoding="utf-8")
            os.replace(temporary, self.folder / MARK)
        return self

    @property
    def place(self) -> tuple[Any, str]:
        """The store, and where in it the address is."""
        return place_of(self.url)

    def key(self, path: Path) -> str:
        """Return what a path of the mirror is called in the store."""
        return "/".join((self.place[1].rstrip("/"), *path.relative_to(self.folder).parts))

    def put(self, source: Path, path: Path) -> None:
        """Send a file as what a path of the mirror stands for; whoever reads sees the old one or the new one."""
        # A shard's name stands for its content: what is there must not be cut short by sending it again.
        if path.suffix == ".arrow" and self.size(path) == source.stat().st_size:
            return
        with self.reached(path), source.open("rb") as file, self.place[0].open_output_stream(self.key(path)) as sink:
            shutil.copyfileobj(file, sink, BLOCK)

    def get(self, path: Path) -> None:
        """Fetch a file, whole or not at all; raises `FileNotFoundError` where the store has none."""
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = temporary_beside(path)
        try:
            with (
                self.reached(path),
                self.place[0].open_input_stream(self.key(path)) as source,
                temporary.open("wb") as file,
            ):
                shutil.copyfileobj(source, file, BLOCK)
            os.replace(temporary, path)
        finally:
            temporary.unlink(missing_ok=True)

    def size(self, path: Path) -> int | None:
        """Return the bytes of a file in the store, `None` where there is none."""
        with self.reached(path):
            found = self.place[0].get_file_info(self.key(path))
        return found.size if found.is_file else None

    def names(self, folder: Path, *, deep: bool = False) -> list[str]:
        """Return the names of the files in a folder of the store, or of all below it by their paths."""
        from pyarrow import fs

        with self.reached(folder):
            selector = fs.FileSelector(self.key(folder), allow_not_found=True, recursive=deep)
            found = [each for each in self.place[0].get_file_info(selector) if each.is_file]
        return sorted(str(Path(each.path).relative_to(self.key(folder))) for each in found)

    def remove(self, path: Path) -> None:
        """Remove a file from the store, if it is there."""
        if self.size(path) is not None:
            with self.reached(path):
                self.place[0].delete_file(self.key(path))

    @contextmanager
    def reached(self, path: Path) -> Iterator[None]:
        """Say of a store that fails what was wanted of it; it has tried several times itself."""
        try:
            yield
        except FileNotFoundError:
            raise
        except OSError as error:
            if error.errno is not None:
                raise
            raise ResourceError(
                f"to reach {shown(self.url)}",
                f"{path.relative_to(self.folder)}: {str(error).splitlines()[0]}",
                "check address, keys and network, then run the same command again: finished shards are kept",
            ) from None


@cache
def place_of(url: str) -> tuple[Any, str]:
    """Return the store of an address, and where in it the address is.

    Raises `ConfigurationError` for an address of no known store, or with keys in it: it is written into reports.
    """
    from pyarrow import fs

    try:
        if "@" in urlsplit(url).netloc:
            raise ValueError("keys in the address")
        return fs.FileSystem.from_uri(url)
    except (ValueError, OSError, NotImplementedError) as error:
        raise ConfigurationError(
            "the address of a folder in an object store, such as s3://bucket/folder, with keys in the environment",
            f"{shown(url)}: {str(error).splitlines()[0]}",
            "correct `cache`",
        ) from None


def mirror_of(path: Path) -> Mirror | None:
    """Return the mirror that a path lies in, `None` for a path that is only here."""
    for folder in path.parents:
        try:
            return Mirror(folder, (folder / MARK).read_text(encoding="utf-8"))
        except OSError:
            continue
    return None


def shown(url: str) -> str:
    """Return an address without what may be secret in it."""
    parts = urlsplit(url)
    return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", ""))
