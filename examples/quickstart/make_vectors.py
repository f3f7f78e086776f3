"""Train the word vectors of the quickstart: `python examples/quickstart/make_vectors.py --text a.txt.gz b.txt.gz`."""

import argparse
import gzip
import re
from collections.abc import Iterator
from pathlib import Path

from gensim.models import Word2Vec
from texts import documents

WORD = re.compile(r"[a-z]+(?:['-][a-z]+)*|[0-9]+|[^\w\s]")


class Sentences:
    """Every sentence as lower-case words, as often as it is asked for."""

    def __init__(self, paths: list[Path]) -> None:
        self.paths = paths

    def __iter__(self) -> Iterator[list[str]]:
        for document in documents(self.paths):
            for sentence in document:
                yield WORD.findall(sentence.lower())


def main() -> None:
    """Train, and write GloVe's text format: no header, the most frequent word first."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--text", type=Path, nargs="+", required=True, help="gzipped texts, a paragraph a line")
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "vectors.txt.gz")
    parser.add_argument("--words", type=int, default=16_000)
    parser.add_argument("--width", type=int, default=50)
    parser.add_argument("--epochs", type=int, default=3)
    arguments = parser.parse_args()
    # One worker: with several, the vectors depend on how threads were scheduled.
    model = Word2Vec(
        Sentences(arguments.text),
        vector_size=arguments.width,
        max_final_vocab=arguments.words,
        window=5,
        sg=1,
        negative=5,
        epochs=arguments.epochs,
        workers=1,
        seed=1,
    )
    vectors = model.wv
    vectors.unit_normalize_all()
    # Unit vectors, so three decimals keep the angles; no time in the header, so the bytes repeat.
    with gzip.GzipFile(arguments.out, "wb", mtime=0) as file:
        for word, vector in zip(vectors.index_to_key, vectors.vectors, strict=True):
            numbers = " ".join(f"{number:.3f}" for number in vector)
            file.write(f"{word} {numbers}\n".encode())
    print(f"{len(vectors):,} words, {arguments.out.stat().st_size:,} bytes")


if __name__ == "__main__":
    main()
