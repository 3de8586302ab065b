"""Each truth table of cases/, random/ and own/, each manifest of validation.yaml, and some sets of other seeds."""
import os
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))

import conformance  # noqa: E402
import runner  # noqa: E402

ITEMS = runner.collect([HERE])
# Bounded: some ten seconds. Larger runs: tests/conformance/seeds.
SEEDS, SETS = (1, 2), 110


@pytest.fixture(scope="module")
def evaluator():
    e = conformance.Evaluator(conformance.program())
    yield e
    assert e.close() == 0


@pytest.mark.parametrize("item", ITEMS, ids=[i.names[1] for i in ITEMS])
def test_suite(evaluator, item):
    result = item.run(evaluator)
    assert result.passed, "\n".join(result.notes)
    assert not result.again


def test_the_suite_is_whole():
    """As many as README.md says: a file that is lost is no file that passes."""
    of = [i.names[1].split("/")[0] for i in ITEMS]
    assert {g: of.count(g) for g in set(of)} == {"cases": 74, "random": 220, "own": 3, "validation": 89}


@pytest.mark.parametrize("seed", SEEDS)
def test_seed(tmp_path, seed):
    done = subprocess.run([str(HERE / "seeds"), "--sets", str(SETS), str(seed)], capture_output=True, text=True,
                          env=dict(os.environ, TMPDIR=str(tmp_path)))
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.splitlines()[-1] == f"{SETS} passed, 0 failed"
    assert not list(tmp_path.iterdir()), "a folder was left behind"
