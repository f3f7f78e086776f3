"""Storing files so that a crash leaves either the old one or the new one, and resource errors a user can act on."""

import errno
import fcntl
import os
import re
import shutil
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from schemas.digest import file_digest
from schemas.errors import IntegrityError, ResourceError
from schemas.mirror import mirror_of, shown
from schemas.temporary import temporary_beside

FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
"""What a system says where there is no room."""


def publish(temporary: Path, path: Path) -> None:
    """Give a finished temporary file its name: durable first, then visible, in one step."""
    mirror = mirror_of(path)
    if mirror and path.suffix == ".arrow":
        # Shards would fill a worker's disk; whoever reads one fetches it.
        mirror.put(temporary, path)
        temporary.unlink()
        return
    with temporary.open("rb") as file:
        os.fsync(file.fileno())
    with no_folder(path):
        os.replace(temporary, path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
    if mirror:
        mirror.put(path, path)


def send_folder(folder: Path) -> Path:
    """Return a folder whose files never change, after sending what the store does not have of it yet."""
    for path in sorted(folder.iterdir()):
        if (mirror := mirror_of(path)) and mirror.size(path) != path.stat().st_size:
            mirror.put(path, path)
    return folder


def write_text(path: Path, text: str) -> None:
    """Write a whole text file in one step."""
    write_bytes(path, text.encode())


def write_bytes(path: Path, content: bytes) -> None:
    """Write a whole file in one step."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = temporary_beside(path)
    try:
        temporary.write_bytes(content)
        publish(temporary, path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def sweep(folder: Path, keep: set[str]) -> None:
    """Remove temporary files of dead attempts and shard files that no side file names any more."""
    for path in [*folder.iterdir(), *(folder / name for name in names_in(folder))]:
        if path.name.endswith(".tmp") or (path.suffix == ".arrow" and path.name not in keep):
            remove(path)


def remove(path: Path) -> None:
    """Remove a file, if it is there, here and from the store that its folder stands for."""
    with no_folder(path):
        path.unlink(missing_ok=True)
    if mirror := mirror_of(path):
        mirror.remove(path)


def bring(path: Path, content: str | None = None) -> Path:
    """Return a file that does not change, fetched if it is elsewhere and not yet here, or here with another content.

    `content` is its digest.
    """
    mirror = mirror_of(path)
    if mirror and not (path.exists() and content in (None, file_digest(path))):
        with suppress(FileNotFoundError):
            mirror.get(path)
    return path


def let_go(path: Path) -> None:
    """Remove what was fetched of a file that is elsewhere, so that the next to bring it sees what is there."""
    if mirror_of(path):
        path.unlink(missing_ok=True)


def address(path: Path) -> str:
    """Return where a file really is: a path, or an address in an object store."""
    mirror = mirror_of(path)
    return f"{shown(mirror.url).rstrip('/')}/{path.relative_to(mirror.folder)}" if mirror else str(path)


def size_of(path: Path) -> int | None:
    """Return the bytes of a file, `None` where there is none."""
    if mirror := mirror_of(path):
        return mirror.size(path)
    return path.stat().st_size if path.is_file() else None


def names_in(folder: Path) -> list[str]:
    """Return the names of the files in a folder, in order."""
    if mirror := mirror_of(folder / "any"):
        return mirror.names(folder)
    return sorted(path.name for path in folder.iterdir() if path.is_file()) if folder.is_dir() else []


@contextmanager
def resource_errors(what: str) -> Iterator[None]:
    """Turn a full disk, a missing permission and their like into a `ResourceError` that names the path."""
    try:
        yield
    except Exception as error:
        number = error_number(error)
        if number is None:
            raise
        path = getattr(error, "filename", None) or what
        if number in FULL:
            free = shutil.disk_usage(existing_parent(Path(what))).free
            raise ResourceError(
                f"room to write {what}",
                f"{path}: {os.strerror(number)}, {free:,} bytes free",
                "free space or name another folder, then run the same command again: finished shards are kept",
            ) from error
        raise ResourceError(
            f"to read or write {what}", f"{path}: {os.strerror(number)}", "correct the path or its permissions"
        ) from error


def error_number(error: Exception) -> int | None:
    """Return what the system said was wrong, also where a library written in Rust has only its words left."""
    if isinstance(error, OSError):
        return error.errno
    found = re.search(r"\(os error (\d+)\)", str(error))
    return int(found.group(1)) if found else None


def existing_parent(path: Path) -> Path:
    """Return the nearest folder above a path that exists."""
    while not path.is_dir():
        path = path.parent
    return path


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold a folder for this run; a second run is refused with the first one's process and host."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / ".lock").open("a+", encoding="utf-8") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.seek(0)
            raise ResourceError(
                f"{folder} to be free",
                f"in use by {lock.read().strip() or 'another run'}",
                "wait for that run, end it, or name another `output` and `cache`",
            ) from None
        lock.truncate(0)
        lock.write(f"process {os.getpid()} on {socket.gethostname()}")
        lock.flush()
        yield


@contextmanager
def no_folder(path: Path, remedy: str = "move it away: a file has this name") -> Iterator[None]:
    """Turn a folder in the place of a file into an `IntegrityError`."""
    try:
        yield
    except IsADirectoryError:
        raise IntegrityError("a file", f"{path}: a folder", remedy) from None


def stored_text(path: Path, remedy: str) -> str:
    """Read a stored text file; one that is missing, a folder or not text is an `IntegrityError`."""
    try:
        with no_folder(path, remedy):
            return stored_bytes(path).decode()
    except FileNotFoundError:
        raise IntegrityError("the file to be there", f"{path}: missing", remedy) from None
    except UnicodeDecodeError as error:
        raise IntegrityError("UTF-8 text", f"{path}: {error}", remedy) from None


def stored_bytes(path: Path) -> bytes:
    """Read a stored file that can change; raises `FileNotFoundError` where there is none."""
    if mirror := mirror_of(path):
        mirror.get(path)
    return path.read_bytes()
