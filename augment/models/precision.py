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
from jaxtyping import Float, UInt8
from torch import Tensor, nn

from augment.models.calibration import SENTENCES
from schemas.configuration import Precision
from schemas.errors import ModelError

SMOOTHING = 0.5
TINY = 1e-5
LARGEST_BYTE = 255


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
        bottom, top = min(0.0, float((low / smooth).min())), max(0.0, float((high / smooth).max()))
        self.scale = max(top - bottom, TINY) / LARGEST_BYTE
        self.zero = round(-bottom / self.scale)
        self.factors = nn.Buffer(1 / (smooth * self.scale))
        # Bytes are cut, not rounded: half a step more makes that the same.
        self.offsets = nn.Buffer(torch.full_like(smooth, self.zero + 0.5))
        self.weights = ByteMatrix(weights * smooth, layer.bias)

    def forward(self, inputs: Float[Tensor, "*rows width"]) -> Float[Tensor, "*rows out"]:
        """Return the layer's output in fp32."""
        places = torch.addcmul(self.offsets, inputs, self.factors).clamp_(0, LARGEST_BYTE).to(torch.uint8)
        return self.weights.product(places, self.scale, self.zero)


class ByteMatrix:
    """Weights as signed bytes, each output channel on its own scale, as oneDNN wants them laid out."""

    def __init__(self, weights: Float[Tensor, "out width"], bias: Float[Tensor, " out"] | None) -> None:
        self.scales = weights.abs().amax(1).clamp_min(TINY) / 127
        self.zeros = torch.zeros(len(weights), dtype=torch.int32)
        self.ones = torch.ones_like(self.scales)
        self.bias = torch.zeros_like(self.scales) if bias is None else bias.detach()
        self.packed = torch.ops.onednn.qlinear_prepack((weights / self.scales[:, None]).round().to(torch.int8), None)

    def product(self, places: UInt8[Tensor, "*rows width"], scale: float, zero: int) -> Float[Tensor, "*rows out"]:
        """Return the product with inputs that are given as places on a scale, plus the bias, in fp32."""
        result = (1.0, 0, torch.float32, "none", [], "")
        # Sums of bytes are exact; scaled by oneDNN their last bit is of its kernel, which the number of rows chooses.
        sums = torch.ops.onednn.qlinear_pointwise(places, 1.0, zero, self.packed, self.ones, self.zeros, None, *result)
        return torch.addcmul(self.bias, sums, self.scales * scale, out=sums)


def multiplies_bytes() -> bool:
    """Whether products of the largest bytes add up exactly here; older instructions stop at sixteen bits."""
    try:
        ones = torch.full((16, 64), LARGEST_BYTE, dtype=torch.uint8)
        found = ByteMatrix(torch.ones(16, 64), None).product(ones, 1 / LARGEST_BYTE, 0)
    except (AttributeError, RuntimeError):
        return False
    return bool((found - 64).abs().max() < 0.01)
