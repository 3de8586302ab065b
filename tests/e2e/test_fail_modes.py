"""Fail modes of rules: workers that hang or are gone, connections whose beginning nobody saw, and existing connections."""
import os
import signal

import topo
from test_change import Drip

POLICY = """
apiVersion: bulkhead.network/v1alpha1
kind: TrafficPolicy
metadata: {name: web, namespace: shop}
spec:
  podSelector: {matchLabels: {app: web}}
  isolate: ingress
  ingress:
  - name: closed
    ports: [81]
    protocols: [http]
  - name: counted
    ports: [82]
    protocols: [http]
    onOverload: allow
    midstream: allow
  - name: told
    ports: [83]
    protocols: [http]
    onOverload: alert
    midstream: alert
"""


def scene(host):
    host.web = host.container("web", app="web")
    host.client = host.container("client", role="client")
    before = host.revision()
    host.write_policy("web.yaml", POLICY)
    host.wait_enforced(before)
    host.meters = {port: topo.Meter(host.web, port, host.dir) for port in (81, 82, 83)}
    return host


class Talker:
    """Connections to one port, on all of which the client says what it is told to."""

    def __init__(self, container, address, port, n=1):
        self.child = container.start("python3", "-uc", f"""
import socket, sys
all = [socket.create_connection(({address!r}, {port}), 20) for _ in range({n})]
print("open", flush=True)
for line in sys.stdin:
    said = "sent"
    for s in all:
        try:
            s.sendall(bytes.fromhex(line))
        except OSError as e:
            said = type(e).__name__
    print(said, flush=True)
""", stdin=-1, stdout=-1, text=True)
        assert self.child.stdout.readline() == "open\n"

    def say(self, data):
        self.child.stdin.write(data.hex() + "\n")
        self.child.stdin.flush()
        return self.child.stdout.readline().strip()


def counter(host, name):
    status = host.status()
    return status["kernel"]["counters"][name] + sum(w.get(name, 0) for w in status["workers"])


def test_a_hung_worker_under_load(host, family):
    """It is stopped: what may pass unjudged does, is counted and told; of the others not a byte passes."""
    scene(host)
    worker = host.status()["workers"][0]["pid"]
    address = host.web.addrs[family]
    talkers = {port: Talker(host.client, address, port, 50) for port in (81, 82, 83)}
    os.kill(worker, signal.SIGSTOP)
    for talker in talkers.values():
        assert talker.say(b"SSH-2.0-x\r\n") == "sent"
    topo.wait_for("the lenient ones pass", lambda: host.meters[82].bytes == 550 and host.meters[83].bytes == 550)
    assert host.status()["workers"][0]["pid"] == worker
    assert host.meters[81].bytes == 0
    assert counter(host, "unjudged") == 100
    # It is ended and replaced; of what it held nothing passes that was not to.
    topo.wait_for("a successor", lambda: host.status()["workers"][0]["pid"] not in (worker, 0), 20)
    for port in (82, 83):
        assert talkers[port].say(b"more") == "sent"
    topo.wait_for("they go on", lambda: host.meters[82].bytes == 750 and host.meters[83].bytes == 750)
    host.flush()
    record = host.wait_record(reason="overload")
    assert record["action"] == "none" and record["flow"]["dport"] == 83
    assert record["verdicts"][0]["action"] == "alert"
    assert record["verdicts"][0]["rule"]["name"] == "told"
    assert not host.records(reason="overload", flow__dport=82)
    # New ones are judged again, on every port.
    for port in (81, 82, 83):
        assert topo.tcp(host.client, address, port, b"SSH-2.0-x\r\n")[0] == "reset"
    assert host.meters[81].bytes == 0 and host.meters[82].bytes == 750


def test_nobody_listens(host, family):
    """Worker and agent are gone, the queues with them."""
    scene(host)
    address = host.web.addrs[family]
    worker = host.status()["workers"][0]["pid"]
    host.kill_agent()
    os.kill(worker, signal.SIGKILL)
    topo.wait_for("no queue is bound", lambda: not host.netns.run(
        "cat", "/proc/net/netfilter/nfnetlink_queue").stdout.strip())
    talkers = [(port, Talker(host.client, address, port)) for port in (81, 82, 83)]
    for _, talker in talkers:
        assert talker.say(b"SSH-2.0-x\r\n") == "sent"
    topo.wait_for("the lenient ones pass", lambda: host.meters[82].bytes == 11 and host.meters[83].bytes == 11)
    assert host.meters[81].bytes == 0
    host.start_agent()
    # Nobody listened to what the kernel reported; its counters went on.
    assert host.wait_record(kind="loss", cause="agent_down")["count"] >= 2
    assert counter(host, "unjudged") == 2
    assert host.meters[81].bytes == 0
    for port in (82, 83):
        assert topo.tcp(host.client, address, port, b"SSH-2.0-x\r\n")[0] == "reset"


def test_a_beginning_that_was_not_seen(host, family):
    scene(host)
    address = host.web.addrs[family]
    talkers = {port: Talker(host.client, address, port) for port in (81, 82, 83)}
    for talker in talkers.values():
        assert talker.say(b"GET / HTTP/1.1\r\n") == "sent"
    topo.wait_for("all said something", lambda: all(m.bytes == 16 for m in host.meters.values()))
    host.netns.run("conntrack", "-D", "-f", f"ipv{family}", "-p", "tcp")
    for talker in talkers.values():
        talker.say(b"x")
    topo.wait_for("the lenient ones pass", lambda: host.meters[82].bytes == 17 and host.meters[83].bytes == 17)
    assert host.meters[81].bytes == 16
    assert counter(host, "midstream") >= 2
    record = host.wait_record(reason="midstream", flow__dport=83)
    assert record["action"] == "none" and record["verdicts"][0]["action"] == "alert"
    assert record["verdicts"][0]["rule"]["name"] == "told"
    assert host.wait_record(reason="midstream", flow__dport=81)["action"] == "reset"
    assert not host.records(reason="midstream", flow__dport=82)


def test_a_worker_forgets_a_beginning(host, family):
    """It is killed in the middle of its judgements: those follow the midstream mode."""
    scene(host)
    address = host.web.addrs[family]
    talkers = {port: Talker(host.client, address, port) for port in (81, 82, 83)}
    for talker in talkers.values():
        assert talker.say(b"GE") == "sent"
    topo.wait_for("half a request passed", lambda: all(m.bytes == 2 for m in host.meters.values()))
    worker = host.status()["workers"][0]["pid"]
    os.kill(worker, signal.SIGKILL)
    topo.wait_for("a successor", lambda: host.status()["workers"][0]["pid"] not in (worker, 0)
                  and host.status()["workers"][0]["revision"] == host.revision())
    for talker in talkers.values():
        talker.say(b"T / HTTP/1.0\r\n\r\n")
    topo.wait_for("the lenient ones pass", lambda: host.meters[82].bytes == 18 and host.meters[83].bytes == 18)
    assert host.meters[81].bytes == 2
    assert host.wait_record(reason="stream_start", flow__dport=83)["action"] == "none"
    assert host.wait_record(reason="stream_start", flow__dport=81)["action"] == "reset"
    assert not host.records(reason="stream_start", flow__dport=82)


CLOSED = POLICY.partition("  ingress:\n")[0]


def existing(host, family):
    """A request on a connection, while policy goes from nothing to nothing allowed. Does it go on?"""
    host.web = host.container("web", app="web")
    host.client = host.container("client", role="client")
    topo.nginx(host.web, host.dir / "www")
    drip = Drip(host.client, host.web.addrs[family])
    assert drip.step()
    before = host.revision()
    host.write_policy("web.yaml", CLOSED)
    host.wait_enforced(before)
    return drip


def test_existing_connections_are_cut(host, family):
    assert host.status()["kernel"]["existingConnections"] == "cut"
    assert not existing(host, family).step()


def test_existing_connections_are_kept(family):
    host = topo.Host(existingConnections="keep")
    try:
        host.start_agent()
        assert host.status()["kernel"]["existingConnections"] == "keep"
        drip = existing(host, family)
        assert drip.step()
        assert not topo.http_get(host.client, host.web.addrs[family], timeout=1)
        host.kill_agent()
        host.start_agent()
        assert drip.step()
        # Another container, another change: it goes on, and what the newcomer's address was used for does not.
        host.container("late", app="web")
        assert drip.step()
        # The end of the container is the end of its connections.
        host.web.cni("DEL")
        assert not drip.step()
    finally:
        host.remove()
