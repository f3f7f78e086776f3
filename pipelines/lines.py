"""Lines of text files, plain or gzip: streamed, of bounded length, decoded one by one."""

import gzip
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from io import BufferedReader
from pathlib import Path

from pipelines.record import Reject, Where, shown
from schemas.errors import DataError
from schemas.store import resource_errors

LONGEST = 16 * 2**20
HEAD = 4096
TRUSTED = 2**30
LARGEST_RATIO = 200
"""Bytes that one byte of gzip may become, beyond the first `TRUSTED`; text becomes 3 to 20."""

ENOUGH = 8
"""Pairs of bytes from which an encoding is guessed."""

BYTE_ORDER_MARK = b"\xef\xbb\xbf"
SIGNATURES = {
    b"\xff\xfe\x00\x00": "UTF-32",
    b"\x00\x00\xfe\xff": "UTF-32",
    b"\xff\xfe": "UTF-16",
    b"\xfe\xff": "UTF-16",
    b"\x1f\x8b": "gzip",
    b"\x28\xb5\x2f\xfd": "Zstandard",
    b"PK\x03\x04": "zip",
    b"PAR1": "Parquet",
}


@dataclass(frozen=True, slots=True)
class Line:
    """One physical line with its ending; `raw` is only the head of a line that is not `whole`."""

    where: Where
    raw: bytes
    whole: bool = True

    @property
    def ending(self) -> bytes:
        """The line feed, or carriage return and line feed; nothing at the end of a file that lacks it."""
        if self.raw.endswith(b"\r\n"):
            return b"\r\n"
        return b"\n" if self.raw.endswith(b"\n") else b""

    @property
    def content(self) -> bytes:
        """The line without its ending."""
        return self.raw[: len(self.raw) - len(self.ending)]


def lines(path: Path) -> Iterator[Line]:
    """Read a file line by line; a line over 16 MiB is passed over, only its head is kept.

    Raises `DataError` that names the file where it is not UTF-8 or its compression is damaged.
    """
    with resource_errors(str(path)):
        try:
            with opened(path) as file:
                yield from lines_of(path, file)
        except (EOFError, gzip.BadGzipFile, zlib.error) as error:
            raise DataError("a whole gzip file", f"{path}: {error}", "fetch or compress the file again") from None


def opened(path: Path) -> BufferedReader | gzip.GzipFile:
    """Open a file for reading bytes, through gzip where its name ends in `.gz`."""
    return gzip.open(path) if path.suffix == ".gz" else path.open("rb")


def lines_of(path: Path, file: BufferedReader | gzip.GzipFile) -> Iterator[Line]:
    """Read the lines of an open file."""
    head = file.peek(HEAD)[:HEAD]
    refuse_encoding(path, head)
    offset = len(file.read(len(BYTE_ORDER_MARK))) if head.startswith(BYTE_ORDER_MARK) else 0
    most = TRUSTED + LARGEST_RATIO * path.stat().st_size
    number = 0
    while raw := file.readline(LONGEST + 1):
        number += 1
        where = Where(path, number, offset)
        offset += len(raw)
        whole = len(raw) <= LONGEST
        ended = raw.endswith(b"\n")
        yield Line(where, raw) if whole else Line(where, raw[:HEAD], whole=False)
        while not whole and not ended:
            rest = file.readline(LONGEST)
            offset += len(rest)
            ended = rest.endswith(b"\n") or not rest
            refuse_bomb(path, offset, most)
        refuse_bomb(path, offset, most)


def refuse_bomb(path: Path, offset: int, most: int) -> None:
    """Refuse a compressed file that became far larger than text does."""
    if offset > most:
        raise DataError(
            f"at most {LARGEST_RATIO} bytes of text a byte of gzip",
            f"{path}: {offset:,} bytes so far",
            "decompress the file, if you trust it",
        )


def refuse_encoding(path: Path, head: bytes) -> None:
    """Refuse a file that does not begin as UTF-8 text does, with a guess at what it is."""
    guess = next((name for signature, name in SIGNATURES.items() if head.startswith(signature)), None)
    pairs = len(head) // 2
    if guess is None and pairs >= ENOUGH and not head.startswith(BYTE_ORDER_MARK):
        low, high = head[0 : 2 * pairs : 2].count(0), head[1 : 2 * pairs : 2].count(0)
        # Latin letters leave every second byte of UTF-16 empty.
        if max(low, high) > 0.4 * pairs and min(low, high) < 0.05 * pairs:
            guess = "UTF-16 without a byte order mark"
    if guess is not None:
        raise DataError(
            "text in UTF-8", f"{path}: it looks like {guess}", "convert the file to UTF-8, or correct its name"
        )


def decoded(line: Line) -> str | Reject:
    """Return a line's text without its ending."""
    if not line.whole:
        return too_long(line)
    try:
        return line.content.decode()
    except UnicodeDecodeError:
        return not_utf8(line.where, line.raw)


def too_long(line: Line) -> Reject:
    """Refuse a line of which only the head was read."""
    return Reject(line.where, line.raw, f"a line of at most {LONGEST:,} bytes", f"more: {shown(line.raw)}")


def not_utf8(where: Where, raw: bytes) -> Reject:
    """Refuse a row that holds bytes of another encoding."""
    try:
        raw.decode()
    except UnicodeDecodeError as error:
        head = raw[max(0, error.start - 20) : error.start + 20]
        found = f"byte 0x{raw[error.start]:02X} at column {error.start + 1}: {shown(head)} (is the file Latin-1?)"
        return Reject(where, raw, "UTF-8", found)
    raise AssertionError("only called with bytes that are not UTF-8")
