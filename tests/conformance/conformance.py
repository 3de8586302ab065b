"""Runs the truth tables of this folder against the compiled rule set (README.md tells the format).

The policies go to the loader as the text that stands in the case; only the case's own head is read here.
What an agent decides outside of policies (traffic between a pod and its own node) is said here, as the
README's rules have it; everything else is looked up in the cells that the compiler made.
"""
import copy
import ipaddress
import json
import os
import subprocess
from pathlib import Path

import yaml

HERE = Path(__file__).resolve().parent
KINDS = {"NetworkPolicy", "TrafficPolicy"}


def documents(text):
    """The text of each document of a stream."""
    starts = [e.start_mark.index for e in yaml.parse(text) if isinstance(e, yaml.DocumentStartEvent)]
    return [text[a:b] for a, b in zip(starts, starts[1:] + [len(text)])]


class Case:
    def __init__(self, path):
        self.path = Path(path)
        with open(path, newline="") as f:
            text = f.read()
        self.docs = documents(text)
        self.head = yaml.safe_load(self.docs[0])
        self.parsed = [yaml.safe_load(d) for d in self.docs]
        with open(self.path.parent / self.head["world"]) as f:
            self.world = yaml.safe_load(f)
        self.names = self.head.get("endpoints") or self.world["endpoints"]

    def supported(self):
        return all(d["kind"] in KINDS for d in self.parsed[1:] if d)

    def identity(self, i):
        d = self.parsed[i]
        meta = d["metadata"]
        return d["kind"], meta.get("namespace") or "default", meta["name"]

    def steps(self):
        """Yields (number, world, policies {identity: document number}, step) after each step's actions."""
        world, policies = copy.deepcopy(self.world), {}
        for n, step in enumerate(self.head["steps"]):
            for action in step.get("do") or []:
                act(self, world, policies, action)
            yield n, world, policies, step


def act(case, world, policies, action):
    (verb, arg), = action.items()
    pods = world.setdefault("pods", [])
    if verb == "apply":
        for i in arg:
            policies[case.identity(i)] = i
    elif verb == "delete":
        kind, ns, name = arg.split("/")
        del policies[(kind, ns, name)]
    elif verb == "podLabels":
        find_pod(pods, arg["pod"])["labels"] = arg["labels"]
    elif verb == "namespaceLabels":
        next(n for n in world["namespaces"] if n["name"] == arg["namespace"])["labels"] = arg["labels"]
    elif verb == "addNamespace":
        world["namespaces"].append(arg)
    elif verb == "addPod":
        pods.append(arg)
    elif verb == "deletePod":
        pods.remove(find_pod(pods, arg))
    elif verb == "podPhase":
        find_pod(pods, arg["pod"])["phase"] = arg["phase"]
    elif verb == "dns":
        pass
    else:
        raise ValueError(f"{case.path}: unknown action {verb}")


def find_pod(pods, name):
    return next(p for p in pods if f"{p['ns']}/{p['name']}" == name)


class End:
    """Who has which addresses; node: the machine, for a pod the one it runs on; pod: an endpoint of ours."""

    def __init__(self, ips, node=None, pod=None):
        self.node, self.pod = node, pod
        self.ips = {ipaddress.ip_address(i).version: i for i in reversed(ips)}


def ends_of(world):
    ends = {}
    node_ips = {n["name"]: n["ips"] for n in world.get("nodes") or []}
    for n in world.get("nodes") or []:
        ends["node/" + n["name"]] = End(n["ips"], node=n["name"])
    for p in world.get("pods") or []:
        if p.get("phase") in ("Succeeded", "Failed"):
            continue
        host = bool(p.get("hostNetwork"))
        ends[f"{p['ns']}/{p['name']}"] = End(
            node_ips[p["node"]] if host else p["ips"], p["node"], None if host else p)
    for x in world.get("externals") or []:
        ends["ext/" + x["name"]] = End(x["ips"])
    return ends


def endpoint(p):
    ports = [{"name": c["name"], "protocol": c.get("protocol") or "TCP", "port": c["port"]}
             for c in p.get("ports") or [] if c.get("name")]
    return {"ns": p["ns"], "name": p["name"], "labels": p.get("labels") or {}, "addresses": p["ips"],
            "ports": ports}


def namespace(n):
    return {"file": "world", "text": json.dumps({
        "apiVersion": "v1", "kind": "Namespace",
        "metadata": {"name": n["name"], "labels": n.get("labels") or {}}})}


def own_node(a, b):
    """A pod and the machine it runs on: always allowed (rule 1)."""
    for pod, other in ((a, b), (b, a)):
        if pod.pod and not other.pod and other.node == pod.node:
            return True
    return False


class Result:
    def __init__(self):
        self.cells, self.wrong, self.notes = 0, 0, []

    def note(self, text):
        self.wrong += 1
        if len(self.notes) < 20:
            self.notes.append(text)


class Evaluator:
    def __init__(self, program):
        self.process = subprocess.Popen([str(program)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def ask(self, request):
        self.process.stdin.write(json.dumps(request) + "\n")
        self.process.stdin.flush()
        reply = self.process.stdout.readline()
        if not reply:
            raise RuntimeError(f"the evaluator ended with {self.process.wait()}")
        return json.loads(reply)

    def close(self):
        self.process.stdin.close()
        status = self.process.wait()
        if status:
            raise RuntimeError(f"the evaluator ended with {status}")


def probe_of(text):
    f = text.split("/")
    return f[0], int(f[1]), int(f[2]) if len(f) > 2 else 4


def questions(case, world, step):
    """The addresses to ask about, and where each answer belongs: (probe, row, column, expected)."""
    ends = ends_of(world)
    probes, places = [], []
    for text, rows in step["expect"].items():
        protocol, port, family = probe_of(text)
        pairs, where = [], []
        for s, row in zip(case.names, rows):
            for d, want in zip(case.names, row):
                if want in "?x" or s not in ends or d not in ends:
                    continue
                a, b = ends[s], ends[d]
                where.append((text, s, d, want, own_node(a, b)))
                pairs.append([a.ips[family], b.ips[family]])
        probes.append({"protocol": protocol, "port": port, "pairs": pairs})
        places.append(where)
    return probes, places


def run_case(evaluator, case):
    result = Result()
    for n, world, policies, step in case.steps():
        probes, places = questions(case, world, step)
        pods = [p for p in world.get("pods") or []
                if not p.get("hostNetwork") and p.get("phase") not in ("Succeeded", "Failed")]
        reply = evaluator.ask({
            "reset": n == 0,
            "documents": [namespace(x) for x in world["namespaces"]] + [
                {"file": f"{case.path.name}#{i}", "text": case.docs[i]} for i in policies.values()],
            "endpoints": [endpoint(p) for p in pods],
            "probes": probes,
        })
        if "error" in reply:
            result.note(f"step {n}: {reply['error'].strip()}")
            continue
        for where, answers in zip(places, reply["probes"]):
            for (text, s, d, want, always), got in zip(where, answers):
                got = "." if always else got
                result.cells += 1
                if got != want:
                    result.note(f"step {n}  {text}  {s} -> {d}: expected '{want}', got '{got}'")
    return result


def default_cases():
    return sorted((HERE / "cases").glob("*.yaml")) + sorted((HERE / "random").glob("*.yaml"))


def program():
    build = os.environ.get("BH_BUILD_ROOT")
    return Path(build) / "policy" / "conformance_eval" if build else HERE.parents[1] / "build/policy/conformance_eval"
