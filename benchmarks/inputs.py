"""What benchmarks run on: a model, vectors and sentences, named or made up, with the published way and ours."""

import argparse
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from transformers import AutoModelForMaskedLM, AutoTokenizer, logging
from transformers.utils.logging import disable_progress_bar

from augment.draw import Drawing
from augment.models.masked_language_model import MaskedLanguageModel
from augment.strategies.tinybert import TinyBert
from augment.vector_file import read as read_vectors
from augment.vectors import Vectors, prepare
from benchmarks import synthetic
from benchmarks.reference_loop import ReferenceLoop, eligible
from schemas.configuration import Precision

TOP, COPIES, PROBABILITY = 15, 20, 0.4
VECTORS = 100_000


class Inputs:
    """Models, vectors and sentences that comparisons share."""

    def __init__(self, folder: Path, arguments: argparse.Namespace) -> None:
        self.folder = folder
        self.quick = arguments.quick
        model, vectors, sentences = synthetic.make(folder)
        self.model = Path(arguments.model or model)
        self.vectors = Path(arguments.vectors or vectors)
        if arguments.sentences:
            sentences = Path(arguments.sentences).read_text(encoding="utf-8").splitlines()
        self.sentences = list(plain(sentences))
        self.loaded: dict[str, MaskedLanguageModel] = {}

    @cached_property
    def reference(self) -> ReferenceLoop:
        """The published way of working."""
        known, matrix = read_vectors(self.vectors, VECTORS)
        matrix = np.asarray(matrix, np.float64)
        matrix /= np.linalg.norm(matrix, axis=1, keepdims=True)
        model = AutoModelForMaskedLM.from_pretrained(self.model, dtype=torch.float32).eval()
        return ReferenceLoop(model, AutoTokenizer.from_pretrained(self.model), known, matrix, TOP)

    @cached_property
    def prepared(self) -> Path:
        """The vectors as we map them."""
        return prepare(self.vectors, self.folder / "vectors", VECTORS)

    def ours(self, precision: Precision) -> MaskedLanguageModel:
        """Our masked language model in a precision."""
        if precision not in self.loaded:
            self.loaded[precision] = MaskedLanguageModel.load(self.model, 1, precision)
        return self.loaded[precision]

    def strategy(self) -> TinyBert:
        """Our way of working; freshly mapped vectors remember no neighbours of an earlier round."""
        drawing = Drawing(COPIES, PROBABILITY)
        return TinyBert(self.ours("fp32"), Vectors.load(self.prepared), top=TOP, drawing=drawing)


def plain(sentences: list[str]) -> Iterator[str]:
    """Yield distinct sentences as both sides split them alike: lower-case words of letters and spaces."""
    cleaned = (" ".join(filter(str.isascii, filter(str.isalpha, line.lower().split()))) for line in sentences)
    yield from (each for each in dict.fromkeys(cleaned) if any(map(eligible, each.split())))


def read_arguments(description: str | None, quick: str) -> argparse.Namespace:
    """Read the command line, and make the process quiet and of one thread."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help=quick)
    parser.add_argument("--model", help="folder of a masked language model; default: random weights of MiniLM's shape")
    parser.add_argument("--vectors", help="GloVe text file; default: made up")
    parser.add_argument("--sentences", help="text file, a sentence a line; default: made up")
    torch.set_num_threads(1)
    logging.set_verbosity_error()
    disable_progress_bar()
    return parser.parse_args()
