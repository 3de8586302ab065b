"""Nobody speaks in the name of others: forged addresses, MACs, ARP, neighbour discovery, routers and DHCP servers have no
effect and are on record, while an honest container does the same things and they work."""
import json
import socket
import struct

import frames
import pytest
import topo

ALL = {"spoof", "spoof_mac", "spoof_arp", "spoof_nd", "rogue_router", "rogue_dhcp", "foreign_frame"}
ALONE, BROADCAST, NODES = "ff:ff:ff:ff:ff:ff", "255.255.255.255", "ff02::1"
NODES_MAC, OTHER_MAC = "33:33:00:00:00:01", "02:66:66:66:66:66"


def mac_of(netns, dev="eth0"):
    return netns.run("cat", f"/sys/class/net/{dev}/address").stdout.strip()


def link_local(mac):
    b = frames.mac(mac)
    return socket.inet_ntop(socket.AF_INET6, b"\xfe\x80" + bytes(6) + bytes([b[0] ^ 2]) + b[1:3] + b"\xff\xfe" + b[3:])


def neighbours(netns):
    """(address, device) -> MAC"""
    shown = json.loads(netns.run("ip", "-j", "neigh").stdout)
    return {(n["dst"], n["dev"]): n.get("lladdr") for n in shown}


def counts(host, since=0):
    """reason -> how many packets, repeats included."""
    host.flush()
    found = {}
    for r in host.records(kind="violation"):
        if r["reason"] in ALL and r["seq"] > since:
            found[r["reason"]] = found.get(r["reason"], 0) + r["count"]
    return found


def guarded(host, sender, cases):
    """Sends what is refused, and waits until all of it is on record in the name of who really sent it."""
    before = counts(host)
    frames.send(sender, [frame for reason, frame in cases])
    wanted = dict(before)
    for reason, _ in cases:
        wanted[reason] = wanted.get(reason, 0) + 1
    topo.wait_for(f"on record: {wanted}", lambda: counts(host) == wanted or None)


def reaches(netns, address, timeout=5):
    """Nobody listens there, and says so."""
    return topo.tcp(netns, address, 9, timeout=timeout)[0] == "refused"


def marked(n):
    return b"marked-%04d-" % n + b"x" * 20


# -- routed veths


class Routed:
    def __init__(self, host):
        self.host = host
        self.bad, self.victim, self.other = (host.container(n) for n in ("bad", "victim", "other"))
        self.mac = mac_of(self.bad)
        self.link = next(e["hostIf"] for e in json.loads(host.api("/v1/endpoints").stdout)["endpoints"]
                         if e["name"] == "bad")
        self.host_mac = mac_of(host.netns, self.link)
        self.sniffer = topo.Sniffer(self.victim, host.dir)

    def eth(self, ethertype, payload, src=None, dst=None):
        return frames.eth(src or self.mac, dst or self.host_mac, ethertype, payload)

    def udp(self, src, dst, n, sport=1000, dport=9, mac=None):
        return self.eth(frames.IP6 if ":" in src else frames.IP, frames.udp(src, dst, sport, dport, marked(n)), mac)


@pytest.fixture
def routed(host):
    return Routed(host)


def test_addresses_of_routed_containers(routed):
    r, (bad4, bad6), victim = routed, (routed.bad.addrs[4], routed.bad.addrs[6]), routed.victim.addrs
    guarded(r.host, r.bad, [
        ("spoof", r.udp(r.other.addrs[4], victim[4], 1)),
        ("spoof", r.udp(r.other.addrs[6], victim[6], 2)),
        ("spoof", r.udp("192.0.2.7", victim[4], 3)),
        ("spoof", r.udp("0.0.0.0", victim[4], 4)),
        ("spoof", r.udp("::", victim[6], 5)),
        ("spoof", r.udp(link_local(r.mac), victim[6], 6)),
        ("spoof", r.udp("127.0.0.1", victim[4], 7)),
        ("spoof_mac", r.udp(bad4, victim[4], 8, mac=OTHER_MAC)),
        ("spoof_mac", r.udp(bad6, victim[6], 9, mac=OTHER_MAC)),
        ("spoof_mac", r.udp(bad4, victim[4], 10, mac=mac_of(r.other))),
        ("rogue_dhcp", r.udp(bad4, victim[4], 11, sport=67, dport=68)),
        ("rogue_dhcp", r.udp(bad6, victim[6], 12, sport=547, dport=546)),
        ("rogue_dhcp", r.udp(bad4, victim[4], 13, sport=4000, dport=68)),
    ])
    # The same packets under the right names arrive.
    frames.send(r.bad, [r.udp(bad4, victim[4], 50), r.udp(bad6, victim[6], 51)])
    topo.wait_for("what is honest arrives", lambda: b"marked-0050" in r.sniffer.bytes and b"marked-0051" in r.sniffer.bytes)
    for n in range(1, 14):
        assert b"marked-%04d" % n not in r.sniffer.bytes, n

    record = r.host.wait_record(reason="spoof", flow__src=r.other.addrs[4])
    assert record["src"]["name"] == "bad" and record["dst"]["name"] == "victim"
    assert record["link"] == {"index": record["link"]["index"], "name": r.link, "mac": r.mac}
    assert record["severity"] == "critical" and record["action"] == "drop" and record["verdicts"] == []
    assert r.host.wait_record(reason="spoof_mac")["link"]["mac"] == OTHER_MAC
    counters = r.host.status()["kernel"]["counters"]
    assert counters["spoofed"] == 7 and counters["spoofedMac"] == 3 and counters["rogueDhcp"] == 3


def test_neighbours_of_routed_containers(routed):
    r, bad, other = routed, routed.bad.addrs, routed.other.addrs
    own = link_local(r.mac)
    group, group_mac = frames.solicited_node(other[6])
    before = neighbours(r.host.netns)
    assert before[(bad[4], r.link)] == r.mac and before[(bad[6], r.link)] == r.mac

    def arp(*args, src=None, dst=None):
        return r.eth(frames.ARP, frames.arp(*args), src, dst)

    def icmp6(packet, dst=None):
        return r.eth(frames.IP6, packet, dst=dst or NODES_MAC)
    gateway = "169.254.1.1"
    hidden = struct.pack("!BBHI", 60, 0, 1, 7) + struct.pack("!BB", 58, 20)  # a fragment that ends before its type
    guarded(r.host, r.bad, [
        ("spoof_arp", arp(frames.REQUEST, r.mac, gateway, ALONE, gateway, dst=ALONE)),
        ("spoof_arp", arp(frames.REPLY, r.mac, gateway, ALONE, gateway, dst=ALONE)),
        ("spoof_arp", arp(frames.REPLY, r.mac, other[4], r.host_mac, gateway)),
        ("spoof_arp", arp(frames.REQUEST, OTHER_MAC, bad[4], ALONE, gateway)),
        ("spoof_arp", arp(frames.REQUEST, r.mac, bad[4], ALONE, gateway, src=OTHER_MAC)),
        ("spoof_arp", arp(frames.REQUEST, r.mac, "0.0.0.0", ALONE, other[4], dst=ALONE)),
        ("spoof_arp", r.eth(frames.ARP, frames.arp(3, r.mac, bad[4], ALONE, bad[4]))),
        ("spoof_nd", icmp6(frames.advert(other[6], NODES, other[6], r.mac))),
        ("spoof_nd", icmp6(frames.advert(bad[6], NODES, other[6], r.mac))),
        ("spoof_nd", icmp6(frames.advert(own, NODES, "fe80::1", r.mac))),
        ("spoof_nd", icmp6(frames.solicit("::", group, other[6]), dst=group_mac)),
        ("spoof_nd", icmp6(frames.ip6(bad[6], NODES, 44, hidden, 255))),
        ("spoof", icmp6(frames.solicit(other[6], group, bad[6], r.mac), dst=group_mac)),
        ("spoof", icmp6(frames.solicit("fe80::66", group, bad[6], r.mac), dst=group_mac)),
        ("rogue_router", icmp6(frames.router(own, NODES, r.mac))),
        ("rogue_router", icmp6(frames.router("fe80::1", NODES, r.mac))),
        ("rogue_router", icmp6(frames.redirect("fe80::1", NODES, bad[6], other[6]))),
    ])
    assert neighbours(r.host.netns) == before
    record = r.host.wait_record(reason="spoof_arp")
    assert record["flow"] == {"id": None, "ipv": 4, "proto": "arp", "src": gateway, "dst": gateway}
    assert record["src"]["name"] == "bad" and record["link"]["mac"] == r.mac


def test_an_honest_routed_container(routed):
    """Address resolution, duplicate address detection and a DHCP client in the hands of the container's own kernel."""
    r, c = routed, routed.other
    before = counts(r.host)
    sent = f"""
import socket, sys
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
s.bind(("0.0.0.0", 67))
s.settimeout(20)
print("ready", flush=True)
print(s.recvfrom(2000)[1], flush=True)
"""
    server = r.host.netns.start("python3", "-c", sent, stdout=-1, text=True)
    assert server.stdout.readline() == "ready\n"
    c.start("udhcpc", "-i", "eth0", "-f", "-n", "-q", "-s", "/bin/true", "-t", "2", "-T", "1")
    assert server.stdout.readline().strip() == str(("0.0.0.0", 68))
    # The gateway is forgotten and asked for again. For IPv4 the host answers as a proxy for where it has a route to.
    r.host.netns.run("ip", "link", "add", "up0", "type", "bridge")
    r.host.netns.run("ip", "link", "set", "up0", "up")
    r.host.netns.run("ip", "route", "add", "default", "dev", "up0")
    for dst in ("169.254.1.1", "fe80::1"):
        c.run("ip", "neigh", "del", dst, "dev", "eth0")
    for family in (4, 6):
        assert reaches(c, r.victim.addrs[family])
    assert neighbours(c)[("169.254.1.1", "eth0")] and neighbours(c)[("fe80::1", "eth0")]
    # All addresses anew, with detection of duplicates, and reports to groups.
    c.run("sysctl", "-qw", "net.ipv6.conf.eth0.accept_dad=1", "net.ipv6.conf.eth0.dad_transmits=1")
    c.run("ip", "link", "set", "eth0", "down")
    c.run("ip", "link", "set", "eth0", "up")
    c.run("ip", "addr", "replace", c.addrs[6] + "/128", "dev", "eth0")
    topo.wait_for("no address is tentative", lambda: "tentative" not in c.run("ip", "addr", "show", "eth0").stdout)
    assert "dadfailed" not in c.run("ip", "addr", "show", "eth0").stdout
    assert counts(r.host) == before


def test_a_restart_keeps_the_guard(routed):
    r = routed
    r.host.kill_agent()
    frames.send(r.bad, [r.udp(r.other.addrs[4], r.victim.addrs[4], 1), r.udp(r.bad.addrs[4], r.victim.addrs[4], 50)])
    topo.wait_for("what is honest arrives", lambda: b"marked-0050" in r.sniffer.bytes)
    assert b"marked-0001" not in r.sniffer.bytes
    r.host.start_agent()
    assert r.host.status()["kernel"]["adopted"]
    guarded(r.host, r.bad, [("spoof", r.udp(r.other.addrs[6], r.victim.addrs[6], 2)),
                            ("spoof_arp", r.eth(frames.ARP, frames.arp(2, r.mac, r.other.addrs[4], ALONE, "10.0.0.1")))])
    frames.send(r.bad, [r.udp(r.bad.addrs[6], r.victim.addrs[6], 51)])
    topo.wait_for("what is honest arrives", lambda: b"marked-0051" in r.sniffer.bytes)
    assert b"marked-0002" not in r.sniffer.bytes


def test_a_record_without_a_mac(routed):
    """Of an older plugin: its addresses are bound, and the agent says that its MAC is not."""
    r = routed
    r.host.stop_agent()
    for path in (r.host.dir / "run/attachments").glob("*.json"):
        record = json.loads(path.read_text())
        if record["name"] == "bad":
            del record["cont"]["mac"]
            path.write_text(json.dumps(record))
    r.host.start_agent()
    assert any("1 endpoints the MAC is not known" in w for w in r.host.status()["warnings"])
    guarded(r.host, r.bad, [("spoof", r.udp(r.other.addrs[4], r.victim.addrs[4], 1, mac=OTHER_MAC))])
    frames.send(r.bad, [r.udp(r.bad.addrs[4], r.victim.addrs[4], 50, mac=OTHER_MAC),
                        r.udp(r.bad.addrs[6], r.victim.addrs[6], 51)])
    topo.wait_for("what is honest arrives", lambda: b"marked-0050" in r.sniffer.bytes and b"marked-0051" in r.sniffer.bytes)
    assert b"marked-0001" not in r.sniffer.bytes


# -- ports of a bridge


class Port(topo.Netns):
    """A container that another plugin has put onto a bridge, and that is announced to the agent by hand."""

    def __init__(self, lan, name, n):
        super().__init__(f"{lan.host.netns.name}-{name}")
        self.lan, self.label, self.link = lan, name, f"p{n}"
        self.addrs = {4: f"10.80.0.{n}", 6: f"fd80::{n}"}
        self.mac = f"02:80:00:00:00:{n:02x}"
        lan.host.netns.run("ip", "link", "add", self.link, "type", "veth", "peer", "name", "eth0", "address", self.mac,
                           "netns", self.name)
        lan.host.netns.run("ip", "link", "set", self.link, "master", "br0", "up")
        self.run("sysctl", "-qw", "net.ipv6.conf.eth0.accept_ra=0")
        self.run("ip", "link", "set", "eth0", "up")
        for family, bits in ((4, 24), (6, 64)):
            self.run("ip", "addr", "add", f"{self.addrs[family]}/{bits}", "dev", "eth0",
                     *(["nodad"] if family == 6 else []))

    def announce(self):
        shown = json.loads(self.lan.host.netns.run("ip", "-j", "link", "show", self.link).stdout)[0]
        request = {"v": 1, "op": "add", "network": "lan", "id": self.label, "ifname": "eth0", "netns": self.path,
                   "host": {"name": self.link, "index": shown["ifindex"]}, "cont": {"name": "eth0", "mac": self.mac},
                   "ips": list(self.addrs.values()), "name": self.label, "namespace": "shop", "mode": "chained"}
        answer = self.lan.ask(request)
        assert answer["ok"] and answer["state"] == "enforced", answer

    def eth(self, ethertype, payload, dst, src=None):
        return frames.eth(src or self.mac, dst, ethertype, payload)


class Lan:
    def __init__(self, host):
        self.host = host
        n = host.netns
        self.mac = "02:80:00:00:00:01"
        n.run("ip", "link", "add", "br0", "address", self.mac, "type", "bridge")
        n.run("ip", "addr", "add", "10.80.0.1/24", "dev", "br0")
        n.run("ip", "addr", "add", "fd80::1/64", "dev", "br0", "nodad")
        n.run("ip", "link", "set", "br0", "up")
        n.run("sysctl", "-qw", "net.ipv4.ip_forward=1", "net.ipv6.conf.all.forwarding=1")
        self.ports = []

    def port(self, name):
        self.ports.append(Port(self, name, len(self.ports) + 10))
        return self.ports[-1]

    def ask(self, message):
        text = json.dumps(message).encode()
        with socket.socket(socket.AF_UNIX) as s:
            s.settimeout(20)
            s.connect(str(self.host.dir / "run/cni.sock"))
            s.sendall(struct.pack("!I", len(text)) + text)
            got = b""
            while chunk := s.recv(65536):
                got += chunk
        return json.loads(got[4:])

    def remove(self):
        for p in self.ports:
            p.remove()


@pytest.fixture
def lan(host):
    lan = Lan(host)
    try:
        lan.bad, lan.victim, lan.other = lan.port("bad"), lan.port("victim"), lan.port("other")
        yield lan
    finally:
        lan.remove()


def forgeries(lan):
    """(reason, frame, what it would do if it came through)"""
    bad, victim, other = lan.bad, lan.victim, lan.other
    group, group_mac = frames.solicited_node(victim.addrs[6])

    def marked_udp(src, dst, n, sport=1000, dport=9, mac=None, ethertype=None, tags=b""):
        kind = frames.IP6 if ":" in src else frames.IP
        packet = frames.udp(src, dst, sport, dport, marked(n))
        if tags:
            return frames.eth(bad.mac, victim.mac, frames.VLAN, tags + struct.pack("!H", kind) + packet)
        return frames.eth(mac or bad.mac, victim.mac, ethertype or kind, packet)
    a, v, o = bad.addrs, victim.addrs, other.addrs
    return [
        ("spoof", marked_udp(o[4], v[4], 1)), ("spoof", marked_udp(o[6], v[6], 2)),
        ("spoof", marked_udp(link_local(bad.mac), v[6], 3)),
        ("spoof_mac", marked_udp(a[4], v[4], 4, mac=other.mac)), ("spoof_mac", marked_udp(a[6], v[6], 5, mac=other.mac)),
        ("rogue_dhcp", marked_udp(a[4], v[4], 6, 67, 68)), ("rogue_dhcp", marked_udp(a[6], v[6], 7, 547, 546)),
        ("rogue_dhcp", frames.eth(bad.mac, ALONE, frames.IP, frames.udp(
            a[4], BROADCAST, 67, 68, frames.dhcp_offer(victim.mac, "10.80.0.99", a[4]) + marked(8)))),
        ("foreign_frame", marked_udp(a[4], v[4], 9, tags=struct.pack("!H", 0))),
        ("foreign_frame", marked_udp(a[4], v[4], 10, tags=struct.pack("!HHH", 0, frames.VLAN, 0))),
        ("foreign_frame", marked_udp(a[4], v[4], 11, ethertype=0x88b5)),
        ("spoof_arp", bad.eth(frames.ARP, frames.arp(2, bad.mac, "10.80.0.1", victim.mac, v[4]), victim.mac)),
        ("spoof_arp", bad.eth(frames.ARP, frames.arp(1, bad.mac, "10.80.0.1", ALONE, "10.80.0.1"), ALONE)),
        ("spoof_arp", bad.eth(frames.ARP, frames.arp(2, bad.mac, o[4], victim.mac, v[4]), victim.mac)),
        ("spoof_nd", bad.eth(frames.IP6, frames.advert("fd80::1", v[6], "fd80::1", bad.mac), victim.mac)),
        ("spoof_nd", bad.eth(frames.IP6, frames.advert(a[6], v[6], o[6], bad.mac), victim.mac)),
        ("spoof", bad.eth(frames.IP6, frames.solicit(o[6], group, v[6], bad.mac), group_mac)),
        ("rogue_router", bad.eth(frames.IP6, frames.router(link_local(bad.mac), NODES, bad.mac), NODES_MAC)),
    ]


def meet(lan):
    """The victim knows its neighbours by what they say themselves."""
    lan.victim.run("ip", "neigh", "flush", "all")
    for address in ("10.80.0.1", "fd80::1", *lan.other.addrs.values(), *lan.bad.addrs.values()):
        assert reaches(lan.victim, address), address
    known = neighbours(lan.victim)
    assert known[("10.80.0.1", "eth0")] == known[("fd80::1", "eth0")] == lan.mac
    assert known[(lan.other.addrs[4], "eth0")] == known[(lan.other.addrs[6], "eth0")] == lan.other.mac
    return {k: known[k] for k in known if not k[0].startswith("fe80")}


def default_routers(netns):
    return [r for r in json.loads(netns.run("ip", "-6", "-j", "route").stdout) if r["dst"] == "default"]


def test_ports_of_a_bridge(lan):
    host, victim = lan.host, lan.victim
    # What it has just learned it would not unlearn for a second.
    victim.run("sysctl", "-qw", "net.ipv6.conf.eth0.accept_ra=1", "net.ipv6.conf.eth0.autoconf=0",
               "net.ipv4.neigh.eth0.locktime=0")
    sniffer = topo.Sniffer(victim, host.dir)
    cases = forgeries(lan)
    # Without a guard the victim falls for it: the forgeries are good ones.
    meet(lan)
    lost = {(a, "eth0") for a in ("10.80.0.1", "fd80::1", lan.other.addrs[4], lan.other.addrs[6])}

    def fooled():
        # Again and again: the truth is told meanwhile, too.
        frames.send(lan.bad, [f for _, f in cases])
        return all(neighbours(victim)[k] == lan.bad.mac for k in lost)
    topo.wait_for("the victim takes the liar for all others", fooled)
    topo.wait_for("the victim has a rogue router", lambda: default_routers(victim))
    for n in range(1, 12):
        assert b"marked-%04d" % n in sniffer.bytes, n
    victim.run("ip", "-6", "route", "flush", "proto", "ra")
    assert not default_routers(victim)

    for p in lan.ports:
        p.announce()
    assert host.status()["warnings"] == []
    before = meet(lan)
    seen = len(sniffer.bytes)
    guarded(host, lan.bad, cases)
    frames.send(lan.bad, [frames.eth(lan.bad.mac, victim.mac, frames.IP,
                                     frames.udp(lan.bad.addrs[4], victim.addrs[4], 1000, 9, marked(50)))])
    topo.wait_for("what is honest arrives", lambda: b"marked-0050" in sniffer.bytes)
    for n in range(1, 12):
        assert b"marked-%04d" % n not in sniffer.bytes[seen:], n
    after = neighbours(victim)
    assert {k: after[k] for k in before} == before and not default_routers(victim)
    for reason in ALL:
        record = host.wait_record(reason=reason)
        assert record["src"]["name"] == "bad" and record["link"]["name"] == lan.bad.link
    assert host.wait_record(reason="foreign_frame", flow__proto="0x88b5")["flow"]["src"] is None
    assert meet(lan) == before


def test_an_honest_container_on_a_bridge(lan):
    """A lease from a DHCP server of the host, detection of duplicates, address resolution."""
    host, c = lan.host, lan.other
    for p in lan.ports:
        p.announce()
    before = counts(host)
    leases = host.dir / "leases"
    host.netns.start("dnsmasq", "-k", "-p", "0", "-C", "/dev/null", "-i", "br0", "--dhcp-authoritative", "-l", leases,
                     "-F", "10.80.0.100,10.80.0.120,1h", "--dhcp-host", f"{c.mac},{c.addrs[4]}")
    host.netns.wait_listen(67, "udp")
    done = c.run("udhcpc", "-i", "eth0", "-f", "-n", "-q", "-s", "/bin/true", "-t", "10", "-T", "1")
    assert f"lease of {c.addrs[4]} obtained" in done.stdout + done.stderr
    c.run("sysctl", "-qw", "net.ipv6.conf.eth0.accept_dad=1")
    c.run("ip", "addr", "replace", c.addrs[6] + "/64", "dev", "eth0")
    c.run("ip", "link", "set", "eth0", "down")
    c.run("ip", "link", "set", "eth0", "up")
    c.run("ip", "addr", "replace", c.addrs[6] + "/64", "dev", "eth0")
    topo.wait_for("no address is tentative", lambda: "tentative" not in c.run("ip", "addr", "show", "eth0").stdout)
    meet(lan)
    assert counts(host) == before


def test_a_port_that_leaves(lan):
    """Gone for the agent, its link still there: unknown, so nothing of it passes."""
    for p in lan.ports:
        p.announce()
    assert reaches(lan.bad, lan.victim.addrs[4])
    assert lan.ask({"v": 1, "op": "del", "network": "lan", "id": "bad", "ifname": "eth0"})["ok"]
    assert not reaches(lan.bad, lan.victim.addrs[4], 1)
    assert reaches(lan.other, lan.victim.addrs[4])
    lan.bad.announce()
    assert reaches(lan.bad, lan.victim.addrs[4])


def test_a_link_of_somebody_elses_group(lan):
    lan.host.netns.run("ip", "link", "set", lan.bad.link, "group", "77")
    lan.bad.announce()
    assert any("1 endpoints can forge addresses" in w for w in lan.host.status()["warnings"])
    shown = json.loads(lan.host.netns.run("ip", "-j", "link", "show", lan.bad.link).stdout)[0]
    assert shown["group"] == "77"
