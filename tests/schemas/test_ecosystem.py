"""Other libraries read a cache to the same numbers, without this package: the examples of docs/shard-format.md."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
import xxhash
from golden.reading import answers
from safetensors.numpy import load_file

from schemas.cache import Cache

ROOT = Path(__file__).parents[2]
CACHE = ROOT / "tests/golden/format-1/cache"
PAGE = (ROOT / "docs/shard-format.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```python\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
WITHOUT_US = "import sys\nsys.modules.update(dict.fromkeys(('schemas', 'distill', 'augment', 'pipelines')))\n"
READERS = [re.search(r"^(?:import|from) (polars|duckdb|datasets)", block, re.MULTILINE) for block in BLOCKS]
NAMES = [found.group(1) if found else "pyarrow" for found in READERS]


def states(code: str, folder: Path) -> np.ndarray:
    """Run a block in a process of its own, as a reader of the page would; return its `states`."""
    code = code.replace("runs/<name>/cache", str(CACHE))
    code += "\nimport numpy\nnumpy.save('states.npy', states)\n"
    environment = {**os.environ, "HF_HOME": str(folder / "hub"), "HF_HUB_OFFLINE": "1"}
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT_US + code], cwd=folder, env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return np.load(folder / "states.npy")


def first_row(name: str) -> np.ndarray:
    """Return what our reader says of the first row, layer after layer."""
    cache = Cache(CACHE)
    group = cache.group(name)
    manifest = group.manifest()
    width, layers = manifest.settings["width"], manifest.settings["layers"]
    row = group.read_shard(manifest.shards[0]).slice(0, 1)
    tokens = len(row["hidden"][0]) // width // len(layers)
    found = answers(cache, group).values()
    return np.stack([numbers.reshape(-1, width)[:tokens] for numbers in found])


def test_the_page_has_an_example_for_each():
    assert sorted(NAMES) == ["datasets", "datasets", "duckdb", "polars", "pyarrow"]


@pytest.mark.parametrize("block", BLOCKS[1:], ids=NAMES[1:])
def test_an_example_gives_what_our_reader_gives(block, tmp_path):
    np.testing.assert_array_equal(states(block, tmp_path), first_row("teacher.hidden.0-1-2.f16"))


@pytest.mark.parametrize("codec", ["f32", "f16", "bf16", "int8"])
def test_the_example_of_every_codec_gives_what_our_reader_gives(codec, tmp_path):
    block = BLOCKS[0].replace("teacher.hidden.*", f"teacher.hidden.*.{codec}")
    np.testing.assert_array_equal(states(block, tmp_path), first_row(f"teacher.hidden.0-1-2.{codec}"))


def documents() -> list[Path]:
    return [CACHE / "cache.json", *CACHE.glob("*/manifest.json"), *CACHE.glob("*/[0-9]*.json")]


def table(group: Path, shard: dict) -> pa.Table:
    return pa.ipc.open_stream(pa.memory_map(str(group / shard["file"]))).read_all()


@pytest.mark.parametrize("path", documents(), ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_a_document_has_the_digest_that_the_page_tells(path):
    document = json.loads(path.read_text(encoding="utf-8"))
    found = document.pop("digest")
    text = json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    assert found == xxhash.xxh3_128_hexdigest(text.encode())


@pytest.mark.parametrize("path", sorted(CACHE.glob("*/manifest.json")), ids=lambda path: path.parent.name)
def test_shards_are_what_the_page_tells(path):
    manifest = json.loads(path.read_text(encoding="utf-8"))
    bits = json.loads((CACHE / "cache.json").read_text(encoding="utf-8"))["shards"].bit_length() - 1
    rows = json.loads((CACHE / "rows/manifest.json").read_text(encoding="utf-8"))
    for number, shard in enumerate(manifest["shards"]):
        assert json.loads((path.parent / f"{number:05d}.json").read_text(encoding="utf-8")) == shard
        content = (path.parent / shard["file"]).read_bytes()
        assert (len(content), xxhash.xxh3_128_hexdigest(content)) == (shard["bytes"], shard["hash"])
        assert shard["file"] == f"{number:05d}-{shard['hash']}.arrow"
        ids = table(path.parent, shard)["id"].to_numpy()
        assert shard["ids"] == xxhash.xxh3_128_hexdigest(ids.astype("<u8").tobytes())
        found = table(CACHE / "rows", rows["shards"][number]).to_pylist()
        assert {row["origin"] >> (64 - bits) for row in found} == {number}
        assert sorted(found, key=lambda row: (sum(map(len, row["texts"])), row["id"])) == found
        expected = [row["id"] for row in found if "candidates" not in path.parent.name or row["id"] == row["origin"]]
        assert ids.tolist() == expected


def test_scores_come_of_weights_and_inputs_as_the_page_tells():
    """Of the first row, whose hidden states are there to be the blocks' inputs."""
    weights = load_file(CACHE / "teacher.attention_input.1-2.int8/attention_input.safetensors")
    inputs = first_row("teacher.hidden.0-1-2.f32")
    found = answers(Cache(CACHE), Cache(CACHE).group("teacher.attention.1-2.f32"))
    heads = int(weights["heads"])
    for block, expected in zip((1, 2), found.values(), strict=True):
        query, key = (
            (inputs[block - 1] @ weights[f"{block}.{part}.weight"].T + weights[f"{block}.{part}.bias"])
            .reshape(len(inputs[0]), heads, -1)
            .transpose(1, 0, 2)
            for part in ("query", "key")
        )
        scores = query @ key.transpose(0, 2, 1) / np.sqrt(query.shape[2])
        np.testing.assert_allclose(scores.ravel(), expected[: scores.size], rtol=1e-4, atol=1e-5)
