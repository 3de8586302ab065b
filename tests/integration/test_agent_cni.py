"""cni.sock: endpoints come and go; whatever is sent, nobody leaves the quarantine by mistake."""
import concurrent.futures
import json
import os
import socket
import struct

from agent_host import *  # noqa: F403


def test_add_check_del(agent):
    request = agent.add_request("v1", ["10.0.0.1", "fd00::1"], ports=[{"name": "http", "port": 80, "protocol": "TCP"}])
    assert agent.group("v1") == QUARANTINE
    with open("/proc/self/ns/net") as netns:
        answer = agent.ask(request, [netns.fileno()])
    assert answer == {"ok": True, "state": "enforced", "revision": agent.revision()}
    assert agent.group("v1") == MANAGED
    e = agent.endpoints()["v1"]
    assert e["state"] == "enforced" and e["local"] and e["source"] == "cni" and e["id"] == "id-v1"
    assert e["network"] == "net" and e["ifname"] == "eth0" and e["hostIf"] == "v1" and e["node"] == "n1"
    assert e["addresses"] == ["10.0.0.1", "fd00::1"] and len(e["classes"]) == 2 and e["labels"] == {"app": "web"}
    key = {k: request[k] for k in ("v", "network", "id", "ifname")}
    assert agent.ask({**key, "op": "check"})["state"] == "enforced"
    assert agent.ask({**key, "op": "del"})["ok"] is True
    assert agent.endpoints() == {}
    assert agent.ask({**key, "op": "del"})["ok"] is True
    assert agent.ask({**key, "op": "check"})["ok"] is False
    assert agent.ask({"v": 1, "op": "status"})["ok"] is True


def test_labels_that_are_not_final_stay_in_quarantine(agent):
    answer = agent.ask(agent.add_request("v1", "10.0.0.1", labelsFinal=False))
    assert answer["ok"] is True and answer["state"] == "quarantined"
    assert agent.group("v1") == QUARANTINE
    assert agent.endpoints()["v1"]["state"] == "quarantined"
    s = agent.status()
    assert s["endpoints"]["quarantined"] == 1 and any("labels" in w for w in s["warnings"])


def test_warnings_about_the_host(agent):
    def sysctl(key, value):
        run(*agent.command("sysctl", "-qw", f"{key}={value}"))
    sysctl("net.ipv4.ip_forward", 0)
    sysctl("net.ipv6.conf.all.forwarding", 0)
    assert agent.status()["warnings"] == []  # nobody here who would mind
    assert agent.ask(agent.add_request("v1", ["10.0.0.1", "fd00::1"]))["ok"]
    four, six = agent.status()["warnings"]
    assert four.startswith("net.ipv4.ip_forward is 0") and six.startswith("net.ipv6.conf.all.forwarding is 0")
    sysctl("net.ipv4.ip_forward", 1)
    sysctl("net.ipv6.conf.all.forwarding", 1)
    assert agent.status()["warnings"] == []


def test_requests_that_are_refused(agent):
    free = agent.veth("free", group=0)
    for change, says in [
            ({"ips": []}, "ips"), ({"ips": ["nonsense"]}, "not an address"), ({"labels": {"a": 1}}, "label"),
            ({"host": {"name": "free", "index": free}}, "quarantine"),
            ({"host": {"name": "other", "index": free}}, "not 'other'"),
            ({"host": {"name": "gone", "index": 9999}}, "no link"), ({"host": None}, "host"),
            ({"v": 2}, "version"), ({"v": "1"}, "v"), ({"op": "open"}, "op"), ({"op": None}, "op"), ({"id": ""}, "id")]:
        answer = agent.ask({**agent.add_request("x", "10.0.0.1", 1), **change})
        assert answer["ok"] is False and says in answer["msg"], (change, answer)
    assert agent.endpoints() == {} and agent.group("free") in (0, "default")
    assert agent.ask({**agent.add_request("v1", "10.0.0.1"), "unknown": {"field": 1}})["ok"]


def test_garbage(agent):
    assert agent.send(b"", half_close=True) == b""
    assert agent.send(b"\0\0", half_close=True) == b""
    assert agent.send(struct.pack("!I", 50) + b"{", half_close=True) == b""
    for data in (struct.pack("!I", 0), struct.pack("!I", 1024 * 1024 + 1), struct.pack("!I", 0xffffffff),
                 struct.pack("!I", 2) + b"[]", struct.pack("!I", 4) + b"\xff\xfe\0\0", struct.pack("!I", 2) + b"{}",
                 struct.pack("!I", 8) + b'{"v":1}x', struct.pack("!I", 14) + b'{"v":1,"v":1} '):
        got = agent.send(data)
        assert json.loads(got[4:])["ok"] is False
    # As large as may be, deep, and in pieces.
    rest = len(json.dumps({"v": 1, "op": "status", "pad": ""}))
    text = json.dumps({"v": 1, "op": "status", "pad": "x" * (1024 * 1024 - rest)}).encode()
    assert len(text) == 1024 * 1024
    assert json.loads(agent.send(struct.pack("!I", len(text)) + text)[4:])["ok"] is True
    deep = b"[" * 500000
    assert json.loads(agent.send(struct.pack("!I", len(deep)) + deep)[4:])["ok"] is False
    assert agent.status()["ready"]


def test_descriptors_do_not_stay_open(agent):
    before = len(os.listdir(f"/proc/{agent.child.pid}/fd"))
    text = json.dumps({"v": 1, "op": "status"}).encode()
    with open("/dev/null") as f:
        for _ in range(50):
            agent.send(struct.pack("!I", len(text)) + text, [f.fileno()] * 8)
    wait_for("all are closed", lambda: len(os.listdir(f"/proc/{agent.child.pid}/fd")) <= before)


def test_a_slow_sender_does_not_hold_up_others(agent):
    slow = []
    for _ in range(100):
        s = socket.socket(socket.AF_UNIX)
        s.connect(str(agent.dir / "run/cni.sock"))
        s.sendall(b"\0")
        slow.append(s)
    assert agent.ask(agent.add_request("v1", "10.0.0.1"))["ok"]
    for s in slow:
        s.settimeout(10)
        assert s.recv(1) == b""  # its time is over
        s.close()


def test_who_hangs_up_before_the_answer_leaves_nothing(agent):
    text = json.dumps(agent.add_request("v1", "10.0.0.1", labelsFinal=True)).encode()
    with socket.socket(socket.AF_UNIX) as s:
        s.connect(str(agent.dir / "run/cni.sock"))
        s.sendall(struct.pack("!I", len(text)) + text)
    # Answered or not, a DEL removes it; the plugin always sends one.
    assert agent.ask({"v": 1, "op": "del", "network": "net", "id": "id-v1", "ifname": "eth0"})["ok"]
    assert agent.endpoints() == {}


def test_addresses_of_others(agent):
    assert agent.ask(agent.add_request("v1", "10.0.0.1"))["ok"]
    answer = agent.ask(agent.add_request("v2", ["10.0.0.2", "10.0.0.1"]))
    assert answer["ok"] is False and "belongs to 'v1'" in answer["msg"]
    assert agent.group("v2") == QUARANTINE
    # Its container went without a DEL: the address is free at once.
    run("ip", "-n", agent.ns, "link", "del", "v1")
    index = json.loads(run("ip", "-n", agent.ns, "-j", "link", "show", "v2").stdout)[0]["ifindex"]
    assert agent.ask(agent.add_request("v2", ["10.0.0.2", "10.0.0.1"], index))["ok"]
    assert set(agent.endpoints()) == {"v2"} and agent.group("v2") == MANAGED


def test_a_link_that_vanishes_takes_its_endpoint_along(agent):
    assert agent.ask(agent.add_request("v1", "10.0.0.1"))["ok"]
    assert agent.ask(agent.add_request("v2", "10.0.0.2"))["ok"]
    run("ip", "-n", agent.ns, "link", "del", "v1")
    wait_for("the endpoint is gone", lambda: set(agent.endpoints()) == {"v2"}, 10)


def test_many_at_once(agent):
    requests = [agent.add_request(f"m{i}", f"10.0.{i // 200}.{i % 200 + 1}") for i in range(100)]
    with concurrent.futures.ThreadPoolExecutor(32) as pool:
        answers = list(pool.map(agent.ask, requests))
        assert all(a["ok"] and a["state"] == "enforced" for a in answers)
        assert agent.status()["endpoints"] == {"local": 100, "remote": 0, "quarantined": 0}
        assert all(agent.group(f"m{i}") == MANAGED for i in range(0, 100, 9))
        list(pool.map(agent.ask, [{"v": 1, "op": "del", "network": "net", "id": r["id"], "ifname": "eth0"}
                                  for r in requests]))
    assert agent.endpoints() == {}


def write_record(agent, request, **more):
    folder = agent.dir / "run/attachments"
    folder.mkdir(exist_ok=True)
    boot = open("/proc/sys/kernel/random/boot_id").read().strip()
    (folder / f"{request['id']}.json").write_text(json.dumps({**request, "boot": boot, "phase": "ready", **more}))


def test_the_next_agent_knows_them(agent):
    one, two, three = (agent.add_request(f"v{i}", f"10.0.0.{i}") for i in (1, 2, 3))
    assert agent.ask(one)["ok"] and agent.ask(two)["ok"]
    for r in (one, two, three):
        write_record(agent, r)
    write_record(agent, agent.add_request("v4", "10.0.0.4"), phase="adding")
    write_record(agent, agent.add_request("v5", "10.0.0.5"), boot="of-another-boot")
    write_record(agent, agent.add_request("v6", "10.0.0.6"), labels={"app": 6})
    agent.kill()
    # While nobody looked: one went, one came.
    run("ip", "-n", agent.ns, "link", "del", "v2")
    agent.start()
    assert set(agent.endpoints()) == {"v1", "v3"}
    assert agent.group("v1") == MANAGED and agent.group("v3") == MANAGED
    assert [agent.group(v) for v in ("v4", "v5", "v6")] == [QUARANTINE] * 3
    assert all(e["state"] == "enforced" for e in agent.endpoints().values())
