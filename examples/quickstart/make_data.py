"""Cut the messages of the quickstart into train, dev and test: `python examples/quickstart/make_data.py`.

The same share of every class goes to every part, chosen by digests of the texts. Messages that resemble another one
are refused, so that no part holds a variant of a row of another.
"""

import csv
import hashlib
import json
from pathlib import Path

import numpy as np
from sklearn.feature_extraction.text import TfidfVectorizer

HERE = Path(__file__).parent
TRAIN, DEV = 300, 200
ALIKE = 0.5
"""Cosine of weighted four-letter pieces from which two messages count as near-duplicates."""


def messages() -> list[dict[str, str]]:
    """All messages, in the order of their digests."""
    rows = [json.loads(line) for line in (HERE / "messages.jsonl").read_text(encoding="utf-8").splitlines()]
    return sorted(rows, key=lambda row: hashlib.sha256(row["text"].encode()).hexdigest())


def near_duplicates(texts: list[str]) -> list[tuple[str, str, float]]:
    """Pairs of messages that are too much alike."""
    vectors = TfidfVectorizer(analyzer="char_wb", ngram_range=(4, 4)).fit_transform(texts)
    likeness = np.triu((vectors @ vectors.T).toarray(), 1)
    return [(texts[i], texts[j], float(likeness[i, j])) for i, j in zip(*np.where(likeness >= ALIKE), strict=True)]


def split(rows: list[dict[str, str]]) -> dict[str, list[dict[str, str]]]:
    """The three parts, each with the same share of every class."""
    labels = sorted({row["label"] for row in rows})
    parts: dict[str, list[dict[str, str]]] = {"train": [], "dev": [], "test": []}
    for number, label in enumerate(labels):
        own = [row for row in rows if row["label"] == label]
        train = TRAIN // len(labels) + (number < TRAIN % len(labels))
        dev = DEV // len(labels) + (number < DEV % len(labels))
        parts["train"] += own[:train]
        parts["dev"] += own[train : train + dev]
        parts["test"] += own[train + dev :]
    return {name: sorted(part, key=lambda row: row["text"]) for name, part in parts.items()}


def main() -> None:
    """Check, cut, write."""
    rows = messages()
    alike = near_duplicates([row["text"] for row in rows])
    if alike:
        raise SystemExit("\n".join(f"{score:.2f}: {first!r} and {second!r}" for first, second, score in alike))
    for name, part in split(rows).items():
        with (HERE / f"{name}.csv").open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(["text", "label"])
            writer.writerows((row["text"], row["label"]) for row in part)
        print(f"{name}: {len(part):,} rows")


if __name__ == "__main__":
    main()
