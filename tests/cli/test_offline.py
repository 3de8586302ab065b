"""The verbs that look at policies as a whole: matrix, diff, test, render; and what may surround policies.

They read real files; where the agent is asked, a stand-in answers (fake_api.py). No privilege is needed.
"""
import csv
import io
import json
import re
import sys
import tempfile
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
from fake_api import FakeApi  # noqa: E402
from test_cli import API_ENDPOINTS, DEPENDS, FAILED, OK, REFUSED, USAGE, WEB, bulkhead  # noqa: E402

SVG = "{http://www.w3.org/2000/svg}"

SHOP = """\
apiVersion: v1
kind: Namespace
metadata: {name: ops, labels: {team: ops}}
---
apiVersion: bulkhead.network/v1alpha1
kind: Endpoint
metadata: {name: web, namespace: shop, labels: {app: web}}
spec: {addresses: [10.1.0.9, "fd00::9"]}
---
apiVersion: bulkhead.network/v1alpha1
kind: Endpoint
metadata: {name: client-7f-a, namespace: shop, labels: {role: client}}
spec: {addresses: [10.1.0.5, "fd00::5"]}
---
apiVersion: bulkhead.network/v1alpha1
kind: Endpoint
metadata: {name: client-7f-b, namespace: shop, labels: {role: client}}
spec: {addresses: [10.1.0.6]}
---
apiVersion: bulkhead.network/v1alpha1
kind: Endpoint
metadata: {name: bastion, namespace: ops, labels: {app: bastion}}
spec: {addresses: [10.2.0.8]}
"""

POLICIES = """\
apiVersion: bulkhead.network/v1alpha1
kind: TrafficPolicy
metadata: {name: web, namespace: shop}
spec:
  podSelector: {matchLabels: {app: web}}
  isolate: ingress
  ingress:
  - name: clients
    from: [{podSelector: {matchLabels: {role: client}}}]
    ports: [80, 9000-9010]
    http: [{methods: [GET], paths: ["/public/**"]}, {methods: [POST], paths: [/orders]}]
  - name: bastion
    from: [{namespaceSelector: {matchLabels: {team: ops}}}]
    ports: [22]
    protocols: [ssh]
    log: true
  - name: office
    from: [{ipBlock: {cidr: 192.0.2.0/24, except: [192.0.2.64/26]}}]
    ports: [443]
  - name: ping
    icmp: [echo-request]
---
apiVersion: bulkhead.network/v1alpha1
kind: TrafficPolicy
metadata: {name: no-ssh, namespace: shop}
spec:
  podSelector: {matchLabels: {role: client}}
  isolate: none
  egress:
  - {action: reject, protocols: [ssh]}
"""


@pytest.fixture
def shop(tmp_path):
    (tmp_path / "shop").mkdir()
    (tmp_path / "shop/policies.yaml").write_text(POLICIES)
    (tmp_path / "shop/endpoints.yaml").write_text(SHOP)
    return tmp_path


@pytest.fixture
def api():
    with tempfile.TemporaryDirectory(prefix="bhc.") as folder:
        fake = FakeApi(folder)
        fake.on("GET", "/v1/endpoints", API_ENDPOINTS)
        fake.on("GET", "/v1/policies?format=yaml", WEB)
        yield fake
        fake.close()


def matrix(shop, *args):
    return bulkhead("matrix", "--policy", shop / "shop", *args)


# -- matrix

def test_matrix_grid(shop):
    done = matrix(shop)
    assert (done.returncode, done.stderr) == (OK, "")
    assert done.stdout == """\
from \\ to                          1 2 3 4 5
1  ops/bastion                       # ~ # #
2  shop/client-7f-* (2)            * * ~ * *
3  shop/web                        # #   # #
4  192.0.2.0/24 but 192.0.2.64/26  # # +
5  world                           # # +

# everything
* everything but some ports or protocols
~ some protocols
+ some ports
"""


def test_matrix_ports(shop):
    lines = dict(line.split(": ", 1) for line in matrix(shop, "--ports").stdout.splitlines())
    assert lines["shop/client-7f-* (2) -> shop/web"] == (
        "icmp echo-request, icmpv6 echo-request; 80/tcp, 9000-9010/tcp http [methods GET; paths /public/** or methods "
        "POST; paths /orders]")
    assert lines["ops/bastion -> shop/web"] == "icmp echo-request, icmpv6 echo-request; 22/tcp ssh"
    assert lines["shop/client-7f-* (2) -> ops/bastion"] == "everything but ssh"
    assert lines["shop/web -> world"] == "everything"
    assert lines["192.0.2.0/24 but 192.0.2.64/26 -> shop/web"] == (
        "icmp echo-request, 443/tcp, icmpv6 echo-request")
    assert "world -> 192.0.2.0/24 but 192.0.2.64/26" not in lines


@pytest.mark.parametrize("args, pairs", [
    (("--from", "shop/client-7f-b", "--to", "shop/web"), ["shop/client-7f-* (2) -> shop/web"]),
    (("--from", "10.1.0.5", "--to", "web"), ["shop/client-7f-* (2) -> shop/web"]),
    (("--from", "203.0.113.1", "--to", "shop/"), ["world -> shop/client-7f-* (2)", "world -> shop/web"]),
    (("--from", "192.0.2.9", "--to", "shop/web"), ["192.0.2.0/24 but 192.0.2.64/26 -> shop/web"]),
    (("--from", "world", "--to", "shop/web"), ["world -> shop/web"]),
])
def test_matrix_of_some(shop, args, pairs):
    done = matrix(shop, "--ports", *args)
    assert [line.split(": ")[0] for line in done.stdout.splitlines()] == pairs


@pytest.mark.parametrize("args, code, message", [
    (("--from", "shop/wbe"), FAILED, "matrix: --from shop/wbe: nobody is called so; did you mean 'shop/web'?"),
    (("--to", "nowhere/"), FAILED, "matrix: --to nowhere/: nobody is called so"),
    (("--ports", "-o", "json"), USAGE, "matrix: --ports is about tables; the other forms have the ports"),
    (("-o", "yaml"), USAGE, "matrix: no output format 'yaml' here; there are table, json, csv, dot, svg"),
    (("-o", "svgg"), USAGE, "matrix: unknown output format 'svgg'; did you mean 'svg'?"),
])
def test_matrix_refuses(shop, args, code, message):
    done = matrix(shop, *args)
    assert (done.returncode, done.stdout, done.stderr) == (code, "", f"bulkhead: {message}\n")


def test_matrix_csv(shop):
    rows = list(csv.DictReader(io.StringIO(matrix(shop, "-o", "csv").stdout, newline="")))
    row = [r for r in rows if (r["from"], r["to"], r["first_port"]) == ("ops/bastion", "shop/web", "22")]
    assert row == [{"from": "ops/bastion", "to": "shop/web", "transport": "tcp", "first_port": "22", "last_port": "22",
                    "outcome": "depends", "spoken": "ssh; recorded: ssh", "by": 'TrafficPolicy shop/web rule "bastion"'}]
    assert {"from": "world", "to": "shop/web", "transport": "other", "first_port": "", "last_port": "", "outcome": "refuse",
            "spoken": "refused", "by": "isolated by TrafficPolicy shop/web"} in rows


def test_matrix_json(shop):
    told = json.loads(matrix(shop, "-o", "json").stdout)
    names = [p["name"] for p in told["parties"]]
    assert names == ["ops/bastion", "shop/client-7f-* (2)", "shop/web", "192.0.2.0/24 but 192.0.2.64/26", "world"]
    assert told["parties"][1]["members"] == ["shop/client-7f-a", "shop/client-7f-b"]
    pair = next(p for p in told["pairs"] if (p["from"], p["to"]) == ("shop/client-7f-* (2)", "shop/web"))
    assert pair["sum"] == "protocols"
    port = next(p for p in pair["ports"] if p.get("first") == 80)
    assert (port["transport"], port["last"], port["outcome"]) == ("tcp", 80, "depends")
    http = next(p for p in port["protocols"] if p["name"] == "http")
    assert http["outcome"] == "depends" and "methods GET" in http["if"]
    assert port["by"][0]["rule"] == {"name": "clients", "index": 0}
    assert pair["ports"][-1]["transport"] == "other" and pair["ports"][-1]["outcome"] == "refuse"
    # Nobody is left out: every pair in which somebody has policies, but for what one address says to itself.
    assert len(told["pairs"]) == 3 * 3 - 2 + 3 * 2 * 2


def test_matrix_dot(shop):
    text = matrix(shop, "-o", "dot").stdout
    assert text.startswith("digraph matrix {\n") and text.endswith("}\n")
    assert text.count("subgraph") == 2 and text.count("{") == text.count("}")
    assert '[color="#1565c0", label="icmp echo-request, icmpv6 echo-request; 22/tcp ssh"]' in text


def test_matrix_svg(shop):
    text = matrix(shop, "-o", "svg").stdout
    root = ET.fromstring(text)
    assert root.tag == SVG + "svg" and "prefers-color-scheme:dark" in text
    cells = [g for g in root.iter(SVG + "g") if g.get("class") == "c"]
    assert len(cells) == 3 * 3 - 2 + 3 * 2 * 2
    tips = [g.find(SVG + "title").text for g in cells]
    assert ('ops/bastion → shop/web\nicmp echo-request, icmpv6 echo-request; 22/tcp ssh\nby TrafficPolicy shop/web rule '
            '"ping"\nby TrafficPolicy shop/web rule "bastion"') in tips
    width, height = float(root.get("width")), float(root.get("height"))
    for rect in root.iter(SVG + "rect"):
        x, y = float(rect.get("x") or 0), float(rect.get("y") or 0)
        assert 0 <= x and x + float(rect.get("width")) <= width and 0 <= y and y + float(rect.get("height")) <= height


def test_matrix_knows_nodes_names_and_ranges(tmp_path):
    (tmp_path / "all.yaml").write_text("""\
apiVersion: v1
kind: Node
metadata: {name: n1, labels: {zone: a}}
status: {addresses: [{type: InternalIP, address: 10.9.0.1}]}
---
apiVersion: bulkhead.network/v1alpha1
kind: Node
metadata: {name: n2}
spec: {addresses: [10.9.0.2]}
---
apiVersion: bulkhead.network/v1alpha1
kind: Endpoint
metadata: {name: api, labels: {app: api}}
spec: {addresses: [10.1.0.9], node: n1}
---
apiVersion: bulkhead.network/v1alpha1
kind: TrafficPolicy
metadata: {name: out}
spec:
  podSelector: {matchLabels: {app: api}}
  isolate: egress
  egress:
  - {to: [{fqdn: ["*.pay.example"]}], ports: [443], protocols: [tls]}
  - {to: [{entity: dns}], ports: [53/udp]}
  - {to: [{entity: world}], ports: [80]}
  - {action: reject, to: [{entity: host}], ports: [22]}
""")
    ask = ("matrix", "--policy", tmp_path, "--ports", "--from", "default/api", "--cluster-range", "10.0.0.0/8",
           "--resolver", "10.96.0.10", "--name", "A.pay.example.=192.0.2.1,192.0.2.2", "--at", "2031-01-01T00:00:00Z")
    done = bulkhead(*ask)
    assert (done.returncode, done.stderr) == (OK, "")
    lines = dict(line.split(": ", 1) for line in done.stdout.splitlines())
    assert lines.pop("default/api -> own node") == "everything; 22/tcp refused"
    assert lines.pop("default/api -> world") == "80/tcp"
    assert lines.pop("default/api -> 10.96.0.10") == "53/udp"
    assert lines.pop("default/api -> 192.0.2.1 + 192.0.2.2") == "80/tcp; 443/tcp tls"
    assert lines == {}  # nodes and the rest of the cluster: nothing


def test_matrix_of_what_the_own_node_may(tmp_path):
    # Where its node is nobody special, isolation alone is what a policy says of it.
    (tmp_path / "all.yaml").write_text("""\
apiVersion: bulkhead.network/v1alpha1
kind: Endpoint
metadata: {name: api, labels: {app: api}}
spec: {addresses: [10.1.0.9], node: n1, hostToContainer: policy}
---
apiVersion: bulkhead.network/v1alpha1
kind: TrafficPolicy
metadata: {name: shut}
spec: {podSelector: {matchLabels: {app: api}}, isolate: ingress}
""")
    done = bulkhead("matrix", "--policy", tmp_path, "--ports")
    assert (done.returncode, done.stderr) == (OK, "")
    assert done.stdout.splitlines() == ["default/api -> own node: everything", "default/api -> world: everything"]
    (tmp_path / "new").mkdir()
    (tmp_path / "new/all.yaml").write_text((tmp_path / "all.yaml").read_text().replace(
        "isolate: ingress", "isolate: ingress, ingress: [{ports: [80]}]"))
    done = diff(tmp_path / "all.yaml", tmp_path / "new")
    assert (done.returncode, done.stdout) == (
        1, "everybody -> default/api 80/tcp: refused -> allowed (TrafficPolicy default/shut ingress[0])\n")
    # What goes for the world only leaves the node where it was.
    (tmp_path / "new/all.yaml").write_text((tmp_path / "all.yaml").read_text().replace(
        "isolate: ingress", "isolate: ingress, ingress: [{from: [{entity: world}]}]"))
    done = diff(tmp_path / "all.yaml", tmp_path / "new")
    assert done.stdout == "world -> default/api everything: refused -> allowed (TrafficPolicy default/shut ingress[0])\n"


@pytest.mark.parametrize("args, message", [
    (("--at", "noon"), "--at noon: it is no time like 2031-03-01T18:00:00Z"),
    (("--resolver", "10.0.0"), "--resolver 10.0.0: it is no address"),
    (("--cluster-range", "10.0.0.0"), "--cluster-range 10.0.0.0: it is no CIDR like 10.0.0.0/8"),
    (("--name", "a.example"), "--name a.example: what is its address? Write NAME=ADDRESS"),
    (("--name", "a b=10.0.0.1"), "--name a b=10.0.0.1: 'a b' is no name of DNS"),
    (("--name", "a=10.0.0.1,x"), "--name a=10.0.0.1,x: 'x' is no address"),
])
def test_surroundings_are_checked(shop, args, message):
    done = matrix(shop, *args)
    assert (done.returncode, done.stdout, done.stderr) == (USAGE, "", f"bulkhead: {message}\n")


def test_matrix_asks_the_agent(api):
    done = bulkhead("--socket", api.path, "matrix", "--ports", "--to", "shop/web")
    assert done.returncode == OK
    assert "shop/role=client (2) -> shop/web: 80/tcp http\n" in done.stdout


def test_matrix_of_too_many(tmp_path):
    # Every endpoint is told apart, and so are all pairs.
    with open(tmp_path / "many.yaml", "w") as f:
        for i in range(2100):
            f.write(f"---\napiVersion: bulkhead.network/v1alpha1\nkind: Endpoint\nmetadata: {{name: e{i}, namespace: n{i}}}\n"
                    f"spec: {{addresses: [10.0.{i // 250}.{i % 250}]}}\n")
    done = bulkhead("matrix", "--policy", tmp_path)
    assert (done.returncode, done.stdout) == (FAILED, "")
    assert done.stderr == ("bulkhead: matrix: 2101 parties reaching 2101 are too many pairs (more than 4000000); choose some "
                           "by --from or --to\n")
    assert bulkhead("matrix", "--policy", tmp_path, "--from", "n7/").returncode == OK
    done = bulkhead("matrix", "--policy", tmp_path, "--from", "n7/", "-o", "svg")
    assert done.returncode == OK
    assert bulkhead("diff", tmp_path, tmp_path).returncode == 2


# -- diff

def diff(old, new, *args):
    return bulkhead("diff", old, new, *args)


def test_diff_of_the_same(shop):
    done = diff(shop / "shop", shop / "shop")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    # Written otherwise, in another order, with other names: the same.
    (shop / "new").mkdir()
    text = POLICIES.replace("name: web,", "name: renamed,").replace("ports: [80, 9000-9010]",
                                                                    "ports: [9005-9010, 80, 9000-9007]")
    (shop / "new/policies.yaml").write_text("---\n".join(reversed(text.split("---\n"))))
    done = diff(shop / "shop/policies.yaml", shop / "new", "--endpoints", shop / "shop/endpoints.yaml")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@pytest.mark.parametrize("old, new, lines", [
    ("ports: [22]", "ports: [22, 2222]",
     ['ops/bastion -> shop/web 2222/tcp: refused -> allowed if ssh (TrafficPolicy shop/web rule "bastion")']),
    ("protocols: [ssh]\n    log: true", "log: true",
     ['ops/bastion -> shop/web 22/tcp: allowed if ssh -> allowed (TrafficPolicy shop/web rule "bastion")']),
    ("    log: true\n", "",
     ['ops/bastion -> shop/web 22/tcp: allowed if ssh; recorded: ssh -> allowed if ssh (TrafficPolicy shop/web rule '
      '"bastion")']),
    ("paths: [/orders]", "paths: [/orders, /x]",
     ['shop/client-7f-* (2) -> shop/web 80/tcp, 9000-9010/tcp: allowed if http [methods GET; paths /public/** or methods '
      'POST; paths /orders] -> allowed if http [methods GET; paths /public/** or methods POST; paths /orders, /x] '
      '(TrafficPolicy shop/web rule "clients")']),
    ("except: [192.0.2.64/26]", "except: [192.0.2.128/26]",
     ['192.0.2.64/26 -> shop/web 443/tcp: refused -> allowed (TrafficPolicy shop/web rule "office")',
      '192.0.2.128/26 -> shop/web 443/tcp: allowed -> refused (isolated by TrafficPolicy shop/web)']),
    ("action: reject", "action: deny",
     ['shop/client-7f-* (2) -> ops/bastion, shop/client-7f-* (2), 192.0.2.0/24 but 192.0.2.64/26, world everything: '
      'allowed, all but ssh; refused with an answer -> allowed, all but ssh (no longer TrafficPolicy shop/no-ssh egress[0])',
      'shop/client-7f-* (2) -> shop/web 80/tcp, 9000-9010/tcp: allowed if http [methods GET; paths /public/** or methods '
      'POST; paths /orders]; refused with an answer: ssh -> allowed if http [methods GET; paths /public/** or methods POST; '
      'paths /orders] (TrafficPolicy shop/web rule "clients")']),
    ("isolate: none", "isolate: egress",
     ['shop/client-7f-* (2) -> ops/bastion, shop/client-7f-* (2), 192.0.2.0/24 but 192.0.2.64/26, world everything: '
      'allowed, all but ssh -> refused (isolated by TrafficPolicy shop/no-ssh)',
      'shop/client-7f-* (2) -> shop/web',
      '  icmp echo-request, icmpv6 echo-request: allowed -> refused (isolated by TrafficPolicy shop/no-ssh)',
      '  80/tcp, 9000-9010/tcp: allowed if http [methods GET; paths /public/** or methods POST; paths /orders] -> refused '
      '(isolated by TrafficPolicy shop/no-ssh)']),
])
def test_diff_tells(shop, old, new, lines):
    assert old in POLICIES
    (shop / "new.yaml").write_text(POLICIES.replace(old, new))
    done = diff(shop / "shop/policies.yaml", shop / "new.yaml", "--endpoints", shop / "shop/endpoints.yaml")
    assert (done.returncode, done.stderr) == (1, "")
    assert done.stdout.splitlines() == lines


def test_diff_everything_but(shop):
    policy = ("apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {name: all, namespace: ops}\n"
              "spec: {podSelector: {}, ingress: [{ports: [{port: 22}]}]}\n")
    (shop / "new").mkdir()
    (shop / "new/policies.yaml").write_text(POLICIES + "---\n" + policy)
    done = diff(shop / "shop/policies.yaml", shop / "new", "--endpoints", shop / "shop/endpoints.yaml")
    assert done.stdout.splitlines() == [
        "shop/client-7f-* (2) -> ops/bastion everything but 22/tcp: allowed, all but ssh -> refused (isolated by NetworkPolicy "
        "ops/all)",
        "shop/web, 192.0.2.0/24 but 192.0.2.64/26, world -> ops/bastion everything but 22/tcp: allowed -> refused (isolated by "
        "NetworkPolicy ops/all)"]
    # And back: who is to blame is gone.
    back = diff(shop / "new", shop / "shop/policies.yaml", "--endpoints", shop / "shop/endpoints.yaml")
    assert "refused -> allowed (no longer isolated by NetworkPolicy ops/all)" in back.stdout


def test_diff_everybody(shop):
    (shop / "new.yaml").write_text("apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\n"
                                   "metadata: {name: none, namespace: ops}\nspec: {podSelector: {}}\n")
    (shop / "old.yaml").write_text("# nothing\n")
    done = diff(shop / "old.yaml", shop / "new.yaml", "--endpoints", shop / "shop/endpoints.yaml")
    assert done.stdout == ("everybody -> ops/bastion everything: allowed -> refused (isolated by NetworkPolicy ops/none)\n")


def test_diff_json(shop):
    (shop / "new.yaml").write_text(POLICIES.replace("ports: [22]", "ports: [22, 2222]"))
    done = diff(shop / "shop/policies.yaml", shop / "new.yaml", "--endpoints", shop / "shop/endpoints.yaml", "-o", "json")
    told = json.loads(done.stdout)
    assert done.returncode == 1 and told["pairs"] == 1
    (one,) = told["differences"]
    assert (one["from"], one["to"]) == (["ops/bastion"], ["shop/web"])
    (change,) = one["changes"]
    assert change["ports"] == ["2222/tcp"] and change["direction"] == "opened"
    assert (change["was"]["outcome"], change["is"]["outcome"]) == ("refuse", "depends")
    assert change["by"][0]["rule"]["name"] == "bastion"


def test_diff_over_time(shop):
    (shop / "new.yaml").write_text(POLICIES.replace("    log: true", '    expires: "2031-03-01T18:00:00Z"'))
    ask = ("diff", shop / "shop/policies.yaml", shop / "new.yaml", "--endpoints", shop / "shop/endpoints.yaml")
    assert "recorded: ssh -> allowed if ssh" in bulkhead(*ask, "--at", "2031-03-01T17:59:59Z").stdout
    assert "22/tcp: allowed if ssh -> refused" in bulkhead(*ask, "--at", "2031-03-01T18:00:00Z").stdout


def test_diff_with_the_agent(api, tmp_path):
    same, other = tmp_path / "same.yaml", tmp_path / "other.yaml"
    same.write_text(WEB)
    other.write_text(WEB.replace("[80]", "[81]"))
    done = bulkhead("--socket", api.path, "diff", same)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    done = bulkhead("--socket", api.path, "diff", other)
    assert done.returncode == 1
    assert done.stdout.splitlines() == [
        "shop/role=client (2) -> shop/web",
        "  80/tcp: allowed if http -> refused (isolated by TrafficPolicy shop/web)",
        '  81/tcp: refused -> allowed if http (TrafficPolicy shop/web rule "clients")']
    # Labels of namespaces are the agent's where the file does not say them.
    api.on("GET", "/v1/policies?format=yaml",
           "apiVersion: v1\nkind: Namespace\nmetadata: {name: other, labels: {team: ops}}\n---\n" + WEB)
    by_team = WEB.replace("podSelector: {matchLabels: {role: client}}}]", "namespaceSelector: {matchLabels: {team: ops}}}]")
    other.write_text(by_team)
    assert "other/far -> shop/web 80/tcp: refused -> allowed if http" in bulkhead("--socket", api.path, "diff", other).stdout


@pytest.mark.parametrize("args, message", [
    (("nowhere.yaml", "nowhere.yaml"), "nowhere.yaml: error: cannot be read"),
    (("x.yaml", "-o", "svg"), "diff: no output format 'svg' here; there are table, json"),
    (("x.yaml", "--endpoints", "y.yaml"), "diff: --endpoints goes with two files; with one, the agent's count"),
    (("x.yaml",), "cannot reach the agent"),
    ((), "diff: [OLD] NEW is missing"),
])
def test_diff_trouble(args, message, tmp_path):
    done = bulkhead("--socket", tmp_path / "s", "diff", *args)
    assert (done.returncode, done.stdout) == (2, "")
    assert message in done.stderr


def test_diff_of_nobody(shop):
    done = diff(shop / "shop/policies.yaml", shop / "shop/policies.yaml")
    assert (done.returncode, done.stdout) == (2, "")
    assert "no endpoints are known" in done.stderr


# -- test

TESTS = """\
policies: [./]
tests:
- name: clients read
  from: [shop/client-7f-a, shop/client-7f-b]
  to: shop/web
  port: [80/tcp, 9000]
  http: [GET /public/x, "POST /orders"]
  expect: allow
  by: TrafficPolicy shop/web
- name: and nothing else
  from: shop/client-7f-a
  to: shop/web
  port: 80
  http: [PUT /orders, GET /private]
  expect: drop
- from: shop/client-7f-a
  to: shop/web
  port: 80
  protocol: http
  expect: depends
- name: the bastion is recorded
  from: ops/bastion
  to: 10.1.0.9
  port: 22
  protocol: ssh
  expect: allow
  recorded: true
  by: bastion
- name: outside
  from: 203.0.113.9
  to: shop/web
  icmp: [echo-request, 8]
  expect: allow
- name: clients do not hop
  from: shop/client-7f-a
  to: world.example
  port: 22
  protocol: ssh
  direction: egress
  expect: reject
  by: no-ssh
"""


def write_tests(shop, text, name="web.test.yaml"):
    path = shop / "shop" / name
    path.write_text(text.replace("to: world.example", "to: 198.51.100.1"))
    return path


def test_test_passes(shop):
    path = write_tests(shop, TESTS)
    for where in (path, shop, shop / "shop"):
        done = bulkhead("test", where)
        assert (done.returncode, done.stderr) == (OK, ""), done.stdout
        assert done.stdout.endswith("6 tests, 15 connections: 6 passed, 0 failed\n")
    assert "  ok    clients read (8 connections)\n" in done.stdout
    assert "  ok    shop/client-7f-a to shop/web: depends\n" in done.stdout
    # Tests are no manifests.
    assert bulkhead("lint", shop / "shop").returncode == OK


@pytest.mark.parametrize("old, new, expected, got", [
    ("expect: drop", "expect: allow", "allow", "drop"),
    ("expect: drop", "expect: reject", "reject", "drop"),
    ("expect: reject", "expect: drop", "drop by no-ssh (egress)", "reject"),
    ("expect: depends", "expect: refuse", "refuse", "depends"),
    ("recorded: true", "recorded: false", "allow, not recorded by bastion", "allow, recorded"),
    ("by: bastion", "by: basti", "allow, recorded by basti", "allow, recorded, but not by basti"),
    ("by: TrafficPolicy shop/web", "by: TrafficPolicy shop/we", "allow by TrafficPolicy shop/we",
     "allow, but not by TrafficPolicy shop/we"),
])
def test_test_fails(shop, old, new, expected, got):
    assert old in TESTS
    path = write_tests(shop, TESTS.replace(old, new))
    done = bulkhead("test", path)
    assert (done.returncode, done.stderr) == (FAILED, "")
    assert f"          expected: {expected}\n          got:      {got}\n" in done.stdout
    line = 1 + next(i for i, t in enumerate(re.findall(r"^- [\s\S]*?(?=^- |\Z)", TESTS.replace(old, new), re.M)) if new in t)
    assert f"{path}:" in done.stdout and re.search(r"^  FAIL  ", done.stdout, re.M) and line
    assert "            shop/" in done.stdout or "            ops/" in done.stdout  # the explanation


def test_test_shows_why(shop):
    path = write_tests(shop, "policies: [./]\ntests:\n- {name: x, from: ops/bastion, to: shop/web, port: 80, expect: allow}\n")
    done = bulkhead("test", path)
    assert done.stdout.splitlines()[:5] == [
        str(path), f"  FAIL  x ({path}:3)", "        ops/bastion -> shop/web 80", "          expected: allow",
        "          got:      drop"]
    assert "isolated by TrafficPolicy shop/web" in done.stdout
    assert 'rule "clients"' in done.stdout and "does not match" in done.stdout


def test_test_tap(shop):
    write_tests(shop, TESTS.replace("expect: drop", "expect: allow").replace("name: outside", "name: 'outside # 1'"))
    lines = bulkhead("test", "-o", "tap", shop).stdout.splitlines()
    assert lines[:4] == ["TAP version 13", "1..6", "ok 1 - clients read", "not ok 2 - and nothing else"]
    assert "ok 5 - outside \\# 1" in lines
    yaml = pytest.importorskip("yaml")
    block = "\n".join(line[2:] for line in lines[lines.index("  ---"):lines.index("  ...")])
    told = yaml.safe_load(block)
    assert told["connections"] == 2 and told["failed"] == 2
    assert told["failures"][0]["connection"] == "shop/client-7f-a -> shop/web 80 http PUT /orders\n"
    assert told["failures"][0]["got"] == "drop\n"


def test_test_junit(shop):
    write_tests(shop, TESTS.replace("expect: drop", "expect: allow").replace("name: outside", "name: 'a<b & \"c\"'"))
    write_tests(shop, "tests: []\n", "empty.test.yaml")
    root = ET.fromstring(bulkhead("test", "-o", "junit", shop).stdout)
    suites = {Path(s.get("name")).name: s for s in root}
    web = suites["web.test.yaml"]
    assert (web.get("tests"), web.get("failures"), web.get("errors")) == ("6", "1", "0")
    assert [c.get("name") for c in web][4] == 'a<b & "c"'
    (failure,) = web.iter("failure")
    assert failure.get("message") == ("shop/client-7f-a -> shop/web 80 http PUT /orders: expected allow, got drop")
    assert "rule \"clients\"" in failure.text
    empty = suites["empty.test.yaml"]
    assert (empty.get("tests"), empty.get("errors")) == ("1", "1")
    assert "tests is empty" in empty.find("system-err").text


ONE = "tests: [{from: a, to: b, port: 80, expect: allow}]\n"


@pytest.mark.parametrize("text, place, words", [
    ("tests: []\n", "1:8", "tests is empty [e18]"),
    ("policies: [./]\n", "1:1", 'suite has no "tests" [e18]'),
    ("polices: [./]\n" + ONE, "1:1", 'unknown field "polices" in suite [e1]'),
    (ONE.replace("allow", "alow"), "1:44", 'unknown value "alow" in tests[0].expect [e19]'),
    (ONE.replace("port: 80, ", ""), "1:9", 'tests[0] has no "port" [e18]'),
    (ONE.replace("to: b", "to: []"), "1:23", "tests[0].to is empty [e18]"),
    (ONE.replace("80", "80, icmp: 8"), "1:36", "both port and icmp in tests[0] [e13]"),
    (ONE.replace("from: a", "from: [a, 7]"), "1:20", "tests[0].from[1] is a number [e8]"),
    (ONE.replace("allow", "depends, by: x"), "1:53", "nobody has decided where it depends on what is spoken [e19]"),
    ("at: noon\n" + ONE, "1:5", '"noon" in at is no time like 2031-03-01T18:00:00Z [e19]'),
    ("clusterRanges: [10.0.0.0]\n" + ONE, "1:17", '"10.0.0.0" in clusterRanges[0] is no CIDR like 10.0.0.0/8 [e19]'),
    ("names: {a.example: x}\n" + ONE, "1:20", '"x" in names[a.example] is no address [e19]'),
    ("policies: [./]\ntests: [{from: shop/wbe, to: shop/web, port: 80, expect: allow}]\n", "2:16",
     "no endpoint 'shop/wbe'; did you mean 'shop/web'? [e19]"),
    ("policies: [./]\ntests: [{from: shop/web, to: ops/bastion, port: 80/tpc, expect: allow}]\n", "2:49",
     "unknown protocol 'tpc'; did you mean 'tcp'? [e19]"),
    ("policies: [./]\ntests: [{from: shop/web, to: ops/bastion, port: 80, http: get /, expect: allow}]\n", "2:59",
     "method 'get': methods are written in capitals [e19]"),
    ("policies: [./]\ntests: [{from: shop/web, to: ops/bastion, port: 80, family: 6, expect: allow}]\n", "2:30",
     "endpoint ops/bastion has no IPv6 address [e19]"),
])
def test_test_wrong(shop, text, place, words):
    path = write_tests(shop, text)
    done = bulkhead("test", path)
    assert (done.returncode, done.stderr) == (FAILED, "")
    assert f"  {path}:{place}: error: {words}\n" in done.stdout
    assert re.search(r", \d+ errors?\n$", done.stdout)


def test_test_without_tests(shop):
    done = bulkhead("test", shop)
    assert (done.returncode, done.stdout) == (FAILED, "")
    assert "there are no tests: of a folder, files that end in .test.yaml are read" in done.stderr
    done = bulkhead("test", shop / "nowhere.test.yaml")
    assert done.returncode == FAILED and "nowhere.test.yaml: error: " in done.stdout
    done = bulkhead("test", write_tests(shop, ""))
    assert done.returncode == FAILED and "web.test.yaml: error: there are no tests in it [e18]" in done.stdout


def test_test_of_a_folder(shop):
    write_tests(shop, TESTS)
    once = bulkhead("test", shop)
    (shop / "loop").symlink_to(".")
    assert (bulkhead("test", shop).stdout, once.returncode) == (once.stdout, OK)
    deep = shop
    for _ in range(20):
        deep = deep / "d"
        deep.mkdir()
    done = bulkhead("test", shop)
    assert (done.returncode, done.stdout) == (FAILED, "")
    assert "too many folders inside of each other" in done.stderr


def test_test_with_broken_policies(shop):
    path = write_tests(shop, TESTS)
    (shop / "shop/bad.yaml").write_text("kind: [")
    done = bulkhead("test", path)
    assert done.returncode == FAILED
    assert "bad.yaml:2:" in done.stderr and "\n  its policies could not be read\n" in done.stdout
    assert done.stdout.endswith("0 tests, 0 connections: 0 passed, 0 failed, 1 error\n")


def test_test_too_many_connections(shop):
    many = ", ".join(["shop/web"] * 101)
    path = write_tests(shop, f"policies: [./]\ntests:\n- from: [{many}]\n  to: [{many}]\n  port: 80\n  expect: allow\n")
    done = bulkhead("test", path)
    assert done.returncode == FAILED
    assert "what this test lists makes more than 10000 connections" in done.stdout


def test_test_of_the_agents_policies(api, tmp_path):
    path = tmp_path / "live.test.yaml"
    path.write_text("tests:\n- {from: shop/client, to: shop/web, port: 80, protocol: http, expect: allow}\n"
                    "- {from: other/far, to: shop/web, port: 80, expect: refuse}\n")
    done = bulkhead("--socket", api.path, "test", path)
    assert (done.returncode, done.stderr) == (OK, ""), done.stdout
    # What is given goes before.
    (tmp_path / "p.yaml").write_text(WEB.replace("[80]", "[81]"))
    assert bulkhead("--socket", api.path, "test", path, "--policy", tmp_path / "p.yaml").returncode == FAILED


def test_test_suites_of_one_file(shop):
    path = write_tests(shop, TESTS + "---\n" + 'at: "2031-01-01T00:00:00Z"\n' + TESTS)
    assert bulkhead("test", path).stdout.endswith("12 tests, 30 connections: 12 passed, 0 failed\n")


# -- render

def test_render_shows_graphs(shop):
    done = bulkhead("render", "--policy", shop / "shop")
    assert (done.returncode, done.stderr) == (OK, "")
    assert re.search(r"^    http +node \d+, at worst drop #\d+$", done.stdout, re.M)
    assert re.search(r"^\nnodes\n  \d+ +\?\d+: allow #\d+, else drop #\d+$", done.stdout, re.M)
    assert re.search(r"^predicates\n  \?\d+ +http +methods GET; paths /public/\*\* or methods POST; paths /orders$", done.stdout,
                     re.M)
    assert re.search(r"^    icmp type 8 +allow #\d+$", done.stdout, re.M)


def test_render_nft(tmp_path):
    (tmp_path / "p.yaml").write_text(WEB)
    (tmp_path / "e.yaml").write_text(SHOP)
    done = bulkhead("render", "--nft", "--policy", tmp_path)
    assert (done.returncode, done.stderr) == (OK, "")
    assert re.search(r"^  subj_in 10\.1\.0\.9 : 0x8", done.stdout, re.M) and "family 6\n" in done.stdout
