"""Masked language models: what else could stand in a word's place, asked for many texts in few forward passes."""

import inspect
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import groupby
from pathlib import Path
from typing import Any, Literal

import numpy as np
import tokenizers
import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from transformers import AutoModelForMaskedLM, AutoTokenizer

from augment.words import SplitText, literal, split
from schemas.checkpoint import Checkpoint
from schemas.errors import ModelError

Context = Literal["pair", "single"]
CONTEXTS: tuple[Context, ...] = ("pair", "single")


@dataclass(frozen=True, slots=True)
class Request:
    """A question: what could stand at one piece of a text, given as the ids of its pieces."""

    pieces: tuple[int, ...]
    masked: int


@dataclass(frozen=True, slots=True)
class Proposal:
    """An answer: words, best first, and their logits."""

    words: tuple[str, ...] = ()
    scores: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True)
class Frame:
    """What a tokenizer puts around one text or a pair: an id and a segment for each slot, no id for a text."""

    slots: tuple[tuple[int | None, int], ...]

    @classmethod
    def of(cls, tokenizer: tokenizers.Tokenizer, context: Context) -> "Frame":
        """Read the frame off an encoded letter, or two."""
        encoding = tokenizer.encode("a", "a" if context == "pair" else None)
        pieces = zip(encoding.sequence_ids, encoding.ids, encoding.type_ids, strict=True)
        slots: list[tuple[int | None, int]] = []
        for sequence, group in groupby(pieces, key=lambda piece: piece[0]):
            if sequence is None:
                slots += [(id, segment) for _, id, segment in group]
            else:
                slots.append((None, next(group)[2]))
        return cls(tuple(slots))

    @property
    def offset(self) -> int:
        """How many ids come before the first text, the one that is masked."""
        return [id for id, _ in self.slots].index(None)

    def ids(self, pieces: Sequence[int]) -> list[int]:
        """Return the ids of an input around a text's pieces."""
        return [id for slot, _ in self.slots for id in (pieces if slot is None else (slot,))]

    def segments(self, length: int) -> list[int]:
        """Return the segments of an input around a text of so many pieces."""
        return [each for slot, segment in self.slots for each in [segment] * (length if slot is None else 1)]


@dataclass(frozen=True, slots=True)
class Batch:
    """Inputs of one length and segmentation, each with its mask."""

    requests: list[Request]
    input_ids: Int[Tensor, "rows length"]
    segments: Int[Tensor, " length"]
    masked: Int[Tensor, " rows"]


class MaskedLanguageModel:
    """A model with its tokenizer, in fp32 and evaluation mode."""

    def __init__(self, model: Any, tokenizer: Any) -> None:
        self.model = model.eval()
        self.tokenizer = literal(tokenizer)
        self.mask: int = tokenizer.mask_token_id
        self.frames = {context: Frame.of(self.tokenizer, context) for context in CONTEXTS}
        self.length = longest_input(model)
        self.words, self.begins = vocabulary(self.tokenizer, model.config.vocab_size)
        self.takes_segments = (
            "token_type_ids" in inspect.signature(model.forward).parameters
            and getattr(model.config, "type_vocab_size", 0) > 1
        )

    @classmethod
    def load(cls, path: Path, threads: int) -> "MaskedLanguageModel":
        """Load a model from a local folder: safetensors only, never code of its own; half precision is widened.

        Raises `ModelError` for a model without a trained head for masked words, and for a tokenizer that does not fit.
        """
        torch.set_num_threads(threads)
        Checkpoint(path).check()
        tokenizer = AutoTokenizer.from_pretrained(path, trust_remote_code=False, local_files_only=True)
        if not tokenizer.is_fast or tokenizer.mask_token_id is None:
            raise ModelError(
                "a fast tokenizer with a mask token",
                f"{path}: {type(tokenizer).__name__}, mask token {tokenizer.mask_token}",
                "name a masked language model, such as the one the teacher was fine-tuned from",
            )
        model = load_model(path)
        if len(tokenizer) > model.config.vocab_size:
            raise ModelError(
                f"a tokenizer of at most {model.config.vocab_size:,} pieces, as the model has embeddings",
                f"{path}: {len(tokenizer):,} pieces",
                "put the model's own tokenizer beside it",
            )
        return cls(model.to("cuda" if torch.cuda.is_available() else "cpu"), tokenizer)

    def split(self, texts: Sequence[str]) -> list[SplitText]:
        """Split texts into words and the model's pieces."""
        return split(self.tokenizer, texts)

    def propose(self, requests: Sequence[Request], *, top: int, context: Context, batch_tokens: int) -> list[Proposal]:
        """Answer each request with the model's `top` pieces at the mask, less those that are no words there.

        `single` shows the model the masked text alone; `pair` shows the text as it is after it, as TinyBERT's script
        does. What exceeds the model's positions is cut, the second text first; a mask beyond them has no words. Best
        first, equal scores in order of piece id. The same requests in the same order make the same batches.
        """
        answers: dict[Request, Proposal] = {}
        for batch in self.batches(requests, context, batch_tokens):
            scores, ids = self.best(batch, top)
            order = np.lexsort((ids, -scores))
            scores, ids = np.take_along_axis(scores, order, 1).tolist(), np.take_along_axis(ids, order, 1).tolist()
            for request, row_scores, row_ids in zip(batch.requests, scores, ids, strict=True):
                answers[request] = self.proposal(request.pieces[request.masked], row_scores, row_ids)
        return [answers.get(request, Proposal()) for request in requests]

    def proposal(self, original: int, scores: list[float], ids: list[int]) -> Proposal:
        """Turn pieces into words: those that begin a word where the masked piece does, and else those that do not."""
        begins = self.begins[original]
        kept = [(self.words[id], score) for id, score in zip(ids, scores, strict=True) if self.begins[id] == begins]
        return Proposal(tuple(word for word, _ in kept), tuple(score for _, score in kept))

    def batches(self, requests: Sequence[Request], context: Context, batch_tokens: int) -> Iterator[Batch]:
        """Yield the distinct requests, texts of equal length together, under a number of tokens a batch."""
        frame = self.frames[context]
        by_length: dict[int, list[Request]] = {}
        for request in dict.fromkeys(requests):
            if frame.offset + request.masked < self.length:
                by_length.setdefault(len(request.pieces), []).append(request)
        device = self.model.device
        for pieces, equal in sorted(by_length.items()):
            segments = torch.tensor(frame.segments(pieces)[: self.length], device=device)
            rows = max(1, batch_tokens // len(segments))
            for start in range(0, len(equal), rows):
                part = equal[start : start + rows]
                masked = [frame.offset + request.masked for request in part]
                inputs = np.empty((len(part), len(segments)), np.int64)
                for row, request in enumerate(part):
                    inputs[row] = frame.ids(request.pieces)[: self.length]
                inputs[np.arange(len(part)), masked] = self.mask
                yield Batch(part, torch.from_numpy(inputs).to(device), segments, torch.tensor(masked, device=device))

    @torch.inference_mode()
    def best(self, batch: Batch, top: int) -> tuple[Float[np.ndarray, "rows top"], Int[np.ndarray, "rows top"]]:
        """Return the logits and ids of the `top` pieces at each input's mask."""
        inputs: dict[str, Tensor] = {"input_ids": batch.input_ids}
        if self.takes_segments:
            inputs["token_type_ids"] = batch.segments.expand_as(batch.input_ids)
        # The vocabulary is the widest part of a small model: the head is to see the masked piece only.
        hook = self.model.base_model.register_forward_hook(partial(keep_masked, batch.masked))
        try:
            logits = self.model(**inputs).logits
        finally:
            hook.remove()
        assert logits.shape[1] == 1, f"{type(self.model).__name__} does not put its head on its base model's output"
        scores, ids = logits[:, 0].float().topk(min(top, logits.shape[-1]), dim=-1)
        return scores.cpu().numpy(), ids.cpu().numpy()


def keep_masked(masked: Int[Tensor, " rows"], module: nn.Module, inputs: Any, output: Any) -> Any:
    """Leave of an encoder's output the hidden states of the masked pieces, [rows, 1, width]."""
    hidden = output.last_hidden_state
    return type(output)(last_hidden_state=hidden[torch.arange(len(hidden), device=hidden.device), masked][:, None])


def load_model(path: Path) -> Any:
    """Load a model in fp32; raises `ModelError` where it has no trained head for masked words."""
    remedy = "name a masked language model, such as the one the teacher was fine-tuned from"
    try:
        model, report = AutoModelForMaskedLM.from_pretrained(
            path,
            dtype=torch.float32,
            use_safetensors=True,
            trust_remote_code=False,
            local_files_only=True,
            output_loading_info=True,
        )
    except ValueError as error:
        raise ModelError(
            "a masked language model of the transformers library", f"{path}: {str(error).splitlines()[0]}", remedy
        ) from None
    untrained = sorted({*report["missing_keys"], *(key for key, *_ in report["mismatched_keys"])})
    if untrained:
        raise ModelError(
            "a masked language model with a trained head",
            f"{path}: no weights for {', '.join(untrained[:4])}",
            remedy,
        )
    return model


def longest_input(model: Any) -> int:
    """Return how many pieces a model takes; RoBERTa's kin keep their first positions for padding."""
    for name, module in model.named_modules():
        if name.endswith("position_embeddings") and isinstance(module, nn.Embedding):
            return module.num_embeddings - (0 if module.padding_idx is None else module.padding_idx + 1)
    return model.config.max_position_embeddings


def vocabulary(tokenizer: tokenizers.Tokenizer, size: int) -> tuple[list[str], list[bool | None]]:
    """Return the text of every piece and whether it begins a word, `None` for ids without a piece or without text.

    Pieces that continue a word have the prefix that the tokenizer's model says (WordPiece), or lack the mark that its
    pre-tokenizer gives to a word after a space (byte-level and sentence pieces).
    """
    prefix = getattr(tokenizer.model, "continuing_subword_prefix", None) or ""
    before = tokenizer.pre_tokenizer.pre_tokenize_str(" a") if tokenizer.pre_tokenizer else []
    mark = before[-1][0].removesuffix("a") if before else ""
    words = [""] * size
    begins: list[bool | None] = [None] * size
    for piece, id in tokenizer.get_vocab(with_added_tokens=True).items():
        if mark:
            words[id] = tokenizer.decoder.decode([piece]).strip() if tokenizer.decoder else piece.removeprefix(mark)
            begins[id] = piece.startswith(mark) if words[id] else None
        else:
            words[id] = piece
            begins[id] = not (prefix and piece.startswith(prefix))
    return words, begins
