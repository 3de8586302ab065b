"""Truth tables by packets: every cell of a case is asked between the namespaces of its ends (lab.py, packets.c).

A cell that is to be allowed must be answered: the server got the client's payload, and the client the server's answer to
it. Any other cell must not come that far, nor any part of the way: no handshake, no payload at the server. And it counts
only if controls that were sent after it were answered, over the same protocol and family, on ways that no policy of the
suite has a say in:

    node of the source -> source, node of the destination -> destination, node -> node

as what a pod and its own node say to each other is never refused by isolation, nor by cluster-scoped kinds, and between
two addresses of no pod nothing is judged. These take the same links, the same routers and the same sockets as the cell.
"""
import copy
import ipaddress
import json
import os
import shutil
import threading
from pathlib import Path

import conformance
import lab as labs
import topo

CONTROL_PORT = 7                # echo: no table asks it
AT_ONCE = 2000                  # cells: each takes up to five descriptors
DIRECTIONS = {1: "ingress", 2: "egress"}        # in the key of a cell
ANY, ANY_ENDPOINT = 0, 0x80000000               # the peer in the key of a cell (policy/ruleset.h)
CAME = {".": "answered", "r": "the payload reached the server", "c": "the server answered the first packet",
        "x": "refused (a reset, or an ICMP error)", "-": "no answer"}


class Stopped(Exception):
    """The runner ends: nothing more is begun."""


class Bench:
    """What one thread of the runner asks cases of: keeps the world of the last one."""
    stop = threading.Event()

    def __init__(self, patience=labs.PATIENCE):
        self.patience = patience
        self.lab, self.world = None, None

    def lab_of(self, case):
        key = (case.path.parent / case.head["world"]).resolve()
        if self.world != key:
            self.close()
            self.lab = labs.Lab(case.world, self.patience)
            self.world = key
        return self.lab

    def close(self):
        """Returns the exit status, as an Evaluator does."""
        self.world = None
        if self.lab:
            self.lab.remove()
            self.lab = None
        return 0


# ---- one step ----

class Ends:
    """The ends of a step by number: names that mean the same address of the same namespace are one."""

    def __init__(self, lab, world):
        self.of = conformance.ends_of(world)
        keys = {name: (lab.path(name, end), labs.first(end["addresses"], 4), labs.first(end["addresses"], 6))
                for name, end in self.of.items()}
        self.list = list(dict.fromkeys(keys.values()))
        self.numbers = {name: self.list.index(key) for name, key in keys.items()}

    def number(self, name, family):
        """None: there is no such end, or it has no address of this family."""
        i = self.numbers.get(name)
        return i if i is not None and self.list[i][1 if family == 4 else 2] else None

    def name(self, number):
        return next(name for name, n in self.numbers.items() if n == number)

    def node(self, name):
        """On which this end is, or which it is; else itself."""
        end = self.of[name]
        return "node/" + end["node"] if end.get("node") else name

    def controls(self, source, target, family):
        """Pairs of numbers that must be able to talk to each other."""
        pairs = [(self.node(source), source), (self.node(target), target), (self.node(source), self.node(target))]
        found = {tuple(self.number(n, family) for n in pair) for pair in pairs}
        if any(None in pair for pair in found):
            raise conformance.BadFile(f"{source} -> {target}: a node without an address of IPv{family} can answer no control")
        return sorted((a, b) for a, b in found if a != b)


class Cell:
    def __init__(self, text, source, target, want):
        self.text, self.source, self.target, self.want = text, source, target, want
        self.came, self.dead = None, []

    @property
    def right(self):
        return self.came == "." if self.want == "." else self.came in ("-", "x") and not self.dead

    def said(self):
        if self.came is None:
            return "no such cell: an end, or its address of this family, is missing"
        text = CAME[self.came]
        if self.dead:
            text += "; that says nothing, for these controls had no answer either: " + ", ".join(self.dead)
        return text


def cells_of(case, step):
    """Lists of cells that are asked at once."""
    found = [[]]
    for text, rows in step["expect"].items():
        conformance.shape(case, text, rows)
        cells = [Cell(text, source, target, want) for source, row in zip(case.names, rows)
                 for target, want in zip(case.names, row) if want not in "?x"]
        if found[-1] and len(found[-1]) + len(cells) > AT_ONCE:
            found.append([])
        found[-1] += cells
    return found


def ask(lab, ends, cells):
    """Fills in how far each cell came."""
    asked, controls = [], {}
    for c in cells:
        p = conformance.probe_of(c.text)
        source, target = ends.number(c.source, p["family"]), ends.number(c.target, p["family"])
        if source is None or target is None:
            continue
        asked.append((c, p, source, target))
        if c.want != ".":
            for pair in ends.controls(c.source, c.target, p["family"]):
                controls.setdefault((*pair, p["protocol"], p["family"]), None)
    lines = [f"{source} {target} {p['protocol']} {p['family']} {p['port']} {'+' if c.want == '.' else '-'}"
             for c, p, source, target in asked]
    lines += [f"{a} {b} {l4} {family} {CONTROL_PORT} c" for a, b, l4, family in controls]
    if not lines:
        return
    answer = lab.packets.ask(ends.list, lines)
    for (c, *_), came in zip(asked, answer):
        c.came = came
    controls = dict(zip(controls, answer[len(asked):]))
    for c, p, *_ in asked:
        if c.want != ".":
            c.dead = [f"{ends.name(a)} -> {ends.name(b)}" for a, b in ends.controls(c.source, c.target, p["family"])
                      if controls[a, b, p["protocol"], p["family"]] != "."]


# ---- what is told of a wrong cell ----

def address(ends, name, family):
    return labs.first(ends.of[name]["addresses"], family)


def offline(lab, case, ends, cell, world, policies):
    """bulkhead explain, over the policies and the world as files: lines are those of the case."""
    p = conformance.probe_of(cell.text)
    folder = lab.dir / "policies"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    for i, text in enumerate(policies.values()):
        (folder / f"{i}-{case.path.name}").write_text(text)
    (lab.dir / "world.yaml").write_text("\n---\n".join(labs.surroundings(world, None).values()))
    who = [n if ends.of[n].get("endpoint") else ends.node(n) if ends.of[n].get("node") else
           address(ends, n, p["family"]) for n in (cell.source, cell.target)]
    done = topo.run(topo.CLI, "explain", "--policy", folder, "--endpoints", lab.dir / "world.yaml", f"-{p['family']}",
                    "--from", who[0], "--to", who[1], "--port", f"{p['port']}/{p['protocol'].lower()}", check=False)
    return done.stdout + done.stderr


def covers(key, value):
    """Is a key of an interval map, as nft tells it, one that value is in?"""
    if isinstance(key, dict) and "prefix" in key:
        net = ipaddress.ip_network(f"{key['prefix']['addr']}/{key['prefix']['len']}")
        return ipaddress.ip_address(value) in net
    low, high = key["range"] if isinstance(key, dict) else (key, key)
    if isinstance(value, int):
        return low <= value <= high
    return ipaddress.ip_address(low) <= ipaddress.ip_address(value) <= ipaddress.ip_address(high)


def shown(value):
    """A number of 32 bits as nft shows a mark; a list as the fields of a key."""
    if isinstance(value, dict):
        return " . ".join(shown(v) for v in value["concat"])
    return f"0x{value:08x}" if isinstance(value, int) else str(value)


class Held:
    """What the kernel of a node holds, as `nft list map` shows it: for one direction of one cell."""

    def __init__(self, node, family):
        self.node, self.table = node, ["ip6" if family == 6 else "ip", "bulkhead"]

    def elements(self, name):
        done = self.node.netns.run("nft", "-j", "list", "map", *self.table, name, check=False)
        if done.returncode:
            return []
        # A key that has a comment is told with it.
        return [(key["elem"]["val"] if isinstance(key, dict) and "elem" in key else key, data)
                for key, data in json.loads(done.stdout)["nftables"][-1]["map"].get("elem", [])]

    def look_up(self, name, value):
        return next((data for key, data in self.elements(name) if covers(key, value)), None)

    def lines(self, direction, subject, peer, p):
        subjects = "subj_in" if direction == 1 else "subj_eg"
        mine, port = self.look_up(subjects, subject), self.look_up(f"port_{p['protocol'].lower()}", p["port"])
        theirs, where = self.look_up("peer", peer), "peer"
        if theirs is None:
            theirs, where = self.look_up("cidr", peer), "cidr"
        yield f"map {subjects}: {subject} is {shown(mine)}" if mine else \
            f"map {subjects}: {subject} is not in it, no policy selects it"
        yield f"map {where}: {peer} is {shown(theirs)}" if theirs else f"maps peer, cidr: {peer} is in neither"
        if port is not None:
            yield f"map port_{p['protocol'].lower()}: {p['port']} is in {shown(port)}"
        for key, data in self.elements("cell"):
            way, subject_class, peer_class, number, l4 = key["concat"]
            if (way, subject_class) == (direction, mine) and peer_class in (theirs, ANY, ANY_ENDPOINT) and \
                    l4 in ("ip", p["protocol"].lower()):
                yield f"cell {shown(way)} . {shown(subject_class)} . {shown(peer_class)} . {number} . {l4} : {shown(data)}"


def explanation(lab, case, ends, cell, world, policies):
    p = conformance.probe_of(cell.text)
    out, nodes = [offline(lab, case, ends, cell, world, policies)], set()
    for name, other, direction in ((cell.source, cell.target, 2), (cell.target, cell.source, 1)):
        end = ends.of[name]
        nodes.add(end.get("node"))
        if end.get("endpoint"):
            held = Held(lab.nodes[end["node"]], p["family"])
            out.append(f"the kernel of {end['node']}, for {DIRECTIONS[direction]} of {name}:")
            out += ["  " + line for line in held.lines(direction, address(ends, name, p["family"]),
                                                       address(ends, other, p["family"]), p)]
    for name in sorted(filter(None, nodes)):
        out += [f"bulkhead status on {name}:", lab.nodes[name].cli("status", check=False).stdout]
    return conformance.indented("\n".join(out))


# ---- cases ----

def missing():
    """What it takes and is not here; None: nothing."""
    if os.geteuid() != 0:
        return "network namespaces take root"
    for program in (labs.PACKETS, topo.AGENT, topo.CNI, topo.CLI):
        if not os.access(program, os.X_OK):
            return f"{program}: not built; run: ninja -C build"
    return None



def run_step(lab, case, n, step, world, policies, result):
    ends = Ends(lab, world)
    for cells in cells_of(case, step):
        if Bench.stop.is_set():
            raise Stopped
        ask(lab, ends, cells)
        result.cells += len(cells)
        for cell in cells:
            if cell.right:
                continue
            note = (f"step {n}  {cell.text}  {cell.source} -> {cell.target}: expected {cell.want} "
                    f"({conformance.MEANING[cell.want]}), got: {cell.said()}")
            if not result.notes and cell.came is not None:
                note += explanation(lab, case, ends, cell, world, policies)
            result.notes.append(note)


def run_steps(lab, case, result):
    world, policies = copy.deepcopy(case.world), {}
    # Whatever an earlier case has left.
    lab.become(world, {})
    for n, step in enumerate(case.head["steps"]):
        for action in [None, *(step.get("do") or [])]:
            if Bench.stop.is_set():
                raise Stopped
            if action:
                conformance.act(case, world, policies, action)
                lab.become(world, texts(case, policies))
        run_step(lab, case, n, step, world, texts(case, policies), result)


def texts(case, policies):
    return {identity: case.docs[i] for identity, i in policies.items()}


def run_case(bench, path):
    result = conformance.Result(Path(path).stem)
    try:
        if Bench.stop.is_set():
            raise Stopped
        case = conformance.Case(path)
        run_steps(bench.lab_of(case), case, result)
    except conformance.BadFile as e:
        result.notes.append(str(e))
    except labs.Trouble as e:
        # Nobody knows how far it came: the next case begins anew.
        result.notes.append(str(e))
        bench.close()
    except Stopped:
        result.notes.append("stopped")
    except (KeyError, TypeError, ValueError, StopIteration, IndexError) as e:
        result.notes.append(f"not as README.md says a case is: {type(e).__name__} {e}")
    return result
