"""The agent with packets: what is counted while it is away, what is removed when it is removed."""
import json
import os

from agent_host import *  # noqa: F403

DENY = """apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: deny, namespace: shop}
spec: {podSelector: {matchLabels: {app: web}}, policyTypes: [Ingress]}
"""


class Pair:
    """Two containers made by hand, routed through the agent's namespace."""

    def __init__(self, agent):
        self.agent = agent
        self.names = [f"{agent.ns}c{i}" for i in (1, 2)]
        run(*agent.command("sysctl", "-qw", "net.ipv4.ip_forward=1"))
        for i, ns in enumerate(self.names, 1):
            request = agent.add_request(f"v{i}", f"10.0.0.{i}", labels={"app": ["client", "web"][i - 1]})
            run("ip", "netns", "add", ns)
            run("ip", "-n", agent.ns, "link", "set", f"v{i}p", "netns", ns)
            run("ip", "-n", agent.ns, "addr", "add", "10.0.0.254", "peer", f"10.0.0.{i}", "dev", f"v{i}")
            run("ip", "-n", ns, "addr", "add", f"10.0.0.{i}", "peer", "10.0.0.254", "dev", f"v{i}p")
            run("ip", "-n", ns, "link", "set", f"v{i}p", "up")
            run("ip", "-n", ns, "route", "add", "default", "via", "10.0.0.254")
            assert agent.ask(request)["ok"]
            folder = agent.dir / "run/attachments"
            folder.mkdir(exist_ok=True)
            boot = open("/proc/sys/kernel/random/boot_id").read().strip()
            (folder / f"{i}.json").write_text(json.dumps({**request, "boot": boot, "phase": "ready"}))

    def send(self, n, port=53):
        """UDP from the first to the second, a new connection each."""
        run("ip", "netns", "exec", self.names[0], "python3", "-c", f"""
import socket
for _ in range({n}):
    socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b"x", ("10.0.0.2", {port}))
""")

    def remove(self):
        for ns in self.names:
            run("ip", "netns", "del", ns, check=False)


@pytest.fixture
def pair(agent):
    p = Pair(agent)
    try:
        yield p
    finally:
        p.remove()


def refused(agent):
    return agent.status()["kernel"]["counters"]["refused"]


def test_refused_packets_are_recorded_once_and_counted(agent, pair):
    assert agent.apply(DENY)[0] == 200
    pair.send(7)
    wait_for("all are counted", lambda: refused(agent) == 7)
    assert agent.request("POST", "/v1/flush")[0] == 200
    first, rest = agent.records(kind="violation", reason="default_deny")
    assert first["count"] == 1 and rest["count"] == 6
    assert first["src"]["name"] == "v1" and first["dst"]["name"] == "v2" and first["dst"]["labels"] == {"app": "web"}
    assert first["flow"]["proto"] == "udp" and first["flow"]["dport"] == 53 and first["action"] == "drop"
    assert "shop/deny" in first["verdicts"][0]["text"]
    s = agent.status()["violations"]
    assert s["suppressed"] == 6 and s["lost"] == 0


def test_what_is_refused_without_an_agent_is_a_loss(agent, pair):
    agent.apply(DENY)
    pair.send(3)
    wait_for("they are recorded", lambda: agent.records(kind="violation"))
    assert agent.stop() == 0
    pair.send(5)
    agent.start()
    assert refused(agent) == 8
    wait_for("the loss is recorded", lambda: agent.records(kind="loss"), 5)
    (loss,) = agent.records(kind="loss")
    assert loss["cause"] == "agent_down" and loss["count"] == 5
    assert sum(r["count"] for r in agent.records(kind="violation")) == 3
    # Nothing was lost this time.
    assert agent.stop() == 0
    agent.start()
    agent.request("POST", "/v1/flush")
    assert len(agent.records(kind="loss")) == 1


def test_agents_that_are_killed_lose_nothing_silently(agent, pair):
    agent.apply(DENY)
    for i in range(5):
        pair.send(3)
        if i % 2:  # at once, or when a part of it is written or noted
            wait_for("they are counted", lambda: refused(agent) == 5 * i + 3)
        agent.kill()
        pair.send(2)
        agent.start()
    assert refused(agent) == 25
    told = sum(r["count"] for r in agent.records(kind="violation") + agent.records(kind="loss"))
    # What was written in the last second of an agent's life may be said to be lost, too; never the reverse.
    assert 25 <= told <= 25 + 5


@pytest.fixture(params=["cut", "keep"])
def existing(agent, request):
    assert agent.stop() == 0
    agent.config["existingConnections"] = request.param
    agent.start()
    assert agent.status()["kernel"]["existingConnections"] == request.param


def test_an_address_that_comes_again_inherits_nothing(agent, existing, pair):
    """A connection of the time before the endpoint, allowed then, is not allowed now because it was."""
    agent.ask({"v": 1, "op": "del", "network": "net", "id": "id-v2", "ifname": "eth0"})
    code = """
import socket, sys
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.bind(("", 4000))
while True:
    s.sendto(b"x", ("10.0.0.2", 53))
    print("sent", flush=True)
    sys.stdin.readline()
"""
    child = subprocess.Popen(["ip", "netns", "exec", pair.names[0], "python3", "-c", code], stdin=-1, stdout=-1,
                             text=True)
    try:
        # Nobody's address, so nobody's policy. (The link is still there, and in the managed group.)
        assert child.stdout.readline() == "sent\n"
        tracked = wait_for("it is tracked", lambda: run(*agent.command("conntrack", "-L", "-d", "10.0.0.2")).stdout)
        assert "sport=4000" in tracked
        assert agent.apply(DENY)[0] == 200
        before = refused(agent)
        index = json.loads(run("ip", "-n", agent.ns, "-j", "link", "show", "v2").stdout)[0]["ifindex"]
        assert agent.ask(agent.add_request("v2", "10.0.0.2", index))["ok"]
        child.stdin.write("\n")
        child.stdin.flush()
        assert child.stdout.readline() == "sent\n"
        wait_for("it is refused", lambda: agent.status()["kernel"]["counters"]["refused"] +
                 agent.status()["kernel"]["counters"]["killed"] > before)
    finally:
        child.kill()
        child.wait()


def tables(agent):
    return run(*agent.command("nft", "list", "tables")).stdout


def test_teardown(agent, pair):
    agent.apply(DENY)
    run(*agent.command("nft", "add", "table", "ip", "theirs"))
    (worker,) = agent.status()["workers"]
    assert agent.stop() == 0
    assert "table ip bulkhead" in tables(agent) and "table ip6 bulkhead" in tables(agent)
    assert os.path.exists(f"/proc/{worker['pid']}")
    run(*agent.command(AGENT, "--config", agent.dir / "bulkheadd.yaml", "--teardown"))
    assert tables(agent) == "table ip theirs\n"
    wait_for("the worker is gone", lambda: not os.path.exists(f"/proc/{worker['pid']}"))
    # Again, with nothing there.
    run(*agent.command(AGENT, "--config", agent.dir / "bulkheadd.yaml", "--teardown"))
    # And back.
    agent.start()
    assert agent.status()["ready"] and "table ip bulkhead" in tables(agent)
    assert agent.names() == ["deny"]


def test_another_table_name(stopped):
    stopped.config["table"] = "my-table"
    stopped.start()
    assert "table ip my-table" in tables(stopped)


def test_tables_of_others_are_not_touched(agent):
    run(*agent.command("nft", "-f", "-"), input="""
table inet theirs {
	set s { type ipv4_addr; elements = { 192.0.2.1 }; }
	chain c { type filter hook forward priority 0; ip saddr @s drop; }
}
""")
    before = run(*agent.command("nft", "list", "table", "inet", "theirs")).stdout
    agent.apply(DENY)
    agent.kill()
    agent.start()
    agent.stop()
    run(*agent.command(AGENT, "--config", agent.dir / "bulkheadd.yaml", "--teardown"))
    assert run(*agent.command("nft", "list", "table", "inet", "theirs")).stdout == before
