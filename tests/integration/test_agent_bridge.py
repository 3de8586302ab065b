"""Bridges that do not hand their packets to nftables: found, told, and forgotten when mended."""
import json
import time

from agent_host import *  # noqa: F403

CLI = BUILD / "cli/bulkhead"


def switch(agent, family, value):
    name = "iptables" if family == 4 else "ip6tables"
    run(*agent.command("sh", "-c", f"echo {value} > /proc/sys/net/bridge/bridge-nf-call-{name}"))


def ip(agent, *args):
    return run("ip", "-n", agent.ns, *args)


def on_bridge(agent, name, ips, bridge="br0"):
    index = agent.veth(name)
    ip(agent, "link", "set", name, "master", bridge)
    request = agent.add_request(name, ips, index, mode="chained")
    answer = agent.ask(request)
    assert answer["ok"], answer
    # The plugin's record, for the next agent.
    folder = agent.dir / "run/attachments"
    folder.mkdir(exist_ok=True)
    boot = open("/proc/sys/kernel/random/boot_id").read().strip()
    (folder / f"{name}.json").write_text(json.dumps({**request, "boot": boot, "phase": "ready"}))


def told(agent):
    return [(b["bridge"], b["family"], b["state"], b["endpoints"]) for b in agent.status()["bridges"]]


def status(agent):
    return run(*agent.command(CLI, "--socket", agent.dir / "run/api.sock", "status"), check=False)


def test_a_bridge_past_nftables(agent):
    ip(agent, "link", "add", "br0", "type", "bridge")
    ip(agent, "link", "add", "br1", "type", "bridge")
    on_bridge(agent, "v0", ["10.0.0.1", "fd00::1"])
    on_bridge(agent, "v1", "10.0.0.2")
    assert agent.ask(agent.add_request("routed", "10.0.0.3"))["ok"]
    for family in (4, 6):
        switch(agent, family, 1)
    s = agent.status()
    assert s["bridges"] == [] and s["errors"] == [] and status(agent).returncode == 0

    switch(agent, 4, 0)
    assert told(agent) == [("br0", "ipv4", "off", 2)]
    done = status(agent)
    assert done.returncode == 1
    assert ("error: the bridge br0 does not hand IPv4 to nftables: what its ports, " in done.stdout)
    assert (" and 1 more among them, say to each other is judged by no policy; net.bridge.bridge-nf-call-iptables is 0: "
            "sysctl -w net.bridge.bridge-nf-call-iptables=1\n") in done.stdout
    switch(agent, 6, 0)
    assert told(agent) == [("br0", "ipv4", "off", 2), ("br0", "ipv6", "off", 1)]
    # A bridge can do it by a switch of its own.
    ip(agent, "link", "set", "br0", "type", "bridge", "nf_call_iptables", "1")
    assert told(agent) == [("br0", "ipv6", "off", 1)]
    ip(agent, "link", "set", "br0", "type", "bridge", "nf_call_ip6tables", "1")
    assert told(agent) == [] and status(agent).returncode == 0
    # Who moves to another is told there; who leaves is nobody's port.
    ip(agent, "link", "set", "v0", "master", "br1")
    assert told(agent) == [("br1", "ipv4", "off", 1), ("br1", "ipv6", "off", 1)]
    ip(agent, "link", "set", "v0", "nomaster")
    assert told(agent) == []


def test_it_is_watched(agent):
    """Without anybody who asks: the log says it when it happens, and when it is mended."""
    ip(agent, "link", "add", "br0", "type", "bridge")
    switch(agent, 4, 1)
    switch(agent, 6, 1)
    on_bridge(agent, "v0", "10.0.0.1")
    switch(agent, 4, 0)
    wait_for("the warning", lambda: "the bridge br0 does not hand IPv4 to nftables" in agent.log_text(), 15)
    switch(agent, 4, 1)
    wait_for("it is mended", lambda: "bridges hand the packets of all endpoints to nftables now" in agent.log_text(), 15)
    # At start, too.
    agent.stop()
    switch(agent, 4, 0)
    agent.start()
    wait_for("the warning at start", lambda: agent.log_text().count("the bridge br0 does not hand IPv4") > 1, 15)
    # A link that becomes a port is seen when it does.
    ip(agent, "link", "set", "v0", "nomaster")
    wait_for("it is mended", lambda: agent.log_text().count("to nftables now") > 1, 15)
    began = time.monotonic()
    ip(agent, "link", "set", "v0", "master", "br0")
    wait_for("the warning", lambda: agent.log_text().count("the bridge br0 does not hand IPv4") > 2, 15)
    assert time.monotonic() - began < 4  # by the news of the link, not by the interval
