import sys

import pytest
from conftest import copies_of

from augment.eligibility import Eligibility
from augment.proposers import Proposers
from augment.strategy import Setting, check_strategies, load_strategy, strategy_files, strategy_names
from schemas.configuration import Augmentation
from schemas.errors import ConfigurationError
from schemas.example import Example

OWN = '''
"""Says everything twice."""

from augment.draw import Drawn
from schemas import rows
from schemas.example import Change

NEEDS = ()


class Twice:
    def __init__(self, times):
        self.times = times

    def propose(self, examples):
        return [() for _ in examples]

    def grow(self, examples, positions):
        for example in examples:
            text = example.texts[0]
            more = " " + " ".join([text] * self.times)
            change = Change(0, len(text), len(text) + len(more), "", "twice")
            copy = example.copy((text + more,), strategy="twice", draw=0, changes=(change,))
            yield rows.copies_to_batch([copy]), Drawn(trials=1)


def load(setting, *, times: int = 1):
    return Twice(times)
'''


@pytest.fixture
def own(tmp_path, monkeypatch) -> str:
    """A strategy of the user's, outside the repository."""
    (tmp_path / "own_strategies").mkdir()
    (tmp_path / "own_strategies" / "__init__.py").write_text("")
    (tmp_path / "own_strategies" / "twice.py").write_text(OWN)
    monkeypatch.syspath_prepend(tmp_path)
    yield "own_strategies.twice"
    for name in [name for name in sys.modules if name.startswith("own_strategies")]:
        del sys.modules[name]


def settings(**values) -> Augmentation:
    return Augmentation(**{"masked_language_model": "bert", **values})


def test_the_folder_is_the_list():
    assert strategy_names() == ["evolving", "tang", "tinybert"]
    for name in strategy_names():
        check_strategies(settings(strategy=name))


def test_a_strategy_may_come_from_outside(own):
    chosen = settings(strategy=["tang", own], dials={own: {"times": 2}}, masked_language_model=None)
    check_strategies(chosen)
    loaded = load_strategy(own, Setting(chosen, Proposers(None, None), Eligibility(), 0))
    row = Example.original("test", ("ha",))
    ((copy,),) = copies_of(loaded.grow([row], [()]), [row])
    assert copy.texts == ("ha ha ha",)
    assert len(strategy_files(chosen)[own]) == 1
    assert strategy_files(chosen)["tang"] == []


@pytest.mark.parametrize("name", ["tinybrt", "no.such.module", "json"])
def test_an_unknown_strategy_is_named(name):
    with pytest.raises(ConfigurationError, match=rf"augment\.strategy: `{name}`"):
        check_strategies(settings(strategy=[name]))


def test_a_module_that_is_none_is_refused():
    with pytest.raises(ConfigurationError, match="lacks them"):
        check_strategies(settings(strategy=["json.decoder"]))


def test_dials_are_checked():
    with pytest.raises(ConfigurationError, match=r"augment\.dials\.tang: `masks`"):
        check_strategies(settings(strategy="tang", dials={"tang": {"masks": 0.1}}))
    with pytest.raises(ConfigurationError, match=r"augment\.dials: `tang`"):
        check_strategies(settings(dials={"tang": {"mask": 0.1}}))


def test_a_model_that_is_needed_must_be_named():
    with pytest.raises(ConfigurationError, match=r"the strategy evolving needs"):
        check_strategies(settings(strategy=["tang", "evolving"], masked_language_model=None))


@pytest.mark.parametrize(("dial", "value"), [("mask", "lots"), ("mask", 3), ("n_gram", -0.5), ("tagger", 3)])
def test_a_dial_of_another_type_or_out_of_range_is_refused(dial, value):
    with pytest.raises(ConfigurationError, match=rf"augment\.dials\.tang\.{dial}: `"):
        check_strategies(settings(strategy="tang", dials={"tang": {dial: value}}))
