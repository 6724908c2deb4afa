import re
import sys
from pathlib import Path

import pytest
from documents import ROOT, blocks, run_python, run_shell

DOCUMENTS = sorted(ROOT.glob("*.md")) + sorted((ROOT / "docs").glob("*.md"))
INLINE = re.compile(r"`(darb [^`]+)`")
LINK = re.compile(r"\]\(([^)#]+)\)")


def relative(document):
    return str(document.relative_to(ROOT))


def dry_run(line):
    """Say what a make target would do; running the suite from within itself would not end."""
    plan = run_shell(f"make --no-print-directory -n {line.removeprefix('make ')}", ROOT)
    expected = {"make demo": "darb demo", "make test": "-m pytest"}
    assert expected[line] in plan


@pytest.mark.slow
def test_the_readme_runs_from_top_to_bottom(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / ".venv").symlink_to(Path(sys.prefix))
    readme, names = ROOT / "README.md", {}
    for block in blocks(readme):
        if block.language == "python":
            run_python(block, readme, names)
            continue
        assert block.language == "sh"
        for line in block.text.splitlines():
            if line.startswith("make "):
                dry_run(line)
            else:
                run_shell(line, tmp_path)
    assert (tmp_path / "build" / "engine.v").is_file()
    assert (tmp_path / "digits-from-file" / "image.json").is_file()
    if (ROOT / ".git").exists():
        left = sorted(f"{path.name}{'/' * path.is_dir()}" for path in tmp_path.iterdir())
        ignored = run_shell(f"git -C {ROOT} check-ignore --no-index {' '.join(left)}", tmp_path)
        assert ignored.split() == left


@pytest.mark.parametrize("document", sorted((ROOT / "docs").glob("*.md")), ids=relative)
def test_examples_in_the_docs(document, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    names = {}
    for block in blocks(document):
        if block.language == "sh":
            for line in block.text.splitlines():
                run_shell(line, ROOT)
            continue
        assert block.language == "python", f"line {block.line}"
        run_python(block, document, names)


@pytest.mark.parametrize("document", DOCUMENTS, ids=relative)
def test_commands_in_the_text_exist_with_their_options(document, tmp_path):
    for command in INLINE.findall(document.read_text()):
        name = command.split()[1]
        screen = run_shell(f"COLUMNS=200 darb {name} --help", tmp_path)
        for option in re.findall(r"(?<!\S)-[-\w]+", command):
            assert re.search(rf"(?<![-\w]){option}(?![-\w])", screen), f"{command}: {option}"


@pytest.mark.parametrize("document", DOCUMENTS, ids=relative)
def test_links_lead_somewhere(document):
    for target in LINK.findall(document.read_text()):
        if not target.startswith("https://"):
            assert (document.parent / target).exists(), target
