"""How fast and how faithful augmentation is.

    .venv/bin/python -m benchmarks.augmentation [--quick] [--model FOLDER --vectors FILE --sentences FILE]

Everything runs on one thread, baseline and ours in turn, on the same distinct sentences with equal K, p_t, N_a and
vectors; that both give the same candidates is checked inside. The last line is one JSON object. More is better:

- pair_fp32_vs_reference, pair_bf16_vs_reference, pair_int8_vs_reference, single_vs_reference: the time of the published
  script's way (benchmarks/reference_loop.py, a pair a word) by ours, for the words of one piece.
- pair_fp32_vs_possible: the first of these by what arithmetic (fewer operations) and the processor (batches run faster
  than single rows, measured here) allow together; 1 would be no overhead at all.
- bf16_overlap, int8_overlap: mean share of the candidates that are those of fp32.
- augment_vs_reference: the same for all of it: candidates of both kinds and the copies.
- command_vs_forwards: the bare batched forward passes by `distill augment` as a whole, which makes just these.
- draws_vs_writing: writing rows that are there, as those of a file are, by drawing the copies among them and writing.
- draws_vs_columns: the same where the rows that are there are columns already, which are only put on disk.
- glove_vs_matmul: the bare product in blocks by finding the neighbours of as many words.
- bytes_per_added_row_1x, _100x: what a copy takes on disk, at one and at a hundred copies a row.
"""

import argparse
import json
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import torch

from augment.draw import Drawing
from augment.models.masked_language_model import Request
from augment.models.precision import multiplies_bytes
from augment.shard import no_collection
from augment.vectors import BLOCK, Vectors
from augment.words import surroundings
from benchmarks import growth
from benchmarks.inputs import COPIES, PROBABILITY, TOP, Inputs, read_arguments
from benchmarks.measure import finish, ratio, seconds
from benchmarks.reference_loop import eligible
from schemas import rows
from schemas.cache import Cache
from schemas.configuration import Precision
from schemas.digest import digest
from schemas.example import Example

BATCH_TOKENS = 4096


class Bench(Inputs):
    """What the comparisons share."""

    def __init__(self, folder: Path, arguments: argparse.Namespace) -> None:
        super().__init__(folder, arguments)
        self.rounds = 1 if self.quick else 5
        self.has_vectors = bool(arguments.vectors)
        self.some = self.sentences[: 6 if self.quick else 60]

    def questions(self, sentences: list[str]) -> list[Request]:
        """The words of one piece, as we ask for them."""
        return [
            Request(split.pieces, word.piece, surroundings(text, word))
            for text, split in zip(sentences, self.ours("fp32").split(sentences), strict=True)
            for word in split.words
            if eligible(word.text) and word.pieces == 1
        ]

    def propose(self, precision: Precision, context: Any) -> list[set[str]]:
        """Candidate sets by ours, from sentences to words."""
        found = self.ours(precision).propose(
            self.questions(self.some), top=TOP, context=context, batch_tokens=BATCH_TOKENS
        )
        return [set(proposal.words) for proposal in found]

    def propose_by_reference(self) -> list[set[str]]:
        """Candidate sets by the published way."""
        return [
            self.reference.by_model(sentence.split(), place)
            for sentence in self.some
            for place, word in enumerate(sentence.split())
            if eligible(word) and len(self.reference.tokenizer.tokenize(word)) == 1
        ]


# Proposing


def proposing(bench: Bench) -> dict[str, float]:
    """Candidates by the published way and by ours in each precision and context."""
    precisions: list[Precision] = ["fp32", "bf16", *(["int8"] if multiplies_bytes() else [])]  # type: ignore[list-item]
    found: dict[str, float] = {}

    def run(name: str, precision: Precision, context: str, same: Callable[[Any, Any], None]) -> None:
        bench.ours(precision)
        found[name] = ratio(
            name, bench.propose_by_reference, lambda: bench.propose(precision, context), same, rounds=bench.rounds
        )

    run("pair_fp32_vs_reference", "fp32", "pair", equal_sets)
    for precision in precisions[1:]:
        run(f"pair_{precision}_vs_reference", precision, "pair", as_many)
        found[f"{precision}_overlap"] = overlap(bench.propose("fp32", "pair"), bench.propose(precision, "pair"))
    run("single_vs_reference", "fp32", "single", as_many)
    bench.reference.forwards = bench.reference.tokens = 0
    bench.propose_by_reference()
    print(f"the published way: {bench.reference.forwards:,} forward passes, {bench.reference.tokens:,} tokens")
    for context in ("pair", "single"):
        batches = list(bench.ours("fp32").batches(bench.questions(bench.some), context, BATCH_TOKENS))
        tokens = sum(batch.input_ids.numel() for batch in batches)
        print(f"ours, {context}: {len(batches):,} forward passes, {tokens:,} tokens")
    possible = operations(bench, 1) / operations(bench, 0) * batching(bench)
    found["pair_fp32_vs_possible"] = found["pair_fp32_vs_reference"] / possible
    print(f"possible: {possible:.3g}")
    return found


def equal_sets(expected: list[set[str]], found: list[set[str]]) -> None:
    """Refuse a comparison of different work; ties at the last place are allowed for."""
    differing = sum(one != other for one, other in zip(expected, found, strict=True))
    assert differing <= 0.01 * len(expected), f"{differing} of {len(expected)} candidate sets differ"


def as_many(expected: list[set[str]], found: list[set[str]]) -> None:
    """Refuse a comparison of other words; their candidates may differ."""
    assert len(expected) == len(found)


def overlap(expected: list[set[str]], found: list[set[str]]) -> float:
    """Return the mean share of candidates that are the expected ones."""
    pairs = [(one, other) for one, other in zip(expected, found, strict=True) if one]
    return sum(len(one & other) / len(one) for one, other in pairs) / len(pairs)


def operations(bench: Bench, everywhere: int) -> float:
    """Multiplications of the passes for all words: the published way, or with head and last layer at the mask only."""
    shape = bench.reference.model.config
    width, inner, vocabulary = shape.hidden_size, shape.intermediate_size, shape.vocab_size
    total = 0.0
    for batch in bench.ours("fp32").batches(bench.questions(bench.some), "pair", BATCH_TOKENS):
        inputs, length = batch.input_ids.shape
        whole = 4 * width**2 + 2 * width * inner + 2 * length * width
        keys = 2 * width**2
        head = width**2 + width * vocabulary
        layers = shape.num_hidden_layers
        if everywhere:
            total += inputs * length * (layers * whole + head)
        else:
            total += inputs * (length * ((layers - 1) * whole + keys) + whole - keys + head)
    return total


def batching(bench: Bench) -> float:
    """Return how much faster the plain model runs rows in batches than one by one, the same rows."""
    batches = list(bench.ours("fp32").batches(bench.questions(bench.some), "pair", BATCH_TOKENS))[::4]

    def run(size: int) -> None:
        with torch.inference_mode():
            for batch in batches:
                for part in batch.input_ids.split(size):
                    bench.reference.model(input_ids=part, token_type_ids=batch.segments.expand_as(part))

    return ratio("batching", lambda: run(1), lambda: run(10**6), lambda *_: None, rounds=bench.rounds)


# All of it


def augment_vs_reference(bench: Bench) -> float:
    """Candidates of both kinds and the copies."""
    examples = [Example.original("bench", (sentence,)) for sentence in bench.some]

    def ours() -> int:
        strategy = bench.strategy()
        return sum(len(copies) for copies, _ in strategy.grow(examples, strategy.propose(examples)))

    def reference() -> int:
        random.seed(0)
        return sum(len(bench.reference.augment(sentence, COPIES, PROBABILITY)) for sentence in bench.some)

    def same(expected: int, found: int) -> None:
        assert abs(expected - found) <= 0.2 * expected, (expected, found)

    return ratio("augment_vs_reference", reference, ours, same, rounds=bench.rounds)


def command_vs_forwards(bench: Bench) -> float:
    """`distill augment` with one worker, from its start to its end, and the forward passes it makes."""
    sentences = bench.sentences[: 100 if bench.quick else 1500]
    folder = bench.folder / "command"
    folder.mkdir()
    (folder / "train.jsonl").write_text(
        "".join(json.dumps({"text": text, "label": i % 2}) + "\n" for i, text in enumerate(sentences))
    )
    configuration = {
        "name": "bench",
        "output": str(folder / "run"),
        "shards": 4,
        "task": {"texts": ["text"], "label": "label", "labels": ["0", "1"]},
        "data": {"train": str(folder / "train.jsonl")},
        "teacher": str(bench.model),
        "augment": {"masked_language_model": str(bench.model), "vectors": str(bench.vectors), "copies": COPIES},
        "workers": {"count": 1},
    }
    (folder / "run.yaml").write_text(json.dumps(configuration))
    model = bench.ours("fp32")
    batches = list(model.batches(bench.questions(sentences), "pair", BATCH_TOKENS))
    model.best(batches[0], TOP)
    bare, _ = seconds(lambda: [model.best(batch, TOP) for batch in batches])
    command = [sys.executable, "-m", "pipelines", "augment", str(folder / "run.yaml")]
    whole, done = seconds(lambda: subprocess.run(command, capture_output=True, text=True))
    assert done.returncode == 0, done.stderr
    print(f"command_vs_forwards: {bare / whole:.3g} ({len(sentences):,} sentences, {bare:.0f} s of forward passes)")
    return bare / whole


def drawing(bench: Bench) -> dict[str, float]:
    """Draw copies and write them with their originals, and write the same rows once they are there."""
    strategy = growth.MadeUp(Drawing(COPIES, PROBABILITY))
    originals = growth.rows_to_grow(300 if bench.quick else 2000)
    positions = strategy.propose(originals)

    def beside(read: pa.Table) -> pa.Table:
        drawn = pa.Table.from_batches([copies for copies, _ in strategy.grow(originals, positions)])
        return pa.concat_tables([read, rows.complete(drawn, read)])

    columns = beside(pa.Table.from_batches([rows.to_batch(originals, pa.int32())]))
    examples = list(rows.examples(columns))
    writing = {
        "draws_vs_writing": lambda: write(bench, examples, lambda read: read),
        "draws_vs_columns": lambda: write(bench, [], lambda _: columns),
    }

    def same(expected: int, found: int) -> None:
        assert expected == found

    with no_collection():
        return {
            name: ratio(name, ready, lambda: write(bench, originals, beside), same, rounds=max(5, bench.rounds))
            for name, ready in writing.items()
        }


def write(bench: Bench, read: list[Example], grow: Callable[[pa.Table], pa.Table]) -> int:
    """Write a shard of rows as augment does; return its bytes."""
    group = Cache(bench.folder / "written").group(rows.NAME)
    # Other settings each time, as rows that are there would not be written again.
    settings = digest(time.monotonic())
    rows.write_shard(group, 0, pa.int32(), read, lambda table: (grow(table), {}), settings=settings)
    side = group.committed(0)
    assert side is not None
    return side.bytes


def glove_vs_matmul(bench: Bench) -> float:
    """Neighbours of some thousand words, and the product of their vectors with all, in the same blocks."""
    vectors = Vectors.load(bench.prepared) if bench.has_vectors else made_up_vectors()
    words = random.Random(0).sample(vectors.words, 1000 if bench.quick else 4000)
    places = np.array([vectors.index[word] for word in words])
    block = max(1, BLOCK // len(vectors.words))

    def product() -> int:
        for start in range(0, len(places), block):
            _ = vectors.vectors[places[start : start + block]] @ vectors.vectors.T
        return len(places)

    def neighbours() -> int:
        vectors.remembered.clear()
        return len(vectors.neighbours(words, TOP))

    def same(expected: int, found: int) -> None:
        assert expected == found

    return ratio("glove_vs_matmul", product, neighbours, same, rounds=max(3, bench.rounds))


def made_up_vectors() -> Vectors:
    """As many words and as wide as the published script takes from a file of GloVe's."""
    matrix = np.random.default_rng(0).normal(size=(100_000, 300)).astype(np.float32)
    matrix /= np.linalg.norm(matrix, axis=1, keepdims=True)
    words = [f"w{i}" for i in range(len(matrix))]
    return Vectors(words, matrix, {word: i for i, word in enumerate(words)})


def bytes_per_added_row(bench: Bench) -> dict[str, float]:
    """What a copy takes on disk."""
    found = growth.disk_per_row(bench.folder / "memory", (1, 100), 256 if bench.quick else 2048)
    return {f"bytes_per_added_row_{copies}x": size for copies, size in found.items()}


def main() -> None:
    settings = read_arguments(__doc__, "under two minutes on two cores, and rougher")
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(Path(folder), settings)
        finish(
            {
                **proposing(bench),
                "augment_vs_reference": augment_vs_reference(bench),
                "command_vs_forwards": command_vs_forwards(bench),
                **drawing(bench),
                "glove_vs_matmul": glove_vs_matmul(bench),
                **bytes_per_added_row(bench),
            }
        )


if __name__ == "__main__":
    main()
