"""The product's own source, as tests look at it."""

import ast
import subprocess
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[2]
ROOMS = ("domain", "models", "services", "gateways", "miniapp_api", "bot", "panel", "jobs")
TOOLS = ("simulator", "localstack", "benchmarks")


@cache
def modules(*rooms):
    """All modules of the rooms, or of the whole product with its single files."""
    found = [path for room in rooms or ROOMS for path in (ROOT / room).rglob("*.py")]
    if not rooms:
        found += [ROOT / "settings.py", ROOT / "wsgi.py"]
    assert found
    return sorted(found)


@cache
def tree(path):
    return ast.parse(path.read_text("utf-8"), str(path))


def name(path):
    return path.relative_to(ROOT).as_posix()


def calls(path):
    """Dotted names of everything that is called in a module."""
    return {ast.unparse(node.func) for node in ast.walk(tree(path)) if isinstance(node, ast.Call)}


def imports(path):
    """Top-level names of everything that a module imports."""
    found = set()
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Import):
            found |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module.partition(".")[0])
    return found


def tracked():
    """Every file that belongs to the project, as git sees it: in the index, or new."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    return [line for line in listed.stdout.splitlines() if (ROOT / line).exists()]
