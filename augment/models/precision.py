"""Precisions: what a masked language model computes in, and what that costs in faithfulness.

`fp32` is the reference. `bf16` halves the numbers of the encoder. `int8` takes a fourth for the layers that bear it:
weights by output channel, inputs on a fixed scale, outlying channels divided out of the inputs and multiplied into the
weights (SmoothQuant, Xiao et al., 2023, section 4, strength 0.5); the second layer of each feed-forward part, whose
inputs no scale fits, stays in bf16. The head is fp32 always: it is asked for one piece a row, and ranks the words.
Overlaps with fp32 and speeds: docs/strategies.md, measured by benchmarks/augmentation.py.
"""

from typing import Any

import tokenizers
import torch
from jaxtyping import Float
from torch import Tensor, nn

from augment.models.calibration import SENTENCES
from schemas.configuration import Precision
from schemas.errors import ModelError

SMOOTHING = 0.5
TINY = 1e-5


def reduce(model: Any, precision: Precision, tokenizer: tokenizers.Tokenizer) -> None:
    """Let a masked language model compute in a precision, in place; the tokenizer is for texts to measure ranges on."""
    if precision == "fp32":
        return
    head = model.get_output_embeddings()
    # Embeddings and head often share one matrix; the head is to keep its precision.
    head.weight = nn.Parameter(head.weight.detach().clone(), requires_grad=False)
    if precision == "bf16":
        model.base_model.to(torch.bfloat16)
        return
    if next(model.parameters()).is_cuda or not multiplies_bytes():
        raise ModelError(
            "a processor that multiplies bytes exactly (AVX-512 VNNI or later) for `augment.precision: int8`",
            "none",
            "set augment.precision=bf16 or fp32",
        )
    ranges = measure_ranges(model, tokenizer)
    for name, linear in list(ranges.items()):
        parent, _, attribute = name.rpartition(".")
        layer = model.get_submodule(name)
        narrow = Bfloat16Linear(layer) if layer.in_features > layer.out_features else Int8Linear(layer, linear)
        setattr(model.get_submodule(parent), attribute, narrow)


def linears(model: Any) -> dict[str, nn.Linear]:
    """Return the linear layers of an encoder's blocks by name."""
    head = {id(module) for module in model.modules()} - {id(module) for module in model.base_model.modules()}
    return {
        name: module
        for name, module in model.named_modules()
        if isinstance(module, nn.Linear) and id(module) not in head
    }


Range = tuple[Float[Tensor, " width"], Float[Tensor, " width"]]


@torch.inference_mode()
def measure_ranges(model: Any, tokenizer: tokenizers.Tokenizer) -> dict[str, Range]:
    """Return the smallest and largest input of each channel of each linear layer, over the sentences that come along.

    They are the same for every run, so that a row's candidates do not depend on what else is read.
    """
    ranges: dict[str, Range] = {}

    def watch(name: str) -> Any:
        def note(module: nn.Module, inputs: tuple[Tensor]) -> None:
            values = inputs[0].flatten(0, -2)
            low, high = values.amin(0), values.amax(0)
            if name in ranges:
                low, high = torch.minimum(low, ranges[name][0]), torch.maximum(high, ranges[name][1])
            ranges[name] = (low, high)

        return note

    hooks = [layer.register_forward_pre_hook(watch(name)) for name, layer in linears(model).items()]
    try:
        for sentence in SENTENCES:
            ids = tokenizer.encode(sentence, sentence).ids
            model.base_model(input_ids=torch.tensor([ids[: model.config.max_position_embeddings // 2]]))
    finally:
        for hook in hooks:
            hook.remove()
    return ranges


class Bfloat16Linear(nn.Module):
    """A linear layer computed in bf16 among layers in fp32."""

    def __init__(self, layer: nn.Linear) -> None:
        super().__init__()
        self.layer = layer.to(torch.bfloat16)

    def forward(self, inputs: Float[Tensor, "*rows width"]) -> Float[Tensor, "*rows out"]:
        """Return the layer's output in fp32."""
        return self.layer(inputs.bfloat16()).float()


class Int8Linear(nn.Module):
    """A linear layer computed in bytes: weights by output channel, smoothed inputs on one fixed scale."""

    def __init__(self, layer: nn.Linear, bounds: Range) -> None:
        super().__init__()
        low, high = bounds
        largest = torch.maximum(low.abs(), high.abs()).clamp_min(TINY)
        weights = layer.weight.detach()
        smooth = largest**SMOOTHING / weights.abs().amax(0).clamp_min(TINY) ** (1 - SMOOTHING)
        self.smooth = nn.Buffer(1 / smooth)
        bottom, top = min(0.0, float((low / smooth).min())), max(0.0, float((high / smooth).max()))
        self.scale = max(top - bottom, TINY) / 255
        self.zero = round(-bottom / self.scale)
        self.packed = packed(weights * smooth, layer.bias)

    def forward(self, inputs: Float[Tensor, "*rows width"]) -> Float[Tensor, "*rows out"]:
        """Return the layer's output in fp32."""
        return torch.ops.quantized.linear_with_input_q_dq_qweight_dq_output_fp32(
            inputs * self.smooth, self.scale, self.zero, self.packed
        )


def packed(weights: Float[Tensor, "out width"], bias: Float[Tensor, " out"] | None) -> Any:
    """Return weights as bytes, scaled by output channel, in the layout of the library that multiplies them."""
    scales = weights.abs().amax(1).clamp_min(TINY) / 127
    zeros = torch.zeros(len(scales), dtype=torch.long)
    engine = torch.backends.quantized.engine
    torch.backends.quantized.engine = "fbgemm"
    try:
        quantised = torch.quantize_per_channel(weights.contiguous(), scales.double(), zeros, 0, torch.qint8)
        return torch.ops.quantized.linear_prepack(quantised, bias)
    finally:
        torch.backends.quantized.engine = engine


def multiplies_bytes() -> bool:
    """Whether products of the largest bytes add up exactly here; older instructions stop at sixteen bits."""
    if "fbgemm" not in torch.backends.quantized.supported_engines:
        return False
    ones = torch.ones(16, 64)
    found = torch.ops.quantized.linear_with_input_q_dq_qweight_dq_output_fp32(ones, 1 / 255, 0, packed(ones, None))
    return bool((found - 64).abs().max() < 0.01)
