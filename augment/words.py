"""Words: where they stand in a text, and which of a tokenizer's pieces they are made of."""

import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from typing import Any

import pyarrow as pa
import tokenizers
from pyarrow import compute

PRE_TOKENIZER = tokenizers.pre_tokenizers.BertPreTokenizer()

# Combining marks, control characters and what Unicode has no character for: a BERT normaliser drops them.
UNSEEN = ("Mn", "Cc", "Cf", "Cn", "Co")


@dataclass(frozen=True, slots=True)
class Word:
    """A word of a text, split as BERT does: at spaces and punctuation.

    `start` and `end` are character offsets, `text` is what stands there, `form` is its lower case without accents;
    `piece` is the index of its first piece among the text's, special tokens not counted, `pieces` how many it has.
    """

    start: int
    end: int
    text: str
    form: str
    piece: int
    pieces: int


@dataclass(frozen=True, slots=True)
class SplitText:
    """A text's words in order, and the ids of its pieces."""

    words: tuple[Word, ...]
    pieces: tuple[int, ...]


def literal(tokenizer: Any) -> tokenizers.Tokenizer:
    """Return the backend of a fast tokenizer as a copy that never cuts or pads, and takes "[MASK]" for plain text."""
    copy = tokenizers.Tokenizer.from_str(tokenizer.backend_tokenizer.to_str())
    copy.encode_special_tokens = True
    copy.no_truncation()
    copy.no_padding()
    return copy


def split(tokenizer: tokenizers.Tokenizer, texts: Sequence[str]) -> list[SplitText]:
    """Split texts into words and pieces; the tokenizer is that of `literal`."""
    encodings = tokenizer.encode_batch(list(texts), add_special_tokens=False)
    return [
        SplitText(tuple(words_of(text, encoding.word_ids, encoding.offsets)), tuple(encoding.ids))
        for text, encoding in zip(texts, encodings, strict=True)
    ]


def plain_words(text: str) -> list[Word]:
    """Split a text into words and punctuation as BERT does before it cuts pieces; all are said to be of one piece."""
    split = PRE_TOKENIZER.pre_tokenize_str(text)
    return [Word(start, end, word, form(word), place, 1) for place, (word, (start, end)) in enumerate(split)]


def words_of(text: str, word_ids: Sequence[int | None], offsets: Sequence[tuple[int, int]]) -> Iterator[Word]:
    """Yield the words of a text from its pieces' words and character offsets."""
    bounds = [piece for piece in range(len(offsets)) if piece == 0 or begins(text, word_ids, offsets, piece)]
    for first, after in pairwise([*bounds, len(offsets)]):
        start, end = offsets[first][0], offsets[after - 1][1]
        while start < end and text[start].isspace():
            start += 1
        # An accent written as a character of its own belongs to the word, though a normaliser cuts it off.
        while end < len(text) and not text[end].isascii() and unicodedata.category(text[end]) == "Mn":
            end += 1
        if start < end:
            written = text[start:end]
            yield Word(start, end, written, form(written), first, after - first)


def begins(text: str, word_ids: Sequence[int | None], offsets: Sequence[tuple[int, int]], piece: int) -> bool:
    """Whether a piece begins a word; punctuation ends one also where the tokenizer splits at spaces only."""
    if word_ids[piece] is None or word_ids[piece] != word_ids[piece - 1]:
        return True
    return any(not any(character.isalnum() for character in text[slice(*offsets[each])]) for each in (piece - 1, piece))


@lru_cache(maxsize=1 << 16)
def form(text: str) -> str:
    """Return a word in lower case, without accents and unseen characters: what words are compared by."""
    lower = text.lower()
    if lower.isascii():
        return lower
    return "".join(c for c in unicodedata.normalize("NFD", lower) if unicodedata.category(c) not in UNSEEN)


def forms(words: pa.StringArray) -> pa.StringArray:
    """Return the form of each word, of all at once where they are plain."""
    if compute.all(compute.string_is_ascii(words), min_count=0).as_py():  # pyright: ignore[reportAttributeAccessIssue]
        return compute.ascii_lower(words)  # pyright: ignore[reportAttributeAccessIssue]
    return pa.array(map(form, words.to_pylist()), pa.string())


def cased(word: str, like: str) -> str:
    """Return a word in the case of another: lower, upper, or a first capital; any other case changes nothing."""
    if like.islower():
        return word.lower()
    if like.isupper() and len(like) > 1:
        return word.upper()
    if like[:1].isupper() and not like[1:].isupper():
        return word[:1].upper() + word[1:]
    return word


def surroundings(text: str, word: Word) -> tuple[str, str]:
    """Return what stands beside a word without a space between, with the space before that if there is one."""
    start, end = word.start, word.end
    while start > 0 and not text[start - 1].isspace():
        start -= 1
    while end < len(text) and not text[end].isspace():
        end += 1
    return (" " if start else "") + text[start : word.start], text[word.end : end]
