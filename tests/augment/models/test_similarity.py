import pytest
import torch
from conftest import configuration, save
from transformers import BertModel

from augment.models.similarity import Similarity

ORIGINAL = ("a good film", "the plot")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    torch.manual_seed(4)
    return save(BertModel(configuration()), tmp_path_factory.mktemp("encoder"))


def test_a_copy_that_says_the_same_is_as_near_as_can_be(folder):
    judge = Similarity.load(folder, 0.999, 1)
    same, other = ("A good film", "the plot"), ("a good film", "bad awful music , zqx")
    assert judge.near(ORIGINAL, [same, other]) == [True, False]


def test_every_text_of_a_pair_counts(folder):
    cosines = Similarity.load(folder, 0.0, 1).cosines(["a good film", "a bad film", "zqx", "a good film"]).tolist()
    assert cosines[2] == pytest.approx(1.0, abs=1e-5)
    assert cosines[1] < cosines[0] < 1
    least = (cosines[0] + cosines[1]) / 2
    pairs = [("a bad film", "the plot"), ("zqx", "the plot")]
    assert Similarity.load(folder, least, 1).near(ORIGINAL, pairs) == [True, False]


def test_no_copies_are_no_work(folder):
    assert Similarity.load(folder, 0.5, 1).near(ORIGINAL, []) == []
