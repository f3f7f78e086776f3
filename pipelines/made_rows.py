"""The rows that augmentation left in a cache, and whether they are those that a configuration asks for."""

from pipelines.corpus.proposing import proposing_of
from pipelines.proposers import local_fingerprints
from schemas import rows
from schemas.cache import Cache
from schemas.configuration import Configuration
from schemas.errors import ConfigurationError, IntegrityError
from schemas.group import Group
from schemas.manifest import Manifest


def check_rows(group: Group, manifest: Manifest, configuration: Configuration, read: str) -> None:
    """Refuse rows that are damaged, or made from other files than `read` is the digest of, by other settings, or by
    another masked language model or other vectors."""
    if manifest.settings["read"] != read:
        raise IntegrityError(
            "the rows of the data files as they are now",
            f"{group.path}: rows of other files, or of these before they changed",
            "run `distill augment`: it asks only for the rows that are new",
        )
    for side in manifest.shards:
        group.check_content(side)
    made = {**manifest.settings["proposing"], **manifest.settings["drawing"]}
    wanted = configuration.proposing | configuration.drawing | local_fingerprints(configuration.augment)
    wanted |= proposing_of(configuration) if configuration.data.corpus else {}
    differs = [key for key, value in wanted.items() if made.get(key) != value]
    if differs:
        expected, found = (", ".join(f"{key} {each.get(key)}" for key in differs) for each in (wanted, made))
        raise IntegrityError(
            f"rows made with {expected}, as the configuration says",
            f"{group.path}: made with {found}",
            "run `distill augment` with this configuration",
        )


def rows_group(configuration: Configuration) -> Group:
    """Return the group of rows; raises `ConfigurationError` where there is none."""
    group = Cache(configuration.cache_path).group(rows.NAME)
    if not group.is_published():
        raise ConfigurationError(
            "rows in the cache", f"none in {configuration.cache_path}", "run `distill augment` first"
        )
    return group
