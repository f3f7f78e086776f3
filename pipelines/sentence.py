"""Sentences: lists of words and of as many tags become a text and the spans of its words."""

from pipelines.record import Record, Reject, shown
from schemas.example import Example, Span
from schemas.label import class_of
from schemas.task import Task


def sentence_of(name: str, task: Task, record: Record) -> Example | Reject:
    """Make an example of a record's words, joined by single spaces; one without tags is for the teacher to label."""
    words = words_of(record, task.texts[0])
    if isinstance(words, Reject):
        return words
    tags = tags_of(record, task, words)
    if isinstance(tags, Reject):
        return tags
    spans: list[Span] = []
    start = 0
    for word, tag in zip(words, tags, strict=False):
        spans.append(Span(0, start, start + len(word), tag))
        start += len(word) + 1
    return Example.original(name, (" ".join(words),), None, tuple(spans))


def words_of(record: Record, column: str | int) -> list[str] | Reject:
    """Return the words of a sentence as they stand in its file."""
    found = record.fields.get(column)
    expected = "a list of words, none of them empty"
    if not isinstance(found, list) or not found:
        return Reject(record.where, record.raw, expected, shown(found), column)
    for number, word in enumerate(found, start=1):
        if not isinstance(word, str) or not word or not is_unicode(word):
            return Reject(record.where, record.raw, expected, f"{shown(word)}, the word {number}", column)
    if not "".join(found).strip():
        return Reject(record.where, record.raw, "a text that is not empty", shown(" ".join(found)), column)
    return found


def is_unicode(word: str) -> bool:
    """Whether a word holds no half of a surrogate pair."""
    try:
        word.encode()
    except UnicodeEncodeError:
        return False
    return True


def tags_of(record: Record, task: Task, words: list[str]) -> list[int] | Reject:
    """Return the class of every word, nothing where the sentence has no tags."""
    found = None if task.label is None else record.fields.get(task.label)
    if found is None or found == "":
        return []
    if not isinstance(found, list) or len(found) != len(words):
        count = f"{len(found)}: {shown(found)}" if isinstance(found, list) else shown(found)
        return Reject(record.where, record.raw, f"a list of {len(words)} tags, one a word", count, task.label)
    tags: list[int] = []
    for number, (word, tag) in enumerate(zip(words, found, strict=True), start=1):
        try:
            tags.append(class_of(tag, task.labels))
        except ValueError as error:
            where = f"{shown(tag)} for the word {number}, {shown(word)}"
            return Reject(record.where, record.raw, str(error), where, task.label)
    return tags
