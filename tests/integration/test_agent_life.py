"""Start and end: options, locks, signals, death, what the service manager hears, the log's file."""
import json
import os
import shutil
import signal
import socket
from pathlib import Path

from agent_host import *  # noqa: F403


def test_options(stopped):
    def bulkheadd(*args):
        return run(AGENT, *args, check=False)
    assert bulkheadd("--version").stdout.startswith("bulkheadd ")
    assert "--teardown" in bulkheadd("--help").stdout
    assert bulkheadd("--nonsense").returncode == 2
    assert bulkheadd("argument").returncode == 2
    assert bulkheadd("--log-level", "loud").returncode == 2
    assert bulkheadd("--config", stopped.dir / "missing.yaml", "--check-config").returncode == 1
    assert bulkheadd("--config", stopped.write_config(), "--check-config").returncode == 0
    assert bulkheadd("--config", ROOT / "agent/bulkheadd.yaml", "--check-config").returncode == 0


def test_a_wrong_configuration(stopped):
    path = stopped.dir / "b.yaml"
    for text, place, says in [
            ("runDirr: /x\n", "1:1", 'did you mean "runDir"'), ("workers: 0\n", "1:10", "from 1 to 16"),
            ("workers: 17\n", "1:10", "from 1 to 16"), ("a: 1\nb: 2\n", "2:1", 'unknown key "b"'),
            ("runDir: run\n", "1:9", "absolute"), ("queueBase: 65535\n", "1:12", "from 0"),
            ("runDir: /" + "x" * 100 + "\n", "1:9", "sockets"), ("logLevel: loud\n", "1:11", "logLevel"),
            ("table: a b\n", "1:8", "letters"), ("nodeName: [a]\n", "1:11", "a list"),
            ("- a\n", "1:1", "map"), ("workers: 1\n---\nworkers: 2\n", "3:1", "second document"),
            ("workers: 1\nworkers: 2\n", "2:1", "twice"), ("clusterRanges: [10.0.0.0]\n", "1:17", "range"),
            ("existingConnections: yes\n", "1:22", "cut or keep"), ("midstreamGrace: 3601\n", "1:17", "to 3600"),
            ("clusterRanges: 10.0.0.0/8\n", "1:16", "must be a list"), ("resolvers: [dns.example]\n", "1:13", "address")]:
        path.write_text(text)
        done = run(AGENT, "--config", path, "--check-config", check=False)
        assert done.returncode == 1 and f"b.yaml:{place}: error:" in done.stderr and says in done.stderr, done.stderr
        assert run(AGENT, "--config", path, check=False).returncode == 1
    path.write_text("# nothing\n")
    assert run(AGENT, "--config", path, "--check-config").returncode == 0


DNS_ONLY = """apiVersion: bulkhead.network/v1alpha1
kind: TrafficPolicy
metadata: {name: dns, namespace: shop}
spec:
  podSelector: {}
  isolate: egress
  egress:
  - {to: [{entity: dns}], ports: [53/udp]}
"""


def test_surroundings(stopped):
    stopped.config |= {"clusterRanges": "[10.244.0.0/16, 'fd00:244::/48']", "resolvers": "[192.0.2.53]"}
    stopped.start()
    assert stopped.get("/v1/settings") == {"nodeName": "n1", "clusterRanges": ["10.244.0.0/16", "fd00:244::/48"],
                                           "resolvers": ["192.0.2.53"]}
    stopped.apply(DNS_ONLY)
    stopped.ask(stopped.add_request("v0", "10.0.0.1"))
    before = stopped.status()["revision"]["rules"]
    stopped.config["resolvers"] = "[192.0.2.53, '2001:db8::53']"
    stopped.write_config()
    os.kill(stopped.child.pid, signal.SIGHUP)
    # The policy means something else now.
    wait_for("new rules", lambda: stopped.status()["revision"]["rules"] > before)
    assert stopped.get("/v1/settings")["resolvers"] == ["192.0.2.53", "2001:db8::53"]
    assert stopped.records(kind="policy", event="enforced", cause="settings")
    # A configuration that is wrong changes nothing.
    (stopped.dir / "bulkheadd.yaml").write_text("resolvers: [nobody]\n")
    os.kill(stopped.child.pid, signal.SIGHUP)
    wait_for("the complaint", lambda: "not taken over" in stopped.log_text())
    assert stopped.get("/v1/settings")["resolvers"] == ["192.0.2.53", "2001:db8::53"]


def test_resolvers_of_the_host(stopped):
    """Those of /etc/resolv.conf that more than the host itself can ask."""
    etc = Path("/etc/netns") / stopped.ns  # what ip-netns(8) shows as /etc
    etc.mkdir(parents=True)
    try:
        (etc / "resolv.conf").write_text("nameserver 127.0.0.53\nnameserver 192.0.2.7\nnameserver 2001:db8::7\n")
        stopped.start()
        assert stopped.get("/v1/settings")["resolvers"] == ["192.0.2.7", "2001:db8::7"]
    finally:
        shutil.rmtree(etc)


def test_a_second_agent_is_refused(agent):
    def files():
        return {p: p.stat().st_mtime_ns for p in agent.dir.rglob("*") if p.is_file() and p.name != "revision"}
    before = files()
    done = run(*agent.command(AGENT, "--config", agent.dir / "bulkheadd.yaml"), check=False)
    assert done.returncode == 1 and f"process {agent.child.pid}" in done.stderr and "another agent" in done.stderr
    # One with the same state in another run folder neither.
    other = agent.dir / "other.yaml"
    other.write_text(f"runDir: {agent.dir}/run2\nstateDir: {agent.dir}/state\n")
    done = run(*agent.command(AGENT, "--config", other), check=False)
    assert done.returncode == 1 and str(agent.child.pid) in done.stderr
    done = run(*agent.command(AGENT, "--config", agent.dir / "bulkheadd.yaml", "--teardown"), check=False)
    assert done.returncode == 1 and str(agent.child.pid) in done.stderr
    assert {p: t for p, t in files().items() if p in before} == before
    assert agent.status()["pid"] == agent.child.pid


def worker_pids(agent):
    return [w["pid"] for w in agent.status()["workers"]]


def test_stop_leaves_the_workers(stopped):
    stopped.config["workers"] = 2
    stopped.start()
    pids = worker_pids(stopped)
    assert len(set(pids)) == 2
    assert stopped.stop() == 0
    assert not (stopped.dir / "run/api.sock").exists() and not (stopped.dir / "run/cni.sock").exists()
    assert all(os.path.exists(f"/proc/{p}") for p in pids)
    stopped.start()
    assert worker_pids(stopped) == pids
    stopped.kill()
    stopped.start()
    assert worker_pids(stopped) == pids
    revision = stopped.revision()
    assert all(w["revision"] == revision and w["connected"] for w in stopped.status()["workers"])
    (first, second, third) = stopped.records(kind="agent", event="started")
    assert len({first["boot"], second["boot"], third["boot"]}) == 3
    assert len(stopped.records(kind="agent", event="stopped")) == 1


def test_another_number_of_workers(agent):
    agent.apply(policy())
    for n in (3, 1):
        agent.stop()
        agent.config["workers"] = n
        agent.start()
        s = agent.status()
        assert s["ready"] and len(s["workers"]) == n and agent.names() == ["web"]
        assert [w["queue"] for w in s["workers"]] == list(range(61440, 61440 + n))
        running = run("ip", "netns", "pids", agent.ns).stdout.split()
        assert len(running) == n + 1


def test_a_worker_that_dies_is_replaced(agent):
    agent.apply(policy())
    (pid,) = worker_pids(agent)
    os.kill(pid, signal.SIGKILL)
    wait_for("a successor runs the same rules", lambda: worker_pids(agent) != [pid] and
             agent.status()["workers"][0]["revision"] == agent.status()["revision"]["rules"])
    assert agent.status()["workers"][0]["restarts"] == 1
    wait_for("it is recorded", lambda: agent.records(kind="agent", event="worker_restarted"))


def test_what_the_service_manager_hears(stopped):
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as s:
        s.bind(str(stopped.dir / "notify"))
        s.settimeout(10)
        stopped.start(env={"NOTIFY_SOCKET": str(stopped.dir / "notify"), "WATCHDOG_USEC": "200000"})
        assert s.recv(4096).decode().startswith("READY=1\nSTATUS=")
        assert s.recv(4096) == b"WATCHDOG=1"
        os.kill(stopped.child.pid, signal.SIGHUP)
        heard = [s.recv(4096) for _ in range(4)]
        assert any(h.startswith(b"RELOADING=1\nMONOTONIC_USEC=") for h in heard) and b"READY=1" in heard
        os.kill(stopped.child.pid, signal.SIGTERM)
        while s.recv(4096) != b"STOPPING=1":
            pass
        assert stopped.child.wait(timeout=10) == 0


def test_an_abstract_notify_socket(stopped):
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as s:
        s.bind(b"\0" + stopped.ns.encode())
        s.settimeout(10)
        # Abstract sockets belong to a network namespace: this one is looked for in the agent's, and not there.
        stopped.start(env={"NOTIFY_SOCKET": "@" + stopped.ns})
        assert stopped.status()["ready"]


def test_the_log_is_rotated(agent):
    path = agent.dir / "log/violations.jsonl"
    agent.apply(policy())
    path.rename(agent.dir / "log/old")
    os.kill(agent.child.pid, signal.SIGHUP)
    wait_for("there is a new file", path.exists)
    revision = agent.apply(policy(port=81))[1]["revision"]
    (record,) = agent.records(kind="policy")
    assert record["revision"] == revision
    seqs = [json.loads(x)["seq"] for x in ((agent.dir / "log/old").read_text() + path.read_text()).splitlines()]
    assert seqs == list(range(1, len(seqs) + 1))


def test_a_full_disk(stopped):
    """On a file system of its own, with hardly any room."""
    mount = stopped.dir / "log"
    mount.mkdir()
    run("mount", "-t", "tmpfs", "-o", "size=8k", "none", mount)
    try:
        stopped.start()
        for i in range(200):
            stopped.apply(policy(port=1 + i))
        s = stopped.status()
        assert any("cannot be written" in w for w in s["warnings"])
        run("mount", "-o", "remount,size=4m", mount)
        wait_for("it is written again", lambda: not any("cannot be written" in w for w in stopped.status()["warnings"]))
        seqs = [r["seq"] for r in stopped.records()]
        assert seqs == list(range(1, len(seqs) + 1))
        assert len(stopped.records(kind="policy")) >= 200
    finally:
        stopped.kill()
        run("umount", mount)


def test_no_worker_program(stopped):
    stopped.config["workerProgram"] = stopped.dir / "missing"
    stopped.start(wait=False)
    assert stopped.child.wait(timeout=20) == 1
    assert "missing" in stopped.log_text()


def test_killed_at_any_moment_of_a_change(agent):
    """kill -9 in the middle of requests: afterwards each is wholly there or not at all."""
    for i in range(8):
        conn = UnixHTTP(agent.dir / "run/api.sock")
        conn.request("POST", "/v1/policies", "---\n".join(policy(f"r{i}-{k}") for k in range(20)).encode())
        if i % 2:
            try:
                conn.sock.settimeout(0.002 * i)
                conn.getresponse()
            except (OSError, http.client.HTTPException):
                pass
        agent.kill()
        conn.close()
        agent.start()
        assert agent.status()["policies"]["ok"]
        counts = {}
        for name in agent.names():
            counts[name.split("-")[0]] = counts.get(name.split("-")[0], 0) + 1
        assert set(counts.values()) <= {20}, counts
