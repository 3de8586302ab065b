"""`bulkhead explain`: scenes with what is asked about them, and the answers as they were reviewed.

    tests/golden/explain/NAME.yaml    policies, Namespaces, Nodes, Endpoints; questions in comments:
                                      # $ bulkhead explain --from shop/client --to shop/web --port 80/tcp
    tests/golden/explain/NAME.txt     each question, its answer, and the exit status where it is not 0

The policies are those of the scene; the moment is a Wednesday at noon unless a question says another. BH_REGEN=1 writes
the texts anew: read the difference.
"""
import os
import shlex
import subprocess
from pathlib import Path

import pytest

ROOT = Path(os.environ.get("BH_SOURCE_ROOT", Path(__file__).resolve().parents[2]))
BUILD = Path(os.environ.get("BH_BUILD_ROOT", ROOT / "build"))
CLI = BUILD / "cli/bulkhead"
SCENES = ROOT / "tests/golden/explain"
ASK = "# $ bulkhead explain "
NOON = "2031-03-05T12:00:00Z"


def answer(scene, question):
    args = shlex.split(question)
    if "--at" not in args:
        args += ["--at", NOON]
    done = subprocess.run([CLI, "explain", "--policy", scene.name, *args], cwd=scene.parent, capture_output=True, text=True,
                          timeout=60, check=False)
    status = f"exit status {done.returncode}\n" if done.returncode else ""
    return f"$ bulkhead explain {question}\n{done.stdout}{done.stderr}{status}"


@pytest.mark.parametrize("scene", sorted(SCENES.glob("*.yaml")), ids=lambda p: p.stem)
def test_scene(scene):
    asked = [line[len(ASK):] for line in scene.read_text().splitlines() if line.startswith(ASK)]
    assert asked
    got = "\n".join(answer(scene, question) for question in asked)
    text = scene.with_suffix(".txt")
    if os.environ.get("BH_REGEN"):
        text.write_text(got)
    assert got == text.read_text()
