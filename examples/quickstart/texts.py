"""Texts to learn from: gzipped files with a paragraph a line and a blank line after each document."""

import gzip
import re
from collections.abc import Iterator
from pathlib import Path

SENTENCE_END = re.compile(r"(?<=[.!?]) +(?=[A-Z\"'])")


def documents(paths: list[Path]) -> Iterator[list[str]]:
    """The documents of the text files, each as its sentences."""
    for path in paths:
        sentences: list[str] = []
        with gzip.open(path, "rt", encoding="utf-8") as lines:
            for line in lines:
                if line.strip():
                    sentences += SENTENCE_END.split(line.strip())
                elif sentences:
                    yield sentences
                    sentences = []
        if sentences:
            yield sentences
