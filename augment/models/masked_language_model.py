"""Masked language models: what else could stand in a word's place, asked for many texts in few forward passes."""

import inspect
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from transformers import AutoModelForMaskedLM, AutoTokenizer

from augment.models.frame import CONTEXTS, Frame
from augment.models.last_layer import LastLayer
from augment.models.precision import reduce
from augment.models.ranking import ranked
from augment.models.vocabulary import Surroundings, Vocabulary
from augment.words import SplitText, literal, split
from schemas.checkpoint import Checkpoint
from schemas.configuration import Context, Precision
from schemas.errors import ModelError
from schemas.positions import positions_of


@dataclass(frozen=True, slots=True)
class Request:
    """A question: what could stand at one piece of a text, given as the ids of its pieces.

    `around` is what stands beside the word without a space between; it decides what is one piece there.
    """

    pieces: tuple[int, ...]
    masked: int
    around: Surroundings = ("", "")


@dataclass(frozen=True, slots=True)
class Proposal:
    """An answer: words, best first, and their logits; `near_tie` says that rounding errors could reorder them."""

    words: tuple[str, ...] = ()
    scores: tuple[float, ...] = ()
    near_tie: bool = False


@dataclass(frozen=True, slots=True)
class Batch:
    """Inputs of one length and segmentation, each with its mask; the last inputs may only fill the batch up."""

    requests: list[Request]
    input_ids: Int[Tensor, "rows length"]
    segments: Int[Tensor, " length"]
    masked: Int[Tensor, " rows"]


class MaskedLanguageModel:
    """A model in evaluation mode with its tokenizer."""

    def __init__(self, model: Any, tokenizer: Any, precision: Precision = "fp32") -> None:
        self.model = model.eval()
        self.tokenizer = literal(tokenizer)
        self.mask: int = tokenizer.mask_token_id
        self.frames = {context: Frame.of(self.tokenizer, context) for context in CONTEXTS}
        self.length = positions_of(model)
        self.vocabulary = Vocabulary.of(self.tokenizer, model.config.vocab_size)
        self.takes_segments = (
            "token_type_ids" in inspect.signature(model.forward).parameters
            and getattr(model.config, "type_vocab_size", 0) > 1
        )
        reduce(model, precision, self.tokenizer)
        self.last_layer = LastLayer.replace(model)

    @classmethod
    def load(cls, path: Path, threads: int, precision: Precision = "fp32") -> "MaskedLanguageModel":
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
        return cls(model.to("cuda" if torch.cuda.is_available() else "cpu"), tokenizer, precision)

    def split(self, texts: Sequence[str]) -> list[SplitText]:
        """Split texts into words and the model's pieces."""
        return split(self.tokenizer, texts)

    def propose(self, requests: Sequence[Request], *, top: int, context: Context, batch_tokens: int) -> list[Proposal]:
        """Answer each request with the model's `top` pieces at the mask, less those that are no words there.

        `single` shows the model the masked text alone; `pair` shows the text as it is after it, as TinyBERT's script
        does. Best first, equal scores in order of piece id. An answer does not depend on the other requests, but for
        what `near_tie` admits.
        """
        answers: dict[Request, Proposal] = {}
        for batch in self.batches(requests, context, batch_tokens):
            ids, scores, near_ties = ranked(*self.best(batch, top + 1), top)
            for request, *answer in zip(
                batch.requests, ids.tolist(), scores.tolist(), near_ties.tolist(), strict=False
            ):
                answers[request] = self.proposal(request, *answer)
        return [answers.get(request, Proposal()) for request in requests]

    def proposal(self, request: Request, ids: list[int], scores: list[float], near_tie: bool) -> Proposal:
        """Turn pieces into words, without those that are none in the place asked about."""
        original = request.pieces[request.masked]
        kept = [
            (self.vocabulary.words[id], score)
            for id, score in zip(ids, scores, strict=True)
            if self.vocabulary.holds(id, original, request.around)
        ]
        return Proposal(tuple(word for word, _ in kept), tuple(score for _, score in kept), near_tie)

    def batches(self, requests: Sequence[Request], context: Context, batch_tokens: int) -> Iterator[Batch]:
        """Yield the distinct requests, texts of equal length together, under a number of tokens a batch."""
        frame = self.frames[context]
        by_length: dict[int, list[tuple[Request, slice]]] = {}
        for request in dict.fromkeys(requests):
            window = frame.window(len(request.pieces), request.masked, self.length)
            by_length.setdefault(window.stop - window.start, []).append((request, window))
        device = self.model.device
        for pieces, equal in sorted(by_length.items()):
            segments = torch.tensor(frame.segments(pieces)[: self.length], device=device)
            rows = max(1, batch_tokens // len(segments))
            for start in range(0, len(equal), rows):
                part = equal[start : start + rows]
                masked = [frame.offset + request.masked - window.start for request, window in part]
                # A GPU's kernels round by the shape of a batch, so all have one; a processor's do not.
                size = rows if device.type == "cuda" else len(part)
                inputs = np.empty((size, len(segments)), np.int64)
                for row, (request, window) in enumerate(part):
                    inputs[row] = frame.ids(request.pieces[window])[: self.length]
                inputs[np.arange(len(part)), masked] = self.mask
                inputs[len(part) :] = inputs[0]
                masked += [masked[0]] * (size - len(part))
                yield Batch(
                    [request for request, _ in part],
                    torch.from_numpy(inputs).to(device),
                    segments,
                    torch.tensor(masked, device=device),
                )

    @torch.inference_mode()
    def best(self, batch: Batch, top: int) -> tuple[Int[np.ndarray, "rows top"], Float[np.ndarray, "rows top"]]:
        """Return the ids and logits of the `top` pieces at each input's mask."""
        inputs: dict[str, Tensor] = {"input_ids": batch.input_ids}
        if self.takes_segments:
            inputs["token_type_ids"] = batch.segments.expand_as(batch.input_ids)
        if self.last_layer is not None:
            self.last_layer.masked = batch.masked
            logits = self.model(**inputs).logits
        else:
            # The vocabulary is the widest part of a small model: the head is to see the masked piece only.
            hook = self.model.base_model.register_forward_hook(partial(keep_masked, batch.masked))
            try:
                logits = self.model(**inputs).logits
            finally:
                hook.remove()
        assert logits.shape[1] == 1, f"{type(self.model).__name__} does not put its head on its base model's output"
        scores, ids = logits[:, 0].float().topk(min(top, logits.shape[-1]), dim=-1)
        return ids.cpu().numpy(), scores.cpu().numpy()


def keep_masked(masked: Int[Tensor, " rows"], module: nn.Module, inputs: Any, output: Any) -> Any:
    """Leave of an encoder's output the hidden states of the masked pieces, [rows, 1, width]."""
    hidden = output.last_hidden_state
    kept = hidden[torch.arange(len(hidden), device=hidden.device), masked][:, None].float()
    return type(output)(last_hidden_state=kept)


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
