"""validation.yaml: what a real API server said to a manifest, against what our loader says.

The loader's answer comes from conformance_eval: accepted or not, every message with the path of its field, and each
policy in the form of the model (eval_model.c). `stored` is brought into that form here.
"""
import ipaddress
import re

CLUSTER = ("ClusterNetworkPolicy", "AdminNetworkPolicy", "BaselineAdminNetworkPolicy", "ClusterTrafficPolicy")
PRIORITY_NONE = 1001
# Answers that speak of something else than of a wrong value: an unknown or unsupported field, a file that cannot be read.
OTHER_MATTERS = ("e1", "e20", "e22", "e23")


# ---- accepted: what was stored, as the model has it ----

def selector(s):
    """A list of [key, operator, values], sorted; null where there is none."""
    if s is None:
        return None
    found = {(k, "In", ("" if v is None else v,)) for k, v in (s.get("matchLabels") or {}).items()}
    for e in s.get("matchExpressions") or []:
        found.add((e["key"], e["operator"], tuple(sorted(set(e.get("values") or [])))))
    return sorted([k, op, list(values)] for k, op, values in found)


def cidr(text):
    """As Kubernetes reads it: host bits dropped, leading zeros decimal."""
    address, bits = text.split("/")
    if ":" not in address:
        address = ".".join(str(int(x)) for x in address.split("."))
    return str(ipaddress.ip_network(f"{address}/{int(bits)}", strict=False))


def block(text, but=()):
    return {"cidr": cidr(text), "except": [cidr(x) for x in but]}


def pods(p):
    return {"pods": selector(p.get("podSelector") or {}), "namespaces": selector(p.get("namespaceSelector") or {})}


def np_peer(p):
    if p.get("ipBlock") is not None:
        return [block(p["ipBlock"]["cidr"], p["ipBlock"].get("except") or [])]
    return [{"pods": selector(p.get("podSelector") or {}), "namespaces": selector(p.get("namespaceSelector"))}]


def cluster_peer(p):
    if p.get("networks") is not None:
        return [block(c) for c in p["networks"]]
    if p.get("namespaces") is not None:
        return [{"pods": [], "namespaces": selector(p["namespaces"])}]
    if p.get("pods") is not None:
        return [pods(p["pods"])]
    if p.get("nodes") is not None:
        return [{"nodes": selector(p["nodes"])}]
    if p.get("domainNames") is not None:
        return [{"names": [n.lower().rstrip(".") for n in p["domainNames"]]}]
    return [{"unknown": True}]


def ports(l4, lo=None, hi=None):
    if isinstance(lo, str):
        return [l4.lower(), lo]
    return [l4.lower(), 0 if lo is None else lo, 65535 if lo is None else hi if hi is not None else lo]


def np_port(p):
    return ports(p.get("protocol") or "TCP", p.get("port"), p.get("endPort"))


def cluster_port(p):
    name = p.get("destinationNamedPort") or p.get("namedPort")
    if name:
        return ports("any", name)
    if p.get("portNumber"):
        return ports(p["portNumber"].get("protocol") or "TCP", p["portNumber"]["port"])
    if p.get("portRange"):
        return ports(p["portRange"].get("protocol") or "TCP", p["portRange"]["start"], p["portRange"]["end"])
    for l4 in ("tcp", "udp", "sctp"):
        if p.get(l4) is not None:
            to = p[l4].get("destinationPort") or {}
            r = to.get("range") or {}
            return ports(l4, to.get("number", r.get("start")), r.get("end"))
    return p


ACTIONS = {"Accept": "allow", "Allow": "allow", "Deny": "deny", "Pass": "pass"}


def rules(spec, field, cluster):
    found = []
    for r in spec.get(field) or []:
        peers = r.get("from" if field == "ingress" else "to") or []
        what = (r.get("protocols") if r.get("protocols") is not None else r.get("ports")) or []
        found.append({
            "name": r.get("name") or "",
            "action": ACTIONS[r["action"]] if cluster else "allow",
            "peers": [x for p in peers for x in (cluster_peer if cluster else np_peer)(p)],
            "ports": [(cluster_port if cluster else np_port)(p) for p in what],
        })
    return found


def model_of(kind, spec):
    """`stored` as eval_model.c writes a policy; directions that policyTypes leaves out are inert and have no rules."""
    if kind in CLUSTER:
        subject = spec["subject"]
        who = {"pods": [], "namespaces": selector(subject["namespaces"])} if subject.get("namespaces") is not None \
            else pods(subject["pods"])
        tier = spec.get("tier") or ("Baseline" if kind.startswith("Baseline") else "Admin")
        return {"tier": tier.lower(), "priority": spec.get("priority", PRIORITY_NONE), **who, "isolates": [],
                "ingress": rules(spec, "ingress", True), "egress": rules(spec, "egress", True)}
    isolates = [d for d in ("ingress", "egress") if d.capitalize() in spec["policyTypes"]]
    return {"tier": "application", "pods": selector(spec.get("podSelector") or {}), "isolates": isolates,
            **{d: rules(spec, d, False) if d in isolates else [] for d in ("ingress", "egress")}}


def plain(model):
    """The model's JSON, with what means the same written alike."""
    cluster = model["kind"] in CLUSTER
    m = dict(model, pods=sorted(model["pods"]), namespaces=sorted(model["namespaces"] or []) if cluster else None)
    for d in ("ingress", "egress"):
        m[d] = [dict(r, peers=[plain_peer(p, cluster) for p in r["peers"]]) for r in model[d]]
    return m


def plain_peer(p, cluster):
    if "pods" in p:
        ns = p["namespaces"]
        return {"pods": sorted(p["pods"] or []), "namespaces": sorted(ns or []) if cluster or ns is not None else None}
    if "nodes" in p:
        return {"nodes": sorted(p["nodes"])}
    return p


def differences(want, got, where="stored"):
    """One line for each place at which two values differ."""
    if isinstance(want, dict) and isinstance(got, dict) and set(want) == set(got):
        return [line for k in want for line in differences(want[k], got[k], f"{where}.{k}")]
    if isinstance(want, list) and isinstance(got, list) and len(want) == len(got):
        return [line for i, (a, b) in enumerate(zip(want, got)) for line in differences(a, b, f"{where}[{i}]")]
    return [] if want == got else [f"{where}: expected {want}, got {got}"]


# ---- refused: where ----

def bare(path):
    """Without the numbers of list items: as the server's decoder names fields."""
    return re.sub(r"\[\d+\]", "", path)


def expected_fields(entry):
    """The fields that the server names, and whether they stand without list items."""
    if entry.get("errors"):
        return {e["field"] for e in entry["errors"]}, False
    message = entry.get("message") or ""
    unknown = set(re.findall(r'unknown field "([^"]+)"', message))
    if unknown:
        return unknown, False
    typed = re.search(r"cannot unmarshal .* into Go struct field [A-Za-z0-9]+\.(\S+) of type", message)
    if typed:
        return {typed[1]}, True
    if 'no kind "' in message:
        return {"kind"}, False
    return set(), False


def names_key(entry, errors):
    """A key that stands twice: no field is named, but the key is."""
    m = re.search(r'key "([^"]+)" already set in map', entry.get("message") or "")
    if m and not any(m[1] in (e["message"] or "") for e in errors):
        return [f'expected an error about the key "{m[1]}", got {listed(errors)}']
    return []


def listed(errors):
    return "; ".join(f"{e['path'] or e['line']}: {e['message']} [{e['code']}]" for e in errors) or "none"


def where(entry, errors):
    notes = []
    want, without_items = expected_fields(entry)
    paths = {e["path"] for e in errors if e["path"]}
    got = {bare(p) for p in paths} if without_items else paths
    if without_items:               # the decoder stops at the map that holds a wrong value
        missing = {w for w in want if not any(p == w or p.startswith(w + ".") for p in got)}
    else:
        missing = want - got
    more = got - want if len(want) > 1 else set()
    if missing or more:
        notes.append(f"expected errors at {', '.join(sorted(want))}, got {listed(errors)}")
    for e in entry.get("errors") or []:
        codes = {x["code"] for x in errors if x["path"] == e["field"]}
        if codes and codes <= set(OTHER_MATTERS):
            notes.append(f"{e['field']}: expected {e['reason']} ({e['message']}), got {listed(errors)}")
    if any(not e["line"] for e in errors):
        notes.append(f"an error without a place: {listed(errors)}")
    return notes + names_key(entry, errors)


def judge(entry, reply):
    """A note for each difference between the server's answer and ours."""
    errors = [d for d in reply["diagnostics"] if d["severity"] == "error"]
    if entry["accepted"] != reply["accepted"]:
        expected = "accepted" if entry["accepted"] else "refused: " + (entry.get("message") or "; ".join(
            f"{e['field']}: {e['message']}" for e in entry.get("errors") or []))
        return [f"expected {expected}, got " + ("accepted" if reply["accepted"] else "refused: " + listed(errors))]
    if not entry["accepted"]:
        return where(entry, errors)
    if len(reply["policies"]) != 1:
        return [f"expected 1 policy, got {len(reply['policies'])}"]
    got = plain(reply["policies"][0])
    want = model_of(got["kind"], entry.get("stored") or {})
    return differences(want, {k: got[k] for k in want})
