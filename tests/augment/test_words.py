import unicodedata
from itertools import pairwise

import pytest
import tokenizers
from conftest import tokenizer
from hypothesis import example, given
from hypothesis import strategies as st
from tokenizers import decoders, models, normalizers, pre_tokenizers

from augment.eligibility import Eligibility
from augment.stop_words import ENGLISH
from augment.words import form, literal, split

BACKEND = literal(tokenizer())

AWKWARD = "A [MASK] b\t[SEP] DON'T cafe\u0301s café naïve 中文 😀x ❤️ co\u00adoperate zero\u200bwidth well-known"


def written(text: str) -> list[str]:
    return [word.text for word in split(BACKEND, [text])[0].words]


def test_stop_words_are_those_of_the_reference():
    assert len(ENGLISH) == 173
    assert {"the", "don", "'s", "'re"} <= ENGLISH
    assert not {"who", "how", "film"} & ENGLISH


def test_words_are_split_at_spaces_and_punctuation():
    assert written("The film,isn't\tbad!") == ["The", "film", ",", "isn", "'", "t", "bad", "!"]


def test_what_looks_like_a_special_token_is_text():
    assert written("a [MASK] [SEP]x") == ["a", "[", "MASK", "]", "[", "SEP", "]", "x"]
    special = {BACKEND.token_to_id(name) for name in ("[MASK]", "[SEP]", "[CLS]", "[PAD]")}
    assert not special & set(split(BACKEND, ["a [MASK] [SEP] [CLS][PAD]"])[0].pieces)


def test_accents_belong_to_their_word_however_they_are_written():
    for text in ("un café bon", "un cafe\u0301 bon"):
        word = split(BACKEND, [text])[0].words[1]
        assert (word.text, word.form) == (text[3:-4], "cafe")


def test_pieces_are_counted_without_special_tokens():
    first, film, long, last = split(BACKEND, ["a film zqx bad"])[0].words
    assert [(each.piece, each.pieces) for each in (first, film, long, last)] == [(0, 1), (1, 1), (2, 3), (5, 1)]


def test_words_of_other_alphabets_and_symbols_are_not_eligible():
    eligible = [word.form for word in split(BACKEND, [AWKWARD])[0].words if Eligibility().may_replace(word)]
    assert eligible == ["mask", "b", "sep", "cafes", "cafe", "naive", "cooperate", "zerowidth", "well", "known"]


@pytest.mark.parametrize("text", ["the", "The", "it's", "3d", "a1", "", "中", "ß", "…"])
def test_stop_words_numbers_and_symbols_are_not_eligible(text):
    assert not any(Eligibility().may_replace(word) for word in split(BACKEND, [text])[0].words if len(word.text) > 1)


@given(st.text())
@example(AWKWARD)
@example("")
def test_words_stand_where_they_say_in_order(text):
    words = split(BACKEND, [text])[0].words
    assert all(text[word.start : word.end] == word.text and word.text for word in words)
    assert all(word.form == form(word.text) for word in words)
    assert all(a.end <= b.start and a.piece + a.pieces <= b.piece for a, b in pairwise(words))


@given(st.lists(st.text(), max_size=4))
def test_texts_do_not_disturb_each_other(texts):
    assert split(BACKEND, texts) == [split(BACKEND, [text])[0] for text in texts]


@given(st.text())
def test_forms_have_no_accents(text):
    assert not any(unicodedata.category(character) == "Mn" for character in form(text))


def test_pieces_that_begin_with_a_space_are_words_without_it():
    """A byte-level tokenizer, as RoBERTa has, whose spaces belong to pieces."""
    pieces = ["Ġgood", "Ġ", "g", "o", "d", "Ġbad", ".", "b", "a", "Ġa", "Ġg"]
    backend = tokenizers.Tokenizer(models.BPE({piece: i for i, piece in enumerate(pieces)}, [], ignore_merges=True))
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=True)
    backend.decoder = decoders.ByteLevel()
    words = split(backend, ["good bad."])[0].words
    assert [(word.text, word.pieces) for word in words] == [("good", 1), ("bad", 1), (".", 1)]


def test_punctuation_ends_a_word_also_inside_one_of_the_tokenizer():
    """A tokenizer that splits at spaces only, as sentence pieces do."""
    backend = tokenizers.Tokenizer(models.WordPiece({"[UNK]": 0, "good": 1, "##.": 2, "##bad": 3, "##ly": 4}))
    backend.normalizer = normalizers.Lowercase()
    backend.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    words = split(backend, ["Goodly.bad good"])[0].words
    assert [(word.text, word.piece, word.pieces) for word in words] == [
        ("Goodly", 0, 2),
        (".", 2, 1),
        ("bad", 3, 1),
        ("good", 4, 1),
    ]
