"""Namespaces and calls for the tests of the CNI plugin: a host's, containers', and the plugin as a runtime runs it."""
import itertools
import json
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

from fake_agent import FakeAgent

ROOT = Path(os.environ.get("BH_SOURCE_ROOT", Path(__file__).resolve().parents[2]))
BUILD = Path(os.environ.get("BH_BUILD_ROOT", ROOT / "build"))
PLUGIN = BUILD / "cni/bulkhead-cni"
_serial = itertools.count(1)


def run(*args, check=True, **kwargs):
    kwargs.setdefault("timeout", 60)
    done = subprocess.run([str(a) for a in args], capture_output=True, text=True, **kwargs)
    assert not check or done.returncode == 0, f"{args}: {done.stdout}{done.stderr}"
    return done


class Netns:
    def __init__(self, name):
        self.name, self.path, self.children = name, f"/run/netns/{name}", []
        run("ip", "netns", "add", name)
        run("ip", "-n", name, "link", "set", "lo", "up")

    def run(self, *args, **kwargs):
        return run("ip", "netns", "exec", self.name, *args, **kwargs)

    def json(self, *args):
        return json.loads(run("ip", "-n", self.name, "-j", "-d", *args).stdout or "[]")

    def links(self):
        return {link["ifname"]: link for link in self.json("link", "show")}

    def background(self, *args):
        """A process whose output is read; it ends with the namespace at the latest."""
        child = subprocess.Popen(["ip", "netns", "exec", self.name, *args], text=True, stdout=subprocess.PIPE)
        self.children.append(child)
        return child

    def remove(self):
        for child in self.children:
            child.kill()
            child.wait()
            child.stdout.close()
        run("ip", "netns", "del", self.name, check=False)


class Reply:
    """What one call answered."""

    def __init__(self, done):
        self.code, self.text, self.stderr = done.returncode, done.stdout, done.stderr
        self.json = json.loads(done.stdout) if done.stdout.strip() else None

    def ok(self):
        assert self.code == 0, self.text + self.stderr
        return self.json

    def failed(self, code=None):
        """The message of an error object as the specification wants it."""
        assert self.code != 0 and isinstance(self.json, dict), self.text + self.stderr
        assert isinstance(self.json["code"], int) and self.json["msg"]
        assert code is None or self.json["code"] == code, self.json
        return self.json["msg"]


class Scene:
    def __init__(self, agent=True):
        self.tag = f"bhn-{os.getpid() % 100000}x{next(_serial)}"
        self.dir = tempfile.mkdtemp(prefix="bulkhead-cni.")
        self.run_dir = os.path.join(self.dir, "run")
        self.host = Netns(self.tag)
        self.containers = []
        self.agent = FakeAgent(self.run_dir, self.tag) if agent else None
        self.conf = {"cniVersion": "1.0.0", "name": "shop", "type": "bulkhead-cni", "runDir": self.run_dir,
                     "agentTimeout": "3s", "ipam": {"ranges": [["10.88.0.0/24"], ["fd00:88::/64"]]}}

    def background(self, *args):
        return self.host.background(*args)

    def container(self):
        c = Netns(f"{self.tag}-{len(self.containers)}")
        self.containers.append(c)
        return c

    def start(self, verb, cid="c1", netns="", ifname="eth0", conf=None, stdin=None, cni_args="", env=None, **more):
        """The running plugin. `more` goes into the configuration; a value None leaves a key out."""
        variables = {"CNI_COMMAND": verb, "CNI_CONTAINERID": cid, "CNI_NETNS": netns, "CNI_IFNAME": ifname,
                     "CNI_PATH": str(PLUGIN.parent), "CNI_ARGS": cni_args, **(env or {})}
        full = {k: v for k, v in {**(conf or self.conf), **more}.items() if v is not None}
        if stdin is None:
            stdin = json.dumps(full)
        child = subprocess.Popen(
            ["ip", "netns", "exec", self.host.name, str(PLUGIN)], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env={"PATH": os.environ["PATH"], **{k: v for k, v in variables.items() if v is not None}})
        child.input = stdin if isinstance(stdin, bytes) else stdin.encode()
        return child

    def finish(self, child):
        out, err = child.communicate(child.input, timeout=60)
        return Reply(subprocess.CompletedProcess([], child.returncode, out.decode(), err.decode()))

    def call(self, verb, *args, **kwargs):
        return self.finish(self.start(verb, *args, **kwargs))

    def add(self, cid="c1", container=None, **kwargs):
        return self.call("ADD", cid, (container or self.container()).path, **kwargs).ok()

    def files(self, folder=""):
        """Everything in the run folder but the socket and the allocator's own hidden files."""
        found = []
        for path in Path(self.run_dir, folder).rglob("*"):
            if path.is_file() and not path.name.startswith((".lock", ".last")):
                found.append(str(path.relative_to(self.run_dir)))
        return sorted(found)

    def assert_clean(self):
        assert set(self.host.links()) == {"lo"}
        assert self.files() == []
        for c in self.containers:
            assert set(c.links()) == {"lo"}

    def remove(self):
        for c in self.containers:
            c.remove()
        self.host.remove()
        if self.agent:
            self.agent.close()
        shutil.rmtree(self.dir)
