"""The program `bulkhead` as somebody at a shell meets it: what it prints, and how it exits.

Offline verbs read real files; the others talk to a stand-in for the agent (fake_api.py). No privilege is needed.
"""
import json
import os
import re
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
from fake_api import FakeApi  # noqa: E402

ROOT = Path(os.environ.get("BH_SOURCE_ROOT", Path(__file__).resolve().parents[2]))
BUILD = Path(os.environ.get("BH_BUILD_ROOT", ROOT / "build"))
CLI = BUILD / "cli/bulkhead"

OK, FAILED, USAGE, REFUSED, DEPENDS = range(5)

WEB = """\
apiVersion: bulkhead.network/v1alpha1
kind: TrafficPolicy
metadata: {name: web, namespace: shop}
spec:
  podSelector: {matchLabels: {app: web}}
  isolate: ingress
  ingress:
  - name: clients
    from: [{podSelector: {matchLabels: {role: client}}}]
    ports: [80]
    protocols: [http]
"""

ENDPOINTS = """\
apiVersion: bulkhead.network/v1alpha1
kind: Endpoint
metadata: {name: web, namespace: shop, labels: {app: web}}
spec: {addresses: [10.1.0.9, "fd00::9"]}
---
apiVersion: bulkhead.network/v1alpha1
kind: Endpoint
metadata: {name: client, namespace: shop, labels: {role: client}}
spec: {addresses: [10.1.0.5, "fd00::5"]}
---
apiVersion: bulkhead.network/v1alpha1
kind: Endpoint
metadata: {name: intruder, namespace: shop, labels: {role: none}}
spec: {addresses: [10.1.0.6]}
---
apiVersion: bulkhead.network/v1alpha1
kind: Endpoint
metadata: {name: web, namespace: lab, labels: {app: web}}
spec: {addresses: [10.2.0.9]}
"""

API_ENDPOINTS = {"endpoints": [
    {"id": "aa", "name": "web", "namespace": "shop", "labels": {"app": "web"}, "addresses": ["10.1.0.9", "fd00::9"],
     "local": True, "source": "cni", "state": "enforced", "network": "shopnet", "ifname": "eth0", "hostIf": "bhkaa",
     "node": "n1", "classes": [2147483651], "ports": []},
    {"id": "bb", "name": "client", "namespace": "shop", "labels": {"role": "client"},
     "addresses": ["10.1.0.5", "fd00::5"], "local": True, "source": "cni", "state": "enforced", "hostIf": "bhkbb",
     "node": "n1", "classes": []},
    {"id": "cc", "name": "late", "namespace": "shop", "labels": {"role": "client"}, "addresses": ["10.1.0.7"],
     "local": True, "source": "cni", "state": "quarantined", "hostIf": "bhkcc", "node": "n1", "classes": []},
    {"id": "other/far", "name": "far", "namespace": "other", "labels": {}, "addresses": ["10.3.0.1"], "local": False,
     "source": "manifest", "state": "enforced", "node": "n2", "classes": []},
]}

STATUS = {
    "version": "0.1.0", "node": "n1", "pid": 123, "started": "2026-01-02T03:04:05.000000Z", "ready": True,
    "revision": {"wanted": 7, "enforced": 7, "error": None},
    "policies": {"count": 5, "folder": "/etc/bulkhead/policies", "ok": True, "diagnostics": []},
    "endpoints": {"local": 4, "remote": 0, "quarantined": 0},
    "kernel": {"epoch": 3, "adopted": False, "queue": "xt", "owner": "none",
               "counters": {"refused": 2, "killed": 0, "queued": 9, "quarantined": 0, "spoofed": 0}},
    "workers": [{"pid": 124, "queue": 61440, "revision": 7, "restarts": 0, "verdicts": 10, "lost": 0, "flows": 1}],
    "violations": {"written": 12, "suppressed": 0, "lost": 0, "file": "/var/log/bulkhead/violations.jsonl"},
    "warnings": ["net.ipv4.ip_forward is 0: nothing is forwarded"]}

RECORD = {
    "v": 1, "ts": "2026-01-02T03:04:05.678901Z", "seq": 17, "kind": "violation", "reason": "protocol_mismatch",
    "action": "reset", "would": None,
    "flow": {"ipv": 4, "proto": "tcp", "src": "10.1.0.5", "sport": 51514, "dst": "10.1.0.9", "dport": 80},
    "src": {"kind": "endpoint", "name": "client", "ns": "shop"}, "dst": {"kind": "endpoint", "name": "web", "ns": "shop"},
    "verdicts": [{"dir": "ingress", "action": "refuse", "policy": {"kind": "TrafficPolicy", "ns": "shop", "name": "web"},
                  "rule": {"index": 0, "name": "clients"}, "text": "..."}],
    "l7": {"expected": ["http"], "seen": "ssh", "ndpi": None}, "count": 3}


def bulkhead(*args, stdin="", env=None):
    """The finished process. The environment is this one's, without what changes the output."""
    environment = {k: v for k, v in os.environ.items() if k not in ("BULKHEAD_SOCKET", "NO_COLOR")}
    environment.update(TERM="xterm", **(env or {}))
    return subprocess.run([str(CLI), *map(str, args)], input=stdin, capture_output=True, text=True, timeout=60,
                          env=environment)


def verbs():
    listed = re.search(r"^Verbs:\n((?:  .*\n)+)", bulkhead("--help").stdout, re.M)
    return [line.split()[0] for line in listed[1].splitlines()]


@pytest.fixture
def files(tmp_path):
    (tmp_path / "policies").mkdir()
    (tmp_path / "policies/web.yaml").write_text(WEB)
    (tmp_path / "endpoints.yaml").write_text(ENDPOINTS)
    return tmp_path


@pytest.fixture
def api():
    # A short path: that of a socket has an end.
    with tempfile.TemporaryDirectory(prefix="bhc.") as folder:
        fake = FakeApi(folder)
        fake.on("GET", "/v1/status", STATUS)
        fake.on("GET", "/v1/endpoints", API_ENDPOINTS)
        fake.on("GET", "/v1/policies?format=yaml", WEB)
        yield fake
        fake.close()


# -- the command line

def test_every_verb_has_help():
    assert {"lint", "apply", "get", "delete", "explain", "status", "endpoints", "violations", "render", "protocols",
            "version"} <= set(verbs())
    for verb in verbs():
        for done in (bulkhead(verb, "--help"), bulkhead("help", verb)):
            assert done.returncode == OK and done.stderr == ""
            assert done.stdout.startswith(f"Usage: bulkhead {verb} ")
            assert "\nOptions:\n" in done.stdout
            assert re.search(r"\nExit status:\n  0  .*\n(  .*\n)*  2  the command line is wrong\n", done.stdout)
            assert f"\nExample:\n  bulkhead {verb}" in done.stdout
            assert max(map(len, done.stdout.splitlines())) <= 110


def test_program_help():
    done = bulkhead("--help")
    assert done.returncode == OK
    for line in ("  3  explain: refused\n", "  4  explain: depends on the protocol that is spoken\n"):
        assert line in done.stdout
    nothing = bulkhead()
    assert (nothing.returncode, nothing.stdout) == (USAGE, "")
    assert nothing.stderr == done.stdout


@pytest.mark.parametrize("args, message", [
    (("lnit",), "unknown verb 'lnit'; did you mean 'lint'?"),
    (("frobnicate",), "unknown verb 'frobnicate'"),
    (("lint", "--stirct", "x"), "lint: unknown option '--stirct'; did you mean '--strict'?"),
    (("lint",), "lint: FILE|DIR|-... is missing"),
    (("lint", "x", "-o", "yaml"), "lint: no output format 'yaml' here; there are table, json"),
    (("explain", "--to", "b", "--port", "80"), "explain: --from is missing"),
    (("explain", "--from", "a", "--to", "b"), "explain: --port is missing"),
    (("explain", "--from", "a", "--to", "b", "--port", "0"), "explain: --port 0: '0' is no port from 1 to 65535"),
    (("explain", "--from", "a", "--to", "b", "--port", "65536/tcp"),
     "explain: --port 65536/tcp: '65536' is no port from 1 to 65535"),
    (("explain", "--from", "a", "--to", "b", "--port", "80/tpc"),
     "explain: --port 80/tpc: unknown protocol 'tpc'; did you mean 'tcp'?"),
    (("explain", "--from", "a", "--to", "b", "--port", "tcp"), "explain: --port tcp: a port is missing, like 80/tcp"),
    (("explain", "--from", "a", "--to", "b", "--port", "1/icmp"),
     "explain: --port 1/icmp: icmp has no ports; write 'icmp'"),
    (("explain", "--from", "a", "--to", "b", "--port", "80", "--protocol", "htpt"),
     "explain: unknown protocol 'htpt'; did you mean 'http'?"),
    (("explain", "--from", "a", "--to", "b", "--port", "80", "-46"), "explain: -4 and -6 exclude each other"),
    (("explain", "--from", "a", "--to", "b", "--port", "80", "--icmp", "8"), "explain: --port and --icmp exclude each other"),
    (("explain", "--from", "a", "--to", "b", "--port", "icmp", "-6"), "explain: --port icmp is not spoken over IPv6"),
    (("explain", "--from", "a", "--to", "b", "--port", "icmp/echo-reqest"),
     "explain: --port icmp/echo-reqest: unknown type of ICMP 'echo-reqest'; did you mean 'echo-request'?"),
    (("explain", "--from", "a", "--to", "b", "--port", "80", "--http", "/x"),
     "explain: --http /x: a request is 'METHOD PATH', like 'GET /x'"),
    (("explain", "--from", "a", "--to", "b", "--port", "80", "--http", "GET /", "--sni", "x.example"),
     "explain: http and tls are not spoken in one connection"),
    (("render", "--endpoints", "x"), "--endpoints goes with --policy; without both, the agent is asked"),
    (("get", "TraficPolicy"), "get: unknown kind 'TraficPolicy'; did you mean 'trafficpolicy'?"),
    (("delete", "TrafficPolicy"), "delete: KIND NAME (or -f FILE) is missing"),
    (("delete", "TrafficPolicy", "web", "-f", "x"), "delete: either KIND NAME or -f FILE"),
    (("apply",), "apply: -f FILE is missing"),
])
def test_usage(args, message):
    done = bulkhead(*args)
    assert (done.returncode, done.stdout) == (USAGE, "")
    assert done.stderr == f"bulkhead: {message}\n"


def test_version():
    done = bulkhead("version")
    assert done.returncode == OK
    assert re.fullmatch(r"bulkhead \d+\.\d+\.\d+\n", done.stdout)
    assert bulkhead("--version").stdout == done.stdout


def test_protocols():
    table = bulkhead("protocols")
    assert table.returncode == OK
    rows = [line.split(maxsplit=2) for line in table.stdout.splitlines()]
    assert rows[0] == ["NAME", "PROBE", "MAY STAND IN"]
    assert ["http", "yes", "every rule"] in rows
    assert ["telnet", "no", "deny, reject, alert, log"] in rows
    listed = json.loads(bulkhead("protocols", "-o", "json").stdout)
    assert {"name": "http", "probe": True} in listed and {"name": "telnet", "probe": False} in listed
    assert [p["name"] for p in listed] == [r[0] for r in rows[1:]]


def test_standard_output_that_cannot_be_written():
    with open("/dev/full", "w") as full:
        done = subprocess.run([str(CLI), "protocols"], stdout=full, stderr=subprocess.PIPE, text=True, timeout=60)
    assert done.returncode == FAILED
    assert "cannot write to standard output: No space left on device" in done.stderr


# -- lint

def test_lint_good(files):
    done = bulkhead("lint", files / "policies", files / "endpoints.yaml")
    assert (done.returncode, done.stderr) == (OK, "")
    assert done.stdout == "2 files, 1 policy: 0 errors, 0 warnings\n"


def test_lint_bad(files):
    bad = files / "policies/bad.yaml"
    bad.write_text(WEB.replace("web,", "bad,").replace("protocols", "protocls").replace("ports: [80]", "ports: [65536]"))
    done = bulkhead("lint", files / "policies")
    assert (done.returncode, done.stderr) == (FAILED, "")
    assert re.search(rf"^{bad}:11:5: error: .*protocls", done.stdout, re.M)
    assert 'did you mean "protocols"?' in done.stdout
    assert re.search(rf"^{bad}:10:13: error: .*65536", done.stdout, re.M)
    assert done.stdout.endswith("2 files, 1 policy: 2 errors, 0 warnings\n")

    listed = json.loads(bulkhead("lint", files / "policies", "-o", "json").stdout)
    assert (listed["errors"], listed["files"], listed["policies"]) == (2, 2, 1)
    assert [(d["severity"], d["file"], d["line"]) for d in listed["diagnostics"]] == [
        ("error", str(bad), 10), ("error", str(bad), 11)]


def test_lint_missing_file(files):
    done = bulkhead("lint", files / "policies", files / "nowhere.yaml")
    assert done.returncode == FAILED
    assert "nowhere.yaml" in done.stdout and "1 error," in done.stdout


def test_lint_warnings(files):
    (files / "policies/dns.yaml").write_text(WEB.replace("web,", "dns,").replace("[80]", "[53]").replace("[http]", "[dns]"))
    done = bulkhead("lint", files / "policies")
    assert done.returncode == OK
    assert re.search(r": warning: .*53", done.stdout)
    assert done.stdout.endswith("2 files, 2 policies: 0 errors, 1 warning\n")
    assert bulkhead("lint", "--strict", files / "policies").returncode == FAILED


def test_lint_across_files(files):
    """A rule is held against those of other files, and the warning stands where the rule does, with all about it."""
    other = files / "policies/all.yaml"
    other.write_text("""\
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: allow-80, namespace: shop}
spec: {podSelector: {}, ingress: [{ports: [{port: 80}]}]}
""")
    done = bulkhead("lint", other, files / "policies/web.yaml")
    line = (f'{files}/policies/web.yaml:8:5: warning: rule "clients" has no effect: NetworkPolicy shop/allow-80 '
            f'({other}:4:35) allows TCP 80 from everywhere [w1]\n    8 |   - name: clients\n      |     ^ ')
    assert done.stdout.startswith(line)
    assert done.stdout.endswith("\n2 files, 2 policies: 0 errors, 1 warning\n")
    listed = json.loads(bulkhead("lint", files / "policies", "-o", "json").stdout)
    found, = listed["diagnostics"]
    assert found["hint"].startswith("rules add up; ")
    assert {k: found[k] for k in ("severity", "code", "file", "line", "column", "path")} == {
        "severity": "warning", "code": "w1", "file": f"{files}/policies/web.yaml", "line": 8, "column": 5,
        "path": "spec.ingress[0]"}
    # Alone it is as good as any.
    assert bulkhead("lint", files / "policies/web.yaml").stdout == "1 file, 1 policy: 0 errors, 0 warnings\n"


def test_lint_standard_input(files):
    done = bulkhead("lint", "-", files / "endpoints.yaml", stdin=WEB.replace("app: web", "app: wbe"))
    assert done.returncode == OK
    assert done.stdout.startswith(
        "standard input:5:16: warning: selector app=wbe matches nothing now; there are pods with app=web [w5]\n"
        "    5 |   podSelector: {matchLabels: {app: wbe}}\n      |                ^\n")
    done = bulkhead("lint", "-", stdin="a: {")
    assert (done.returncode, done.stdout[:17]) == (FAILED, "standard input:2:")


def test_lint_endpoints(files, api):
    """Only who is told of all endpoints says that something matches nothing at all."""
    policy = files / "db.yaml"
    policy.write_text(WEB.replace("app: web", "app: database"))
    assert "0 warnings" in bulkhead("lint", policy, files / "endpoints.yaml").stdout
    api.on("GET", "/v1/settings", {"nodeName": "n1", "clusterRanges": ["10.1.0.0/16"], "resolvers": []})
    for given in (("--endpoints", files / "endpoints.yaml"), ("--agent", "--socket", api.path)):
        done = bulkhead("lint", policy, *given)
        assert f"{policy}:5:16: warning: selector app=database matches nothing now [w5]" in done.stdout
        assert "role=client" not in done.stdout
    done = bulkhead("lint", policy, "--agent", "--endpoints", files / "endpoints.yaml")
    assert (done.returncode, done.stdout) == (USAGE, "")
    done = bulkhead("lint", policy, "--agent", "--socket", files / "nobody.sock")
    assert (done.returncode, done.stdout) == (FAILED, "") and "nobody.sock" in done.stderr


def test_lint_surroundings(files, api):
    """The cluster's ranges are known from options, or with the resolvers from the agent."""
    policy = files / "around.yaml"
    policy.write_text(WEB.replace("from: [", "from: [{ipBlock: {cidr: 10.0.0.0/8}}, {entity: dns}, "))
    api.on("GET", "/v1/settings", {"nodeName": "n1", "clusterRanges": ["10.1.0.0/16"], "resolvers": []})
    agent = ("--agent", "--socket", api.path)

    def codes(*args):
        return [d["code"] for d in json.loads(bulkhead("lint", policy, *args, "-o", "json").stdout)["diagnostics"]]
    assert codes() == []
    assert codes("--cluster-range", "10.1.0.0/16") == ["w43"]
    assert codes(*agent) == ["w43", "w45"]
    assert codes(*agent, "--resolver", "10.1.0.53", "--cluster-range", "10.0.0.0/7") == []
    api.on("GET", "/v1/settings", {"nodeName": "n1", "clusterRanges": [7], "resolvers": []})
    done = bulkhead("lint", policy, *agent)
    assert (done.returncode, done.stdout) == (FAILED, "")
    assert "the agent's settings cannot be read: clusterRanges[0] is no string" in done.stderr


def test_lint_at(files):
    policy = files / "ends.yaml"
    policy.write_text(WEB.replace("spec:", "spec:\n  expires: \"2031-03-08T00:00:00Z\""))
    for at, code in (("2031-01-01T00:00:00Z", None), ("2031-03-07T00:00:00Z", "w52"), ("2031-03-09T00:00:00Z", "w50")):
        found = json.loads(bulkhead("lint", policy, "--at", at, "-o", "json").stdout)["diagnostics"]
        assert [d["code"] for d in found] == ([code] if code else [])
    done = bulkhead("lint", policy, "--at", "tomorrow")
    assert (done.returncode, done.stdout) == (USAGE, "")
    assert "--at tomorrow: it is no time like 2031-03-01T18:00:00Z" in done.stderr


def test_lint_codes():
    """The table has every code that the sources know, once, and no other."""
    done = bulkhead("lint", "--codes")
    listed = [line.split()[0] for line in done.stdout.splitlines()]
    used = set()
    for f in [*(ROOT / "policy").rglob("*.c"), ROOT / "agent" / "gate.c"]:
        used.update(re.findall(r'"([ew][0-9]+)"', f.read_text()))
    assert (done.returncode, len(set(listed))) == (OK, len(listed))
    assert set(listed) == used
    assert "w1    an allow rule that adds nothing" in done.stdout
    documented = set()
    for row in re.findall(r"^\| ([ew][0-9, ew]+) \|", (ROOT / "docs/policy.md").read_text(), re.M):
        documented.update(row.split(", "))
    assert set(listed) == documented
    found = json.loads(bulkhead("lint", "--codes", "-o", "json").stdout)
    assert [c["code"] for c in found] == listed
    assert {c["severity"] for c in found} == {"error", "warning"}


# -- explain

def explain(files, source, to, *args):
    return bulkhead("explain", "--policy", files / "policies", "--endpoints", files / "endpoints.yaml", "--from", source,
                    "--to", to, *args)


@pytest.mark.parametrize("source, to, args, code", [
    ("shop/client", "shop/web", ("--port", "80/tcp"), DEPENDS),
    ("shop/client", "shop/web", ("--port", "80/tcp", "--protocol", "http"), OK),
    ("shop/client", "shop/web", ("--port", "80", "--protocol", "ssh"), REFUSED),
    ("shop/client", "shop/web", ("--port", "80", "--protocol", "unknown"), REFUSED),
    ("shop/client", "shop/web", ("-6", "--port", "80", "--protocol", "http"), OK),
    ("shop/client", "shop/web", ("--port", "80/udp"), REFUSED),
    ("client", "shop/web", ("--port", "80", "--protocol", "http"), OK),
    ("10.1.0.5", "fd00::9", ("--port", "80",), FAILED),
    ("10.1.0.5", "10.1.0.9", ("--port", "80", "--protocol", "http"), OK),
    ("fd00::5", "fd00::9", ("--port", "80", "--protocol", "http"), OK),
    ("intruder", "shop/web", ("--port", "80", "--protocol", "http"), REFUSED),
    ("192.0.2.1", "shop/web", ("--port", "80", "--protocol", "http"), REFUSED),
    ("shop/web", "client", ("--port", "80"), OK),
    ("shop/web", "192.0.2.1", ("--port", "icmp"), OK),
    ("192.0.2.1", "shop/web", ("--port", "icmp"), REFUSED),
    ("shop/web", "192.0.2.1", ("--icmp", "echo-request"), OK),
    ("shop/client", "shop/web", ("-6", "--icmp", "8"), REFUSED),
    ("shop/client", "shop/web", ("--port", "80", "--http", "GET /x"), OK),
    ("shop/client", "shop/web", ("--port", "80", "--protocol", "http2", "--http", "GET /x"), REFUSED),
    ("shop/client", "shop/web", ("--port", "80", "--sni", "a.example"), REFUSED),
    ("shop/client", "shop/web", ("--port", "80", "--at", "2031-03-01T18:00:00Z"), DEPENDS),
])
def test_explain(files, source, to, args, code):
    done = explain(files, source, to, *args)
    assert done.returncode == code, done.stdout + done.stderr
    if code == FAILED:
        assert (done.stdout, done.stderr) == ("", "bulkhead: 'fd00::9' is no IPv4 address\n")
        return
    assert done.stderr == ""
    assert json.loads(explain(files, source, to, *args, "-o", "json").stdout)


def test_explain_says_why(files):
    done = explain(files, "intruder", "shop/web", "--port", "80")
    assert "shop/web" in done.stdout and "policies/web.yaml" in done.stdout


@pytest.mark.parametrize("source, args, message", [
    ("shop/clinet", (), "no endpoint 'shop/clinet'; did you mean 'shop/client'?"),
    ("clien", (), "no endpoint 'clien'; did you mean 'client'?"),
    ("10.1.0", (), "no endpoint '10.1.0', and it is no address either"),
    ("web", (), "'web' may be lab/web or shop/web: say which"),
    ("10.1.0.5", ("-6",), "'10.1.0.5' is no IPv6 address"),
    ("intruder", ("-6",), "endpoint shop/intruder has no IPv6 address"),
    ("node/n1", (), "no Node 'n1' is known"),
])
def test_explain_unknown_end(files, source, args, message):
    done = explain(files, source, "shop/web", "--port", "80", *args)
    assert (done.returncode, done.stdout, done.stderr) == (FAILED, "", f"bulkhead: {message}\n")


def test_explain_with_broken_policy(files):
    (files / "policies/bad.yaml").write_text("kind: [")
    done = explain(files, "shop/client", "shop/web", "--port", "80")
    assert (done.returncode, done.stdout) == (FAILED, "")
    assert "bad.yaml:" in done.stderr and "error" in done.stderr


def test_explain_asks_the_agent(api):
    ask = ("--socket", api.path, "explain", "--from", "shop/client", "--to", "shop/web", "--port", "80")
    assert bulkhead(*ask).returncode == DEPENDS
    assert bulkhead(*ask, "--protocol", "ssh").returncode == REFUSED
    done = bulkhead(*ask, "--protocol", "http")
    assert (done.returncode, done.stderr) == (OK, "")
    # The node that an endpoint runs on, which no manifest tells about: isolation does not bind it.
    host = bulkhead("--socket", api.path, "explain", "--from", "node/n1", "--to", "shop/web", "--port", "80")
    assert (host.returncode, host.stderr) == (OK, "")
    assert host.stdout.startswith("node n1 -> shop/web tcp/80: ALLOWED\n")
    other = bulkhead("--socket", api.path, "explain", "--from", "node/n2", "--to", "shop/web", "--port", "80")
    assert (other.returncode, other.stdout) == (FAILED, "")
    assert other.stderr == "bulkhead: no IPv4 address of node n2 is known: there is no Node manifest of it\n"
    # Not released from quarantine: refused, whatever the policies say.
    late = bulkhead("--socket", api.path, "explain", "--from", "late", "--to", "shop/web", "--port", "80", "--protocol",
                    "http")
    assert late.returncode == REFUSED
    assert "shop/late is in quarantine" in late.stdout


def test_explain_does_not_trust_an_answer_it_cannot_read(api):
    ask = ("--socket", api.path, "explain", "--from", "shop/client", "--to", "shop/web", "--port", "80")
    broken = json.loads(json.dumps(API_ENDPOINTS))
    del broken["endpoints"][0]["labels"]
    api.on("GET", "/v1/endpoints", broken)
    done = bulkhead(*ask)
    assert (done.returncode, done.stdout) == (FAILED, "")
    assert done.stderr == ("bulkhead: the agent's list of endpoints cannot be read: endpoint 0: \"labels\" is missing\n")
    api.on("GET", "/v1/policies?format=yaml", WEB.replace("isolate", "isolates"))
    done = bulkhead(*ask)
    assert (done.returncode, done.stdout) == (FAILED, "")
    assert "the policies in force cannot be read" in done.stderr


# -- render

def test_render(files, api):
    done = bulkhead("render", "--policy", files / "policies", "--endpoints", files / "endpoints.yaml")
    assert (done.returncode, done.stderr) == (OK, "")
    assert "shop" in done.stdout and "http" in done.stdout
    again = bulkhead("render", "--policy", files / "policies", "--endpoints", files / "endpoints.yaml")
    assert again.stdout == done.stdout
    api.on("GET", "/v1/ruleset", "the rule set\n")
    assert bulkhead("--socket", api.path, "render").stdout == "the rule set\n"



LIVE = {"table": "bulkhead", "revision": 7, "epoch": 3, "applied": True, "compared": True, "equal": False,
        "counters": {"refused": 4, "killed": 0}, "differing": 3,
        "tables": [{"family": "ip", "state": "present", "owner": True, "subjects": [], "ranges": [], "ports": [],
                    "endpoints": [{"address": "10.1.0.5", "class": "e1", "name": "shop/w\x1beb"}],
                    "cells": [{"direction": "egress", "subject": "e1", "subjectMeans": "shop: app=web", "peer": "any",
                               "peerMeans": "", "protocol": "any", "port": "", "decision": "drop", "by": ""}],
                    "contracts": []},
                   {"family": "ip6", "state": "missing", "owner": False, "endpoints": [], "subjects": [], "ranges": [],
                    "ports": [], "cells": [], "contracts": []}],
        "differences": [{"family": "ip", "object": "peer", "what": "missing", "text": "endpoint 10.1.0.6: class e1"},
                        {"family": "ip6", "object": "table", "what": "missing", "text": "the table is gone"}]}


def test_render_live(api):
    api.on("GET", "/v1/live", LIVE)
    done = bulkhead("--socket", api.path, "render", "--live")
    assert done.returncode == 1
    assert done.stdout == """table bulkhead, revision 7, epoch 3
packets: refused 4, killed 0

ip endpoints
  10.1.0.5                e1      shop/w?eb

ip egress of e1 (shop: app=web)
  to any
    any              drop

ip6 table: missing

the kernel does not hold what it should hold: 3 differences
  missing: ip peer: endpoint 10.1.0.6: class e1
  missing: ip6 table: the table is gone
  and 1 more
"""
    done = bulkhead("--socket", api.path, "render", "--live", "-o", "json")
    assert done.returncode == 1 and json.loads(done.stdout) == {**LIVE, "source": "agent"}
    api.on("GET", "/v1/live", {**LIVE, "equal": True, "differing": 0, "differences": []})
    done = bulkhead("--socket", api.path, "render", "--live")
    assert done.returncode == 0 and done.stdout.endswith("the kernel holds what it should hold\n")
    # An answer in which nothing was compared is not said to be equal.
    api.on("GET", "/v1/live", {**LIVE, "compared": False})
    done = bulkhead("--socket", api.path, "render", "--live")
    assert done.returncode == 0 and "not compared" in done.stdout and "holds what it should" not in done.stdout
    api.on("GET", "/v1/live", {"error": "the tables cannot be read"}, status=500)
    done = bulkhead("--socket", api.path, "render", "--live")
    assert done.returncode == 1 and "the tables cannot be read" in done.stderr and done.stdout == ""
    for args, text in [(("-o", "json"), "-o json goes with --live"), (("--table", "x"), "--table goes with --live"),
                       (("--live", "--nft"), "either --live or --nft")]:
        done = bulkhead("--socket", api.path, "render", *args)
        assert done.returncode == 2 and text in done.stderr

# -- the agent

def test_no_agent(tmp_path):
    path = tmp_path / "api.sock"
    for args in (("status",), ("endpoints",), ("get",), ("violations",), ("violations", "-f"), ("render",),
                 ("delete", "tp", "x"), ("explain", "--from", "a", "--to", "b", "--port", "80")):
        done = bulkhead(*args, env={"BULKHEAD_SOCKET": str(path)})
        assert (done.returncode, done.stdout) == (FAILED, "")
        assert done.stderr == (f"bulkhead: cannot reach the agent at {path}: no such file or directory; "
                               "is bulkheadd running?\n")


def test_agent_is_gone(api):
    api.close()
    done = bulkhead("--socket", api.path, "status")
    assert done.returncode == FAILED
    assert done.stderr == (f"bulkhead: cannot reach the agent at {api.path}: connection refused; "
                           "is bulkheadd running?\n")


def test_proxies_of_the_environment_do_not_matter(api):
    env = {k: "http://127.0.0.1:9" for k in ("http_proxy", "all_proxy", "ALL_PROXY")}
    assert bulkhead("--socket", api.path, "status", env=env).returncode == OK


def test_status(api):
    done = bulkhead("status", env={"BULKHEAD_SOCKET": api.path})
    assert (done.returncode, done.stderr) == (OK, "")
    assert "agent       ready, version 0.1.0, pid 123, node n1" in done.stdout
    assert "revision    7 enforced\n" in done.stdout
    assert "policies    5 in force, folder /etc/bulkhead/policies ok\n" in done.stdout
    assert "endpoints   4 local, 0 remote, 0 quarantined\n" in done.stdout
    assert "refused 2" in done.stdout and "queue 61440" in done.stdout
    assert "warning: net.ipv4.ip_forward is 0: nothing is forwarded\n" in done.stdout
    assert json.loads(bulkhead("--socket", api.path, "status", "-o", "json").stdout) == STATUS


@pytest.mark.parametrize("change, text", [
    ({"ready": False}, "agent       not ready"),
    ({"ready": None}, "agent       not ready"),
    ({"revision": {"wanted": 8, "enforced": 7, "error": "the kernel said no"}}, "revision    7 enforced, 8 wanted\n"),
    ({"revision": {}}, "revision    ? enforced, ? wanted\n"),
    ({"errors": ["the bridge br0 does not hand IPv4 to nftables"]},
     "error: the bridge br0 does not hand IPv4 to nftables\n"),
    ({"workers": [{"pid": 1, "connected": False}], "ready": False}, "worker 0    pid 1, not connected\n"),
    ({"policies": {"count": 5, "folder": "/p", "ok": False, "diagnostics": [
        {"severity": "error", "code": "e1", "file": "/p/a.yaml", "line": 3, "column": 5, "path": "spec",
         "message": "unknown field \"x\"", "hint": None}]}}, "has errors: the last good set stays in force"),
])
def test_status_not_healthy(api, change, text):
    api.on("GET", "/v1/status", {**STATUS, **change})
    done = bulkhead("--socket", api.path, "status")
    assert done.returncode == FAILED
    assert text in done.stdout
    if "policies" in change:
        assert "/p/a.yaml:3:5: error: unknown field \"x\" [e1]\n" in done.stderr


def test_endpoints(api):
    done = bulkhead("--socket", api.path, "endpoints")
    assert done.returncode == OK
    assert done.stdout.splitlines() == [
        "NAMESPACE  NAME    STATE        NODE  ADDRESSES         INTERFACE  LABELS",
        "shop       web     enforced     n1    10.1.0.9,fd00::9  bhkaa      app=web",
        "shop       client  enforced     n1    10.1.0.5,fd00::5  bhkbb      role=client",
        "shop       late    quarantined  n1    10.1.0.7          bhkcc      role=client",
        "other      far     remote       n2    10.3.0.1          -          -"]
    listed = json.loads(bulkhead("--socket", api.path, "endpoints", "-n", "other", "-o", "json").stdout)
    assert [e["name"] for e in listed["endpoints"]] == ["far"]


def test_violations(api):
    loss = {"v": 1, "ts": "2026-01-02T03:04:06.000000Z", "seq": 18, "kind": "loss", "cause": "queue", "count": 2}
    text = json.dumps(RECORD) + "\n" + json.dumps(loss) + "\n"
    api.on("GET", "/v1/violations?n=2", text)
    done = bulkhead("--socket", api.path, "violations", "-n", "2")
    assert (done.returncode, done.stderr) == (OK, "")
    assert done.stdout.splitlines() == [
        "2026-01-02 03:04:05.678Z reset shop/client 10.1.0.5 -> shop/web 10.1.0.9:80/tcp protocol_mismatch: "
        "TrafficPolicy shop/web rule 0 \"clients\" (ingress); expected http, seen ssh; 3 times",
        "2026-01-02 03:04:06.000Z loss cause=queue count=2"]
    assert bulkhead("--socket", api.path, "violations", "-n2", "-o", "json").stdout == text


def test_violations_follow_ends_with_the_stream(api):
    api.on("GET", "/v1/violations?follow=1&n=0", json.dumps(RECORD) + "\n")
    done = bulkhead("--socket", api.path, "violations", "-f", "-n", "0")
    assert done.returncode == FAILED
    assert len(done.stdout.splitlines()) == 1
    assert done.stderr == "bulkhead: the agent ended the stream\n"


def test_violations_follow_shows_each_record_at_once(api):
    """Also where a record comes in two pieces, and where two come in one."""
    shown = threading.Event()
    line = json.dumps(RECORD) + "\n"

    def records():
        yield line[:30]
        yield line[30:]
        assert shown.wait(30)
        yield line + line

    api.on("GET", "/v1/violations?follow=1", records)
    with subprocess.Popen([str(CLI), "--socket", api.path, "violations", "-f", "-o", "json"], stdout=subprocess.PIPE,
                          stderr=subprocess.DEVNULL, text=True) as follower:
        assert follower.stdout.readline() == line
        shown.set()
        assert follower.stdout.read() == line + line
        assert follower.wait(30) == FAILED


def test_apply(files, api):
    api.on("POST", "/v1/policies", {"revision": 8, "diagnostics": [], "applied": [
        {"kind": "TrafficPolicy", "namespace": "shop", "name": "web", "result": "created"},
        {"kind": "Endpoint", "namespace": "shop", "name": "web", "result": "unchanged"}]})
    done = bulkhead("--socket", api.path, "apply", "-f", files / "policies", "-f", "-", stdin=ENDPOINTS)
    assert (done.returncode, done.stderr) == (OK, "")
    assert done.stdout.splitlines() == ["TrafficPolicy shop/web created", "Endpoint shop/web unchanged",
                                        "revision 8 is enforced"]
    assert api.requests == [("POST", "/v1/policies", WEB + "---\n" + ENDPOINTS)]


def test_apply_reads_what_lint_reads(files, api):
    """Links that lead round in circles end at once, and a file named twice is one file."""
    name = str(files / "policies/web.yaml").replace("/", "%2F")
    api.on("POST", f"/v1/policies?file={name}", {"revision": 8, "diagnostics": [], "applied": []})
    for loop in ("a", "b", "c"):
        (files / "policies" / loop).symlink_to(".")
    (files / "policies/web.test.yaml").write_text("tests: []")
    done = bulkhead("--socket", api.path, "apply", "-f", files / "policies", "-f", files / "policies/web.yaml")
    assert (done.returncode, done.stderr) == (OK, "")
    assert api.requests == [("POST", f"/v1/policies?file={name}", WEB)]
    deep = files / "policies"
    for _ in range(20):
        deep = deep / "d"
        deep.mkdir()
    done = bulkhead("--socket", api.path, "apply", "-f", files / "policies")
    assert done.returncode == FAILED and len(api.requests) == 1
    assert "too many folders inside of each other" in done.stderr


def test_apply_dry_run(files, api):
    name = str(files / "policies/web.yaml").replace("/", "%2F")
    api.on("POST", f"/v1/policies?dryRun=1&file={name}", {"revision": 7, "diagnostics": [], "applied": [
        {"kind": "TrafficPolicy", "namespace": "shop", "name": "web", "result": "configured"}]})
    done = bulkhead("--socket", api.path, "apply", "--dry-run", "-f", files / "policies/web.yaml")
    assert (done.returncode, done.stdout) == (OK, "TrafficPolicy shop/web configured (dry run)\n")


def test_apply_checks_before_it_sends(files, api):
    (files / "policies/bad.yaml").write_text(WEB.replace("protocols", "protocls"))
    done = bulkhead("--socket", api.path, "apply", "-f", files / "policies")
    assert (done.returncode, done.stdout, api.requests) == (FAILED, "", [])
    assert re.search(r"bad.yaml:11:5: error: ", done.stderr)
    assert done.stderr.splitlines()[-1].endswith("nothing was done")
    for args in (("-f", files / "nowhere.yaml"), ("-f", "/dev/null"), ("-f", "-")):
        done = bulkhead("--socket", api.path, "apply", *args)
        assert (done.returncode, done.stdout, api.requests) == (FAILED, "", [])


def test_apply_shows_what_the_agent_says(files, api):
    diagnostic = {"severity": "error", "code": "e14", "file": "request", "line": 1, "column": 1, "path": None,
                  "message": "TrafficPolicy shop/web is defined twice", "hint": "keep one"}
    name = str(files / "policies/web.yaml").replace("/", "%2F")
    path = f"/v1/policies?file={name}"
    api.on("POST", path, {"error": "the manifests have errors", "diagnostics": [diagnostic]}, status=422)
    done = bulkhead("--socket", api.path, "apply", "-f", files / "policies")
    assert (done.returncode, done.stdout) == (FAILED, "")
    assert done.stderr == ("bulkhead: the manifests have errors\n"
                           "request:1:1: error: TrafficPolicy shop/web is defined twice [e14]\n"
                           "      | keep one\n")
    api.on("POST", path, "<html>", status=500)
    done = bulkhead("--socket", api.path, "apply", "-f", files / "policies")
    assert done.returncode == FAILED
    assert done.stderr == "bulkhead: the agent answers with HTTP status 500 and no reason\n"


def test_get(api):
    policies = [{"kind": "TrafficPolicy", "namespace": "shop", "name": "web", "tier": "application", "mode": "enforce",
                 "origin": "applied", "file": None, "line": None, "rules": {"ingress": 1, "egress": 0}},
                {"kind": "NetworkPolicy", "namespace": "lab", "name": "all", "tier": "application", "mode": "enforce",
                 "origin": "folder", "file": "/etc/bulkhead/policies/a.yaml", "line": 1,
                 "rules": {"ingress": 2, "egress": 0}}]
    api.on("GET", "/v1/policies", {"policies": policies})
    api.on("GET", "/v1/policies/TrafficPolicy/shop/web", WEB)
    get = ("--socket", api.path, "get")
    done = bulkhead(*get)
    assert (done.returncode, done.stderr) == (OK, "")
    assert done.stdout.splitlines() == [
        "KIND           NAMESPACE  NAME  TIER         MODE     INGRESS  EGRESS  ORIGIN   FILE",
        "TrafficPolicy  shop       web   application  enforce  1        0       applied  -",
        "NetworkPolicy  lab        all   application  enforce  2        0       folder   /etc/bulkhead/policies/a.yaml:1"]
    assert [p["name"] for p in json.loads(bulkhead(*get, "netpol", "-o", "json").stdout)["policies"]] == ["all"]
    assert json.loads(bulkhead(*get, "-n", "shop", "-o", "json").stdout)["policies"] == policies[:1]
    assert bulkhead(*get, "-o", "yaml").stdout == WEB
    assert bulkhead(*get, "trafficpolicy", "web", "-o", "yaml").stdout == WEB
    missing = bulkhead(*get, "TrafficPolicy", "all")
    assert (missing.returncode, missing.stderr) == (FAILED, "bulkhead: no TrafficPolicy 'all'\n")


def test_get_what_stands_in_no_namespace(api):
    ctp = {"kind": "ClusterTrafficPolicy", "namespace": "", "name": "no-shells", "tier": "admin", "priority": 7,
           "mode": "enforce", "origin": "applied", "file": "", "line": 1, "rules": {"ingress": 2, "egress": 0}}
    others = [{"kind": "Namespace", "namespace": "", "name": "shop", "labels": {"team": "a"}, "origin": "folder",
               "file": "/p/a.yaml", "line": 3},
              {"kind": "Node", "namespace": "", "name": "n2", "labels": {}, "addresses": ["192.0.2.2", "2001:db8::2"],
               "origin": "applied", "file": "", "line": 1},
              {"kind": "Endpoint", "namespace": "shop", "name": "far", "labels": {"app": "web"},
               "addresses": ["10.9.0.1"], "origin": "folder", "file": "/p/a.yaml", "line": 9}]
    api.on("GET", "/v1/policies", {"policies": [ctp], "others": others})
    api.on("GET", "/v1/policies/ClusterTrafficPolicy/no-shells", "kind: ClusterTrafficPolicy\n")
    api.on("GET", "/v1/policies/Node/n2", "kind: Node\n")
    get = ("--socket", api.path, "get")
    # A namespace says nothing where there is none, as with kubectl.
    for args in (("ctp",), ("clustertrafficpolicies", "no-shells"), ("ctp", "-n", "shop")):
        assert "no-shells  admin 7  enforce" in bulkhead(*get, *args).stdout
        assert bulkhead(*get, *args, "-o", "yaml").stdout == "kind: ClusterTrafficPolicy\n"
    assert "no-shells" not in bulkhead(*get, "-n", "shop").stdout
    assert bulkhead(*get, "node").stdout.splitlines() == [
        "KIND  NAMESPACE  NAME  ADDRESSES              LABELS  ORIGIN   FILE",
        "Node  -          n2    192.0.2.2,2001:db8::2  -       applied  -"]
    assert bulkhead(*get, "node", "n2", "-o", "yaml").stdout == "kind: Node\n"
    assert json.loads(bulkhead(*get, "ns", "-o", "json").stdout) == {"others": others[:1]}
    assert "/p/a.yaml:9" in bulkhead(*get, "ep", "-n", "shop").stdout
    assert "far" not in bulkhead(*get, "ep", "-n", "lab").stdout
    missing = bulkhead(*get, "node", "n3", "-n", "shop")
    assert (missing.returncode, missing.stderr) == (FAILED, "bulkhead: no Node 'n3'\n")

    api.on("DELETE", "/v1/policies/ClusterTrafficPolicy/no-shells", {"revision": 12})
    done = bulkhead("--socket", api.path, "delete", "ctp", "no-shells")
    assert done.stdout == "ClusterTrafficPolicy no-shells deleted; revision 12 is enforced\n"


def test_delete(files, api):
    delete = ("--socket", api.path, "delete")
    api.on("DELETE", "/v1/policies/TrafficPolicy/shop/web", {"revision": 9})
    done = bulkhead(*delete, "TrafficPolicy", "web", "-n", "shop")
    assert (done.returncode, done.stderr) == (OK, "")
    assert done.stdout == "TrafficPolicy shop/web deleted; revision 9 is enforced\n"
    assert bulkhead(*delete, "-f", files / "policies").stdout == done.stdout

    api.on("DELETE", "/v1/policies/Namespace/shop", {"revision": 10})
    assert bulkhead(*delete, "namespace", "shop").stdout == "Namespace shop deleted; revision 10 is enforced\n"
    # On after one that is not there.
    api.on("DELETE", "/v1/policies/Endpoint/lab/web", {"revision": 11})
    done = bulkhead(*delete, "-f", files / "endpoints.yaml")
    assert done.returncode == FAILED
    assert done.stdout == "Endpoint lab/web deleted; revision 11 is enforced\n"
    assert done.stderr.splitlines() == [f"bulkhead: no Endpoint '{n}' in namespace shop" for n in
                                        ("client", "intruder", "web")]
    done = bulkhead(*delete, "TrafficPolicy", "web")
    assert (done.returncode, done.stdout) == (FAILED, "")
    assert done.stderr == "bulkhead: no TrafficPolicy 'web' in namespace default; -n names another namespace\n"
    api.on("DELETE", "/v1/policies/TrafficPolicy/shop/web", {"error": "it comes from /etc/x.yaml"}, status=409)
    done = bulkhead(*delete, "TrafficPolicy", "web", "-n", "shop")
    assert (done.returncode, done.stderr) == (FAILED, "bulkhead: it comes from /etc/x.yaml\n")


def test_names_cannot_speak_to_the_terminal(api):
    nasty = json.loads(json.dumps(API_ENDPOINTS))
    nasty["endpoints"][0]["name"] = "a\x1b[2Jb\r\n"
    nasty["endpoints"][0]["labels"] = {"k\x07": "\u202ev"}
    api.on("GET", "/v1/endpoints", nasty)
    api.on("GET", "/v1/violations", json.dumps({**RECORD, "reason": "x\x1b]0;t\x07\n"}) + "\n")
    api.on("GET", "/v1/policies", {"error": "no\x1b[2J\nway"}, status=500)
    for verb in ("endpoints", "violations", "get"):
        done = bulkhead("--socket", api.path, verb)
        assert not re.search("[\x00-\x09\x0b-\x1f\x7f\u202e]", done.stdout + done.stderr)
    assert "a?[2Jb??" in bulkhead("--socket", api.path, "endpoints").stdout
