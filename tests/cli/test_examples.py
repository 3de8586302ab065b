"""examples/policies: what their comments and docs/policy.md say of them is true.

Each example has tests beside it that `bulkhead test` runs, and each of its rules is held by them: without it they fail.
"""
import sys
from pathlib import Path

import pytest
import yaml

sys.path.insert(0, str(Path(__file__).parent))
from test_cli import FAILED, OK, ROOT, bulkhead  # noqa: E402

FOLDER = ROOT / "examples" / "policies"
EXAMPLES = sorted(FOLDER.glob("*.yaml"))


def suite_of(path):
    return FOLDER / "tests" / f"{path.stem}.test.yaml"


def rules():
    for path in EXAMPLES:
        for doc, policy in enumerate(yaml.safe_load_all(path.read_text())):
            for direction in ("ingress", "egress"):
                for i in range(len(policy["spec"].get(direction, []))):
                    yield pytest.param(path, doc, direction, i, id=f"{path.stem}-{direction}{i}")


def test_every_example_has_tests():
    assert len(EXAMPLES) >= 12
    assert [suite_of(path).name for path in EXAMPLES] == sorted(f.name for f in (FOLDER / "tests").iterdir())


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda p: p.stem)
def test_example_does_what_its_tests_say(path):
    done = bulkhead("test", suite_of(path))
    assert (done.returncode, done.stderr) == (OK, ""), done.stdout


@pytest.mark.parametrize("path, doc, direction, i", rules())
def test_every_rule_is_held(path, doc, direction, i, tmp_path):
    policies = list(yaml.safe_load_all(path.read_text()))
    del policies[doc]["spec"][direction][i]
    # The default of policyTypes looks at the rules: it stays what it was.
    if "isolate" not in policies[doc]["spec"] and "tier" not in policies[doc]["spec"]:
        policies[doc]["spec"].setdefault("policyTypes", ["Ingress"])
    (tmp_path / "p.yaml").write_text(yaml.safe_dump_all(policies))
    done = bulkhead("test", "--policy", tmp_path / "p.yaml", suite_of(path))
    assert (done.returncode, done.stderr) == (FAILED, ""), done.stdout


def test_examples_together():
    """All in one folder, as an agent would read them: no error."""
    done = bulkhead("lint", FOLDER)
    assert done.returncode == OK, done.stdout + done.stderr
