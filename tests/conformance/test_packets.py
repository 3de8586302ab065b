"""tests/conformance/run --packets: a handful of cases, and what it tells of tables and worlds that are wrong.

The whole suite by packets is a command of its own (README.md): a matter of minutes.
"""
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))

import conformance  # noqa: E402
import lab as labs  # noqa: E402
import packets  # noqa: E402
import topo  # noqa: E402

# Each kind, each verb of a step, all protocols, both families. Cases of one world come one after the other.
CASES = ["iso-both-sides", "iso-deny-all", "peer-and-empty-ns", "port-sctp-not-tcp", "self-allowed", "host-own-node",
         "step-create-delete", "step-new-namespace", "step-peer-label", "step-new-pod", "ip-v6",
         "cnp-three-tiers", "cnp-networks", "cnp-nodes", "cnp-steps", "anp-deny-pass-allow", "banp-default-deny",
         "named-ingress", "named-protocol", "peer-hostnet-not-selected", "step-finished-pod"]
RANDOM = ["np-006", "np-073", "cnp-012", "anp-010"]

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
    "nodes": [{"name": "n1", "ips": ["192.168.1.1", "fd00:192::1"], "labels": {"zone": "a"}},
              {"name": "n2", "ips": ["192.168.1.2", "fd00:192::2"], "labels": {"zone": "b"}}],
    "namespaces": [{"name": "x", "labels": {"team": "red"}}],
    "pods": [{"ns": "x", "name": "web", "node": "n1", "ips": ["10.0.1.1", "fd00:10::1"], "labels": {"app": "web"}},
             {"ns": "x", "name": "db", "node": "n2", "ips": ["10.0.2.1", "fd00:10::2"], "labels": {"app": "db"}}],
    "externals": [{"name": "pub", "ips": ["203.0.113.1", "2001:db8::1"]}],
    "endpoints": ["x/web", "x/db", "ext/pub"],
}
# Into x/web nothing, but from itself; all else is open.
RIGHT = ["...", "i..", "i.x"]
PROBES = ["SCTP/2905/6", "UDP/53/6", "TCP/80"]


def start(*args, **kwargs):
    return subprocess.Popen([str(HERE / "run"), "--packets", *map(str, args)], text=True, stdout=subprocess.PIPE,
                            stderr=subprocess.PIPE, **kwargs)


def run(*args):
    child = start(*args)
    out, err = child.communicate()
    assert not left(child.pid)
    return subprocess.CompletedProcess(args, child.returncode, out, err)


def last(done):
    return done.stdout.splitlines()[-1]


def left(pid):
    """Network namespaces that a runner has made and that stand now."""
    return [n.split()[0] for n in topo.run("ip", "netns").stdout.splitlines() if n.startswith(f"{labs.PREFIX}{pid}-")]


@pytest.fixture
def suite(tmp_path):
    for name in ("cases", "worlds"):
        (tmp_path / name).mkdir()
    (tmp_path / "worlds" / "w.yaml").write_text(yaml.safe_dump(WORLD))

    def add(expect, *policies, name="case"):
        head = {"kind": "Case", "id": name, "title": "t", "world": "../worlds/w.yaml",
                "steps": [{"do": [{"apply": [1]}], "expect": expect}]}
        (tmp_path / "cases" / f"{name}.yaml").write_text("---\n".join([yaml.safe_dump(head, sort_keys=False), *policies]))
        return tmp_path
    return add


@pytest.fixture(scope="module")
def bench():
    b = packets.Bench()
    yield b
    b.close()


@pytest.mark.parametrize("path", [HERE / "cases" / f"{n}.yaml" for n in CASES] +
                         [HERE / "random" / f"{n}.yaml" for n in RANDOM], ids=lambda p: p.stem)
def test_case(bench, path):
    result = packets.run_case(bench, path)
    assert result.passed, "\n".join(result.notes)
    assert result.cells > 0


def of_case(text, name):
    """What is told of one case."""
    return "".join(re.findall(rf"^\S*/{name}\.yaml: .*\n(?:    .*\n)*", text, re.M))


def test_what_is_told_of_what_is_wrong(suite):
    """One wrong cell each way in each table; a policy that is none; a case that is right."""
    suite({p: ["...", "...", "iix"] for p in PROBES}, POLICY, name="a")
    suite({"TCP/80": RIGHT}, POLICY.replace("policyTypes", "policyTypos"), name="b")
    done = run("--patience", "2", suite({p: RIGHT for p in PROBES}, POLICY, name="c"))
    assert done.returncode == 1
    a, b, c = (of_case(done.stdout, name) for name in "abc")
    for p in PROBES:
        assert f"step 0  {p}  x/db -> x/web: expected . (allowed), got: no answer" in a
        assert f"step 0  {p}  ext/pub -> x/db: expected i (refused by ingress), got: answered" in a
    assert a.count("expected") == 2 * len(PROBES)
    # The first wrong cell: what explain says, the kernel's cells, the counters of both nodes.
    assert "x/db -> x/web sctp/2905: REFUSED" in a
    assert "the kernel of n2, for egress of x/db:\n      map subj_eg: fd00:10::2 is not in it, no policy selects it" in a
    assert "the kernel of n1, for ingress of x/web:\n      map subj_in: fd00:10::1 is 0x8" in a
    assert "map peer: fd00:10::2 is 0x8" in a
    # Whatever the peer: drop (policy/ruleset.h).
    assert re.search(r"cell 0x00000001 \. 0x8\w+ \. 0x00000000 \. 0 \. ip : 0x4", a), a
    assert a.count("packets     refused") == 2
    assert "unknown field" in b and "policyTypos" in b
    assert c == ""
    assert "cases: 1 passed, 2 failed" in done.stdout
    assert last(done) == "1 passed, 2 failed"


def test_a_refusal_without_a_control_does_not_count(suite):
    """Silence of somebody who is dead is no refusal."""
    case = conformance.Case(suite({"TCP/80": RIGHT}, POLICY) / "cases/case.yaml")
    lab = labs.Lab(case.world, patience=2)
    try:
        lab.become(case.world, {("NetworkPolicy", "x", "closed"): case.docs[1]})
        topo.run("ip", "-n", lab.pods["x/web"][0].name, "link", "set", "eth0", "down")
        ends = packets.Ends(lab, case.world)
        cells = [c for c in packets.cells_of(case, {"expect": {"TCP/80": RIGHT}})[0] if "x/web" in (c.source, c.target)]
        packets.ask(lab, ends, cells)
    finally:
        lab.remove()
    said = {(c.source, c.target): c.said() for c in cells if not c.right}
    assert ("x/db", "x/web") in said
    assert "these controls had no answer either: node/n1 -> x/web" in said["x/db", "x/web"]


def test_a_refusal_that_no_control_can_stand_beside_is_no_table():
    class Paths:
        path = staticmethod(lambda name, end: end.get("node") or name)
    world = dict(WORLD, nodes=[{"name": n["name"], "ips": n["ips"][:1]} for n in WORLD["nodes"]])
    ends = packets.Ends(Paths, world)
    assert len(ends.controls("x/db", "x/web", 4)) == 3
    with pytest.raises(conformance.BadFile, match="x/db -> x/web: a node without an address of IPv6"):
        ends.controls("x/db", "x/web", 6)


@pytest.mark.parametrize("number, status", [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_who_stops_it_finds_nothing_left(tmp_path, number, status):
    """Also when the signal goes to everything that it runs, as Ctrl-C does."""
    # Whoever runs this test may have it ignore interrupts, and children inherit that.
    child = start("--jobs", "2", HERE / "cases", start_new_session=True, env=dict(os.environ, TMPDIR=str(tmp_path)),
                  preexec_fn=lambda: signal.signal(number, signal.SIG_DFL))
    topo.wait_for("two worlds are being built", lambda: len(left(child.pid)) > 8 or child.poll() is not None, 60)
    os.killpg(child.pid, number)
    _, err = child.communicate(timeout=60)
    assert child.returncode == status, err
    assert not left(child.pid)
    assert not list(tmp_path.iterdir())
    topo.wait_for("no process is left", lambda: not processes_of(tmp_path))


def processes_of(folder):
    found = []
    for p in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            if os.fsencode(folder) in p.read_bytes():
                found.append(p.parent.name)
        except OSError:
            pass
    return found


def test_it_takes_root_and_programs(monkeypatch, tmp_path):
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert packets.missing() == "network namespaces take root"
    monkeypatch.undo()
    assert packets.missing() is None
    monkeypatch.setattr(topo, "AGENT", tmp_path / "bulkheadd")
    assert packets.missing() == f"{tmp_path / 'bulkheadd'}: not built; run: ninja -C build"


def test_patience_is_a_time():
    done = run("--patience", "0", HERE / "cases")
    assert done.returncode == 2
    assert "--patience: 0.001 to 3600 seconds" in done.stderr


def test_manifests_are_no_packets():
    done = run(HERE / "validation.yaml")
    assert done.returncode == 1
    assert "there is nothing to run" in done.stdout
