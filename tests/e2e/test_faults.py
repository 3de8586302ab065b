"""Killed agents and workers, broken files, other programs: nothing of the running enforcement is lost."""
import os
import re
import signal

import pytest

import topo
from test_change import Drip
from test_policy import SSH_BANNER


def still_holds(shop, family):
    assert topo.http_get(shop.client, shop.web.addrs[family])
    assert not topo.http_get(shop.intruder, shop.web.addrs[family], timeout=1)
    assert topo.tcp(shop.client, shop.web.addrs[family], 80, SSH_BANNER)[0] == "reset"


def test_without_an_agent_everything_holds(shop, family):
    drip = Drip(shop.client, shop.web.addrs[family])
    shop.kill_agent()
    assert drip.step()
    still_holds(shop, family)
    shop.start_agent()
    assert shop.status()["kernel"]["adopted"]
    assert drip.step()
    still_holds(shop, family)
    # What the worker saw while nobody listened is recorded now.
    shop.wait_record(reason="protocol_mismatch")


def test_stopping_and_starting_loses_no_connection(shop, family):
    drip = Drip(shop.client, shop.web.addrs[family])
    pid = shop.status()["workers"][0]["pid"]
    for _ in range(5):
        shop.stop_agent()
        assert drip.step()
        shop.start_agent()
        assert drip.step()
    assert shop.status()["workers"][0]["pid"] == pid
    still_holds(shop, family)


def test_agent_killed_in_the_middle_of_loads(shop, family):
    """kill -9 at arbitrary moments of policy changes: each time either the old or the new set is in force."""
    drip = Drip(shop.client, shop.web.addrs[family])
    for i in range(10):
        policies = "---".join(topo.WEB_ONLY_HTTP.replace("name: web,", f"name: web-{i}-{n},") for n in range(50))
        shop.write_policy("many.yaml", policies)
        # Somewhere in debounce, compile, publish or transaction: by the number of bytes the agent has read.
        os.sched_yield()
        shop.kill_agent()
        assert drip.step()
        assert topo.tcp(shop.client, shop.web.addrs[family], 80, SSH_BANNER)[0] == "reset"
        shop.start_agent()
        assert drip.step()
    still_holds(shop, family)


def test_worker_killed_in_the_middle_of_a_judgement(shop, family):
    # A request cut in two: the first half is with the worker, undecided, when it dies.
    child = shop.client.start("python3", "-c", f"""
import socket, sys
s = socket.create_connection(({shop.web.addrs[family]!r}, 80))
s.sendall(b"GE")
print("half", flush=True)
sys.stdin.readline()
s.sendall(b"T / HTTP/1.0\\r\\n\\r\\n")
s.settimeout(20)
try:
    print("answer" if s.recv(100) else "end", flush=True)
except OSError as e:
    print("error", e, flush=True)
""", stdin=-1, stdout=-1, text=True)
    assert child.stdout.readline() == "half\n"
    worker = shop.status()["workers"][0]
    os.kill(worker["pid"], signal.SIGKILL)
    topo.wait_for("a successor", lambda: shop.status()["workers"][0]["pid"] not in (worker["pid"], 0, None)
                  and shop.status()["workers"][0]["revision"] == shop.revision())
    assert shop.status()["workers"][0]["restarts"] == 1
    child.stdin.write("\n")
    child.stdin.flush()
    # Its beginning is lost with the worker: this one connection is refused, never passed unjudged.
    assert child.stdout.readline().split()[0] in ("error", "end")
    still_holds(shop, family)
    assert shop.records(kind="agent")


def test_broken_policy_file_keeps_the_last_good_set(shop, family):
    shop.write_policy("broken.yaml", topo.WEB_ONLY_HTTP.replace("protocols", "protocls"))
    topo.wait_for("status says so", lambda: not shop.status()["policies"]["ok"])
    (diagnostic,) = shop.status()["policies"]["diagnostics"]
    assert diagnostic["file"].endswith("broken.yaml") and diagnostic["line"] == 12
    assert "protocls" in diagnostic["message"] and "protocols" in diagnostic["hint"]
    still_holds(shop, family)
    # A restart with the broken file still there does not open anything either.
    shop.kill_agent()
    shop.start_agent()
    assert not shop.status()["policies"]["ok"]
    still_holds(shop, family)
    (shop.dir / "policies/broken.yaml").unlink()
    topo.wait_for("status is well again", lambda: shop.status()["policies"]["ok"])


def test_vanished_policy_folder_keeps_the_last_good_set(host, family):
    host.web = host.container("web", app="web")
    host.client = host.container("client", role="client")
    host.intruder = host.container("intruder", role="none")
    topo.nginx(host.web, host.dir / "www")
    before = host.revision()
    host.write_policy("web.yaml", topo.WEB_ONLY_HTTP)
    host.wait_enforced(before)
    (host.dir / "policies").rename(host.dir / "elsewhere")
    topo.wait_for("status says so", lambda: not host.status()["policies"]["ok"])
    still_holds(host, family)
    (host.dir / "elsewhere").rename(host.dir / "policies")
    topo.wait_for("the folder is back", lambda: host.status()["policies"]["ok"])
    still_holds(host, family)


def test_a_rejected_manifest_changes_nothing(shop, family):
    revision = shop.revision()
    done = shop.apply(topo.WEB_ONLY_HTTP + "---\n" + topo.WEB_ONLY_HTTP.replace("kind: Traffic", "kind: Trafic"),
                      check=False)
    assert done.returncode == 1 and "TrafficPolicy" in done.stderr + done.stdout
    assert shop.revision() == revision
    still_holds(shop, family)


def test_a_second_agent_is_refused(shop):
    second = shop.netns.run(topo.AGENT, "--config", shop.dir / "bulkheadd.yaml", check=False)
    assert second.returncode == 1
    assert str(shop.agent_pid()) in second.stderr
    still_holds(shop, 4)


def test_objects_of_other_programs_stay_untouched(shop, family):
    theirs = """
table inet theirs {
	set s { type ipv4_addr; elements = { 192.0.2.1 } }
	chain c { type filter hook forward priority 5; policy accept; ip saddr @s counter drop; }
}
"""
    (shop.dir / "theirs.nft").write_text(theirs)
    shop.netns.run("nft", "-f", shop.dir / "theirs.nft")
    before = shop.netns.run("nft", "list", "table", "inet", "theirs").stdout
    shop.apply(topo.WEB_ONLY_HTTP.replace("[http]", "[http, tls]"))
    shop.container("another", role="client")
    shop.kill_agent()
    shop.start_agent()
    assert shop.netns.run("nft", "list", "table", "inet", "theirs").stdout == before
    still_holds(shop, family)


def test_other_programs_marks_survive(shop, family):
    (shop.dir / "marks.nft").write_text("""
table inet marks {
	chain pre { type filter hook prerouting priority -200; meta mark set 0x1234; }
	chain post { type filter hook postrouting priority 200; tcp dport 80 meta mark & 0xffff == 0x1234 counter; }
	chain lost { type filter hook postrouting priority 201; tcp dport 80 meta mark != 0x1234 counter; }
	chain forwarded { type filter hook forward priority -100; ct mark set ct mark or 0x42; }
}
""")
    shop.netns.run("nft", "-f", shop.dir / "marks.nft")
    assert topo.http_get(shop.client, shop.web.addrs[family])
    lost = shop.netns.run("nft", "list", "chain", "inet", "marks", "lost").stdout
    assert "packets 0 bytes 0" in lost
    conntrack = shop.netns.run("conntrack", "-L", "-f", f"ipv{family}", "-p", "tcp").stdout
    marks = [int(word[5:]) for word in conntrack.split() if word.startswith("mark=")]
    assert marks and all(mark & 0xffff == 0x42 for mark in marks)


def test_our_tables_removed_by_others_come_back(shop, family):
    def tables():
        return sorted(line for line in shop.netns.run("nft", "list", "tables").stdout.splitlines() if "bulkhead" in line)
    before = tables()
    assert {"table ip bulkhead", "table ip6 bulkhead"} <= set(before)
    done = shop.netns.run("nft", "delete", "table", "ip" if family == 4 else "ip6", "bulkhead", check=False)
    if done.returncode == 0:  # a kernel without owned tables: noticed and repaired, and recorded
        shop.wait_record(kind="loss")
    topo.wait_for("all tables stand", lambda: tables() == before)
    still_holds(shop, family)


def test_tables_removed_while_no_agent_ran_are_a_loss(shop, family):
    """An orphan is anybody's. The next agent makes it anew, and says for how long at most nothing was enforced."""
    shop.kill_agent()
    shop.netns.run("nft", "flush", "ruleset")
    assert topo.http_get(shop.intruder, shop.web.addrs[family])
    shop.start_agent()
    assert not shop.status()["kernel"]["adopted"]
    still_holds(shop, family)
    (record,) = shop.records(kind="loss", cause="tables_changed")
    assert record["count"] == 1 and 0 < record["openMs"] < 60000
    # Tables that were taken down on purpose are no loss.
    shop.stop_agent()
    shop.netns.run(topo.AGENT, "--config", shop.dir / "bulkheadd.yaml", "--teardown")
    shop.start_agent()
    still_holds(shop, family)
    assert len(shop.records(kind="loss", cause="tables_changed")) == 1


def test_nft_lists_our_tables(shop):
    listed = shop.netns.run("nft", "list", "ruleset").stdout
    assert "table ip bulkhead" in listed and "table ip6 bulkhead" in listed
    assert shop.web.addrs[4] in listed and shop.web.addrs[6] in listed


def test_a_flood_hides_nothing(shop, family):
    """Refused packets without end: every one is counted, few are written, and who else is refused is seen at once."""
    address = shop.web.addrs[family]
    before = shop.status()["kernel"]["counters"]["refused"]
    kind = "AF_INET6" if family == 6 else "AF_INET"
    flood = shop.intruder.start("python3", "-c", f"""
import socket
s = socket.socket(socket.{kind}, socket.SOCK_DGRAM)
for i in range(100000):
    s.sendto(b"flood", ({address!r}, 5000 + i % 4))
""")
    shop.wait_record(src__name="intruder", flow__dport=5000)
    assert not topo.http_get(shop.client, address, port=81, timeout=0.3)
    assert shop.wait_record(src__name="client", flow__dport=81, timeout=3)
    assert flood.wait(timeout=60) == 0

    def counted():
        shop.flush()
        records = [r for r in shop.records(src__name="intruder") if r["flow"]["dport"] // 4 == 1250]
        return sum(r["count"] for r in records), len(records)
    topo.wait_for("all of them are counted", lambda: counted()[0] >= 100000)
    total, lines = counted()
    assert total == 100000 and lines < 50
    assert shop.status()["kernel"]["counters"]["refused"] - before >= 100000
    assert not shop.records(kind="loss")


@pytest.mark.parametrize("mask", ["0x0000ffff", "0x00ffff00"])
def test_marks_in_another_place(mask, family):
    """Somebody else needs the upper half of marks: ours are elsewhere, and theirs are kept. It may change at any time."""
    host = topo.Host(markMask=mask)
    theirs = 0xffffffff & ~int(mask, 16) & 0x42000042
    try:
        host.start_agent()
        web, client = host.container("web", app="web"), host.container("client", role="client")
        topo.nginx(web, host.dir / "www")
        host.netns.run("nft", "-f", "-", stdin=f"""
table inet others {{
	chain pre {{ type filter hook prerouting priority -140; tcp dport 80 meta mark set {theirs:#x} ct mark set ct mark | {theirs:#x}; }}
	chain post {{ type filter hook postrouting priority 200; tcp dport 80 meta mark & {theirs:#x} != {theirs:#x} counter; }}
}}
""")
        host.apply(topo.WEB_ONLY_HTTP)
        address = web.addrs[family]

        def as_the_policy_says():
            assert topo.http_get(client, address)
            assert topo.tcp(client, address, 80, b"SSH-2.0-x\r\n")[0] == "reset"
            marks = host.netns.run("conntrack", "-L", "-f", f"ipv{family}", "-p", "tcp", "--dport", "80").stdout
            marks = [int(m) for m in re.findall(r"mark=(\d+)", marks)]
            assert marks and all(m & theirs == theirs for m in marks)
            assert any(m & int(mask, 16) for m in marks)
        as_the_policy_says()
        host.apply(topo.WEB_ONLY_HTTP.replace("[http]", "[http, ssh]"))
        assert topo.tcp(client, address, 80, b"SSH-2.0-x\r\n")[0] == "closed"
        host.apply(topo.WEB_ONLY_HTTP)
        assert "counter packets 0 " in host.netns.run("nft", "list", "chain", "inet", "others", "post").stdout
        # Another place: what stands in marks now means nothing.
        host.stop_agent()
        host.config["markMask"] = "0xffff0000"
        host.start_agent()
        assert topo.http_get(client, address)
        assert topo.tcp(client, address, 80, b"SSH-2.0-x\r\n")[0] == "reset"
    finally:
        host.remove()
