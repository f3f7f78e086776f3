import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.cache import Cache, default_shards, shard_of
from schemas.errors import ConfigurationError, IntegrityError

ids = st.integers(0, 2**64 - 1)
powers = st.integers(0, 16).map(lambda exponent: 1 << exponent)


@given(ids, powers)
def test_doubling_splits_every_shard_in_two(origin, shards):
    shard = shard_of(origin, shards)
    assert 0 <= shard < shards
    assert shard_of(origin, 2 * shards) // 2 == shard


@given(st.lists(ids, unique=True), powers)
def test_shards_follow_the_order_of_ids(origins, shards):
    found = [shard_of(origin, shards) for origin in sorted(origins)]
    assert found == sorted(found)


@given(st.integers(0, 10**9))
def test_shards_are_a_power_of_two_with_enough_originals_each(originals):
    shards = default_shards(originals)
    assert shards & (shards - 1) == 0
    assert 1 <= shards <= 65536
    assert shards == 1 or originals / shards >= 256
    assert shards == 65536 or originals / shards < 512


def test_a_layout_is_chosen_once(tmp_path):
    cache = Cache(tmp_path / "cache")
    assert cache.layout() is None
    assert cache.choose_layout("name", 10_000, None).shards == 32
    chosen = cache.layout()
    # More rows later do not move the ones that are there.
    assert cache.choose_layout("name", 1_000_000, None) == chosen
    assert cache.choose_layout("name", 5, 32) == chosen
    for name, shards in (("other", None), ("name", 64)):
        with pytest.raises(ConfigurationError):
            cache.choose_layout(name, 10_000, shards)


def test_a_damaged_layout_is_named(tmp_path):
    cache = Cache(tmp_path)
    cache.choose_layout("name", 0, 4)
    path = tmp_path / "cache.json"
    path.write_text(path.read_text().replace('"shards": 4', '"shards": 8').replace('"shards":4', '"shards":8'))
    with pytest.raises(IntegrityError, match=r"cache\.json"):
        cache.layout()
