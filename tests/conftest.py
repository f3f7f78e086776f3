"""Tiny real models and rows, made in a moment; no network, nothing from beside the checkout."""

import json
import os
import random
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
import torch
from accelerate.state import AcceleratorState
from hypothesis import settings
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
from transformers import (
    BertConfig,
    BertForMaskedLM,
    BertForSequenceClassification,
    BertForTokenClassification,
    BertTokenizer,
    PreTrainedTokenizerFast,
)
from transformers.utils.logging import disable_progress_bar

from augment.draw import Grown
from schemas import rows
from schemas.cache import Cache, shard_of
from schemas.digest import digest, file_digest, ids_digest
from schemas.example import Example

os.environ |= {"TRANSFORMERS_VERBOSITY": "error", "HF_HUB_DISABLE_PROGRESS_BARS": "1", "HF_HUB_OFFLINE": "1"}
disable_progress_bar()

# How fast a machine is says nothing of what is right.
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")

LONGEST = ("test_corpora.py", "test_determinism.py", "test_run.py", "test_kinds.py", "test_quickstart.py")
"""Files that come first where two run at a time, so that neither process waits for the other at the end."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the longest files first."""
    items.sort(key=lambda item: LONGEST.index(item.path.name) if item.path.name in LONGEST else len(LONGEST))


SHARED = Path(__file__).parents[1].parent / "shared"

SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
GOOD = ["good", "great", "fine", "lovely", "superb", "warm", "bright", "clever", "charming", "moving"]
BAD = ["bad", "poor", "dull", "awful", "weak", "cold", "bleak", "stupid", "boring", "empty"]
OTHER = ["film", "movie", "story", "plot", "actor", "scene", "script", "music", "camera", "ending"]
FILLER = ["the", "a", "is", "was", "and", "very", "with", "this", "that", "it", "of", "in"]
TOPICS = ("praise", "blame", "craft")
TAGS = ("O", "B-verdict", "I-verdict", "B-thing", "I-thing")
TAGGING = {"kind": "token_classification", "texts": ["tokens"], "label": "tags", "labels": TAGS}
LETTERS = [*"abcdefghijklmnopqrstuvwxyz", *(f"##{letter}" for letter in "abcdefghijklmnopqrstuvwxyz")]
PUNCTUATION = list(".,!?'\"-0123456789")
VOCABULARY = list(dict.fromkeys([*SPECIAL, *GOOD, *BAD, *OTHER, *FILLER, *LETTERS, *PUNCTUATION]))


def tokenizer(vocabulary: list[str] = VOCABULARY) -> PreTrainedTokenizerFast:
    """A WordPiece tokenizer like that of BERT, uncased."""
    ids = {piece: i for i, piece in enumerate(vocabulary)}
    backend = Tokenizer(models.WordPiece(ids, unk_token="[UNK]"))
    backend.normalizer = normalizers.BertNormalizer(lowercase=True)
    backend.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    backend.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]",
        pair="[CLS] $A [SEP] $B:1 [SEP]:1",
        special_tokens=[("[CLS]", ids["[CLS]"]), ("[SEP]", ids["[SEP]"])],
    )
    return BertTokenizer(
        tokenizer_object=backend,
        unk_token="[UNK]",
        pad_token="[PAD]",
        cls_token="[CLS]",
        sep_token="[SEP]",
        mask_token="[MASK]",
    )


def configuration(**changes: object) -> BertConfig:
    """The shape of the tiny models."""
    settings = {
        "vocab_size": len(VOCABULARY),
        "hidden_size": 32,
        "num_hidden_layers": 4,
        "num_attention_heads": 4,
        "intermediate_size": 64,
        "max_position_embeddings": 64,
        "id2label": {0: "negative", 1: "positive"},
        "label2id": {"negative": 0, "positive": 1},
    }
    return BertConfig(**{**settings, **changes})


def save(model: torch.nn.Module, folder: Path) -> Path:
    """Save a model and the tokenizer."""
    model.save_pretrained(folder)
    tokenizer().save_pretrained(folder)
    return folder


@pytest.fixture(autouse=True)
def fresh_accelerate():
    """Accelerate keeps its precision for the life of a process; tests use several."""
    yield
    AcceleratorState._reset_state(reset_partial_state=True)


@pytest.fixture(scope="session")
def teacher_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A classifier with random weights and two named labels."""
    torch.manual_seed(1)
    return save(BertForSequenceClassification(configuration()), tmp_path_factory.mktemp("models") / "teacher")


@pytest.fixture(scope="session")
def multi_label_teacher_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A classifier with random weights and three labels, any number of which a row may have."""
    torch.manual_seed(4)
    shape = configuration(**labelled(TOPICS), problem_type="multi_label_classification")
    return save(BertForSequenceClassification(shape), tmp_path_factory.mktemp("models") / "topics")


@pytest.fixture(scope="session")
def token_teacher_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A token classifier with random weights."""
    torch.manual_seed(5)
    return save(BertForTokenClassification(configuration(**labelled(TAGS))), tmp_path_factory.mktemp("models") / "tags")


def labelled(names: tuple[str, ...]) -> dict[str, dict]:
    """What a model's configuration says of its labels."""
    return {"id2label": dict(enumerate(names)), "label2id": {name: i for i, name in enumerate(names)}}


@pytest.fixture(scope="session")
def masked_language_model_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A masked language model with random weights."""
    torch.manual_seed(2)
    return save(BertForMaskedLM(configuration(num_hidden_layers=2)), tmp_path_factory.mktemp("models") / "mlm")


@pytest.fixture(scope="session")
def vectors_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Word vectors in GloVe text format: all known words and some that the tokenizer splits."""
    draw = random.Random(3)
    words = [*GOOD, *BAD, *OTHER, *FILLER, "wonderful", "terrible", "picture", "director", "splendid", "dreadful"]
    lines = [f"{word} {' '.join(f'{draw.gauss(0, 1):.4f}' for _ in range(8))}" for word in words]
    path = tmp_path_factory.mktemp("vectors") / "vectors.txt"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def sentences(count: int, seed: int = 0) -> list[tuple[str, int]]:
    """Distinct short reviews with labels that their words decide."""
    draw = random.Random(seed)
    rows: dict[str, int] = {}
    while len(rows) < count:
        label = draw.randrange(2)
        words = [draw.choice(FILLER), draw.choice(OTHER), draw.choice(FILLER), draw.choice((BAD, GOOD)[label])]
        words += [draw.choice([*FILLER, *OTHER, "wonderful", "Picture", "director"]) for _ in range(draw.randrange(8))]
        rows[" ".join(words) + draw.choice([" .", "!", ""])] = label
    return list(rows.items())


def topics(text: str) -> list[str]:
    """The labels of a review, any number of them, as its words decide."""
    words = set(text.replace(".", " ").replace("!", " ").split())
    found = [words & set(GOOD), words & set(BAD), words & {"script", "camera", "music", "actor"}]
    return [name for name, those in zip(TOPICS, found, strict=True) if those]


def tagged(count: int, seed: int = 0) -> list[tuple[list[str], list[str]]]:
    """Distinct sentences in words, with tags that the words decide; a few words are pieces to the tokenizer."""
    rows = []
    for text, _ in sentences(count, seed):
        words = text.replace(".", " .").replace("!", " !").split()
        tags = ["O"] * len(words)
        for i, word in enumerate(words):
            if word in GOOD or word in BAD:
                tags[i] = "B-verdict"
            elif word in OTHER:
                tags[i] = "I-thing" if i and tags[i - 1].endswith("thing") else "B-thing"
        rows.append((words, tags))
    return rows


def write_conll(path: Path, rows: list[tuple[list[str], list[str]]]) -> Path:
    """Write sentences in two columns."""
    blocks = ("".join(f"{word}\t{tag}\n" for word, tag in zip(*row, strict=True)) for row in rows)
    path.write_text("\n".join(blocks), encoding="utf-8")
    return path


def write_tsv(path: Path, rows: list[tuple[str, int]]) -> Path:
    """Write rows as a TSV file with a header."""
    path.write_text("sentence\tlabel\n" + "".join(f"{text}\t{label}\n" for text, label in rows), encoding="utf-8")
    return path


def write_rows(cache: Cache, examples: list[Example], shards: int = 2, name: str = "test") -> None:
    """Write a `rows` group without augmenting anything."""
    cache.choose_layout(name, len(examples), shards)
    group = cache.group(rows.NAME)
    for shard in range(shards):
        mine = sorted((e for e in examples if shard_of(e.origin, shards) == shard), key=lambda e: e.order)
        ids = ids_digest(np.array([e.id for e in mine], np.uint64))
        with group.writer(shard, rows.schema(pa.int32())) as writer:
            if mine:
                writer.write(rows.to_batch(mine, pa.int32()))
            writer.commit(settings=digest("test"), input=ids, accounting={"kept": len(mine)})
    group.publish_manifest({}, shards)


def copies_of(grown: Iterable[Grown], examples: Sequence[Example]) -> list[list[Example]]:
    """Return the copies that a strategy grew from each of some rows."""
    read = pa.Table.from_batches([rows.to_batch(examples, pa.int32())])
    copies = rows.complete(pa.Table.from_batches([copies for copies, _ in grown], rows.COPIES), read)
    found: dict[int, list[Example]] = {example.id: [] for example in examples}
    for copy in rows.examples(copies):
        found[copy.origin].append(copy)
    return list(found.values())


def originals(count: int, seed: int = 0) -> list[Example]:
    """Rows as they would be read."""
    return [Example.original("test", (text,), label) for text, label in sentences(count, seed)]


def run_yaml(
    folder: Path,
    teacher: Path | str,
    masked_language_model: Path,
    vectors: Path | str,
    rows: int = 60,
    **sections: dict,
) -> Path:
    """Write data files and the configuration of a small run; return the configuration's path."""
    folder.mkdir(parents=True, exist_ok=True)
    every = sentences(rows + 60)
    write_tsv(folder / "train.tsv", every[60:])
    write_tsv(folder / "dev.tsv", every[:30])
    write_tsv(folder / "test.tsv", every[30:60])
    configuration = {
        "name": "reviews",
        "output": str(folder / "run"),
        "shards": 4,
        "task": {"texts": ["sentence"], "label": "label", "labels": ["negative", "positive"]},
        "data": {split: str(folder / f"{split}.tsv") for split in ("train", "dev", "test")},
        "teacher": str(teacher),
        "student": {"layers": 2},
        "augment": {"masked_language_model": str(masked_language_model), "vectors": str(vectors), "copies": 4},
        "teach": {"max_length": 32, "batch_tokens": 512, "at_chance": "allow"},
        "train": {"steps": 24, "batch": 8, "evaluate_every": 8},
        "workers": {"count": 1},
    }
    for section, values in sections.items():
        configuration[section] = {**configuration.get(section, {}), **values}
    path = folder / "run.yaml"
    path.write_text(json.dumps(configuration, indent=1), encoding="utf-8")
    return path


def cache_hashes(cache: Path) -> dict[str, str]:
    """Return the digest of every file of a cache that is part of what it says."""
    files = (path for path in sorted(cache.rglob("*")) if path.is_file())
    return {
        str(path.relative_to(cache)): file_digest(path)
        for path in files
        if path.relative_to(cache).parts[0] not in ("work", "vectors", "corpus", ".lock")
    }


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("localhost", 0))
        return found.getsockname()[1]


def wait_for(port: int) -> None:
    for _ in range(300):
        with socket.socket() as found:
            if found.connect_ex(("localhost", port)) == 0:
                return
        time.sleep(0.1)
    raise TimeoutError(port)


@pytest.fixture(scope="session")
def job_service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[int, int, dict[str, str]]]:
    """A Beam job service and a pool of worker processes: their ports, and the environment they need."""
    job, pool = free_port(), free_port()
    environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    servers = [
        ["apache_beam.runners.portability.local_job_service_main", f"--port={job}"],
        ["pipelines", "pool", f"--port={pool}"],
    ]
    with (tmp_path_factory.mktemp("job_service") / "servers.log").open("w") as log:
        running = [
            subprocess.Popen(
                [sys.executable, "-m", *server], env=environment, stdout=log, stderr=log, start_new_session=True
            )
            for server in servers
        ]
        try:
            wait_for(job)
            wait_for(pool)
            yield job, pool, environment
        finally:
            for server in running:
                os.killpg(server.pid, signal.SIGKILL)
                server.wait()
