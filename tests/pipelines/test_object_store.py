"""A cache in an object store that speaks S3, on this machine: written, killed, gone on with, and read."""

import json
import multiprocessing
import os
import random
import shutil
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from conftest import cache_hashes, run_yaml
from stages import run_stage
from verbs import distill, good

from schemas.configuration import Configuration
from schemas.digest import file_digest
from schemas.errors import ConfigurationError, IntegrityError, ResourceError
from schemas.load_configuration import load_configuration
from schemas.mirror import ROOT, Mirror
from schemas.store import publish
from schemas.temporary import temporary_beside

moto = pytest.importorskip("moto.server", reason="no server that speaks S3 is installed")
BUCKET = "bucket"


@pytest.fixture(scope="module")
def store() -> Iterator[str]:
    """A server with a bucket; what reaches it stands in the environment, as it would elsewhere."""
    import boto3

    server = moto.ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    with pytest.MonkeyPatch.context() as environment:
        for name, value in {
            "AWS_ACCESS_KEY_ID": "somebody",
            "AWS_SECRET_ACCESS_KEY": "secret",
            "AWS_REGION": "us-east-1",
            "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_ENDPOINT_URL": f"http://{host}:{port}",
        }.items():
            environment.setenv(name, value)
        boto3.client("s3", region_name="us-east-1").create_bucket(Bucket=BUCKET)
        yield f"s3://{BUCKET}"
    server.stop()


@pytest.fixture(scope="module")
def models(teacher_folder, masked_language_model_folder, vectors_file):
    return teacher_folder, masked_language_model_folder, vectors_file


@pytest.fixture(scope="module")
def expected(models, tmp_path_factory) -> dict[str, str]:
    """What the same run leaves in a folder."""
    path = run_yaml(tmp_path_factory.mktemp("folder"), *models)
    good("augment", path)
    good("teach", path)
    return cache_hashes(path.parent / "run/cache")


@pytest.fixture
def elsewhere(store, models, tmp_path, monkeypatch) -> Path:
    """A configuration whose cache lies in the store."""
    monkeypatch.setenv(ROOT, str(tmp_path / "mirrors"))
    path = run_yaml(tmp_path / "job", *models)
    settings = {**json.loads(path.read_text()), "cache": f"{store}/{tmp_path.name}/cache"}
    path.write_text(json.dumps(settings, indent=1))
    return path


@pytest.fixture
def fetched(elsewhere, tmp_path, monkeypatch) -> tuple[Mirror, Path]:
    """Another machine, which has fetched one shard of rows that lie in the store."""
    good("augment", elsewhere)
    monkeypatch.setenv(ROOT, str(tmp_path / "other machine"))
    mirror = mirror_at(load_configuration(elsewhere)).open()
    name = next(each for each in mirror.names(mirror.folder / "rows") if each.endswith(".arrow"))
    path = mirror.folder / "rows" / name
    mirror.get(path)
    return mirror, path


def stored(path: Path, folder: Path) -> dict[str, str]:
    """Fetch all that a cache in the store consists of; return the digests."""
    mirror = mirror_at(load_configuration(path))
    fresh = Mirror(folder, mirror.url).open()
    for name in fresh.names(folder, deep=True):
        fresh.get(folder / name)
    found = cache_hashes(folder)
    shutil.rmtree(folder)
    return {name: digest for name, digest in found.items() if not name.startswith(".")}


def mirror_at(configuration: Configuration) -> Mirror:
    assert configuration.mirror is not None
    return configuration.mirror


def test_a_cache_in_a_store_has_the_bytes_of_one_in_a_folder(elsewhere, expected, tmp_path):
    good("augment", elsewhere)
    good("teach", elsewhere)
    assert stored(elsewhere, tmp_path / "fetched") == expected
    again = good("teach", elsewhere)
    assert "0 rows asked" in again
    mirror = mirror_at(load_configuration(elsewhere)).folder
    assert not list(mirror.glob("teacher.*/*.arrow")), "a worker's disk keeps no shards"


def test_another_machine_trains_from_it_and_verifies_it(elsewhere, tmp_path, monkeypatch):
    good("augment", elsewhere)
    good("teach", elsewhere)
    monkeypatch.setenv(ROOT, str(tmp_path / "other machine"))
    good("train", elsewhere)
    assert "good: rows" in good("verify", elsewhere)


@pytest.mark.parametrize("stage", ["augment", "teach"])
def test_killed_at_random_moments_and_continued(elsewhere, expected, tmp_path, stage):
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["pipelines.augment", "pipelines.teach"])
    moments = random.Random(3)
    if stage == "teach":
        good("augment", elsewhere)
    killed = 0
    for _ in range(3):
        process = context.Process(target=run_stage, args=(str(elsewhere), stage, ()))
        process.start()
        process.join(moments.uniform(0.3, 3))
        if process.exitcode is None:
            os.kill(process.pid or 0, signal.SIGKILL)
            killed += 1
        process.join()
        time.sleep(0.1)
    assert killed, "no attempt was killed"
    if stage == "augment":
        good("augment", elsewhere)
    good("teach", elsewhere)
    assert stored(elsewhere, tmp_path / "fetched") == expected


def test_what_was_changed_in_the_store_is_found(elsewhere, fetched):
    mirror, path = fetched
    before = file_digest(path)
    data = bytearray(path.read_bytes())
    data[-100] ^= 1
    with mirror.place[0].open_output_stream(mirror.key(path)) as sink:
        sink.write(bytes(data))
    # What was fetched while it was good does not hide it.
    verified = distill("verify", elsewhere)
    assert verified.exit_code == IntegrityError.code
    assert f"{mirror.url}/rows/{path.name[:5]}.json" in verified.output
    path.unlink(missing_ok=True)
    with pytest.raises(IntegrityError, match=path.name) as found:
        run_stage(str(elsewhere), "teach")
    assert before in str(found.value)


def test_what_was_damaged_on_this_machine_is_fetched_again(elsewhere, fetched):
    _, path = fetched
    path.write_bytes(b"damaged")
    good("teach", elsewhere)
    assert file_digest(path) == path.stem.partition("-")[2]


def test_two_attempts_of_one_machine_at_the_same_shard(elsewhere, tmp_path):
    mirror = mirror_at(load_configuration(elsewhere)).open()
    path = mirror.folder / "group" / "00000-0.arrow"
    path.parent.mkdir()
    attempts = [temporary_beside(path) for _ in range(2)]
    for attempt in attempts:
        attempt.write_bytes(b"the same")
    for attempt in attempts:
        publish(attempt, path)
    assert mirror.size(path) == len(b"the same")
    assert not list(path.parent.iterdir())


def test_an_address_with_keys_is_refused(elsewhere):
    settings = json.loads(elsewhere.read_text()) | {"cache": "s3://somebody:secret@bucket/cache"}
    elsewhere.write_text(json.dumps(settings))
    refused = distill("augment", elsewhere)
    assert refused.exit_code == ConfigurationError.code
    assert "secret" not in refused.output


def test_a_store_that_does_not_answer_is_said(elsewhere, monkeypatch):
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    with pytest.raises(ResourceError, match="s3://bucket"):
        run_stage(str(elsewhere), "augment")
