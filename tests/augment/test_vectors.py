import gzip
import os
import pickle
from pathlib import Path

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from augment import vectors as module
from augment.vector_file import read
from augment.vectors import Vectors, prepare
from schemas.errors import IntegrityError, ModelError

LINES = ["film 1 0 0", "movie 0.9 0.1 0", "picture 0.8 0 0.1", "bad -1 0 0", ". . . 0 1 0", "zero 0 0 0", "tie 2 0 0"]


def write(path: Path, lines: list[str] = LINES) -> Path:
    path.write_text("".join(line + "\n" for line in lines), encoding="utf-8")
    return path


def random_vectors(words: int, width: int, seed: int) -> Vectors:
    draw = np.random.default_rng(seed)
    matrix = draw.normal(size=(words, width)).astype(np.float32)
    matrix /= np.linalg.norm(matrix, axis=1, keepdims=True)
    names = [f"w{i}" for i in range(words)]
    return Vectors(names, matrix, {name: i for i, name in enumerate(names)})


def brute_force(vectors: Vectors, word: str, top: int) -> list[tuple[str, float]]:
    own = vectors.vectors[vectors.index[word]].astype(np.float64)
    cosines = [float(np.float32(np.dot(other.astype(np.float64), own))) for other in vectors.vectors]
    order = sorted((i for i in range(len(cosines)) if i != vectors.index[word]), key=lambda i: (-cosines[i], i))
    return [(vectors.words[i], cosines[i]) for i in order[:top]]


# Files


def test_glove_text_is_read(tmp_path):
    words, matrix = read(write(tmp_path / "glove.txt"), 100)
    assert words == ["film", "movie", "picture", "bad", ". . .", "zero", "tie"]
    assert matrix.dtype == np.float32
    assert matrix[1].tolist() == np.float32([0.9, 0.1, 0]).tolist()


def test_only_the_first_rows_are_read(tmp_path):
    assert read(write(tmp_path / "glove.txt", [*LINES[:3], "broken"]), 3)[0] == ["film", "movie", "picture"]


def test_zipped_text_and_word2vec_text_are_the_same(tmp_path):
    plain = read(write(tmp_path / "glove.txt"), 100)
    zipped = tmp_path / "glove.txt.gz"
    zipped.write_bytes(gzip.compress((tmp_path / "glove.txt").read_bytes()))
    headed = write(tmp_path / "word2vec.txt", ["7 3", *(line + " " for line in LINES)])
    for words, matrix in (read(zipped, 100), read(headed, 100)):
        assert words == plain[0]
        assert np.array_equal(matrix, plain[1])


def test_words_may_hold_any_space_but_a_line_feed(tmp_path):
    assert read(write(tmp_path / "glove.txt", ["a 1 2", "\x85 1 2", "b\u2028c 1 2", "\xa0 3 4"]), 9)[0][1:] == [
        "\x85",
        "b\u2028c",
        "\xa0",
    ]


def test_gensims_files_are_read(tmp_path):
    from gensim.models import KeyedVectors

    words, matrix = read(write(tmp_path / "glove.txt"), 100)
    words = [word.replace(" ", "") for word in words]
    stored = KeyedVectors(3)
    stored.add_vectors(words, matrix)
    stored.save(str(tmp_path / "small.kv"))
    stored.save(str(tmp_path / "gensim.model"))
    stored.save(str(tmp_path / "large.kv"), separately=["vectors"])
    stored.save_word2vec_format(str(tmp_path / "word2vec.bin"), binary=True)
    assert (tmp_path / "large.kv.vectors.npy").is_file()
    for name in ("small.kv", "gensim.model", "large.kv", "word2vec.bin"):
        found_words, found = read(tmp_path / name, 5)
        assert found_words == words[:5]
        assert np.array_equal(found, matrix[:5])


class Canary:
    """Writes a file when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self):
        return os.mkdir, (str(self.path),)


def test_a_pickle_of_anything_else_is_refused_and_not_run(tmp_path):
    (tmp_path / "evil.kv").write_bytes(pickle.dumps(Canary(tmp_path / "ran")))
    with pytest.raises(ModelError, match=r"posix\.mkdir"):
        read(tmp_path / "evil.kv", 10)
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize(
    ("content", "place", "reason"),
    [
        (b"film 1 2\nbad 1\n", ":2:", "a word and 2 numbers"),
        (b"film 1 2\nbad 1 2 x\n", ":2:", "could not convert"),
        (b"film 1 2\n\nbad 1 2\nfilm 1 2\n", ":4:", "`film` again, as in line 1"),
        (b"film 1 2\nb\xe9d 1 2\n", ":2:", "UTF-8"),
        (b"film 1 2\nbad 1 nan\n", ":2:", "finite numbers"),
        (b"film 1 2\nbad 1 1e60\n", ":2:", "finite numbers"),
        (b"film\n", ":1:", "a word and its numbers"),
        (b"", ":1:", "a word and its numbers"),
        (b"3 2\nfilm 1 2\n", ":", "3 words, as line 1 says"),
        (b"3 2\n", ":", "3 words, as line 1 says"),
    ],
)
def test_errors_name_file_and_line(tmp_path, content, place, reason):
    path = tmp_path / "glove.txt"
    path.write_bytes(content)
    with pytest.raises(ModelError) as caught:
        read(path, 100)
    assert f"{path}{place}" in caught.value.found
    assert reason in str(caught.value)


def test_half_a_zipped_file_is_refused(tmp_path):
    path = tmp_path / "glove.txt.gz"
    path.write_bytes(gzip.compress(os.urandom(50_000).hex().encode())[:20_000])
    with pytest.raises(ModelError, match="a whole gzip file"):
        read(path, 100)


@pytest.mark.parametrize("name", ["cut.kv", "cut.bin"])
def test_half_a_binary_file_is_refused(tmp_path, name):
    (tmp_path / name).write_bytes(b"\x80\x04\x95" if name == "cut.kv" else b"2 3\nfilm \0\0")
    with pytest.raises(ModelError):
        read(tmp_path / name, 10)


# Preparation


def test_vectors_are_prepared_once_and_mapped(tmp_path, monkeypatch):
    source = write(tmp_path / "glove.txt")
    folder = prepare(source, tmp_path / "cache", 100)
    monkeypatch.setattr(module, "read", lambda *_: pytest.fail("read again"))
    assert prepare(source, tmp_path / "cache", 100) == folder
    loaded = Vectors.load(folder)
    assert isinstance(loaded.vectors, np.memmap)
    assert loaded.words == ["film", "movie", "picture", "bad", ". . .", "tie"]
    assert np.linalg.norm(loaded.vectors, axis=1) == pytest.approx(np.ones(6))
    assert [path.name for path in (tmp_path / "cache").iterdir()] == [folder.name]


def test_another_file_or_number_of_rows_is_another_folder(tmp_path):
    source = write(tmp_path / "glove.txt")
    one, two = prepare(source, tmp_path, 100), prepare(source, tmp_path, 4)
    three = prepare(write(source, LINES[:-1]), tmp_path, 100)
    assert len({one, two, three}) == 3
    assert len(Vectors.load(two).words) == 4


def test_a_failed_preparation_leaves_nothing(tmp_path, monkeypatch):
    def fail(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device", "vectors.npy")

    monkeypatch.setattr(np, "save", fail)
    with pytest.raises(Exception, match="free space"):
        prepare(write(tmp_path / "glove.txt"), tmp_path / "cache", 100)
    assert list((tmp_path / "cache").iterdir()) == []


def test_whoever_is_second_takes_the_firsts_folder(tmp_path, monkeypatch):
    source = write(tmp_path / "glove.txt")
    expected = prepare(source, tmp_path / "other", 100).name
    again = module.read

    def overtaken(*arguments):
        monkeypatch.setattr(module, "read", again)
        prepare(source, tmp_path / "cache", 100)
        return again(*arguments)

    monkeypatch.setattr(module, "read", overtaken)
    assert prepare(source, tmp_path / "cache", 100).name == expected
    assert [path.name for path in (tmp_path / "cache").iterdir()] == [expected]


def test_damaged_folders_are_refused(tmp_path):
    folder = prepare(write(tmp_path / "glove.txt"), tmp_path, 100)
    (folder / "words.json").write_text('["film"]')
    with pytest.raises(IntegrityError, match="1 words"):
        Vectors.load(folder)
    (folder / "vectors.npy").write_bytes(b"")
    with pytest.raises(IntegrityError):
        Vectors.load(folder)
    with pytest.raises(IntegrityError):
        Vectors.load(tmp_path / "nowhere")


# Neighbours


def test_neighbours_are_the_nearest_words_without_the_word(tmp_path):
    vectors = Vectors.load(prepare(write(tmp_path / "glove.txt"), tmp_path, 100))
    found = vectors.neighbours(["film", "unknown", "zero", "film"], 3)
    assert list(found) == ["film"]
    assert [word for word, _ in found["film"]] == ["tie", "movie", "picture"]
    assert found["film"][0][1] == 1.0


def test_asking_for_more_than_there_are_gives_all_others(tmp_path):
    vectors = Vectors.load(prepare(write(tmp_path / "glove.txt"), tmp_path, 100))
    assert [word for word, _ in vectors.neighbours(["film"], 99)["film"]] == ["tie", "movie", "picture", ". . .", "bad"]
    alone = Vectors.load(prepare(write(tmp_path / "one.txt", ["film 1 0"]), tmp_path, 100))
    assert alone.neighbours(["film"], 5) == {"film": []}


@settings(max_examples=40)
@example(words=31, width=1, top=1, block=1, asked=[0])
@given(
    words=st.integers(2, 200),
    width=st.integers(1, 20),
    top=st.integers(1, 30),
    block=st.integers(1, 2000),
    asked=st.lists(st.integers(0, 220), max_size=20),
)
def test_neighbours_are_those_of_brute_force(words, width, top, block, asked):
    vectors = random_vectors(words, width, seed=words)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "BLOCK", block)
        found = vectors.neighbours([f"w{i}" for i in asked], top)
    for word, near in found.items():
        expected = brute_force(vectors, word, top)
        assert [score for _, score in near] == pytest.approx([score for _, score in expected], abs=1e-6)
        # Two ways to add up may differ in the last bit, and so in the order of what is as good as equal.
        distinct = {round(score, 5) for _, score in expected}
        assert len(distinct) < len(expected) or [name for name, _ in near] == [name for name, _ in expected]
    assert set(found) == {f"w{i}" for i in asked if i < words}


def test_an_answer_does_not_depend_on_its_company():
    names = [f"w{i}" for i in range(300)]
    together = random_vectors(3000, 100, 1).neighbours(names, 15)
    alone, reverse = random_vectors(3000, 100, 1), random_vectors(3000, 100, 1)
    assert {name: alone.neighbours([name], 15)[name] for name in names} == together
    assert reverse.neighbours(names[::-1][:77], 15) == {name: together[name] for name in names[::-1][:77]}


def test_what_was_asked_is_remembered(monkeypatch):
    vectors = random_vectors(50, 4, 2)
    first = vectors.neighbours(["w1", "w2"], 5)
    monkeypatch.setattr("augment.vectors.shortlists", lambda *_: pytest.fail("computed again"))
    assert vectors.neighbours(["w2", "w1"], 5) == first
