import pytest
from conftest import tokenizer

from distill.tokens import Tokenizer
from schemas.example import Change, Example
from schemas.tokens import NO_ID

TEXT = "a good film was xyz"
PAIR = (TEXT, "the plot")


def encoder(max_length: int = 32) -> Tokenizer:
    return Tokenizer(tokenizer(), "f", max_length)


def masked(texts: tuple[str, ...], *found: tuple[int, str, str]) -> Example:
    """Mask words of a row by text, word and source."""
    changes = [Change(t, texts[t].index(word), texts[t].index(word) + len(word), word, s) for t, word, s in found]
    return Example.original("test", texts, changes=tuple(changes))


def pieces(coder: Tokenizer, ids: list[int]) -> list[str]:
    return coder.backend.convert_ids_to_tokens(ids)


def test_a_mask_is_one_id_and_the_true_one_is_kept():
    coder = encoder()
    found = coder.encode_rows([masked(PAIR, (0, "good", "mask"), (1, "plot", "mask"))])
    (ids,), (segments,) = found.input_ids, found.token_type_ids
    wanted = "[CLS] a [MASK] film was x ##y ##z [SEP] the [MASK] [SEP]"
    assert pieces(coder, ids) == wanted.split()
    assert segments == [0] * 9 + [1] * 3
    assert found.masked_positions == [[2, 10]]
    assert pieces(coder, found.masked_ids[0]) == ["good", "plot"]


@pytest.mark.parametrize("source", ["mask", "random"])
def test_a_word_of_several_pieces_becomes_one(source):
    coder = encoder()
    found = coder.encode_rows([masked(PAIR, (0, "xyz", source))])
    assert len(found.input_ids[0]) == len(coder.encode([PAIR]).input_ids[0]) - 2
    assert len(found.token_type_ids[0]) == len(found.input_ids[0])
    assert (found.masked_positions, found.masked_ids) == ([[5]], [[NO_ID]])


def test_neighbouring_masks_stay_apart():
    coder = encoder()
    found = coder.encode_rows([masked(PAIR, (0, "good", "mask"), (0, "film", "mask"))])
    assert pieces(coder, found.input_ids[0])[1:5] == ["a", "[MASK]", "[MASK]", "was"]


def test_what_is_kept_is_read_as_it_stands():
    coder = encoder()
    found = coder.encode_rows([masked(PAIR, (0, "xyz", "kept"))])
    assert found.input_ids == coder.encode([PAIR]).input_ids
    assert found.masked_positions == [[5, 6, 7]]
    assert pieces(coder, found.masked_ids[0]) == ["x", "##y", "##z"]


def test_a_random_piece_is_ordinary_and_the_same_every_time():
    coder = encoder()
    rows = [masked((f"{TEXT} {number}",), (0, "good", "random")) for number in range(300)]
    found = coder.encode_rows(rows)
    drawn = [ids[2] for ids in found.input_ids]
    assert drawn == [ids[2] for ids in coder.encode_rows(rows).input_ids]
    assert len(set(drawn)) > 60
    assert not set(drawn) & set(coder.backend.all_special_ids)


def test_a_row_without_masks_is_encoded_as_ever():
    coder = encoder()
    rows = [Example.original("test", PAIR), masked(PAIR, (0, "good", "mask")), Example.original("test", PAIR)]
    found, plain = coder.encode_rows(rows), coder.encode([PAIR])
    assert [found.input_ids[0], found.input_ids[2]] == plain.input_ids * 2
    assert found.masked_positions == [[], [2], []]
    assert coder.encode_rows([]) == coder.encode([])


def test_a_mask_in_what_is_cut_is_gone():
    coder = encoder(max_length=6)
    found = coder.encode_rows([masked((TEXT,), (0, "a", "mask"), (0, "xyz", "mask"))])
    assert pieces(coder, found.input_ids[0]) == ["[CLS]", "[MASK]", "good", "film", "was", "[SEP]"]
    assert found.masked_positions == [[1]]
    assert found.cut == 1
