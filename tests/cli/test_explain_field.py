"""`bulkhead explain-field`: what it says, and what it makes of the tables for other programs.

    examples/crd/*.yaml, docs/policy-reference.md    are what the program prints; BH_REGEN=1 writes them anew

The schemas are held against manifests: what the loader takes is valid, and what it refuses for a field, a type or a value
that a table knows is not. To get many of both, good manifests are spoilt in one place each.
"""
import copy
import json
import os
import random
import re
import subprocess
from pathlib import Path

import jsonschema
import pytest
import yaml

ROOT = Path(os.environ.get("BH_SOURCE_ROOT", Path(__file__).resolve().parents[2]))
BUILD = Path(os.environ.get("BH_BUILD_ROOT", ROOT / "build"))
CLI = BUILD / "cli/bulkhead"
OURS = "bulkhead.network/v1alpha1"
CRDS = ["TrafficPolicy", "ClusterTrafficPolicy", "Endpoint", "Node"]
OK, FAILED, USAGE = range(3)


def bulkhead(*args):
    return subprocess.run([CLI, *map(str, args)], capture_output=True, text=True, timeout=60, check=False)


def printed(*args):
    done = bulkhead("explain-field", *args)
    assert (done.returncode, done.stderr) == (OK, "")
    return done.stdout


def asked(*args):
    return json.loads(printed("-o", "json", *args))


# ---- what people see ----

def test_kinds():
    text = printed()
    assert re.search(r"^TrafficPolicy +tp +bulkhead.network/v1alpha1 +yes +\S", text, re.M)
    assert re.search(r"^ClusterTrafficPolicy +ctp +bulkhead.network/v1alpha1 +no +\S", text, re.M)
    kinds = asked()["kinds"]
    assert [k["kind"] for k in kinds if k["apiVersion"] == OURS] == CRDS
    assert all(k["description"] for k in kinds)


def test_a_field():
    text = printed("TrafficPolicy.spec.mode")
    assert text == """\
KIND:        TrafficPolicy
API VERSION: bulkhead.network/v1alpha1
FIELD:       spec.mode
TYPE:        string
VALUES:      enforce, monitor, learn
DEFAULT:     enforce
LIMITS:      not null
NOT IN:      NetworkPolicy: that is a field of TrafficPolicy (bulkhead.network/v1alpha1)
DESCRIPTION: monitor and learn refuse nothing: they record what would be refused, or what no rule
             covers
"""


def test_fields_of_a_field():
    text = printed("endpoint.spec.ports")
    assert text.startswith("KIND:        Endpoint\n")
    assert "\nFIELD:       spec.ports[]\nTYPE:        []object\n" in text
    assert re.search(r"^FIELDS:\n  name +<string> -required- +the name that policies write\n", text, re.M)
    assert re.search(r"^  protocol +<string> +TCP, UDP or SCTP$", text, re.M)


@pytest.mark.parametrize("path", ["tp.spec.ingress.http.paths", "TRAFFICPOLICY.spec.ingress[0].http[3].paths",
                                  "trafficpolicies.spec.ingress[].http[].paths"])
def test_ways_to_write_it(path):
    assert "\nFIELD:       spec.ingress[].http[].paths\nTYPE:        []string\n" in printed(path)


def test_what_differs_from_place_to_place():
    assert "VALUES:      Accept, Deny, Pass\n" in printed("cnp.spec.ingress.action")
    assert "VALUES:      Allow, Deny\n" in printed("banp.spec.ingress.action")
    assert "TYPE:        []object\n" in printed("netpol.spec.ingress.ports")
    assert "TYPE:        []integer, string or object\n" in printed("tp.spec.ingress.ports")
    assert "NOT IN:      NetworkPolicy, ingress rules" in printed("ctp.spec.egress.to.fqdn")
    assert "fqdn" not in printed("ctp.spec.ingress.from")


def test_two_kinds_of_a_name():
    assert "API VERSION: bulkhead.network/v1alpha1\nALSO:        v1\n" in printed("Node")
    assert "API VERSION: v1\n" in printed("Node", "--api-version", "v1")
    assert "API VERSION: v1\n" in printed("Node.status.addresses")


def test_tree():
    text = printed("TrafficPolicy.spec.promote", "--recursive")
    assert text.endswith("FIELDS:\n  monitorAfter  <string>\n  enforceAfter  <string>\n")
    text = printed("TrafficPolicy", "-r")
    assert "\n    ingress  <[]object>\n      name  <string>\n" in text
    assert len(text.splitlines()) > 100


def test_width():
    for name in [k["kind"] for k in asked()["kinds"]]:
        for line in printed(name + ".metadata").splitlines() + printed(name).splitlines():
            assert len(line) <= 100, line


def test_json():
    got = asked("tp.spec.ingress.ports")
    assert (got["kind"], got["apiVersion"], got["path"]) == ("TrafficPolicy", OURS, "spec.ingress[].ports[]")
    assert (got["minimum"], got["maximum"], got["required"]) == (1, 65535, False)
    assert asked("tp.spec.egress.to.fqdn")["notIn"] == ["NetworkPolicy", "ingress rules"]
    assert [f["name"] for f in got["fields"]] == ["port", "endPort", "protocol"]
    assert got["fields"][2]["values"] == ["TCP", "UDP", "SCTP"] and got["fields"][2]["default"] == "TCP"
    assert "fields" not in asked("tp.spec")["fields"][0]
    assert asked("tp.spec", "-r")["fields"][0]["fields"][0]["name"] == "matchLabels"
    assert yaml.safe_load(printed("tp.spec", "-r", "-o", "yaml")) == asked("tp.spec", "-r")


@pytest.mark.parametrize("path, message", [
    ("TraficPolicy", "unknown kind 'TraficPolicy'; did you mean 'trafficpolicy'?"),
    ("Deployment", "unknown kind 'Deployment'; there are NetworkPolicy, TrafficPolicy, ClusterTrafficPolicy"),
    ("tp.spec.ingres", 'TrafficPolicy.spec has no field "ingres"; did you mean "ingress"?'),
    ("tp.spec.podselector", 'TrafficPolicy.spec has no field "podselector"; did you mean "podSelector"?'),
    ("tp.spec.ingress[0].http.x", 'TrafficPolicy.spec.ingress[0].http has no field "x"; there are methods, paths, hosts'),
    ("tp.spec.ingress.to", 'TrafficPolicy.spec.ingress has no field "to": an ingress rule says "from"'),
    ("netpol.spec.mode", 'NetworkPolicy.spec has no field "mode": that is a field of TrafficPolicy'),
    ("tp.spec.mode.x", 'TrafficPolicy.spec.mode has no field "x": it has no fields at all (its type: string)'),
    ("tp..spec", 'TrafficPolicy has no field ""'),
    ("." + "x" * 5000, "unknown kind ''"),
    ("tp." + "x" * 5000, 'TrafficPolicy has no field "xxx'),
    ("", "unknown kind ''"),
])
def test_no_such_thing(path, message):
    done = bulkhead("explain-field", path)
    assert (done.returncode, done.stdout) == (FAILED, "")
    assert done.stderr.startswith("bulkhead: explain-field: " + message)
    assert len(done.stderr) < 600


@pytest.mark.parametrize("args", [["--schema", "--crd"], ["--schema", "tp.spec"], ["--crd", "netpol"],
                                  ["--crd", "tp.spec"], ["--reference", "tp"], ["--reference", "-o", "json"],
                                  ["--recursive", "--crd"], ["tp", "spec"]])
def test_usage(args):
    done = bulkhead("explain-field", *args)
    assert (done.returncode, done.stdout) == (USAGE, "")


def test_no_such_version():
    done = bulkhead("explain-field", "tp", "--api-version", "v1")
    assert done.returncode == FAILED
    assert "no TrafficPolicy of apiVersion 'v1'; there is bulkhead.network/v1alpha1" in done.stderr


def test_every_field_can_be_asked_for():
    def ask(kind, fields):
        for f in fields:
            got = asked(f"{kind['kind']}.{f['at']}", "--api-version", kind["apiVersion"])
            assert got["description"] == f["description"] and got["type"] == f["type"]

    def paths(fields, above):
        for f in fields:
            f["at"] = above + f["name"]
            yield f
            yield from paths(f.get("fields", []), f["at"] + ".")

    chosen = random.Random(1)
    for kind in asked()["kinds"]:
        tree = asked(kind["kind"], "--api-version", kind["apiVersion"], "--recursive")
        every = list(paths(tree["fields"], ""))
        ask(kind, chosen.sample(every, min(8, len(every))))


# ---- files ----

@pytest.mark.parametrize("path, args", [("docs/policy-reference.md", ["--reference"])] + [
    (f"examples/crd/{k['plural']}.yaml", ["--crd", k["kind"], "--api-version", OURS]) for k in
    [{"plural": "trafficpolicies", "kind": "TrafficPolicy"},
     {"plural": "clustertrafficpolicies", "kind": "ClusterTrafficPolicy"},
     {"plural": "endpoints", "kind": "Endpoint"}, {"plural": "nodes", "kind": "Node"}]])
def test_files_are_what_is_printed(path, args):
    text = printed(*args)
    if os.environ.get("BH_REGEN"):
        (ROOT / path).write_text(text)
    assert (ROOT / path).read_text() == text, "BH_REGEN=1 writes it, git diff shows it"


def test_no_other_files():
    names = sorted(p.name for p in (ROOT / "examples/crd").iterdir())
    assert names == ["clustertrafficpolicies.yaml", "endpoints.yaml", "nodes.yaml", "trafficpolicies.yaml"]
    assert [c["spec"]["names"]["kind"] for c in crds()] == CRDS


def test_reference_has_every_field():
    text = (ROOT / "docs/policy-reference.md").read_text()
    assert "Generated by" in text.splitlines()[0]
    for kind in asked()["kinds"]:
        section = text.split(f"\n## {kind['kind']} ({kind['apiVersion']})\n")[1].split("\n## ")[0]
        rows = [re.split(r"(?<!\\)\|", row)[1:-1] for row in section.splitlines() if row.startswith("| `")]
        assert all(len(row) == 5 and row[4].strip() for row in rows)

        def count(fields):
            return sum(1 + count(f.get("fields", [])) for f in fields)
        tree = asked(kind["kind"], "--api-version", kind["apiVersion"], "--recursive")
        assert len(rows) == count(tree["fields"])


# ---- schemas ----

class Loader(yaml.SafeLoader):
    """As the API server reads: no times, nothing to the base of sixty."""


NOT_OURS = ("tag:yaml.org,2002:timestamp", "tag:yaml.org,2002:int", "tag:yaml.org,2002:float")
Loader.yaml_implicit_resolvers = {c: [(tag, r) for tag, r in pairs if tag not in NOT_OURS]
                                  for c, pairs in yaml.SafeLoader.yaml_implicit_resolvers.items()}
Loader.add_implicit_resolver("tag:yaml.org,2002:int", re.compile(r"^[-+]?(0|[1-9][0-9]*|0[0-7]+|0x[0-9a-fA-F]+)$"),
                             list("-+0123456789"))
Loader.add_implicit_resolver("tag:yaml.org,2002:float", re.compile(r"^[-+]?[0-9]+\.[0-9]+$"), list("-+0123456789"))


def documents(path):
    """(first line, content) of each."""
    text = path.read_text(encoding="utf-8-sig")
    starts = [n.start_mark.line + 1 for n in yaml.compose_all(text, Loader) if n]
    return list(zip(starts, [d for d in yaml.load_all(text, Loader) if d is not None]))


def flat(docs):
    for d in docs:
        yield from flat(d.get("items") or []) if d.get("kind") == "List" else [d]


_schemas = {}


def validator(*args):
    if args not in _schemas:
        schema = asked("--schema", *args)
        jsonschema.Draft202012Validator.check_schema(schema)
        _schemas[args] = jsonschema.Draft202012Validator(schema)
    return _schemas[args]


def validator_of(doc):
    return validator(doc["kind"], "--api-version", doc["apiVersion"])


def crds():
    return list(yaml.safe_load_all(printed("--crd")))


def from_structural(s):
    """JSON Schema that means the same: what an API server makes of it, with unknown fields refused (Strict)."""
    out = {k: v for k, v in s.items() if k in ("type", "enum", "pattern", "maxLength", "minLength", "minItems", "maxItems",
                                               "minimum", "maximum", "minProperties", "maxProperties", "required",
                                               "anyOf")}
    if "properties" in s:
        out["properties"] = {k: from_structural(v) for k, v in s["properties"].items()}
        out["additionalProperties"] = s.get("x-kubernetes-preserve-unknown-fields", False)
    if "additionalProperties" in s:
        out["additionalProperties"] = from_structural(s["additionalProperties"])
    if "items" in s:
        out["items"] = from_structural(s["items"])
    if s.get("nullable"):
        return {"anyOf": [{"type": "null"}, out]}
    return out


def crd_validator(kind):
    if ("crd", kind) not in _schemas:
        crd = next(c for c in crds() if c["spec"]["names"]["kind"] == kind)
        schema = from_structural(crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"])
        _schemas["crd", kind] = jsonschema.Draft202012Validator(schema)
    return _schemas["crd", kind]


GOOD = [p for folder in ("examples/policies", "tests/golden", "tests/conformance/worlds") for p in
        sorted((ROOT / folder).rglob("*.yaml")) if "bad" not in p.parts and bulkhead("lint", p).returncode == OK]


def test_there_are_good_ones():
    assert len(GOOD) > 25


@pytest.mark.parametrize("path", GOOD, ids=lambda p: f"{p.parent.name}/{p.name}")
def test_what_loads_is_valid(path):
    for _, doc in documents(path):
        assert not list(validator().iter_errors(doc))
        for one in flat([doc]):
            assert not [f"{e.json_path}: {e.message}" for e in validator_of(one).iter_errors(one)]
            if one["apiVersion"] == OURS:
                errors = list(crd_validator(one["kind"]).iter_errors(one))
                assert not [f"{e.json_path}: {e.message}" for e in errors]


def test_what_an_api_server_takes_is_valid():
    """Also as a TrafficPolicy: change two lines, and it means the same."""
    n = 0
    for case in yaml.safe_load((ROOT / "tests/conformance/validation.yaml").read_text()):
        if not case["accepted"]:
            continue
        doc = yaml.load(case["manifest"], Loader)
        assert not list(validator_of(doc).iter_errors(doc)), case["id"]
        doc.update(apiVersion=OURS, kind="TrafficPolicy")
        assert not list(validator_of(doc).iter_errors(doc)), case["id"]
        assert not list(crd_validator("TrafficPolicy").iter_errors(doc)), case["id"]
        n += 1
    assert n > 20


def decidable(d):
    """An error that a table alone can tell."""
    return d["code"] in ("e1", "e8", "e20", "e22") or re.match(r"unknown value|.* is not in [0-9]+-[0-9]+$", d["message"])


def diagnostics(path):
    return json.loads(bulkhead("lint", "-o", "json", path).stdout)["diagnostics"]


def steps(path):
    return re.findall(r"[^.\[\]]+", path or "")


def refused_at(doc, path):
    """The schema finds fault with what @path means, or something that it is in."""
    want = steps(path)
    for e in validator_of(doc).iter_errors(doc):
        for leaf in [e, *(e.context or [])]:
            at = [str(s) for s in leaf.absolute_path]
            if at[:len(want)] == want[:len(at)]:
                return True
    return False


BAD = [p for p in sorted((ROOT / "tests/golden/bad").glob("*.yaml"))
       if not any(d["code"] in ("e16", "e21", "e24") for d in diagnostics(p))]


@pytest.mark.parametrize("path", BAD, ids=lambda p: p.stem)
def test_what_does_not_load_is_not_valid(path):
    docs = documents(path)
    for d in diagnostics(path):
        if d["severity"] != "error" or not decidable(d):
            continue
        doc = [doc for start, doc in docs if start <= d["line"]][-1]
        if "kind" not in doc or "apiVersion" not in doc or doc["kind"] == "List":
            continue
        assert refused_at(doc, d["path"]), d


# ---- many of both ----

def places(node, path=()):
    """Paths to all keys and items."""
    pairs = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else []
    for key, value in list(pairs):
        yield (*path, key)
        yield from places(value, (*path, key))


def spoil(doc, path, how):
    doc = copy.deepcopy(doc)
    at = doc
    for key in path[:-1]:
        at = at[key]
    key = path[-1]
    if how == "rename" and isinstance(at, dict):
        at[f"{key}q"] = at.pop(key)
    elif how == "drop":
        del at[key]
    else:
        at[key] = {"list": [], "map": {}, "null": None, "number": 70000, "bool": True, "word": "a/b c", "empty": "",
                   "rename": {"x": 1}, "many": [at[key]] * 1001}[how]
    return doc


def test_loader_and_schemas_agree(tmp_path):
    """What the loader takes is valid; what it refuses for what a table knows is not. Endpoints, Nodes, policies."""
    chosen = random.Random(int(os.environ.get("BH_SEED", "7")))
    docs = [one for p in GOOD if "worlds" not in p.parts for one in flat(d for _, d in documents(p))]
    file = tmp_path / "one.yaml"
    taken = refused = 0
    for _ in range(int(os.environ.get("BH_MUTANTS", "400"))):
        doc = chosen.choice(docs)
        below = [p for p in places(doc) if p[0] not in ("apiVersion", "kind")]
        path = chosen.choice(below)
        how = chosen.choice(["rename", "rename", "drop", "list", "map", "null", "number", "bool", "word", "empty", "many"])
        doc = spoil(doc, path, how)
        file.write_text(json.dumps(doc))
        errors = [d for d in diagnostics(file) if d["severity"] == "error"]
        what = f"{how} {path}: {json.dumps(doc)[:2000]}\n{errors[:3]}"
        if not errors:
            faults = list(validator_of(doc).iter_errors(doc))
            assert not faults, f"{what}\n{faults[0].json_path}: {faults[0].message}"
            if doc["apiVersion"] == OURS:
                faults = list(crd_validator(doc["kind"]).iter_errors(doc))
                assert not faults, f"{what}\nCRD: {faults[0].json_path}: {faults[0].message}"
            taken += 1
        elif any(decidable(d) for d in errors):
            assert list(validator_of(doc).iter_errors(doc)), what
            refused += 1
    assert taken > 20 and refused > 100


# ---- what an API server asks of a CRD ----

FORBIDDEN = {"$ref", "oneOf", "allOf", "not", "definitions", "dependencies", "uniqueItems", "default", "const"}


def check_structural(s, where, top=False):
    assert not FORBIDDEN & set(s), where
    if s.get("x-kubernetes-int-or-string"):
        assert "type" not in s and s["anyOf"] == [{"type": "integer"}, {"type": "string"}], where
    elif "type" in s:
        assert "anyOf" not in s and s["type"] in ("object", "array", "string", "integer", "boolean"), where
    else:
        assert s.get("x-kubernetes-preserve-unknown-fields") is True, where
    assert ("properties" in s) + ("additionalProperties" in s) < 2, where
    if "enum" in s:
        assert (None in s["enum"]) == bool(s.get("nullable")), where
    if "pattern" in s:
        assert s["pattern"][0] == "^" and s["pattern"][-1] == "$" and "(?" not in s["pattern"], where
        re.compile(s["pattern"])
    assert set(s.get("required", [])) <= set(s.get("properties", {})), where
    assert top or s.get("description") or where.endswith("[]") or ".conditions[]" in where or where.endswith("{}") or \
        where == ".metadata", where
    for key, value in s.get("properties", {}).items():
        check_structural(value, f"{where}.{key}")
    if s.get("type") == "array":
        check_structural(s["items"], where + "[]")
    if "additionalProperties" in s:
        check_structural(s["additionalProperties"], where + "{}")


@pytest.mark.parametrize("kind", CRDS)
def test_crd(kind):
    crd = next(c for c in crds() if c["spec"]["names"]["kind"] == kind)
    names, (version,) = crd["spec"]["names"], crd["spec"]["versions"]
    schema = version["schema"]["openAPIV3Schema"]
    policy = kind in CRDS[:2]
    assert (crd["apiVersion"], crd["kind"]) == ("apiextensions.k8s.io/v1", "CustomResourceDefinition")
    assert crd["metadata"]["name"] == f"{names['plural']}.{crd['spec']['group']}"
    assert f"{crd['spec']['group']}/{version['name']}" == OURS
    assert names["singular"] == kind.lower() and names["listKind"] == kind + "List"
    assert crd["spec"]["scope"] == {"TrafficPolicy": "Namespaced", "Endpoint": "Namespaced"}.get(kind, "Cluster")
    assert names.get("shortNames") == {"TrafficPolicy": ["tp"], "ClusterTrafficPolicy": ["ctp"]}.get(kind)
    assert schema["type"] == "object" and schema["properties"]["metadata"] == {"type": "object"}
    check_structural(schema, "", top=True)
    columns = [c["name"] for c in version["additionalPrinterColumns"]]
    assert columns[-1] == "Age" and (columns[:2] == ["Mode", "Tier"]) == policy
    assert ("subresources" in version) == ("status" in schema["properties"]) == policy
    if policy:
        condition = schema["properties"]["status"]["properties"]["conditions"]["items"]
        assert set(condition["required"]) == {"type", "status", "reason", "message", "lastTransitionTime"}


def test_crds_in_other_forms():
    assert asked("--crd") == {"apiVersion": "v1", "kind": "List", "items": crds()}
    assert asked("--crd", "tp") == crds()[0] == yaml.safe_load(printed("--crd", "tp", "-o", "yaml"))
    assert yaml.safe_load(printed("--schema", "-o", "yaml")) == asked("--schema")


def test_ports_of_a_crd_are_anything():
    """A structural schema has no union of number, string and object; what is in them the agent tells."""
    rule = crds()[0]["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"]["properties"]["ingress"]
    item = rule["items"]["properties"]["ports"]["items"]
    assert item == {"x-kubernetes-preserve-unknown-fields": True}
    assert rule["items"]["properties"]["icmp"]["items"]["x-kubernetes-int-or-string"] is True
