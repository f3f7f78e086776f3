"""Groups: vertical slices of a cache, each cut into the same shards of rows."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from schemas.digest import file_digest, ids_digest
from schemas.errors import IntegrityError
from schemas.manifest import Manifest, SideFile
from schemas.shard_writer import ShardWriter, side_path
from schemas.store import (
    address,
    bring,
    let_go,
    names_in,
    remove,
    size_of,
    stored_text,
    sweep,
    write_text,
)

MANIFEST = "manifest.json"
ID = pa.field("id", pa.uint64(), nullable=False)


@dataclass(frozen=True)
class Group:
    """A folder of shard files, their side files, and one manifest."""

    path: Path

    @property
    def name(self) -> str:
        """Name of the group inside its cache, such as `teacher.hidden.0-3-6.f16`."""
        return self.path.name

    @property
    def remedy(self) -> str:
        """What to do about anything wrong in this group."""
        return (
            f"delete {address(self.manifest_path())} and run the command that wrote it again: shards that are good are "
            "not made anew"
        )

    def remedy_for(self, side: SideFile) -> str:
        """What to do about one damaged shard."""
        return (
            "run `distill verify --repair` with the same configuration, or delete "
            f"{address(self.side_path(side.shard))} and {address(self.manifest_path())} and run the command that wrote "
            "them again: only that shard is made anew"
        )

    def side_path(self, shard: int) -> Path:
        """Path of a shard's side file, whose presence is the shard's commit."""
        return side_path(self.path, shard)

    def manifest_path(self) -> Path:
        """Path of the manifest, whose presence is the group's commit."""
        return self.path / MANIFEST

    def is_published(self) -> bool:
        """Whether the manifest is there."""
        return size_of(self.manifest_path()) is not None

    # Writing

    def writer(self, shard: int, schema: pa.Schema) -> ShardWriter:
        """Return a writer for one shard; any number of attempts, in turn or at once, end in equally valid files."""
        return ShardWriter(self.path, shard, schema)

    def publish_manifest(self, settings: dict[str, Any], shards: int) -> Manifest:
        """Merge the side files of shards 0 to `shards` into the manifest, and remove what they do not name."""
        sides = tuple(SideFile.read(self.side_path(shard), self.remedy) for shard in range(shards))
        for shard, side in enumerate(sides):
            if side.shard != shard:
                raise IntegrityError(f"shard {shard}", f"{self.side_path(shard)}: shard {side.shard}", self.remedy)
            self.check_size(side)
        manifest = Manifest(group=self.name, settings=settings, shards=sides).seal()
        self.write_dataset_files(manifest)
        manifest.write(self.manifest_path())
        sweep(self.path, keep={side.file for side in sides})
        return manifest

    def write_dataset_files(self, manifest: Manifest) -> None:
        """Write what `datasets` opens the group by."""
        for name, text in dataset_files(manifest).items():
            write_text(self.path / name, text)

    def has_dataset_files(self, manifest: Manifest) -> bool:
        """Whether what `datasets` opens the group by is there, as it was written."""
        try:
            return all(stored_text(self.path / name, "") == text for name, text in dataset_files(manifest).items())
        except IntegrityError:
            return False

    def forget(self, shard: int) -> None:
        """Remove a shard and the manifest that names it, so that the stage that wrote it makes it anew."""
        remove(self.side_path(shard))
        remove(self.manifest_path())
        for name in names_in(self.path):
            if name.startswith(f"{shard:05d}-"):
                remove(self.path / name)

    # Reading

    def committed(self, shard: int) -> SideFile | None:
        """Return a shard's side file, `None` where there is none that can be read: then the shard was not written.

        Raises `IntegrityError` where the shard was written and is not any more what was written, `NewerFormatError`
        where a later version wrote it.
        """
        try:
            side = SideFile.read(self.side_path(shard), self.remedy)
        except IntegrityError:
            return None
        self.check_size(side)
        # One that lies in an object store is fetched, and checked, only by those who read it.
        if (self.path / side.file).exists():
            self.check_content(side)
        return side

    def manifest(self) -> Manifest:
        """Read the manifest and check that every file it names has the size it says."""
        manifest = Manifest.read(self.manifest_path(), self.remedy)
        if manifest.group != self.name:
            raise IntegrityError(f"the manifest of {self.name}", f"{self.path}: that of {manifest.group}", self.remedy)
        for side in manifest.shards:
            self.check_size(side)
        return manifest

    def check_side(self, side: SideFile) -> None:
        """Refuse a side file that is not the one the manifest was made from."""
        if SideFile.read(self.side_path(side.shard), self.remedy_for(side)) != side:
            found = f"{self.side_path(side.shard)}: another one"
            raise IntegrityError("the side file that the manifest holds", found, self.remedy_for(side))

    def strangers(self, manifest: Manifest) -> list[Path]:
        """Return the files of the folder that the manifest knows nothing of."""
        known = {MANIFEST, "state.json", "dataset_info.json"}
        known |= manifest.settings.get("weights", {}).keys()
        known |= {side.file for side in manifest.shards} | {self.side_path(s.shard).name for s in manifest.shards}
        return [self.path / name for name in names_in(self.path) if name not in known and not name.endswith(".tmp")]

    def check_size(self, side: SideFile) -> None:
        """Refuse a shard file that is missing or has another size than was written."""
        file = self.path / side.file
        size = size_of(file)
        if size is None:
            raise IntegrityError("the shard file to be there", f"{file}: missing", self.remedy_for(side))
        if size != side.bytes:
            raise IntegrityError(f"{side.bytes:,} bytes", f"{file}: {size:,} bytes", self.remedy_for(side))

    def check_content(self, side: SideFile) -> None:
        """Refuse a shard file whose bytes are not those that were written."""
        file = self.path / side.file
        self.check_size(side)
        found = file_digest(bring(file, side.hash))
        if found != side.hash:
            raise IntegrityError(f"content with digest {side.hash}", f"{file}: {found}", self.remedy_for(side))

    def let_go(self, manifest: Manifest) -> None:
        """Remove what was fetched of a group that is elsewhere, so that what is there is checked."""
        for name in (*(side.file for side in manifest.shards), *manifest.settings.get("weights", {})):
            let_go(self.path / name)

    def check_weights(self, manifest: Manifest) -> None:
        """Refuse files beside the shards whose bytes are not those that the manifest knows."""
        for name, expected in manifest.settings.get("weights", {}).items():
            path = self.path / name
            found = file_digest(path) if bring(path, expected).is_file() else "missing"
            if found != expected:
                raise IntegrityError(f"content with digest {expected}", f"{path}: {found}", self.remedy)

    def open_shard(self, side: SideFile, schema: pa.Schema | None = None) -> tuple[pa.Buffer, list[pa.RecordBatch]]:
        """Check a shard, map it into memory and return the map and its record batches, which are views of the map.

        With a `schema`, a shard of other columns is refused.
        """
        self.check_content(side)
        file = self.path / side.file
        # Maps of ours would hold a descriptor each for as long as they live, of which a process has few.
        with pa.memory_map(str(file)) as source:
            view = source.read_buffer()
        try:
            batches = list(pa.ipc.open_stream(view))
            for batch in batches:
                batch.validate(full=True)
        except (pa.ArrowInvalid, OSError) as error:
            raise IntegrityError("a valid Arrow stream", f"{file}: {error}", self.remedy) from None
        for batch in batches:
            if schema is not None and not batch.schema.equals(schema):
                raise IntegrityError(f"columns {schema.names} of their types", f"{file}: others", self.remedy)
        ids = np.concatenate([np.empty(0, np.uint64), *(batch.column("id").to_numpy() for batch in batches)])
        if len(ids) != side.rows or ids_digest(ids) != side.ids:
            raise IntegrityError(f"the {side.rows} rows it was written with", f"{file}: other rows", self.remedy)
        return view, batches

    def schema(self, manifest: Manifest) -> pa.Schema:
        """Return the columns of the group, as its first shard has them."""
        with pa.OSFile(str(bring(self.path / manifest.shards[0].file))) as file:
            return pa.ipc.open_stream(file).schema

    def read_shard(self, side: SideFile) -> pa.Table:
        """Check a shard and return it as one table without copying."""
        view, batches = self.open_shard(side)
        if batches:
            return pa.Table.from_batches(batches)
        return pa.ipc.open_stream(view).read_all()


def dataset_files(manifest: Manifest) -> dict[str, str]:
    """Return the files by which `datasets` opens a group without a copy, by name."""
    state = {
        "_data_files": [{"filename": side.file} for side in manifest.shards],
        "_fingerprint": manifest.digest[:16],
        "_format_columns": None,
        "_format_kwargs": {},
        "_format_type": None,
        "_output_all_columns": False,
        "_split": "train",
    }
    return {"dataset_info.json": "{}\n", "state.json": json.dumps(state, indent=1) + "\n"}
