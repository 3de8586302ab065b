"""Truth tables and manifests of a folder in the suite's format, against the loader and the compiled rule set.

README.md tells the format. Policies go to the loader as the text that stands in the case; only the case's own head is
read here. conformance_eval (eval.c) loads, compiles and looks up every cell; nothing is decided here.
"""
import copy
import functools
import json
import os
import subprocess
from pathlib import Path

import yaml

import validation

HERE = Path(__file__).resolve().parent
FINISHED = ("Succeeded", "Failed")
MEANING = {".": "allowed", "e": "refused by egress", "i": "refused by ingress", "b": "refused by both", "x": "no such cell",
           "c": "depends on what is spoken", "!": "an address without a class"}
MODES = {"scratch": "compiled from scratch", "policies first": "compiled by changes, policies first",
         "policies last": "compiled by changes, policies last", "nodes": "by each node's own rule set"}


class BadFile(Exception):
    """A file that is not as README.md says; the text says why."""


def read(path):
    try:
        with open(path, newline="", encoding="utf-8-sig") as f:
            return f.read()
    except (OSError, UnicodeDecodeError) as e:
        raise BadFile(f"cannot be read: {e}") from e


def parse(text):
    try:
        return yaml.load(text, Loader=yaml.CSafeLoader)
    except yaml.YAMLError as e:
        raise BadFile(f"no YAML: {e}") from e


def documents(text):
    """The text of each document of a stream, after as many empty lines as stand before it: messages name its lines."""
    try:
        starts = [(e.start_mark.index, e.start_mark.line) for e in yaml.parse(text, Loader=yaml.CSafeLoader)
                  if isinstance(e, yaml.DocumentStartEvent)]
    except yaml.YAMLError as e:
        raise BadFile(f"no YAML: {e}") from e
    ends = [begin for begin, _ in starts[1:]] + [len(text)]
    return ["\n" * line + text[begin:end] for (begin, line), end in zip(starts, ends)]


@functools.lru_cache(maxsize=256)
def read_world(path):
    return parse(read(path))


# ---- cases ----

class Case:
    def __init__(self, path):
        self.path = Path(path)
        self.docs = documents(read(path))
        self.head = parse(self.docs[0]) if self.docs else None
        if not isinstance(self.head, dict) or self.head.get("kind") != "Case":
            raise BadFile("its first document is no case")
        self.world = read_world(self.path.parent / self.head["world"])
        self.names = self.head.get("endpoints") or self.world["endpoints"]

    def identity(self, i):
        d = parse(self.docs[i])
        meta = d["metadata"]
        in_namespace = d["kind"] in ("NetworkPolicy", "TrafficPolicy")
        return d["kind"], meta.get("namespace") or ("default" if in_namespace else ""), meta["name"]

    def steps(self):
        """Yields (number, world, policies {identity: document number}, step) after each step's actions."""
        world, policies = copy.deepcopy(self.world), {}
        for n, step in enumerate(self.head["steps"]):
            for action in step.get("do") or []:
                act(self, world, policies, action)
            yield n, world, policies, step


def find_pod(world, name):
    for p in world["pods"]:
        if f"{p['ns']}/{p['name']}" == name:
            return p
    raise BadFile(f"there is no pod {name}")


def act(case, world, policies, action):
    (verb, arg), = action.items()
    pods = world.setdefault("pods", [])
    if verb == "apply":
        for i in arg:
            if not 0 < i < len(case.docs):
                raise BadFile(f"there is no document {i}")
            policies[case.identity(i)] = i
    elif verb == "delete":
        f = arg.split("/")
        key = f[0], f[1] if len(f) > 2 else "", f[-1]
        if key not in policies:
            raise BadFile(f"there is no {arg} to delete")
        del policies[key]
    elif verb == "podLabels":
        find_pod(world, arg["pod"])["labels"] = arg["labels"]
    elif verb == "namespaceLabels":
        next(n for n in world["namespaces"] if n["name"] == arg["namespace"])["labels"] = arg["labels"]
    elif verb == "addNamespace":
        world["namespaces"].append(arg)
    elif verb == "addPod":
        pods.append(arg)
    elif verb == "deletePod":
        pods.remove(find_pod(world, arg))
    elif verb == "podPhase":
        find_pod(world, arg["pod"])["phase"] = arg["phase"]
    elif verb == "dns":
        world["dns"] = [e for e in world.get("dns") or [] if e["name"] != arg["name"]] + [arg]
    else:
        raise BadFile(f"unknown action {verb}")


# ---- what the compiler is asked ----

def ends_of(world):
    """{name: end as eval.c reads it}; host-network pods are their node."""
    ends, nodes = {}, {n["name"]: n["ips"] for n in world.get("nodes") or []}
    for name, ips in nodes.items():
        ends["node/" + name] = {"addresses": ips, "node": name}
    for p in world.get("pods") or []:
        if p.get("phase") not in FINISHED:
            host = bool(p.get("hostNetwork"))
            ends[f"{p['ns']}/{p['name']}"] = {
                "addresses": nodes[p["node"]] if host else p["ips"], "node": p["node"], "endpoint": not host}
    for x in world.get("externals") or []:
        ends["ext/" + x["name"]] = {"addresses": x["ips"]}
    return ends


def labels(o):
    return {k: "" if v is None else v for k, v in (o.get("labels") or {}).items()}


def endpoint(p):
    ports = [{"name": c["name"], "protocol": c.get("protocol") or "TCP", "port": c["port"]}
             for c in p.get("ports") or [] if c.get("name")]
    return {"ns": p["ns"], "name": p["name"], "node": p["node"], "labels": labels(p), "addresses": p["ips"],
            "ports": ports}


def namespace(n):
    return {"file": "world", "text": json.dumps({
        "apiVersion": "v1", "kind": "Namespace", "metadata": {"name": n["name"], "labels": labels(n)}})}


def probe_of(text):
    f = text.split("/")
    if len(f) not in (2, 3) or f[0] not in ("TCP", "UDP", "SCTP"):
        raise BadFile(f"unknown probe {text}")
    return {"protocol": f[0], "port": int(f[1]), "family": int(f[2]) if len(f) > 2 else 4}


def request(case, n, world, policies, step):
    ends = ends_of(world)
    return {
        "op": "step",
        "reset": n == 0,
        "documents": [namespace(x) for x in world["namespaces"]] + [
            {"file": case.path.name, "text": case.docs[i]} for i in policies.values()],
        "nodes": [{"name": x["name"], "labels": labels(x), "addresses": x["ips"]}
                  for x in sorted(world.get("nodes") or [], key=lambda x: x["name"])],
        "names": [{"name": x["name"].lower().rstrip("."), "addresses": x["ips"]} for x in world.get("dns") or []],
        "endpoints": [endpoint(p) for p in world.get("pods") or []
                      if not p.get("hostNetwork") and p.get("phase") not in FINISHED],
        "ends": [ends.get(name, {"addresses": []}) for name in case.names],
        "probes": [probe_of(text) for text in step["expect"]],
    }


class Evaluator:
    def __init__(self, program):
        self.program, self.process = str(program), None

    def ask(self, question):
        if not self.process:
            self.process = subprocess.Popen([self.program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        try:
            self.process.stdin.write(json.dumps(question) + "\n")
            self.process.stdin.flush()
            reply = self.process.stdout.readline()
        except BrokenPipeError:
            reply = ""
        if reply:
            return json.loads(reply)
        status, self.process = self.process.wait(), None
        raise BadFile(f"the evaluator ended with {status}")

    def close(self):
        """The exit status: not 0 where a sanitizer has found something."""
        if not self.process:
            return 0
        self.process.stdin.close()
        status, self.process = self.process.wait(), None
        return status


# ---- cells ----

class Result:
    """What came of one case or manifest: a note for each thing that is wrong."""

    def __init__(self, name):
        self.name, self.cells, self.notes = name, 0, []
        self.again = 0              # how often changes were compiled from scratch after all

    @property
    def passed(self):
        return not self.notes


def shape(case, text, rows):
    if not isinstance(rows, list) or len(rows) != len(case.names) or \
            any(not isinstance(r, str) or len(r) != len(case.names) for r in rows):
        raise BadFile(f"{text}: the table is not {len(case.names)} rows of as many characters")
    strange = set("".join(rows)) - set(".eib?x")
    if strange:
        raise BadFile(f"{text}: unknown characters {''.join(sorted(strange))}")


def compare(case, n, step, reply, result):
    """Every cell of one step. Returns (probe, from, to) of those that are wrong."""
    wrong = []
    for k, (text, rows) in enumerate(step["expect"].items()):
        shape(case, text, rows)
        for s, row in enumerate(rows):
            result.cells += len(row) - row.count("?") - row.count("x")
            for d, (want, *got) in enumerate(zip(row, *(table[k][s] for table in reply.values()))):
                if want in "?x" or set(got) == {want}:
                    continue
                wrong.append((k, s, d))
                result.notes.append(f"step {n}  {text}  {case.names[s]} -> {case.names[d]}: "
                                    f"expected {want} ({MEANING[want]}), got {said(dict(zip(reply, got)))}")
    return wrong


def said(got):
    """{mode: cell}: one answer, or each mode with its own."""
    if len(set(got.values())) == 1:
        cell = next(iter(got.values()))
        return f"{cell} ({MEANING[cell]})"
    return ", ".join(f"{cell} ({MEANING[cell]}) {MODES[mode]}" for mode, cell in got.items())


def indented(text):
    return "".join(f"\n    {line}" for line in text.rstrip().splitlines())


def explain(evaluator, asked, wrong):
    k, s, d = wrong
    reply = evaluator.ask({"op": "explain", "from": s, "to": d, **asked["probes"][k]})
    return indented(reply.get("text") or reply["error"])


def run_steps(evaluator, case, result):
    for n, world, policies, step in case.steps():
        asked = request(case, n, world, policies, step)
        reply = evaluator.ask(asked)
        if "error" in reply:
            result.notes.append(f"step {n}: the policies cannot be compiled:" + indented(reply["error"]))
            continue
        result.again += reply.pop("again")
        first = len(result.notes)
        wrong = compare(case, n, step, reply, result)
        if wrong and first == 0:
            result.notes[0] += explain(evaluator, asked, wrong[0])


def run_case(evaluator, path):
    result = Result(Path(path).stem)
    try:
        run_steps(evaluator, Case(path), result)
    except BadFile as e:
        result.notes.append(str(e))
    except (KeyError, TypeError, ValueError, StopIteration, IndexError) as e:
        result.notes.append(f"not as README.md says a case is: {type(e).__name__} {e}")
    return result


def run_manifest(evaluator, entry):
    result = Result(str(entry.get("id")) if isinstance(entry, dict) else "?")
    try:
        reply = evaluator.ask({"op": "load", "file": result.name, "text": entry["manifest"]})
        result.notes += validation.judge(entry, reply)
    except BadFile as e:
        result.notes.append(str(e))
    except (KeyError, TypeError, ValueError, AttributeError) as e:
        result.notes.append(f"not as README.md says an entry is: {type(e).__name__} {e}")
    return result


def program():
    build = os.environ.get("BH_BUILD_ROOT")
    return Path(build) / "policy" / "conformance_eval" if build else HERE.parents[1] / "build/policy/conformance_eval"
