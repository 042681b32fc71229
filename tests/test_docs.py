"""Every complete program in the docs runs, and every link leads somewhere."""

from __future__ import annotations

import ast
import functools
import re
import subprocess
import sys
from pathlib import Path

import pytest

import reactive_config

ROOT = Path(__file__).parent.parent
PAGES = sorted((ROOT / "docs").glob("*.md"))


def programs():
    """Those that a page names as a file, or that another library runs, have tests of their own."""
    for page in PAGES:
        for number, text in enumerate(re.findall(r"(?<!-->\n)```python\n(.*?)```", page.read_text(), re.DOTALL), 1):
            if "asyncio.run(" in text:
                yield pytest.param(text, id=f"{page.name}-{number}")


@pytest.mark.parametrize("program", list(programs()))
def test_a_program_of_the_docs_runs(program, tmp_path):
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", program], cwd=tmp_path, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_the_links_of_a_page_lead_somewhere(page):
    for target in re.findall(r"\]\((?!http)([^)#]+)\)", page.read_text()):
        assert (page.parent / target).exists(), target


GLOSSARY = (ROOT / "docs/glossary.md").read_text()
PACKAGE = Path(reactive_config.__file__).parent


@functools.cache
def names_in(file):
    """What a file defines: classes and functions with what stands in them, as `Class.name` too, and variables."""
    found = set()

    def visit(node, prefix):
        for child in ast.iter_child_nodes(node):
            inner = prefix
            if isinstance(child, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
                found.add(prefix + child.name)
                inner = f"{child.name}." if isinstance(child, ast.ClassDef) else prefix
            elif isinstance(child, ast.Assign | ast.AnnAssign):
                for target in child.targets if isinstance(child, ast.Assign) else [child.target]:
                    for name in ast.walk(target):
                        if isinstance(name, ast.Name | ast.Attribute):
                            found.add(prefix + (name.id if isinstance(name, ast.Name) else name.attr))
            visit(child, inner)

    visit(ast.parse((PACKAGE / file).read_text()), "")
    return found


def places():
    yield from re.findall(r"`([\w.]+)` in `([\w/]+\.py)`", GLOSSARY)


@pytest.mark.parametrize(("name", "file"), [pytest.param(*place, id=place[0]) for place in places()])
def test_a_word_of_the_glossary_is_in_the_code(name, file):
    assert (PACKAGE / file).is_file()
    assert name in names_in(file)


def test_every_code_name_of_the_glossary_has_its_file():
    """No other code is quoted but public modules, and `config.current`."""
    placed = {part for place in places() for part in place}
    others = {code for code in re.findall(r"`([^`]+)`", GLOSSARY) if code not in placed} - {"config.current"}
    assert all((PACKAGE / code).exists() for code in others), others


def test_a_word_of_the_glossary_has_one_meaning():
    words = re.findall(r"^\| ([^|]+) \| [^|]+ \| [^|]+ \|$", GLOSSARY, re.MULTILINE)
    assert len(words) > 90
    assert sorted(set(words) - {"word"}) == sorted(word for word in words if word not in ("word", "---"))


def logged():
    """What the package writes to its log: the texts of lines, without what they are filled with."""
    for file in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)):
                continue
            texts = [a.value for a in node.args[:2] if isinstance(a, ast.Constant) and isinstance(a.value, str)]
            if texts and node.func.attr in ("say", "warning", "info", "error"):
                yield max(re.split(r"%[a-z0-9.]+", texts[0]), key=len).strip(" :;,().")


@pytest.mark.parametrize("text", sorted({text for text in logged() if text}))
def test_every_line_of_the_log_is_in_the_guide(text):
    section = (ROOT / "docs/guide.md").read_text().partition("## What the log says")[2].partition("\n## ")[0]
    assert text in section, text
