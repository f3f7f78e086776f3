import errno
import os
import subprocess
import sys

import pytest

from schemas.errors import IntegrityError, ResourceError
from schemas.store import locked, publish, remove, resource_errors, stored_text, sweep, write_text
from schemas.temporary import temporary_beside


def test_a_second_holder_is_refused_with_the_first_ones_process(tmp_path):
    code = """
import sys
from pathlib import Path
from schemas.errors import ResourceError
from schemas.store import locked
try:
    with locked(Path(sys.argv[1])):
        print("held")
except ResourceError as error:
    print(error.found)
    sys.exit(error.code)
"""

    def other() -> subprocess.CompletedProcess[str]:
        return subprocess.run([sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, check=False)

    with locked(tmp_path):
        refused = other()
        assert refused.returncode == 7
        assert f"process {os.getpid()} on " in refused.stdout
    assert other().stdout == "held\n"


def test_a_folder_is_free_after_its_holder_was_killed(tmp_path):
    code = """
import os, signal, sys
from pathlib import Path
from schemas.store import locked
with locked(Path(sys.argv[1])):
    os.kill(os.getpid(), signal.SIGKILL)
"""
    subprocess.run([sys.executable, "-c", code, str(tmp_path)], check=False)
    with locked(tmp_path):
        pass


def test_a_file_is_old_or_new_and_never_between(tmp_path, monkeypatch):
    path = tmp_path / "deep" / "a.txt"
    write_text(path, "old")
    seen = []
    replace = os.replace

    def watched(source, target):
        seen.append((path.read_text(), len(list(path.parent.iterdir()))))
        replace(source, target)

    monkeypatch.setattr(os, "replace", watched)
    write_text(path, "new é")
    assert seen == [("old", 2)]
    assert path.read_text(encoding="utf-8") == "new é"

    def full(source, target):
        raise OSError(errno.ENOSPC, "No space left on device", str(target))

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(OSError, match="No space"):
        write_text(path, "lost")
    assert path.read_text(encoding="utf-8") == "new é"
    assert [p.name for p in path.parent.iterdir()] == ["a.txt"]


def test_temporary_names_differ_and_are_swept(tmp_path):
    one, two = (temporary_beside(tmp_path / "00001.arrow") for _ in range(2))
    assert one != two
    for path in (one, two):
        path.write_text("x")
    publish(one, tmp_path / "00001-a.arrow")
    (tmp_path / "00002-b.arrow").write_text("x")
    (tmp_path / "00001.json").write_text("x")
    sweep(tmp_path, keep={"00001-a.arrow"})
    assert sorted(p.name for p in tmp_path.iterdir()) == ["00001-a.arrow", "00001.json"]


def test_a_full_disk_is_named_with_what_is_free(tmp_path):
    with pytest.raises(ResourceError, match="bytes free") as caught, resource_errors(str(tmp_path / "cache")):
        raise OSError(errno.ENOSPC, "No space left on device", "/there/00001.arrow")
    assert "/there/00001.arrow" in caught.value.found


def test_a_missing_permission_is_named(tmp_path):
    with pytest.raises(ResourceError, match=r"missing\.txt"), resource_errors(str(tmp_path)):
        (tmp_path / "missing.txt").read_text()
    with pytest.raises(OSError, match="of its own"), resource_errors(str(tmp_path)):
        raise OSError("of its own")


def test_stored_text_that_is_gone_or_no_text_is_named(tmp_path):
    with pytest.raises(IntegrityError, match=r"a\.json: missing"):
        stored_text(tmp_path / "a.json", "remedy")
    (tmp_path / "a.json").write_bytes(b"\xff")
    with pytest.raises(IntegrityError, match=r"a\.json"):
        stored_text(tmp_path / "a.json", "remedy")


def test_a_full_disk_is_told_also_by_a_library_that_raises_no_system_error(tmp_path):
    code = """
import resource, sys
import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import save_file
from schemas.errors import ResourceError
from schemas.store import resource_errors
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
try:
    with resource_errors(sys.argv[1]):
        save_file({"weights": np.zeros(1000, np.float32)}, sys.argv[1] + "/weights")
except ResourceError as error:
    assert isinstance(error.__cause__, SafetensorError)
    print(error.expected, "|", error.found)
"""
    done = subprocess.run([sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(f"room to write {tmp_path} | {tmp_path}: File too large, ")


def test_other_errors_stay_what_they_are():
    with pytest.raises(ValueError, match="os error"), resource_errors("here"):
        raise ValueError("no number of an os error")


def test_a_folder_in_the_place_of_a_file_is_named(tmp_path):
    folder = tmp_path / "00000.json"
    folder.mkdir()
    with pytest.raises(IntegrityError, match=r"00000\.json: a folder") as caught:
        stored_text(folder, "remedy")
    assert caught.value.remedy == "remedy"
    with pytest.raises(IntegrityError, match=r"00000\.json: a folder"):
        remove(folder)
    with pytest.raises(IntegrityError, match=r"00000\.json: a folder"):
        write_text(folder, "text")
    assert folder.is_dir()
