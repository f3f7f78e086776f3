"""The rule of the design: schemas stands alone, augment and distill are strangers, Beam is in pipelines only."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
OURS = ("schemas", "augment", "distill", "pipelines")
MAY_IMPORT = {"schemas": {"schemas"}, "augment": {"schemas", "augment"}, "distill": {"schemas", "distill"}}
HEAVY = {"torch", "transformers", "apache_beam", "accelerate", "datasets", "tokenizers", "gensim", "sklearn", "scipy"}
FILES = [path for folder in OURS for path in sorted((ROOT / folder).rglob("*.py"))]


def imports(path: Path) -> Iterator[tuple[str, int, bool]]:
    """Yield the top-level package of every import, its line, and whether it runs when the module is imported."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    lazy = {
        id(inner)
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda) or is_for_type_checkers(node)
        for inner in ast.walk(node)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"{path}:{node.lineno}: a relative import"
            names = [node.module or ""]
        elif isinstance(node, ast.Call) and ast.unparse(node.func) in ("import_module", "importlib.import_module"):
            names = [ast.unparse(node.args[0]).strip("f'\"")]
        else:
            continue
        for name in names:
            yield name.split(".")[0], node.lineno, id(node) not in lazy


def is_for_type_checkers(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and ast.unparse(node.test).endswith("TYPE_CHECKING")


def test_there_are_files_to_look_at():
    assert {path.relative_to(ROOT).parts[0] for path in FILES} == set(OURS)


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_file_imports_only_what_its_folder_may(path):
    folder = path.relative_to(ROOT).parts[0]
    for package, line, _ in imports(path):
        place = f"{path.relative_to(ROOT)}:{line}: {package}"
        assert package != "tests", place
        if folder in MAY_IMPORT:
            assert package not in OURS or package in MAY_IMPORT[folder], place
            assert package != "apache_beam", place
        if folder == "schemas":
            assert package not in HEAVY, place


def test_schemas_fetches_models_lazily():
    for path in FILES:
        if path.relative_to(ROOT).parts[0] == "schemas":
            assert not [line for package, line, now in imports(path) if now and package == "huggingface_hub"], path


def test_torch_is_in_the_models_of_augment_only():
    """Everything there but the models works on plain values."""
    for path in (ROOT / "augment").rglob("*.py"):
        if path.parent != ROOT / "augment" / "models":
            assert not [line for package, line, _ in imports(path) if package in ("torch", "transformers")], path


@pytest.mark.parametrize("module", ["read", "reader", "examples", "initialise", "sniff", "command", "run"])
def test_reading_and_the_command_line_are_light(module):
    path = ROOT / "pipelines" / f"{module}.py"
    assert not [f"{module}:{line}: {package}" for package, line, now in imports(path) if now and package in HEAVY]


def test_readers_know_no_beam():
    for path in (ROOT / "pipelines" / "readers").glob("*.py"):
        assert not [line for package, line, _ in imports(path) if package in HEAVY], path


def test_nobody_imports_a_script_of_the_benchmarks():
    files = {f"benchmarks.{path.stem}": path.read_text(encoding="utf-8") for path in (ROOT / "benchmarks").glob("*.py")}
    scripts = {name for name, text in files.items() if '__name__ == "__main__"' in text}
    assert "benchmarks.pipeline" in scripts
    for name, text in files.items():
        froms = [node for node in ast.walk(ast.parse(text)) if isinstance(node, ast.ImportFrom)]
        imported = {each for node in froms for each in (node.module, *(f"{node.module}.{a.name}" for a in node.names))}
        assert not imported & scripts, name
