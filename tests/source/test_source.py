"""Rules about the source that no linter knows."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path

import click
import pytest

from arangorep import errors
from arangorep.cli.main import cli
from arangorep.errors import ArangoError

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "arangorep"
MODULES = sorted(PACKAGE.rglob("*.py"))
LINES_MAX = 500


def name_of(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


def imports_of(path: Path) -> set[str]:
    """The modules a file imports."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module)
    return found


def users_of(module: str) -> set[str]:
    return {name_of(path) for path in MODULES if module in imports_of(path)}


def test_only_the_clock_reads_the_time() -> None:
    assert users_of("time") == {"arangorep.clock"}
    # moments are written there, not asked for
    for user in users_of("datetime"):
        assert user.startswith("arangorep.backup.")
        source = (ROOT / (user.replace(".", "/") + ".py")).read_text(encoding="utf-8")
        assert not re.search(r"\b(now|utcnow|today)\(", source)


def test_only_one_module_knows_the_store_library() -> None:
    assert users_of("rocksdict") == {"arangorep.storage.rocks"}


def test_only_the_command_line_reads_the_environment() -> None:
    for path in MODULES:
        assert "os.environ" not in path.read_text(encoding="utf-8"), path


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_a_module_is_small_and_opens_with_a_docstring(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert len(text.splitlines()) <= LINES_MAX
    if text.strip():
        assert ast.get_docstring(ast.parse(text)), "a module says what it is for"


def test_every_module_imports_alone() -> None:
    """In one fresh interpreter each: a circular import would hide behind the first import."""
    script = (
        "import importlib, subprocess, sys\n"
        "for name in sys.argv[1:]:\n"
        "    for known in [m for m in sys.modules if m.split('.')[0] == 'arangorep']:\n"
        "        del sys.modules[known]\n"
        "    importlib.import_module(name)\n"
    )
    names = [name_of(path) for path in MODULES if path.name != "__main__.py"]
    done = subprocess.run(
        [sys.executable, "-c", script, *names], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def test_error_numbers_are_unique_and_documented() -> None:
    classes = [c for c in vars(errors).values() if isinstance(c, type) and c is not ArangoError]
    numbered = [c for c in classes if issubclass(c, ArangoError)]
    assert len({c.error_num for c in numbered}) == len(numbered) > 40
    assert all(c.__doc__ for c in numbered)
    with pytest.raises(TypeError, match="already belongs"):
        type("Twice", (ArangoError,), {"error_num": 1600})


def test_every_error_class_is_raised_somewhere() -> None:
    source = "\n".join(path.read_text(encoding="utf-8") for path in MODULES)
    for name in re.findall(r"^class (\w+)\(ArangoError\)", source, re.MULTILINE):
        assert len(re.findall(rf"\b{name}\b", source)) > 1, f"{name} is never used"


def test_the_documents_name_rooms_commands_and_options() -> None:
    architecture = (ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8")
    for room in sorted(p.name for p in PACKAGE.iterdir() if p.is_dir() and p.name[0] != "_"):
        assert f"`{room}`" in architecture, f"ARCHITECTURE.md does not name {room}"
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    context = click.Context(cli)
    for name in cli.list_commands(context):
        command = cli.get_command(context, name)
        assert command is not None
        assert f"arangorep {name}" in readme, f"README.md does not show {name}"
        for parameter in command.params:
            for option in parameter.opts:
                if option.startswith("--"):
                    assert option in readme, f"README.md does not name {name} {option}"
