"""What tests/conformance/run tells of tables and manifests that are wrong."""
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))

POLICY = """\
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: closed, namespace: x}
spec:
  podSelector: {matchLabels: {app: web}}
  policyTypes: [Ingress]
"""
WORLD = {
    "world": "w",
    "nodes": [{"name": "n1", "ips": ["192.168.1.1"], "labels": {"zone": "a"}},
              {"name": "n2", "ips": ["192.168.1.2"], "labels": {"zone": "b"}}],
    "namespaces": [{"name": "x", "labels": {"team": "red"}}],
    "pods": [{"ns": "x", "name": "web", "node": "n1", "ips": ["10.0.1.1"], "labels": {"app": "web"}},
             {"ns": "x", "name": "db", "node": "n2", "ips": ["10.0.2.1"], "labels": {"app": "db"}}],
    "externals": [{"name": "pub", "ips": ["203.0.113.1"]}],
    "dns": [{"name": "Pub.Example.", "ips": ["203.0.113.1"]}],
    "endpoints": ["x/web", "x/db", "ext/pub"],
}
# Into x/web nothing, but from itself; all else is open. From outside to outside there is no cell.
RIGHT = ["...", "i..", "i.x"]


def run(*args):
    return subprocess.run([str(HERE / "run"), *map(str, args)], capture_output=True, text=True)


def last(done):
    return done.stdout.splitlines()[-1]


@pytest.fixture
def suite(tmp_path):
    for name in ("cases", "random", "worlds"):
        (tmp_path / name).mkdir()
    (tmp_path / "worlds" / "w.yaml").write_text(yaml.safe_dump(WORLD))

    def add(steps, *policies, name="cases/case"):
        head = {"kind": "Case", "id": "case", "title": "t", "world": "../worlds/w.yaml", "steps": steps}
        (tmp_path / f"{name}.yaml").write_text("---\n".join([yaml.safe_dump(head), *policies]))
        return tmp_path
    return add


def applied(rows, probe="TCP/80"):
    return [{"do": [{"apply": [1]}], "expect": {probe: rows}}]


def test_a_right_table_passes(suite):
    done = run(suite(applied(RIGHT), POLICY))
    assert done.returncode == 0, done.stdout
    assert "cases: 1 passed, 0 failed, 8 cells" in done.stdout
    assert last(done) == "1 passed, 0 failed"


@pytest.mark.parametrize("row, column, char, got", [
    (1, 0, ".", "i (refused by ingress)"), (1, 0, "e", "i (refused by ingress)"), (1, 0, "b", "i (refused by ingress)"),
    (0, 1, "i", ". (allowed)"), (0, 1, "e", ". (allowed)"), (2, 1, "b", ". (allowed)")])
def test_a_wrong_cell_is_named(suite, row, column, char, got):
    rows = [list(r) for r in RIGHT]
    rows[row][column] = char
    done = run(suite(applied(["".join(r) for r in rows]), POLICY))
    assert done.returncode == 1
    names = WORLD["endpoints"]
    assert f"case.yaml: step 0  TCP/80  {names[row]} -> {names[column]}: expected {char} " in done.stdout
    assert f"got {got}" in done.stdout
    assert done.stdout.count("expected") == 1
    assert last(done) == "0 passed, 1 failed"


def test_the_first_wrong_cell_is_explained(suite):
    done = run(suite(applied(["...", "...", "..x"]), POLICY))
    assert done.stdout.count("expected") == 2
    assert done.stdout.count("ingress of x/web: refused") == 1
    assert "NetworkPolicy x/closed" in done.stdout


def test_unspecified_and_absent_cells_are_not_asked(suite):
    done = run(suite(applied(["...", "?..", "x.x"]), POLICY))
    assert done.returncode == 0, done.stdout
    assert "6 cells" in done.stdout


def test_every_step_is_checked(suite):
    steps = applied(RIGHT) + [
        {"do": [{"podLabels": {"pod": "x/web", "labels": {"app": "db"}}}], "expect": {"TCP/80": ["...", "...", "..x"]}},
        {"do": [{"delete": "NetworkPolicy/x/closed"}], "expect": {"UDP/53": ["...", "i..", "..x"]}}]
    done = run(suite(steps, POLICY))
    assert "step 2  UDP/53  x/db -> x/web: expected i (refused by ingress), got . (allowed)" in done.stdout
    assert done.stdout.count("expected") == 1


def test_a_refused_policy_fails_with_its_message(suite):
    folder = suite(applied(RIGHT), POLICY.replace("policyTypes", "policyTypos"))
    lines = (folder / "cases" / "case.yaml").read_text().splitlines()
    done = run(folder)
    assert done.returncode == 1
    assert f"case.yaml:{lines.index('  policyTypos: [Ingress]') + 1}:3: error: unknown field" in done.stdout


@pytest.mark.parametrize("steps, why", [
    (applied(["..."]), "the table is not 3 rows"),
    (applied(["..", "i.", "i."]), "the table is not 3 rows"),
    (applied(["..o", "i..", "i.x"]), "unknown characters o"),
    (applied(RIGHT, "ICMP/8"), "unknown probe ICMP/8"),
    ([{"do": [{"apply": [7]}], "expect": {}}], "there is no document 7"),
    ([{"do": [{"delete": "NetworkPolicy/x/none"}], "expect": {}}], "there is no NetworkPolicy/x/none to delete"),
    ([{"do": [{"deletePod": "x/none"}], "expect": {}}], "there is no pod x/none"),
    ([{"do": [{"explode": "x"}], "expect": {}}], "unknown action explode"),
])
def test_a_case_that_is_none_fails(suite, steps, why):
    done = run(suite(steps, POLICY))
    assert done.returncode == 1
    assert why in done.stdout
    assert last(done) == "0 passed, 1 failed"


def test_a_file_that_is_none_of_ours_fails(suite):
    folder = suite(applied(RIGHT), POLICY)
    (folder / "random" / "other.yaml").write_text("a: b\n")
    (folder / "random" / "broken.yaml").write_text("a: [\n")
    done = run(folder)
    assert "other.yaml: it is no case, no world, and no list of manifests" in done.stdout
    assert "broken.yaml: no YAML" in done.stdout
    assert "random: 0 passed, 2 failed" in done.stdout
    assert last(done) == "1 passed, 2 failed"


def test_only_single_files_and_verbose(suite):
    suite(applied(RIGHT), POLICY, name="cases/one")
    folder = suite(applied(["...", "...", "..x"]), POLICY, name="random/two")
    assert last(run(folder)) == "1 passed, 1 failed"
    assert last(run("--only", "cases/*", folder)) == "1 passed, 0 failed"
    assert last(run("--only", "two", folder)) == "0 passed, 1 failed"
    assert last(run("--jobs", "1", folder / "cases" / "one.yaml", folder / "random")) == "1 passed, 1 failed"
    assert "one.yaml: passed, 8 cells" in run("-v", folder).stdout


def test_nothing_to_run_is_no_success(tmp_path):
    done = run(tmp_path)
    assert done.returncode == 1
    assert "there is nothing to run" in done.stdout
    assert last(done) == "0 passed, 0 failed"


@pytest.mark.parametrize("args, why", [
    (["/does/not/exist"], "/does/not/exist: there is no such file or folder"),
    (["--jobs", "0"], "--jobs: at least 1"),
    (["--eval", "/does/not/exist"], "not built"),
])
def test_use(args, why):
    done = run(*args)
    assert done.returncode == 2
    assert why in done.stderr
    assert done.stdout == ""


def test_an_evaluator_that_ends_is_a_failure(suite):
    done = run("--eval", "/bin/false", suite(applied(RIGHT), POLICY))
    assert done.returncode == 1
    assert "the evaluator ended with 1" in done.stdout


# ---- manifests ----

STORED = {"podSelector": {"matchLabels": {"app": "web"}}, "policyTypes": ["Ingress"]}
RULES = """\
  ingress:
  - from: [{ipBlock: {cidr: 010.0.0.1/8, except: [10.1.0.0/16]}}, {podSelector: {}, namespaceSelector: {}}]
    ports: [{port: 80, endPort: 90}, {port: http, protocol: UDP}]
"""
STORED_RULES = dict(STORED, ingress=[{
    "from": [{"ipBlock": {"cidr": "010.0.0.1/8", "except": ["10.1.0.0/16"]}}, {"podSelector": {}, "namespaceSelector": {}}],
    "ports": [{"protocol": "TCP", "port": 80, "endPort": 90}, {"protocol": "UDP", "port": "http"}]}])


def judge(tmp_path, **entry):
    (tmp_path / "validation.yaml").write_text(yaml.safe_dump([dict({"id": "one", "manifest": POLICY}, **entry)]))
    return run(tmp_path)


def test_what_was_stored_is_what_was_understood(tmp_path):
    assert judge(tmp_path, accepted=True, stored=STORED).returncode == 0
    done = judge(tmp_path, accepted=True, stored=STORED_RULES, manifest=POLICY + RULES)
    assert done.returncode == 0, done.stdout
    assert last(done) == "1 passed, 0 failed"


def changed(path, value):
    """STORED_RULES with one value changed."""
    stored = yaml.safe_load(yaml.safe_dump(STORED_RULES))
    at = stored
    for key in path[:-1]:
        at = at[key]
    at[path[-1]] = value
    return stored


@pytest.mark.parametrize("path, value, place", [
    (["policyTypes"], ["Ingress", "Egress"], "stored.isolates"),
    (["podSelector"], {}, "stored.pods"),
    (["podSelector"], {"matchExpressions": [{"key": "app", "operator": "NotIn", "values": ["web"]}]}, "stored.pods"),
    (["ingress"], [], "stored.ingress"),
    (["ingress", 0, "from", 0, "ipBlock", "cidr"], "10.0.0.0/9", "stored.ingress[0].peers[0].cidr"),
    (["ingress", 0, "from", 0, "ipBlock", "except"], [], "stored.ingress[0].peers[0].except"),
    (["ingress", 0, "from", 1, "namespaceSelector"], None, "stored.ingress[0].peers[1].namespaces"),
    (["ingress", 0, "ports", 0, "protocol"], "SCTP", "stored.ingress[0].ports[0]"),
    (["ingress", 0, "ports", 0, "endPort"], 91, "stored.ingress[0].ports[0][2]"),
    (["ingress", 0, "ports", 1, "port"], "https", "stored.ingress[0].ports[1][1]"),
])
def test_what_was_stored_otherwise_is_named(tmp_path, path, value, place):
    done = judge(tmp_path, accepted=True, stored=changed(path, value), manifest=POLICY + RULES)
    assert done.returncode == 1
    assert f"validation.yaml: one: {place}" in done.stdout
    assert "expected" in done.stdout and "got" in done.stdout


BAD = POLICY.replace("Ingress", "ingress").replace("web", "'w b'")
FIELDS = ["spec.policyTypes[0]", "spec.podSelector.matchLabels"]


def errors(*fields):
    return [{"field": f, "reason": "FieldValueInvalid", "message": "m"} for f in fields]


@pytest.mark.parametrize("entry, passes", [
    (dict(accepted=True, stored=STORED), True),
    (dict(accepted=False, code=422, errors=errors("spec")), False),
    (dict(accepted=True, stored=STORED, manifest=BAD), False),
    (dict(accepted=False, code=422, errors=errors(*FIELDS), manifest=BAD), True),
    (dict(accepted=False, code=422, errors=errors(FIELDS[0]), manifest=BAD), True),
    (dict(accepted=False, code=422, errors=errors("spec.policyTypes"), manifest=BAD), False),
    (dict(accepted=False, code=422, errors=errors(FIELDS[0], "spec.ingress"), manifest=BAD), False),
    (dict(accepted=False, code=422, errors=errors("spec.typo"), manifest=POLICY + "  typo: 1\n"), False),
    (dict(accepted=False, code=400, message='unknown field "spec.typo"', manifest=POLICY + "  typo: 1\n"), True),
    (dict(accepted=False, code=400, message='unknown field "spec.other"', manifest=POLICY + "  typo: 1\n"), False),
    (dict(accepted=False, code=400, message='key "policyTypes" already set in map',
          manifest=POLICY + "  policyTypes: []\n"), True),
    (dict(accepted=False, code=400, message='key "podSelector" already set in map',
          manifest=POLICY + "  policyTypes: []\n"), False),
    (dict(accepted=False, code=400, manifest=POLICY.replace("{matchLabels: {app: web}}", "[]"), message="json: cannot "
          "unmarshal array into Go struct field NetworkPolicySpec.spec.podSelector of type v1.LabelSelector"), True),
    (dict(accepted=False, code=400, manifest=POLICY.replace("{matchLabels: {app: web}}", "[]"), message="json: cannot "
          "unmarshal array into Go struct field NetworkPolicySpec.spec.ingress of type v1.LabelSelector"), False),
])
def test_what_is_refused_where(tmp_path, entry, passes):
    done = judge(tmp_path, **entry)
    assert done.returncode == (0 if passes else 1), done.stdout
    if not passes:
        assert "validation.yaml: one: " in done.stdout
        assert "expected" in done.stdout and "got" in done.stdout
