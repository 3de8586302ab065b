"""docs/policy.md: what stands there behind "$ bulkhead ..." is what the program prints, and its list of codes is whole.

A block of YAML whose first line is a comment with a file's name ("# web.yaml") is that file.
"""
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
from test_cli import CLI, ROOT, bulkhead  # noqa: E402

TEXT = (ROOT / "docs" / "policy.md").read_text()


def blocks(language):
    return re.findall(rf"^```{language}\n(.*?)^```$", TEXT, re.M | re.S)


def commands():
    """What is typed, and what is printed."""
    for block in blocks("console"):
        for part in re.split(r"^\$ ", block, flags=re.M)[1:]:
            line, _, output = part.partition("\n")
            yield pytest.param(line, output, id=re.sub(r"[^a-z0-9]+", "-", line.lower())[:80])


@pytest.mark.parametrize("line, output", commands())
def test_policy_md_shows_what_is_printed(line, output, tmp_path):
    words = shlex.split(line)
    assert words[0] == "bulkhead"
    (tmp_path / "examples").symlink_to(ROOT / "examples")
    for block in blocks("yaml"):
        name = re.match(r"# (\S+\.yaml)\n", block)
        if name:
            (tmp_path / name[1]).write_text(block)
    done = subprocess.run([str(CLI), *words[1:]], cwd=tmp_path, capture_output=True, text=True, timeout=60,
                          env={**os.environ, "TERM": "dumb"})
    assert done.stdout + done.stderr == output


def test_policy_md_lists_all_codes():
    codes = [line.split(None, 1) for line in bulkhead("lint", "--codes").stdout.splitlines()]
    assert re.findall(r"^\| ([ew]\d+) \| (.*) \|$", TEXT, re.M) == [(code, text.strip()) for code, text in codes]
