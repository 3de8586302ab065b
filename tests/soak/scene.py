"""The scene of the soak: one agent, the containers that are measured, and the load that runs between them.

What each process of the load counted stands in a file of its own (tests/soak/load.h); what has to be judged by its time
is a line of its output. Times are of CLOCK_MONOTONIC in nanoseconds, as time.monotonic_ns() tells them.
"""
import http.client
import json
import re
import shutil
import socket
import struct
from pathlib import Path

import topo

LOAD = topo.BUILD / "tests/soak_load"
COLUMNS = ("sent", "answered", "opened", "lost", "retrans", "worst")
PLAIN, CONTRACT, CLOSED, CHANGING = 7000, 80, 7001, 7002  # ports of the server

NICE = -10  # of the agent and who starts it, as in the unit

# One TrafficPolicy for the server, one standard policy for the client's own side.
POLICIES = """
apiVersion: bulkhead.network/v1alpha1
kind: TrafficPolicy
metadata: {{name: server, namespace: shop}}
spec:
  podSelector: {{matchLabels: {{app: server}}}}
  isolate: ingress
  ingress:
  - name: plain{name}
    from: [{{podSelector: {{matchExpressions: [{{key: role, operator: In, values: [client, elsewhere]}}]}}}}]
    ports: [7000, 7000/udp]
  - name: contract{name}
    from: [{{podSelector: {{matchExpressions: [{{key: role, operator: In, values: [client, speaker]}}]}}}}]
    ports: [80]
    protocols: [{protocols}]
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {{name: client, namespace: shop}}
spec:
  podSelector: {{matchLabels: {{role: client}}}}
  policyTypes: [Egress]
  egress:
  - to: [{{podSelector: {{matchLabels: {{app: server}}}}}}]
    ports: [{{port: 7000}}, {{port: 7000, protocol: UDP}}, {{port: 80}}]
"""

CHANGING_POLICY = """
apiVersion: bulkhead.network/v1alpha1
kind: TrafficPolicy
metadata: {name: changing, namespace: shop}
spec:
  podSelector: {matchLabels: {app: server}}
  isolate: ingress
  ingress:
  - {name: changing, from: [{podSelector: {matchLabels: {role: changing}}}], ports: [7002, 7002/udp]}
"""

CHANGING_LONG = 8  # long connections of the one whose policy comes and goes

# Kinds of clients: name -> (container, how, port, options). Each exists for IPv4 and IPv6. The order gives the numbers.
WORKS = {
    "short": ("client", "tcp", PLAIN, "slots={parallel} expect=yes"),
    "short, contract": ("client", "tcp", CONTRACT, "format=http slots={parallel} expect=yes"),
    "long": ("client", "tcp", PLAIN, "slots=20 each=0 window=8 pause=20000 expect=yes"),
    "long, contract": ("client", "tcp", CONTRACT, "format=http slots=20 each=0 window=8 pause=20000 expect=yes"),
    "udp": ("client", "udp", PLAIN, "slots=8 each=16 pause=4000 wait=5000 expect=yes"),
}
REFUSED = {
    "wrong peer": ("intruder", "tcp", PLAIN, "slots=8 wait=200 pause=20000 expect=no"),
    "wrong peer, contract": ("intruder", "tcp", CONTRACT, "format=http slots=8 wait=200 pause=20000 expect=no"),
    "wrong peer, udp": ("intruder", "udp", PLAIN, "slots=40 wait=40 pause=1000 expect=no"),
    "wrong port": ("elsewhere", "tcp", CLOSED, "slots=8 wait=200 pause=20000 expect=no"),
    "wrong port, udp": ("elsewhere", "udp", CLOSED, "slots=8 wait=40 pause=1000 expect=no"),
    "wrong protocol": ("speaker", "tcp", CONTRACT, "format=ssh slots=8 wait=500 pause=20000 expect=no"),
}
CHANGES = {
    "changing": ("changing", "tcp", CHANGING, "slots=20 wait=3000 pause=20000 expect=either"),
    "changing, long": ("changing", "tcp", CHANGING, f"slots={CHANGING_LONG // 2} each=0 window=8 pause=20000 wait=3000 expect=either"),
    "changing, udp": ("changing", "udp", CHANGING, "slots=20 wait=3000 pause=20000 expect=either"),
}
NAMES = [*WORKS, *REFUSED, *CHANGES]
KINDS = {(name, family): 2 * i + (family == 6) for i, name in enumerate(NAMES) for family in (4, 6)}
# The sniffer cannot know a kind by an address: one row for each container and family.
SNIFFED = {(container, family): 48 + 2 * i + (family == 6)
           for i, container in enumerate(("intruder", "elsewhere", "speaker", "changing")) for family in (4, 6)}


class Process:
    """A soak_load in a container."""

    def __init__(self, container, folder, name, *args):
        # A server that waits for the processor must not look like a packet that was lost. Clients yield to all others.
        first = () if name in ("server", "sniffer") else ("nice", "-n", f"{-NICE}")
        self.base = Path(folder) / name.replace(" ", "-").replace(",", "")
        self.output = open(f"{self.base}.out", "wb")
        self.errors = open(f"{self.base}.err", "wb")
        self.child = container.start(*first, LOAD, f"{self.base}.counts", *args, stdin=-1, stdout=self.output,
                                     stderr=self.errors)

    def rows(self):
        """{row: {column: value}} of what was counted up to now."""
        path = Path(f"{self.base}.counts")
        data = path.read_bytes() if path.exists() else b""
        data = data or bytes(64 * 64)  # it has not begun yet
        return {row: dict(zip(COLUMNS, struct.unpack_from("6Q", data, row * 64))) for row in range(len(data) // 64)}

    def lines(self):
        return Path(f"{self.base}.out").read_text().splitlines()

    def stop(self):
        self.child.stdin.close()

    def wait(self):
        status = self.child.wait(timeout=30)
        self.output.close()
        self.errors.close()
        if status != 0:
            raise AssertionError(f"{self.base.name}: exit status {status}: " + Path(f"{self.base}.err").read_text())


class Scene:
    def __init__(self, args):
        self.args = args
        self.host = topo.Host()
        self.processes = {}

    def build(self):
        host = self.host
        host.start_agent()
        self.server = host.container("server", app="server")
        for role in ("client", "intruder", "elsewhere", "speaker", "changing"):
            host.container(role, role=role)
        # Thousands of connections a second between two addresses: their tuples come back within the usual two minutes of
        # TIME_WAIT, and nf_conntrack's table, which all namespaces share the size of, would be full.
        host.netns.run("sysctl", "-qw", "net.netfilter.nf_conntrack_tcp_timeout_time_wait=10")
        host.containers["client"].run("sysctl", "-qw", "net.ipv4.ip_local_port_range=1024 65535")
        host.apply(POLICIES.format(name="", protocols="http"))
        host.apply(CHANGING_POLICY)

    def process(self, container, name, *args):
        process = Process(container, self.host.dir, name, *args)
        self.processes[name] = process
        return process

    def start_load(self):
        self.process(self.server, "server", "serve", PLAIN, f"{CONTRACT}h", CLOSED, CHANGING)
        for port in (PLAIN, CONTRACT, CLOSED, CHANGING):
            self.server.wait_listen(port)
        watched = [f"{row}:{self.host.containers[name].addrs[family]}" + ("p" if name in ("speaker", "changing") else "")
                   for (name, family), row in SNIFFED.items()]
        sniffer = self.process(self.server, "sniffer", "sniff", *watched)
        topo.wait_for("the sniffer listens", sniffer.lines)
        for (name, family), kind in KINDS.items():
            container, how, port, options = {**WORKS, **REFUSED, **CHANGES}[name]
            options = options.format(parallel=self.args.parallel).split()
            self.process(self.host.containers[container], f"{name} {family}", "client", kind, how,
                         self.server.addrs[family], port, *options)
        topo.wait_for("every client has begun", lambda: all(
            self.count(name, family)["opened"] > 0 for name, family in KINDS))
        topo.wait_for("what is allowed works", lambda: all(
            self.count(name, family)["answered"] > 0 for name in [*WORKS, *CHANGES] for family in (4, 6)))

    def wait_for_traffic(self):
        """Everybody who is allowed has been answered some times more."""
        before = {k: self.count(*k)["answered"] for k in KINDS if k[0] not in REFUSED}
        topo.wait_for("all that is allowed goes on", lambda: all(
            self.count(*k)["answered"] > n + 20 for k, n in before.items()), 20)

    def wait_for_refusals(self):
        before = {k: self.count(*k)["opened"] for k in KINDS if k[0] in REFUSED}
        topo.wait_for("those who are refused try again", lambda: all(
            self.count(*k)["opened"] > n + 50 for k, n in before.items()), 20)

    def count(self, name, family):
        return self.processes[f"{name} {family}"].rows()[KINDS[name, family]]

    def turned_connections(self):
        """{(family, port of the client)} of connections that conntrack takes for the server's own."""
        return {(family, int(m[1])) for family in (4, 6) for m in re.finditer(
            rf"^tcp [^=]* src={self.server.addrs[family]} dst=\S+ sport=\d+ dport=(\d+) ",
            self.host.netns.run("conntrack", "-L", "-f", f"ipv{family}", "-p", "tcp").stdout, re.M)}

    def stop_load(self):
        clients = [p for name, p in self.processes.items() if name not in ("server", "sniffer")]
        for group in (clients, [self.processes["sniffer"], self.processes["server"]]):
            for process in group:
                process.stop()
            for process in group:
                process.wait()
        self.turned = self.turned_connections()

    def keep(self, folder):
        folder = Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        for path in self.host.dir.iterdir():
            if path.is_file():
                shutil.copy(path, folder)
        if (self.host.dir / "log/violations.jsonl").exists():
            shutil.copy(self.host.dir / "log/violations.jsonl", folder)

    def request(self, method, path, body=None):
        """(status, answer) of the agent's API, without a process of its own for each question."""
        connection = http.client.HTTPConnection("localhost", timeout=20)
        connection.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        connection.sock.settimeout(20)
        try:
            connection.sock.connect(str(self.host.dir / "run/api.sock"))
            connection.request(method, path, body)
            answer = connection.getresponse()
            text = answer.read().decode()
            return answer.status, json.loads(text) if text else None
        finally:
            connection.close()

    def must(self, method, path, body=None):
        status, answer = self.request(method, path, body)
        if status != 200:
            raise AssertionError(f"{method} {path}: {status} {answer}\n{body}")
        return answer
