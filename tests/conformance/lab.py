"""A world of the suite as network namespaces: an agent on each node, containers that bulkhead-cni wires.

    pod eth0 -- bhk... node up0 -- v... router v... -- up0 node -- pod
                                    router v... -- up0 outside host

Every node of the world is a namespace with a bulkheadd of its own and the node's addresses; its pods are namespaces
that the plugin wires as a runtime would, with the addresses, labels and named ports of the world. What a node does not
see by itself - namespaces, nodes, the pods of other nodes - its agent is told by manifests, through the API. A router
joins the nodes and what lies outside. Host-network pods are processes of their node's namespace.

A world stays while cases use it: become() makes the difference between what is there and what is to be, and returns when
every agent has said that it is in force. A pod whose labels change is detached and attached again in the same
namespace: the plugin's word about an attachment is final.
"""
import http.client
import itertools
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
from pathlib import Path

import conformance

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "e2e"))
import topo  # noqa: E402

PACKETS = topo.BUILD / "tests/conformance_packets"
PATIENCE = 5.0                              # seconds: what is to be answered is tried so long
PREFIX = "bhp"                              # of namespaces' names: PREFIX PID - serial number
_serial = itertools.count(1)
RANGES = {4: "0.0.0.0/0", 6: "::/0"}      # pods ask for their addresses
GATEWAY4, GATEWAY6, NODE6 = "169.254.1.1", "fe80::1", "fe80::2"
SYSCTLS = ["net.ipv6.conf.all.accept_dad=0", "net.ipv6.conf.default.accept_dad=0"]
FORWARDING = ["net.ipv4.ip_forward=1", "net.ipv6.conf.all.forwarding=1"]


class Trouble(Exception):
    """The world cannot be brought to where the case wants it."""


# What programs that are run, and topo, raise.
MISHAPS = (AssertionError, OSError, subprocess.SubprocessError)


class UnixHTTP(http.client.HTTPConnection):
    def __init__(self, path):
        super().__init__("localhost", timeout=30)
        self.path = str(path)

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self.path)


def first(addresses, family):
    """The first of this family; None: there is none."""
    return next((a for a in addresses if (":" in a) == (family == 6)), None)


def batch(netns, *lines):
    """Commands of ip(8), in one go."""
    topo.run("ip", "-n", netns.name, "-batch", "-", stdin="\n".join(lines))


# ---- manifests ----

def own_kind(kind, meta, **spec):
    return {"apiVersion": "bulkhead.network/v1alpha1", "kind": kind, "metadata": meta, "spec": spec}


def surroundings(world, node):
    """{identity: text} of what the agent of a node is told besides policies. None: of everything, for files."""
    found = {}
    for n in world["namespaces"]:
        found["Namespace", "", n["name"]] = conformance.namespace(n)["text"]
    for n in world.get("nodes") or []:
        found["Node", "", n["name"]] = json.dumps(own_kind(
            "Node", {"name": n["name"], "labels": conformance.labels(n)}, addresses=n["ips"]))
    for p in running(world):
        if p["node"] != node:
            e = conformance.endpoint(p)
            found["Endpoint", e["ns"], e["name"]] = json.dumps(own_kind(
                "Endpoint", {"name": e["name"], "namespace": e["ns"], "labels": e["labels"]},
                addresses=e["addresses"], node=e["node"], ports=e["ports"]))
    return found


def running(world):
    """Pods that own addresses."""
    return [p for p in world.get("pods") or []
            if not p.get("hostNetwork") and p.get("phase") not in conformance.FINISHED]


# ---- what the world consists of ----

class Pod(topo.Container):
    def __init__(self, host, pod, serial):
        super().__init__(host, f"{serial}-{pod['name']}", {}, pod["ns"])
        self.label = pod["name"]
        self.ips, self.conf = pod["ips"], self.conf_of(pod)

    @staticmethod
    def conf_of(pod):
        e = conformance.endpoint(pod)
        return {"ipam": {"ranges": [[RANGES[f]] for f in (4, 6) if first(pod["ips"], f)]},
                "args": {"cni": {"ips": e["addresses"], "labels": e["labels"], "ports": e["ports"]}}}

    def attach(self):
        self.cni("ADD", **self.conf)

    def detach(self):
        self.cni("DEL", **self.conf)


class Node(topo.Host):
    def __init__(self, node, name):
        super().__init__(name, nodeName=node["name"])
        self.ips, self.told = node["ips"], {}

    def request(self, method, path, body=None):
        conn = UnixHTTP(self.dir / "run/api.sock")
        try:
            conn.request(method, path, body)
            answer = conn.getresponse()
            text = answer.read().decode()
        except (OSError, http.client.HTTPException) as e:
            raise Trouble(f"the agent of {self.config['nodeName']} does not answer: {e}\n{self.agent_log()}") from e
        finally:
            conn.close()
        if answer.status != 200:
            raise Trouble(f"{method} {path} on {self.config['nodeName']}: {answer.status}" + conformance.indented(text))

    def tell(self, wanted):
        """{identity: text}: each request is enforced when it is answered."""
        for identity in [i for i in self.told if i not in wanted]:
            self.request("DELETE", "/v1/policies/" + "/".join(filter(None, identity)))
            del self.told[identity]
        new = {i: text for i, text in wanted.items() if self.told.get(i) != text}
        if new:
            self.request("POST", "/v1/policies", "\n---\n".join(new.values()).encode())
            self.told.update(new)


class Packets:
    """The program that has a socket in every namespace (packets.c)."""

    def __init__(self, patience):
        self.child = subprocess.Popen([PACKETS, str(int(patience * 1000))], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
                                      start_new_session=True)

    def ask(self, ends, probes):
        """ends: [(path, v4, v6)]; probes: ["FROM TO L4 FAMILY PORT KIND"]. Returns a character for each."""
        text = "".join(f"end {path} {v4 or '-'} {v6 or '-'}\n" for path, v4, v6 in ends)
        text += "".join(f"probe {p}\n" for p in probes) + "go\nclear\n"
        try:
            self.child.stdin.write(text)
            self.child.stdin.flush()
        except BrokenPipeError:
            pass
        answer = self.child.stdout.readline().rstrip("\n")
        if len(answer) != len(probes) or answer.startswith("error "):
            raise Trouble(answer or f"{PACKETS.name} ended with {self.child.wait()}")
        return answer

    def close(self):
        for pipe in (self.child.stdin, self.child.stdout):
            try:
                pipe.close()
            except BrokenPipeError:
                pass
        try:
            self.child.wait(timeout=10)
        except subprocess.TimeoutExpired:
            self.child.kill()
            self.child.wait()


class Lab:
    def __init__(self, world, patience=PATIENCE):
        self.netns, self.nodes, self.pods, self.serial = {}, {}, {}, 0
        self.packets = None
        self.dir = Path(tempfile.mkdtemp(prefix="bulkhead-conformance."))
        try:
            self.packets = Packets(patience)
            self.build(world)
        except BaseException as e:
            self.remove()
            if isinstance(e, MISHAPS):
                raise Trouble(str(e)) from e
            raise

    # -- building
    def build(self, world):
        prefix = f"{PREFIX}{os.getpid()}-{next(_serial)}"
        self.router = self.add("router", topo.Netns(prefix))
        self.router.run("sysctl", "-qw", *SYSCTLS, *FORWARDING)
        for n in world.get("nodes") or []:
            node = self.nodes[n["name"]] = Node(n, f"{prefix}-{n['name']}")
            node.netns.run("sysctl", "-qw", *SYSCTLS, *FORWARDING)
            self.join(node.netns, n["ips"])
        for x in world.get("externals") or []:
            netns = self.add("ext/" + x["name"], topo.Netns(f"{prefix}-ext-{x['name']}"))
            netns.run("sysctl", "-qw", *SYSCTLS)
            self.join(netns, x["ips"])
        for node in self.nodes.values():
            node.start_agent(wait=False)
        for node in self.nodes.values():
            node.wait_ready()

    def add(self, name, netns):
        self.netns[name] = netns
        return netns

    def join(self, netns, ips):
        """A way from a namespace with these addresses to the router, and back."""
        self.serial += 1
        port = f"v{self.serial}"
        netns.port = port
        v4, v6 = first(ips, 4), first(ips, 6)
        topo.run("ip", "-n", netns.name, "link", "add", "up0", "type", "veth", "peer", "name", port, "netns",
                 self.router.name)
        batch(netns, "link set up0 addrgenmode none up", f"addr add {NODE6}/64 dev up0 nodad",
              *(f"addr add {ip} dev up0 nodad" if ":" in ip else f"addr add {ip}/32 dev up0" for ip in ips),
              *([f"route add default via {GATEWAY4} dev up0 onlink src {v4}"] if v4 else []),
              *([f"route add ::/0 via {GATEWAY6} dev up0 src {v6}"] if v6 else []))
        batch(self.router, f"link set {port} addrgenmode none up", f"addr add {GATEWAY4}/32 dev {port}",
              f"addr add {GATEWAY6}/64 dev {port} nodad",
              *(f"route add {ip} via {NODE6} dev {port}" if ":" in ip else f"route add {ip} dev {port}" for ip in ips))

    # -- changing
    def become(self, world, policies):
        """policies: {identity: text}. Returns when everything is in force on every node."""
        try:
            self.step(world, policies)
        except MISHAPS as e:
            raise Trouble(str(e)) from e

    def step(self, world, policies):
        pods = {f"{p['ns']}/{p['name']}": p for p in running(world)}
        for name, (pod, spec) in list(self.pods.items()):
            if spec is not None and spec != pods.get(name):
                pod.detach()
                self.pods[name] = pod, None
        for name, node in self.nodes.items():
            node.tell({**surroundings(world, name), **policies})
        for name, spec in pods.items():
            pod, was = self.pods.get(name, (None, None))
            if was == spec:
                continue
            if pod is None or pod.ips != spec["ips"] or pod.host is not self.nodes[spec["node"]]:
                self.serial += 1
                node = self.nodes[spec["node"]]
                pod = node.containers[self.serial] = Pod(node, spec, self.serial)
            else:
                pod.conf = Pod.conf_of(spec)
            pod.attach()
            self.route(pod)
            self.pods[name] = pod, json.loads(json.dumps(spec))

    def route(self, pod):
        via, port = first(pod.host.ips, 4), pod.host.netns.port
        batch(self.router, *(f"route replace {ip} via {NODE6} dev {port}" if ":" in ip else
                             f"route replace {ip} via {via} dev {port} onlink" for ip in pod.ips))

    # -- asking
    def path(self, name, end):
        """Of the namespace of an end as conformance.ends_of() tells it."""
        if end.get("endpoint"):
            return self.pods[name][0].path
        return self.nodes[end["node"]].netns.path if end.get("node") else self.netns[name].path

    # -- the end
    def remove(self):
        if self.packets:
            self.packets.close()
        for part in (*self.nodes.values(), *self.netns.values()):
            try:
                part.remove()
            except MISHAPS as e:
                print(f"left behind: {e}", file=sys.stderr)
        shutil.rmtree(self.dir, ignore_errors=True)
