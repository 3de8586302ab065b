"""A bulkheadd in a network namespace and a folder of its own, for the integration tests of the agent.

Nothing here but the agent, its sockets and links made by hand; traffic is the business of tests/e2e.
"""
import contextlib
import http.client
import itertools
import json
import os
import shutil
import signal
import socket
import struct
import subprocess
import tempfile
import time
from pathlib import Path

import pytest

ROOT = Path(os.environ.get("BH_SOURCE_ROOT", Path(__file__).resolve().parents[2]))
BUILD = Path(os.environ.get("BH_BUILD_ROOT", ROOT / "build"))
AGENT = BUILD / "agent/bulkheadd"
WORKER = BUILD / "dataplane/worker/bulkhead-worker"
QUARANTINE, MANAGED = 0x42480001, 0x42480002
CONTAINER_MAC = "02:00:00:00:00:01"
SLOW = int(os.environ.get("BH_TEST_SLOW", 1))  # how many times as long everything may take
_serial = itertools.count(1)

POLICY = """apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {{name: {name}, namespace: shop}}
spec:
  podSelector: {{matchLabels: {{app: web}}}}
  ingress:
  - from: [{{podSelector: {{matchLabels: {{role: client}}}}}}]
    ports: [{{protocol: TCP, port: {port}}}]
"""
BROKEN = "apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {name: b}\nspec:\n  podSelector: {}\n  ingres: []\n"


def policy(name="web", port=80):
    return POLICY.format(name=name, port=port)


def wait_for(what, condition, timeout=10.0):
    deadline = time.monotonic() + timeout * SLOW
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {timeout * SLOW} s: {what}")
        time.sleep(0.01 * SLOW)


def run(*args, check=True, **kwargs):
    done = subprocess.run([str(a) for a in args], capture_output=True, text=True, timeout=60 * SLOW, **kwargs)
    if check and done.returncode != 0:
        raise AssertionError(f"{' '.join(map(str, args))}: {done.returncode}\n{done.stdout}{done.stderr}")
    return done


class UnixHTTP(http.client.HTTPConnection):
    def __init__(self, path, timeout=20):
        super().__init__("localhost", timeout=timeout)
        self.path = str(path)

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout * SLOW)
        self.sock.connect(self.path)


class Agent:
    def __init__(self, start=True, **config):
        self.ns = f"bha{os.getpid() % 100000}n{next(_serial)}"
        self.dir = Path(tempfile.mkdtemp(prefix="bulkhead-agent."))
        self.policies = self.dir / "policies"
        self.policies.mkdir()
        self.config = {"runDir": self.dir / "run", "stateDir": self.dir / "state", "policyDir": self.policies,
                       "violationLog": self.dir / "log/violations.jsonl", "nodeName": "n1", "workers": 1, **config}
        self.log = self.dir / "agent.log"
        self.child = None
        run("ip", "netns", "add", self.ns)
        run("ip", "-n", self.ns, "link", "set", "lo", "up")
        if start:
            self.start()

    # -- life
    def command(self, *args):
        return ["ip", "netns", "exec", self.ns, *map(str, args)]

    def write_config(self):
        (self.dir / "bulkheadd.yaml").write_text("".join(f"{k}: {v}\n" for k, v in self.config.items()))
        return self.dir / "bulkheadd.yaml"

    def start(self, *args, wait=True, env=None):
        with open(self.log, "ab") as log:
            self.child = subprocess.Popen(self.command(AGENT, "--config", self.write_config(), *args),
                                          stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
                                          env={**os.environ, **(env or {})})
        if wait:
            wait_for("the agent answers", self.answers, 20)
        return self

    def answers(self):
        if self.child.poll() is not None:
            raise AssertionError("the agent ended: " + self.log_text())
        # The socket file of an agent that was killed still stands there.
        try:
            return self.status()["pid"] == self.child.pid
        except (OSError, http.client.HTTPException):
            return False

    def kill(self):
        os.kill(self.child.pid, signal.SIGKILL)
        self.child.wait(timeout=10 * SLOW)

    def stop(self):
        os.kill(self.child.pid, signal.SIGTERM)
        return self.child.wait(timeout=10 * SLOW)

    def log_text(self):
        return self.log.read_text(errors="replace")

    def remove(self):
        # More than once: an agent that has not been met yet replaces a worker that has.
        while pids := run("ip", "netns", "pids", self.ns, check=False).stdout.split():
            for pid in pids:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(int(pid), signal.SIGKILL)
        if self.child:
            self.child.wait(timeout=10 * SLOW)
        run("ip", "netns", "del", self.ns, check=False)
        shutil.rmtree(self.dir)

    # -- api.sock
    def request(self, method, path, body=None):
        conn = UnixHTTP(self.dir / "run/api.sock")
        try:
            conn.request(method, path, body.encode() if isinstance(body, str) else body)
            answer = conn.getresponse()
            return answer.status, answer.read().decode()
        finally:
            conn.close()

    def get(self, path):
        status, text = self.request("GET", path)
        assert status == 200, text
        return json.loads(text)

    def status(self):
        return self.get("/v1/status")

    def revision(self):
        return self.status()["revision"]["enforced"]

    def apply(self, text, query=""):
        status, answer = self.request("POST", "/v1/policies" + query, text)
        return status, json.loads(answer)

    def names(self):
        return sorted(p["name"] for p in self.get("/v1/policies")["policies"])

    def records(self, **wanted):
        path = Path(self.config["violationLog"])
        lines = path.read_text().splitlines() if path.exists() else []
        return [r for r in map(json.loads, lines) if all(r.get(k) == v for k, v in wanted.items())]

    def write(self, name, text):
        """As an editor does: a new file, renamed."""
        temporary = self.policies / f".{name}.new"
        temporary.write_text(text)
        temporary.rename(self.policies / name)

    # -- cni.sock
    def send(self, data, fds=(), half_close=False):
        """Raw bytes in, all bytes out."""
        s = socket.socket(socket.AF_UNIX)
        s.settimeout(20 * SLOW)
        s.connect(str(self.dir / "run/cni.sock"))
        with s:
            socket.send_fds(s, [data], list(fds)) if fds else s.sendall(data)
            if half_close:
                s.shutdown(socket.SHUT_WR)
            got = b""
            while chunk := s.recv(65536):
                got += chunk
            return got

    def ask(self, message, fds=()):
        text = json.dumps(message).encode()
        got = self.send(struct.pack("!I", len(text)) + text, fds)
        assert struct.unpack("!I", got[:4])[0] == len(got) - 4
        return json.loads(got[4:])

    def veth(self, name, group=QUARANTINE):
        """The host's end of a veth as the plugin makes it. Returns its index."""
        run("ip", "-n", self.ns, "link", "add", name, "group", group, "type", "veth", "peer", "name", f"{name}p",
            "address", CONTAINER_MAC)
        run("ip", "-n", self.ns, "link", "set", name, "up")
        return json.loads(run("ip", "-n", self.ns, "-j", "link", "show", name).stdout)[0]["ifindex"]

    def group(self, name):
        shown = json.loads(run("ip", "-n", self.ns, "-j", "link", "show", name).stdout)[0]["group"]
        return int(shown) if str(shown).isdigit() else shown

    def add_request(self, name, ip, index=None, **more):
        return {"v": 1, "op": "add", "network": "net", "id": f"id-{name}", "ifname": "eth0", "netns": "/none",
                "host": {"name": name, "index": index if index is not None else self.veth(name)},
                "cont": {"name": "eth0", "index": 2, "mac": CONTAINER_MAC},
                "ips": [ip] if isinstance(ip, str) else ip, "name": name, "namespace": "shop", "labels": {"app": "web"},
                "labelsFinal": True, "mode": "main", **more}

    def endpoints(self):
        return {e["name"]: e for e in self.get("/v1/endpoints")["endpoints"]}


@pytest.fixture
def agent(request):
    a = Agent(start=False)
    try:
        yield a.start()
    finally:
        if request.session.testsfailed:
            print(a.log_text())
        a.remove()


@pytest.fixture
def stopped(request):
    """Not yet started."""
    a = Agent(start=False)
    try:
        yield a
    finally:
        if request.session.testsfailed and a.log.exists():
            print(a.log_text())
        a.remove()
