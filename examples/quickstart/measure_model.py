"""Masked-word accuracy on a text: `python examples/quickstart/measure_model.py --text wikitext2/test.txt MODEL …`.

One piece in seven is masked, all at once, seeded; the text's own `<unk>` is neither shown nor asked for. Vocabularies
differ, so what is a piece differs too: the numbers of two models are near each other in meaning, not the same.
"""

import argparse
import json
from pathlib import Path

import torch
from transformers import AutoModelForMaskedLM, AutoTokenizer

BATCH = 64


def windows(tokenizer, path: Path, length: int) -> list[list[int]]:
    """The paragraphs of a text, cut into windows of pieces."""
    found = []
    for line in path.read_text(encoding="utf-8").splitlines():
        text = line.replace("<unk>", tokenizer.unk_token).strip()
        if text and not text.startswith("="):
            ids = tokenizer(text, add_special_tokens=False).input_ids
            parts = [ids[start : start + length] for start in range(0, len(ids), length)]
            found += [[tokenizer.cls_token_id, *part, tokenizer.sep_token_id] for part in parts]
    return found


@torch.no_grad()
def accuracy(folder: Path, text: Path) -> dict[str, float | int | str]:
    """How often the masked piece is the model's first guess, and among its first 15."""
    tokenizer = AutoTokenizer.from_pretrained(folder)
    model = AutoModelForMaskedLM.from_pretrained(folder, dtype=torch.float32).eval()
    rows = sorted(windows(tokenizer, text, 62), key=len)
    special = torch.tensor(sorted(tokenizer.all_special_ids))
    generator = torch.Generator().manual_seed(0)
    asked = first = among = 0
    for start in range(0, len(rows), BATCH):
        part = [torch.tensor(row) for row in rows[start : start + BATCH]]
        ids = torch.nn.utils.rnn.pad_sequence(part, batch_first=True, padding_value=tokenizer.pad_token_id)
        chosen = (torch.rand(ids.shape, generator=generator) < 0.15) & ~torch.isin(ids, special)
        seen = torch.where(chosen, tokenizer.mask_token_id, ids)
        real = (ids != tokenizer.pad_token_id).long()
        scores = model(input_ids=seen, attention_mask=real).logits[chosen]
        better = (scores > scores.gather(1, ids[chosen][:, None])).sum(1)
        asked += len(better)
        first += int((better == 0).sum())
        among += int((better < 15).sum())
    return {"model": folder.name, "asked": asked, "top1": round(first / asked, 4), "top15": round(among / asked, 4)}


def main() -> None:
    """Measure every model on the same text."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("models", type=Path, nargs="+")
    parser.add_argument("--text", type=Path, required=True)
    arguments = parser.parse_args()
    for model in arguments.models:
        print(json.dumps(accuracy(model, arguments.text)), flush=True)


if __name__ == "__main__":
    main()
