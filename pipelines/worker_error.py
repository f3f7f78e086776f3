"""What goes wrong in a worker, carried home through whatever a runner makes of exceptions."""

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager

from pipelines.ground import version_of
from schemas.errors import KINDS, ConfigurationError, DistillError, ResourceError

MARK = "offline-distill-error"
UNKNOWN = re.compile(
    r"No module named '(?:schemas|augment|distill|pipelines"
    r"|apache_beam|torch|transformers|tokenizers|numpy|pyarrow)\b[^']*'"
    r"|Can't get attribute '[^']*' on [^\n]*"
)
"""What Python says of a job that was made with other packages."""


@contextmanager
def errors_sent_home() -> Iterator[None]:
    """Wrap our errors so that any runner carries them to the submitter, whatever it does to exceptions."""
    try:
        yield
    except DistillError as error:
        parts = {"code": error.code, "expected": error.expected, "found": error.found, "remedy": error.remedy}
        raise RuntimeError(f"{MARK}{json.dumps(parts)}") from error


def brought_home(error: Exception) -> Exception:
    """Return our error out of whatever a runner made of it, or the runner's own."""
    for found in re.finditer(re.escape(MARK), text := str(error)):
        try:
            parts, _ = json.JSONDecoder().raw_decode(text, found.end())
        except ValueError:
            continue
        code = parts.pop("code")
        return next(kind for kind in KINDS if kind.code == code)(**parts)
    if missing := UNKNOWN.search(text):
        return ConfigurationError(
            f"offline-distill {version_of('offline-distill')} on every worker, as where the job was submitted",
            missing.group(0),
            "install the same package there, in the environment that the workers run in",
        )
    if "MemoryError" in text or "Cannot allocate memory" in text:
        return ResourceError("enough memory", text.splitlines()[-1], "lower `batch_tokens` or `workers.count`")
    return error
