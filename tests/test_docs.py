"""The documents: every file that they name is there, and every link of theirs leads somewhere."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.support.server import ROOT

DOCUMENTS = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/*.md")])
FILE = re.compile(r"`((?:app\.py|(?:sde_lab|tests|docs|\.ci|\.streamlit)(?:/[\w.-]+)*/?))`")
LINK = re.compile(r"\]\((?!https?:)([^)#]+)\)")


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_every_file_that_a_document_names_exists(document: Path) -> None:
    text = document.read_text(encoding="utf-8")
    named = {ROOT / name for name in FILE.findall(text)}
    linked = {document.parent / name for name in LINK.findall(text)}
    templates = {path for path in named if path.name == "NAME.py"}
    assert [str(path) for path in (named | linked) - templates if not path.exists()] == []


def test_the_documents_name_files() -> None:
    named = [name for path in DOCUMENTS for name in FILE.findall(path.read_text(encoding="utf-8"))]
    assert len(set(named)) > 50
