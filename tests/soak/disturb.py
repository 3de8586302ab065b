"""What happens while the load runs: each disturbance is a method, the order is drawn from a seed.

What is allowed at which time is noted as it is known from outside: a change holds from the moment the agent has
answered, and what was before holds until it was asked. Between the two either may be.
"""
import contextlib
import http.client
import os
import random
import signal
import threading
import time

import topo
from scene import CHANGING_POLICY, POLICIES

OTHERS = """
table inet others {
	set s { type ipv4_addr; elements = { 192.0.2.1 } }
	chain c { type filter hook forward priority 5; policy accept; ip saddr @s counter drop; }
}
table ip others4 {
	chain c { type filter hook forward priority 6; policy accept; counter; }
}
"""

ENDPOINT = """
apiVersion: bulkhead.network/v1alpha1
kind: Endpoint
metadata: {{name: e{n}, namespace: {ns}, labels: {labels}}}
spec: {{addresses: [10.60.{hi}.{lo}, "fd60::{n:x}"], local: {local}}}
"""

# Beside the measured ones: some of them about the same subjects and peers, none about the measured packets.
POLICY = """
apiVersion: bulkhead.network/v1alpha1
kind: TrafficPolicy
metadata: {{name: p{n}, namespace: shop}}
spec:
  podSelector: {{matchLabels: {subject}}}
  isolate: none
  ingress:
  - {{name: r{rule}, from: [{{podSelector: {{matchLabels: {peer}}}}}], ports: [{port}]{protocols}}}
"""

LABELS = ["{role: client}", "{app: server}", "{role: x, team: a}", "{role: x, team: b}", "{role: z}", "{}"]

class Disturbances:
    def __init__(self, scene):
        self.scene, self.host, self.args = scene, scene.host, scene.args
        self.random = random.Random(scene.args.seed)
        self.done = {}
        self.timeline = open(self.host.dir / "timeline", "w", buffering=1)
        self.tables = self.our_tables()
        self.endpoints, self.policies = {}, {}
        self.passing = []  # containers that come and go
        self.changing = [(0, 0, True)]  # (asked, enforced, allowed) of the client whose policy comes and goes
        self.worker_gaps = []  # (killed, successor serves)
        self.orphan_gaps = []  # (flushed, tables stand again)
        self.agent_gaps = []  # (gone, ready)

    def count(self, what):
        """It is done."""
        self.done[what] = self.done.get(what, 0) + 1
        self.timeline.write(f"{time.monotonic_ns() / 1e9:.6f} {what}\n")

    # -- endpoints

    def endpoint(self):
        n = self.random.randrange(200)
        if n < 196:
            self.manifest_endpoint(n)
        else:
            self.container()

    def manifest_endpoint(self, n):
        path = f"/v1/policies/Endpoint/shop/e{n}"
        if n in self.endpoints and self.random.random() < 0.4:
            self.scene.must("DELETE", path)
            del self.endpoints[n]
            self.count("endpoints removed")
            return
        labels = self.random.choice([x for x in LABELS if x != self.endpoints.get(n)])
        self.scene.must("POST", "/v1/policies", self.endpoint_text(n, labels))
        self.count("labels changed" if n in self.endpoints else "endpoints added")
        self.endpoints[n] = labels

    @staticmethod
    def endpoint_text(n, labels):
        return ENDPOINT.format(n=n, ns="shop", labels=labels, hi=n // 200, lo=n % 200 + 1,
                               local="true" if n % 3 == 0 else "false")

    def container(self):
        """A container comes, or goes, or comes back with other labels."""
        slot = self.random.randrange(6)
        while len(self.passing) <= slot:
            c = topo.Container(self.host, f"passing{len(self.passing)}", {}, "shop")
            self.host.containers[c.label] = c
            c.here = False
            self.passing.append(c)
        c = self.passing[slot]
        if c.here:
            c.cni("DEL")
            self.count("containers removed")
        else:
            c.labels = self.random.choice([{"role": "client"}, {"role": "none"}, {"app": "server"}, {}])
            c.add()
            self.count("containers added")
        c.here = not c.here

    # -- policies

    def policy(self):
        kind = self.random.randrange(10)
        if kind == 0:
            self.change_the_changing()
        elif kind == 1:
            # The measured ones themselves: other names of rules, one protocol more or less. Nothing of the measured
            # traffic is decided otherwise.
            self.scene.must("POST", "/v1/policies", POLICIES.format(
                name=f"-{self.random.randrange(1000)}", protocols=self.random.choice(["http", "http, tls"])))
            self.count("measured policies rewritten")
        elif kind == 2:
            self.policy_in_folder()
        else:
            self.other_policy(self.random.randrange(100))

    def policy_text(self, n):
        draw = self.random.choice
        port = draw(["7003", "81", "90-99", "7003/udp"])
        protocols = "" if "udp" in port else draw(["", "", ", protocols: [http]", ", protocols: [redis]"])
        return POLICY.format(n=n, rule=self.random.randrange(1000), port=port, protocols=protocols,
                             subject=draw(["{app: server}", "{role: x}", "{team: a}", "{}"]),
                             peer=draw([*LABELS, "{role: intruder}"]))

    def other_policy(self, n):
        if n in self.policies and self.random.random() < 0.5:
            self.scene.must("DELETE", f"/v1/policies/TrafficPolicy/shop/p{n}")
            del self.policies[n]
            self.count("policies removed")
            return
        self.scene.must("POST", "/v1/policies", self.policy_text(n))
        self.count("policies changed" if n in self.policies else "policies added")
        self.policies[n] = True

    def policy_in_folder(self):
        before = self.host.status()["revision"]["enforced"]
        path = self.host.dir / "policies/p.yaml"
        if path.exists():
            path.unlink()
        else:
            self.host.write_policy("p.yaml", self.policy_text(1000))
        self.host.wait_enforced(before)
        self.count("policy files changed")

    def change_the_changing(self):
        allowed = self.changing[-1][2]
        asked = time.monotonic_ns()
        if allowed and self.random.random() < 0.5:
            self.scene.must("DELETE", "/v1/policies/TrafficPolicy/shop/changing")
        elif allowed:
            self.scene.must("POST", "/v1/policies", CHANGING_POLICY.replace("role: changing}", "role: nobody}"))
        else:
            self.scene.must("POST", "/v1/policies", CHANGING_POLICY)
        self.changing.append((asked, time.monotonic_ns(), not allowed))
        self.count("refused for a while" if allowed else "allowed again")

    # -- the agent and its workers

    def restart(self):
        gone = time.monotonic_ns()
        self.host.stop_agent()
        self.host.start_agent()
        self.agent_gaps.append((gone, time.monotonic_ns()))
        self.count("agent restarts")

    def kill(self):
        changer = None
        if self.done.get("kill -9 of the agent", 0) % 2:
            n = self.random.randrange(196)
            text = self.endpoint_text(n, self.random.choice(LABELS)) + "---" + self.policy_text(99)
            self.endpoints[n] = ""
            self.policies[99] = True
            changer = threading.Thread(target=self.try_change, args=(text,))
            changer.start()
            time.sleep(self.random.random() * 0.02)  # where in the change it dies is drawn, not waited for
        gone = time.monotonic_ns()
        self.host.kill_agent()
        self.host.start_agent()
        self.agent_gaps.append((gone, time.monotonic_ns()))
        if changer:
            changer.join()
            # It may have been taken or not. Now it is known.
            self.scene.must("POST", "/v1/policies", text)
        self.count("kill -9 of the agent")

    def try_change(self, text):
        """The agent may die before it has answered, or in the middle of the answer."""
        with contextlib.suppress(OSError, ValueError, http.client.HTTPException):
            self.scene.request("POST", "/v1/policies", text)

    def kill_worker(self):
        worker = self.host.status()["workers"][0]
        killed = time.monotonic_ns()
        os.kill(worker["pid"], signal.SIGKILL)

        def served():
            status = self.host.status()
            now = status["workers"][0]
            return now["pid"] not in (worker["pid"], 0, None) and now["revision"] == status["revision"]["rules"]
        topo.wait_for("a successor of the worker", served)
        self.worker_gaps.append((killed, time.monotonic_ns()))
        self.count("kill -9 of the worker")

    # -- others

    def nft(self, *args, **kwargs):
        return self.host.netns.run("nft", *args, **kwargs)

    def foreign(self):
        kind = self.random.randrange(3)
        if kind == 0:
            self.nft("-f", "-", stdin=OTHERS)
            self.nft("flush", "table", "inet", "others")
            self.nft("delete", "table", "inet", "others")
            self.nft("delete", "table", "ip", "others4")
            self.count("own tables flushed by others")
        elif kind == 1:
            self.nft("-f", "-", stdin=OTHERS)
            self.nft("flush", "ruleset")
            self.count("nft flush ruleset, agent alive")
        else:
            family = self.random.choice(["ip", "ip6"])
            done = self.nft(*self.random.choice([("delete", "table", family, "bulkhead"),
                                                 ("flush", "table", family, "bulkhead"),
                                                 ("flush", "map", family, "bulkhead", "cell")]), check=False)
            if done.returncode == 0:
                raise AssertionError("another program could change a table that has an owner")
            self.count("attempts on our tables, agent alive")
        if gone := self.tables - self.our_tables():
            raise AssertionError("our tables are gone: " + ", ".join(sorted(gone)))

    def our_tables(self):
        return {line for line in self.nft("list", "tables").stdout.splitlines() if line.endswith(" bulkhead")}

    def orphan(self):
        """Killed, flushed by somebody else before it is back, and started again at once."""
        before = len(self.host.records(kind="loss", cause="tables_changed"))
        self.host.kill_agent()
        flushed = time.monotonic_ns()
        self.nft("flush", "ruleset")
        self.host.start_agent()
        self.orphan_gaps.append((flushed, time.monotonic_ns()))
        self.count("nft flush ruleset, agent dead")
        # What came in meanwhile must not go on: those who are refused try it some hundred times more.
        self.scene.wait_for_refusals()
        topo.wait_for("a loss record of the tables that were flushed", lambda: len(
            self.host.records(kind="loss", cause="tables_changed")) > before)

    # -- all of them

    def run(self):
        args = self.args
        what = ([self.endpoint] * args.changes + [self.policy] * args.policies + [self.restart] * args.restarts +
                [self.kill] * args.kills + [self.kill_worker] * args.workers + [self.foreign] * args.foreign)
        self.random.shuffle(what)
        start = time.monotonic()
        for i, disturb in enumerate(what):
            if args.limit and time.monotonic() - start > args.limit:
                print(f"ended after {args.limit:.0f} s: {i} of {len(what)} disturbances were done", flush=True)
                break
            if args.seconds:
                time.sleep(max(0, start + args.seconds * i / len(what) - time.monotonic()))
            disturb()
            if i % 1000 == 999:
                print(f"  {i + 1} of {len(what)} after {time.monotonic() - start:.0f} s", flush=True)
        for _ in range(args.orphans):
            self.orphan()
        # What was refused and is now allowed must work until the end.
        if not self.changing[-1][2]:
            self.change_the_changing()
        self.scene.wait_for_traffic()
