"""Each truth table of cases/ and random/ that is of this version, against the compiled rule set."""
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent))

import conformance  # noqa: E402

CASES = [c for c in map(conformance.Case, conformance.default_cases()) if c.supported()]


@pytest.fixture(scope="module")
def evaluator():
    e = conformance.Evaluator(conformance.program())
    yield e
    e.close()


@pytest.mark.parametrize("case", CASES, ids=[f"{c.path.parent.name}/{c.path.stem}" for c in CASES])
def test_case(evaluator, case):
    result = conformance.run_case(evaluator, case)
    assert result.cells > 0
    assert not result.wrong, "\n".join(result.notes)
