"""A host with an agent, and containers on it, for the end-to-end tests.

Everything is real: network namespaces, the built bulkheadd, bulkhead-cni called as a runtime calls it, servers and
clients from Debian's packages. A Host cleans up after itself, also when a test fails; on failure it prints the rule
set, the counters and the agent's log. Waiting is always for a condition, with a deadline.
"""
import contextlib
import itertools
import json
import os
import re
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path

ROOT = Path(os.environ.get("BH_SOURCE_ROOT", Path(__file__).resolve().parents[2]))
BUILD = Path(os.environ.get("BH_BUILD_ROOT", ROOT / "build"))
CLI, AGENT, CNI = BUILD / "cli/bulkhead", BUILD / "agent/bulkheadd", BUILD / "cni/bulkhead-cni"
SLOW = int(os.environ.get("BH_TEST_SLOW", 1))  # how many times as long everything may take
_serial = itertools.count(1)


def wait_for(what, condition, timeout=10.0):
    """Waits until condition() is true and returns its value; fails with `what` after the deadline."""
    deadline = time.monotonic() + timeout * SLOW
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {timeout * SLOW} s: {what}")
        time.sleep(0.01 * SLOW)


def run(*args, check=True, timeout=30, stdin="", **kwargs):
    done = subprocess.run([str(a) for a in args], input=stdin, capture_output=True, text=True,
                          timeout=timeout * SLOW, **kwargs)
    if check and done.returncode != 0:
        raise AssertionError(f"{' '.join(map(str, args))}: exit status {done.returncode}\n{done.stdout}{done.stderr}")
    return done


class Netns:
    def __init__(self, name):
        self.name = name
        run("ip", "netns", "add", name)
        self.run("ip", "link", "set", "lo", "up")
        self.children = []

    @property
    def path(self):
        return f"/run/netns/{self.name}"

    def command(self, *args):
        return ["ip", "netns", "exec", self.name, *map(str, args)]

    def run(self, *args, **kwargs):
        return run(*self.command(*args), **kwargs)

    def start(self, *args, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, stdin=subprocess.DEVNULL, **kwargs):
        child = subprocess.Popen(self.command(*args), stdin=stdin, stdout=stdout, stderr=stderr,
                                 start_new_session=True, **kwargs)
        self.children.append(child)
        return child

    def wait_listen(self, port, proto="tcp"):
        flag = "-Hltn" if proto == "tcp" else "-Hlun"
        wait_for(f"a {proto} server on port {port} in {self.name}",
                 lambda: re.search(rf":{port}\s", self.run("ss", flag).stdout))

    def remove(self):
        # More than once: an agent that has not been met yet replaces a worker that has.
        while pids := run("ip", "netns", "pids", self.name, check=False).stdout.split():
            for pid in pids:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(int(pid), signal.SIGKILL)
        for child in self.children:
            child.wait(timeout=10 * SLOW)
        run("ip", "netns", "del", self.name, check=False)


class Container(Netns):
    """A network namespace that bulkhead-cni wires."""

    def __init__(self, host, name, labels, ns="shop"):
        super().__init__(f"{host.netns.name}-{name}")
        self.host, self.label, self.labels, self.k8s_ns = host, name, labels, ns
        self.addrs, self.conf = {}, {}

    def cni(self, command, check=True, **conf):
        args = ";".join(["IgnoreUnknown=1", f"BULKHEAD_NAMESPACE={self.k8s_ns}", f"BULKHEAD_NAME={self.label}",
                         *(f"LABEL_{k}={v}" for k, v in self.labels.items())])
        env = dict(os.environ, CNI_COMMAND=command, CNI_CONTAINERID=self.name, CNI_NETNS=self.path,
                   CNI_IFNAME="eth0", CNI_PATH=str(CNI.parent), CNI_ARGS=args)
        return run(*self.host.netns.command(CNI), stdin=json.dumps({**self.host.network, **self.conf, **conf}),
                   env=env,
                   check=check)

    def add(self, **conf):
        """What else stands in the network's configuration stays for the calls that follow."""
        self.conf = conf
        result = json.loads(self.cni("ADD").stdout)
        for ip in result["ips"]:
            address = ip["address"].split("/")[0]
            self.addrs[6 if ":" in address else 4] = address
        return self


class Host:
    def __init__(self, name=None, **config):
        self.netns = Netns(name or f"bhe{os.getpid() % 100000}{next(_serial)}")
        self.dir = Path(tempfile.mkdtemp(prefix="bulkhead-e2e."))
        self.dir.chmod(0o755)
        for folder in ("run", "state", "policies", "log"):
            (self.dir / folder).mkdir()
        self.config = {"runDir": self.dir / "run", "stateDir": self.dir / "state", "policyDir": self.dir / "policies",
                       "violationLog": self.dir / "log/violations.jsonl", "nodeName": "n1", "workers": 1, **config}
        self.network = {"cniVersion": "1.0.0", "name": "shop", "type": "bulkhead-cni",
                        "runDir": str(self.dir / "run"),
                        "ipam": {"ranges": [["10.244.7.0/24"], ["fd00:244:7::/64"]]}}
        self.containers = {}
        self.agent = None
        self.log = open(self.dir / "agent.log", "ab")

    # -- the agent
    def start_agent(self, wait=True):
        (self.dir / "bulkheadd.yaml").write_text("".join(f"{k}: {v}\n" for k, v in self.config.items()))
        self.agent = self.netns.start(AGENT, "--config", self.dir / "bulkheadd.yaml", stdout=self.log,
                                      stderr=self.log)
        if wait:
            self.wait_ready()
        return self.agent

    def wait_ready(self):
        def ready():
            if self.agent.poll() is not None:
                raise AssertionError("the agent ended: " + self.agent_log())
            return (self.status() or {}).get("ready")
        wait_for("the agent is ready", ready, 20)

    def agent_log(self):
        return (self.dir / "agent.log").read_text(errors="replace")

    def agent_pid(self):
        return self.status()["pid"]

    def kill_agent(self):
        os.kill(self.agent.pid, signal.SIGKILL)
        self.agent.wait(timeout=10 * SLOW)

    def stop_agent(self):
        os.kill(self.agent.pid, signal.SIGTERM)
        assert self.agent.wait(timeout=10 * SLOW) == 0

    # -- what it says
    def cli(self, *args, check=True, **kwargs):
        return run(CLI, "--socket", self.dir / "run/api.sock", *args, check=check, **kwargs)

    def api(self, path, *args, check=True):
        return run("curl", "-sS", "--unix-socket", self.dir / "run/api.sock", *args, f"http://x{path}", check=check)

    def status(self):
        done = self.api("/v1/status", check=False)
        return json.loads(done.stdout) if done.returncode == 0 and done.stdout else None

    def records(self, **wanted):
        """Records of the violation log whose fields (dotted with __) have these values."""
        path = self.dir / "log/violations.jsonl"
        found = []
        for line in path.read_text().splitlines() if path.exists() else []:
            record = json.loads(line)
            for key, value in wanted.items():
                part = record
                for step in key.split("__"):
                    part = part.get(step) if isinstance(part, dict) else None
                if part != value:
                    break
            else:
                found.append(record)
        return found

    def wait_record(self, timeout=10, **wanted):
        return wait_for(f"a record with {wanted}", lambda: self.records(**wanted), timeout)[0]

    def flush(self):
        self.api("/v1/flush", "-X", "POST")

    # -- policies
    def apply(self, text, check=True):
        return self.cli("apply", "-f", "-", stdin=text, check=check)

    def write_policy(self, name, text):
        """Into the policy folder, as an editor would: a new file, renamed."""
        temporary = self.dir / "policies" / f".{name}.new"
        temporary.write_text(text)
        temporary.rename(self.dir / "policies" / name)

    def wait_enforced(self, revision_above):
        def enforced():
            r = self.status()["revision"]
            return r["enforced"] > revision_above and r["enforced"] == r["wanted"]
        wait_for(f"a revision above {revision_above} is enforced", enforced)

    def revision(self):
        return self.status()["revision"]["enforced"]

    # -- containers
    def container(self, name, ns="shop", **labels):
        c = Container(self, name, labels, ns)
        self.containers[name] = c
        return c.add()

    # -- the end
    def explain_failure(self):
        out = [f"== agent log\n{self.agent_log()}"]
        for args in (("nft", "list", "ruleset"), ("conntrack", "-L"), ("conntrack", "-L", "-f", "ipv6"),
                     ("ip", "-d", "link")):
            done = self.netns.run(*args, check=False)
            out.append(f"== {' '.join(args)}\n{done.stdout}{done.stderr}")
        out.append("== status\n" + json.dumps(self.status(), indent=1))
        path = self.dir / "log/violations.jsonl"
        if path.exists():
            out.append("== violations\n" + path.read_text())
        return "\n".join(out)

    def remove(self):
        for c in self.containers.values():
            c.remove()
        self.netns.remove()
        self.log.close()
        shutil.rmtree(self.dir)


# -- servers and clients

WEB_ONLY_HTTP = """
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


def url(address, path="/", port=80):
    return f"http://[{address}]:{port}{path}" if ":" in address else f"http://{address}:{port}{path}"


def nginx(container, folder, port=80):
    folder = Path(folder)
    folder.mkdir(exist_ok=True)
    folder.chmod(0o755)
    (folder / "index.html").write_text("hello\n")
    (folder / "big").write_bytes(b"x" * 2_000_000)
    temporary = "; ".join(f"{kind}_temp_path {folder}/t" for kind in
                          ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
    (folder / "nginx.conf").write_text(
        f"daemon off; pid {folder}/pid; error_log {folder}/err; events {{}}\n"
        f"http {{ access_log {folder}/log; {temporary}; keepalive_timeout 600; keepalive_requests 1000000;\n"
        f" server {{ listen {port}; listen [::]:{port}; root {folder}; }} }}\n")
    container.start("nginx", "-c", folder / "nginx.conf")
    container.wait_listen(port)


def http_get(container, address, path="/", port=80, timeout=2):
    """True if the request was answered."""
    done = container.run("curl", "-gsf", "-o", "/dev/null", "--connect-timeout", timeout, "-m", timeout + 3 * SLOW,
                         url(address, path, port), check=False)
    return done.returncode == 0


def tcp(container, address, port, send=b"", timeout=3):
    """Connects, sends, reads until the end. Returns (outcome, bytes): outcome 'closed', 'reset', 'timeout', 'refused'."""
    code = f"""
import socket, sys
s = socket.socket({'socket.AF_INET6' if ':' in address else 'socket.AF_INET'}, socket.SOCK_STREAM)
s.settimeout({timeout})
got, outcome = b"", "closed"
try:
    s.connect(({address!r}, {port}))
    s.sendall({send!r})
    while True:
        d = s.recv(65536)
        if not d:
            break
        got += d
except ConnectionResetError:
    outcome = "reset"
except ConnectionRefusedError:
    outcome = "refused"
except (TimeoutError, socket.timeout):
    outcome = "timeout"
except BrokenPipeError:
    outcome = "reset"
except OSError as e:
    outcome = str(e)
sys.stdout.write(outcome + " " + got.hex())
"""
    outcome, _, data = container.run("python3", "-c", code, timeout=timeout + 20).stdout.rpartition(" ")
    return outcome, bytes.fromhex(data)


class Sniffer:
    """Every byte that arrives at a container's interface, whatever the kernel makes of it."""

    def __init__(self, container, folder):
        self.path = Path(folder) / f"sniffed-{container.name}"
        container.start("python3", "-c", f"""
import socket
s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
s.bind(("eth0", 0))
with open({str(self.path)!r}, "wb", buffering=0) as f:
    while True:
        data, address = s.recvfrom(70000)
        if address[2] != socket.PACKET_OUTGOING:
            f.write(data)
""")
        wait_for("the sniffer's file", self.path.exists)

    @property
    def bytes(self):
        return self.path.read_bytes()


class Meter:
    """A TCP server that counts what it receives."""

    def __init__(self, container, port, folder):
        self.path = Path(folder) / f"meter-{container.name}-{port}"
        container.start("python3", ROOT / "examples/quickstart/meter.py", port, self.path)
        container.wait_listen(port)

    @property
    def bytes(self):
        return int(self.path.read_text())
