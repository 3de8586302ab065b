"""What policies say beyond labels and ports holds for packets: tiers, modes, time, types of ICMP, the world outside."""
import datetime
import json
import time

import pytest

import topo
from test_change import Drip

TIERS = """
apiVersion: bulkhead.network/v1alpha1
kind: ClusterTrafficPolicy
metadata: {name: guard}
spec:
  tier: admin
  priority: 10
  podSelector: {matchLabels: {app: web}}
  ingress:
  - {name: intruders, action: deny, from: [{podSelector: {matchLabels: {role: none}}}], severity: critical}
---
apiVersion: policy.networking.k8s.io/v1alpha1
kind: BaselineAdminNetworkPolicy
metadata: {name: default}
spec:
  subject: {pods: {namespaceSelector: {}, podSelector: {matchLabels: {app: web}}}}
  ingress:
  - name: not-8080
    action: Deny
    from: [{namespaces: {}}]
    ports: [{portNumber: {protocol: TCP, port: 8080}}]
---
apiVersion: bulkhead.network/v1alpha1
kind: TrafficPolicy
metadata: {name: watch, namespace: shop}
spec:
  mode: monitor
  podSelector: {matchLabels: {app: web}}
  isolate: ingress
"""


def stamp(seconds):
    return datetime.datetime.fromtimestamp(time.time() + seconds, datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


@pytest.fixture
def scene(host):
    host.web = host.container("web", app="web")
    host.client = host.container("client", role="client")
    host.intruder = host.container("intruder", role="none")
    topo.nginx(host.web, host.dir / "www")
    topo.nginx(host.web, host.dir / "www8080", 8080)
    return host


def test_tiers_modes_and_time(scene, family):
    """An admin tier that denies, a baseline, a policy that only watches, and a rule that ends while all of it runs."""
    address = scene.web.addrs[family]
    expires = time.time() + 8
    scene.apply(TIERS + f"""---
apiVersion: bulkhead.network/v1alpha1
kind: TrafficPolicy
metadata: {{name: visit, namespace: shop}}
spec:
  podSelector: {{matchLabels: {{app: web}}}}
  isolate: none
  ingress:
  - {{name: office, from: [{{podSelector: {{matchLabels: {{role: client}}}}}}], ports: [8080], expires: "{stamp(8)}"}}
""")
    # The admin tier decides before all others.
    assert not topo.http_get(scene.intruder, address)
    record = scene.wait_record(src__name="intruder", reason="l3l4_denied")
    assert record["severity"] == "critical" and record["action"] == "drop"
    assert record["verdicts"][0]["policy"] == {"kind": "ClusterTrafficPolicy", "ns": "", "name": "guard", "tier": "admin",
                                               "priority": 10, "mode": "enforce"}
    assert record["verdicts"][0]["rule"]["name"] == "intruders"
    # The policy that watches refuses nothing, and says what it would have refused.
    assert topo.http_get(scene.client, address)
    record = scene.wait_record(src__name="client", mode="monitor", flow__dport=80)
    assert record["action"] == "none" and record["would"] == "drop" and record["severity"] == "info"
    assert record["verdicts"][0]["policy"]["name"] == "watch"
    # What an application's policy allows, the baseline does not take back.
    assert topo.http_get(scene.client, address, port=8080)
    assert topo.http_get(scene.client, address, port=8080) and time.time() < expires, "too slow for the hours of the rule"
    # The rule ends by itself: now nobody but the baseline speaks of that port.
    topo.wait_for("the rule is gone", lambda: not topo.http_get(scene.client, address, port=8080), 30)
    assert time.time() >= expires - 1
    record = scene.wait_record(src__name="client", reason="l3l4_denied", flow__dport=8080)
    assert record["verdicts"][0]["policy"]["kind"] == "BaselineAdminNetworkPolicy"
    assert record["verdicts"][0]["policy"]["tier"] == "baseline" and record["severity"] == "warning"
    assert scene.records(kind="policy", event="enforced", cause="time")
    assert topo.http_get(scene.client, address)
    modes = {p["name"]: p["mode"] for p in json.loads(scene.api("/v1/policies").stdout)["policies"]}
    assert modes == {"guard": "enforce", "default": "enforce", "watch": "monitor", "visit": "enforce"}


def test_a_policy_that_ends_takes_its_connections_with_it(scene, family):
    drip = Drip(scene.client, scene.web.addrs[family])
    scene.apply(f"""
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {{name: closed, namespace: shop}}
spec: {{podSelector: {{matchLabels: {{app: web}}}}}}
---
apiVersion: bulkhead.network/v1alpha1
kind: TrafficPolicy
metadata: {{name: guest, namespace: shop}}
spec:
  expires: "{stamp(4)}"
  podSelector: {{matchLabels: {{app: web}}}}
  ingress:
  - {{from: [{{podSelector: {{matchLabels: {{role: client}}}}}}], ports: [80]}}
""")
    assert drip.step()
    assert "guest ends at" in json.dumps(scene.status()["warnings"])
    topo.wait_for("the policy's end", lambda: scene.records(kind="policy", event="enforced", cause="time"), 30)
    assert not drip.step()
    assert not topo.http_get(scene.client, scene.web.addrs[family])
    (guest,) = [p for p in json.loads(scene.api("/v1/policies").stdout)["policies"] if p["name"] == "guest"]
    assert guest["mode"] == "expired"


@pytest.mark.parametrize("mode", ["monitor", "learn"])
def test_who_watches_is_in_nobodys_way(scene, family, mode):
    """Connections that were there before, and all that come, whatever they speak; learning raises no alarm."""
    drip = Drip(scene.client, scene.web.addrs[family])
    meter = topo.Meter(scene.web, 2222, scene.dir)
    scene.apply(f"""
apiVersion: bulkhead.network/v1alpha1
kind: TrafficPolicy
metadata: {{name: watch, namespace: shop}}
spec:
  mode: {mode}
  podSelector: {{matchLabels: {{app: web}}}}
  isolate: both
  ingress:
  - {{ports: [80], protocols: [http]}}
""")
    assert drip.step() and drip.step()
    assert topo.http_get(scene.intruder, scene.web.addrs[family])
    banner = b"SSH-2.0-OpenSSH_9.2p1 Debian-2\r\n"
    topo.tcp(scene.client, scene.web.addrs[family], 2222, banner, timeout=1)
    topo.wait_for("every byte", lambda: meter.bytes == len(banner))
    kind, reason = ("violation", "default_deny") if mode == "monitor" else ("learn", "not_covered")
    record = scene.wait_record(kind=kind, flow__dport=2222)
    assert record["reason"] == reason and record["mode"] == mode and record["action"] == "none"
    assert not [r for r in scene.records(kind="violation") if r["mode"] == "enforce"]
    assert mode == "monitor" or not scene.records(kind="violation")
    assert drip.step()


def message(container, address, kind, timeout=2.0):
    """Sends one ICMP message of that type. Returns the type of the answer; None: there was none."""
    code = f"""
import socket, struct, sys
v6 = ":" in {address!r}
s = socket.socket(socket.AF_INET6 if v6 else socket.AF_INET, socket.SOCK_RAW, 58 if v6 else 1)
s.settimeout({timeout})
data = struct.pack("!BBHHH", {kind}, 0, 0, 0x4711, 1) + bytes(12)
total = sum(struct.unpack("!10H", data))
total = (total & 0xffff) + (total >> 16)
data = data[:2] + struct.pack("!H", ~total & 0xffff) + data[4:]  # of IPv6 the kernel makes it
s.sendto(data, ({address!r}, 0))
try:
    while True:
        got = s.recv(2000)
        got = got if v6 else got[(got[0] & 15) * 4:]
        if got[4:6] == b"\\x47\\x11" and got[0] != {kind}:
            print(got[0])
            break
except TimeoutError:
    print("none")
"""
    answer = container.run("python3", "-c", code, timeout=timeout + 20).stdout.strip()
    return None if answer == "none" else int(answer)


ECHO, REPLY = {4: 8, 6: 128}, {4: 0, 6: 129}
OTHER = {4: 13, 6: 139}  # timestamp, node information


def test_types_of_icmp(scene, family):
    address = scene.web.addrs[family]
    assert message(scene.client, address, ECHO[family]) == REPLY[family]
    scene.apply("""
apiVersion: bulkhead.network/v1alpha1
kind: TrafficPolicy
metadata: {name: ping, namespace: shop}
spec:
  podSelector: {matchLabels: {app: web}}
  isolate: ingress
  ingress:
  - {name: ping, icmp: [echo-request]}
""")
    assert message(scene.client, address, ECHO[family]) == REPLY[family]
    assert message(scene.client, address, OTHER[family], timeout=0.5) is None
    record = scene.wait_record(reason="default_deny", flow__proto="icmp" if family == 4 else "icmpv6")
    assert record["flow"]["icmp"] == {"type": OTHER[family], "code": 0} and "dport" not in record["flow"]
    assert record["flow"]["id"].startswith("1:") and record["src"]["name"] == "client"
    assert not topo.http_get(scene.client, address)
    # Questions of the server, and their answers, are nobody's business here.
    assert message(scene.web, scene.client.addrs[family], ECHO[family]) == REPLY[family]

    # Denied by type: what runs ends, the rest goes on.
    scene.apply("""
apiVersion: bulkhead.network/v1alpha1
kind: TrafficPolicy
metadata: {name: ping, namespace: shop}
spec:
  podSelector: {matchLabels: {app: web}}
  isolate: none
  ingress:
  - {name: no-ping, action: deny, icmp: [echo-request], severity: info}
""")
    assert message(scene.client, address, ECHO[family], timeout=0.5) is None
    record = topo.wait_for("a record of the ping", lambda: [
        r for r in scene.records(kind="violation") if r["verdicts"][0]["rule"] and
        r["verdicts"][0]["rule"]["name"] == "no-ping"])[0]
    assert record["flow"]["icmp"]["type"] == ECHO[family] and record["severity"] == "info"
    assert topo.http_get(scene.client, address)
    if family == 4:  # Linux answers no node information
        assert message(scene.client, address, OTHER[family]) == 14


class Outside(topo.Netns):
    """A neighbour of the host that nobody manages."""

    ADDRESSES = {4: {"world": "192.0.2.2", "cluster": "10.244.99.2", "node": "192.0.2.3"},
                 6: {"world": "2001:db8::2", "cluster": "fd00:244:99::2", "node": "2001:db8::3"}}

    def __init__(self, host):
        super().__init__(f"{host.netns.name}-outside")
        host.containers["outside"] = self
        host.netns.run("ip", "link", "add", "out0", "type", "veth", "peer", "name", "eth0", "netns", self.name)
        for net, names in (("192.0.2.{}/24", (1, 2, 3)), ("10.244.99.{}/24", (1, 2)), ("2001:db8::{}/64", (1, 2, 3)),
                           ("fd00:244:99::{}/64", (1, 2))):
            for n in names:
                where = (host.netns, "out0") if n == 1 else (self, "eth0")
                where[0].run("ip", "addr", "add", net.format(n), "dev", where[1], *(["nodad"] if ":" in net else []))
        host.netns.run("ip", "link", "set", "out0", "up")
        self.run("ip", "link", "set", "eth0", "up")
        self.run("ip", "route", "add", "10.244.7.0/24", "via", "192.0.2.1")
        self.run("ip", "route", "add", "fd00:244:7::/64", "via", "2001:db8::1")
        # As long as its link-local address is tentative, the host asks for no neighbour.
        for netns in (host.netns, self):
            topo.wait_for("addresses that may be used", lambda netns=netns: not netns.run(
                "ip", "-6", "addr", "show", "tentative").stdout.strip())

    def get(self, source, address):
        code = f"""
import socket
s = socket.socket(socket.AF_INET6 if ":" in {address!r} else socket.AF_INET)
s.settimeout(1)
s.bind(({source!r}, 0))
try:
    s.connect(({address!r}, 80))
    s.sendall(b"GET / HTTP/1.0\\r\\n\\r\\n")
    print(s.recv(100)[:4])
except OSError as e:
    print(e)
"""
        return "HTTP" in self.run("python3", "-c", code).stdout


@pytest.fixture
def outside_scene(request):
    h = topo.Host(clusterRanges="[10.244.0.0/16, 'fd00:244::/32']")
    try:
        h.start_agent()
        h.web = h.container("web", app="web")
        topo.nginx(h.web, h.dir / "www")
        h.outside = Outside(h)
        yield h
    finally:
        if getattr(request.node, "failed_call", True):
            print(h.explain_failure())
        h.remove()


WHO = """
apiVersion: bulkhead.network/v1alpha1
kind: TrafficPolicy
metadata: {{name: who, namespace: shop}}
spec:
  podSelector: {{matchLabels: {{app: web}}}}
  isolate: ingress
  ingress:
  - {{from: [{{entity: {entity}}}], ports: [80]}}
---
apiVersion: bulkhead.network/v1alpha1
kind: Node
metadata: {{name: n2}}
spec: {{addresses: [192.0.2.3, "2001:db8::3"]}}
"""


def test_world_cluster_and_nodes(outside_scene, family):
    """Addresses of nobody's endpoint: in the cluster's ranges, a node's, and the rest of the world."""
    client = outside_scene.container("client", role="client")
    web, who = outside_scene.web.addrs[family], Outside.ADDRESSES[family]

    def reach():
        return {name for name, source in who.items() if outside_scene.outside.get(source, web)} | (
            {"endpoint"} if topo.http_get(client, web) else set())
    assert reach() == {"world", "cluster", "node", "endpoint"}
    outside_scene.apply(WHO.format(entity="world"))
    assert reach() == {"world"}
    outside_scene.apply(WHO.format(entity="nodes"))
    assert reach() == {"node"}
    # Who stands in its ranges and is not known is not of the cluster.
    outside_scene.apply(WHO.format(entity="cluster"))
    assert reach() == {"endpoint", "node"}
    outside_scene.apply(WHO.format(entity="all"))
    assert reach() == {"world", "cluster", "node", "endpoint"}


# Most pieces of the address space of one family get the same, to be allowed: that is what "any" gives then.
MOST = """
apiVersion: bulkhead.network/v1alpha1
kind: TrafficPolicy
metadata: {{name: most, namespace: shop}}
spec:
  podSelector: {{matchLabels: {{app: web}}}}
  isolate: ingress
  ingress:
  - {{from: [{{ipBlock: {{cidr: "{all}", except: ["{cluster}"]}}}}]}}
  - {{from: [{{ipBlock: {{cidr: "{one}"}}}}, {{ipBlock: {{cidr: "{two}"}}}}, {{ipBlock: {{cidr: "{three}"}}}}], ports: [80]}}
"""
BLOCKS = {4: {"all": "0.0.0.0/0", "cluster": "10.0.0.0/8", "one": "198.51.100.0/25", "two": "198.51.100.128/25",
              "three": "203.0.113.0/24"},
          6: {"all": "::/0", "cluster": "fd00::/8", "one": "2001:db8:1::/48", "two": "2001:db8:2::/48",
              "three": "2001:db8:3::/48"}}


def test_nobody_gets_what_most_get_for_want_of_better(outside_scene, family):
    """A rule for (nearly) all addresses of one family: what it leaves out is refused, and all of the other family."""
    client = outside_scene.container("client", role="client")
    outside_scene.apply(MOST.format(**BLOCKS[family]))
    for f in (4, 6):
        web, who = outside_scene.web.addrs[f], Outside.ADDRESSES[f]
        reached = {name for name, source in who.items() if outside_scene.outside.get(source, web)}
        assert reached == ({"world", "node"} if f == family else set())
        assert not topo.http_get(client, web)


NODE = """
apiVersion: bulkhead.network/v1alpha1
kind: TrafficPolicy
metadata: {{name: off-the-node, namespace: shop}}
spec:
  podSelector: {{matchLabels: {{app: web}}}}
  isolate: both
  ingress:
  - {{name: from-node, action: {action}, from: [{{entity: host}}], ports: [80]}}
  egress:
  - {{name: to-node, action: {action}, to: [{{entity: host}}], ports: [8022]}}
"""
NODE_ADDRESS = {4: "192.0.2.1", 6: "2001:db8::1"}


@pytest.mark.parametrize("action", ["deny", "reject"])
def test_a_container_is_kept_off_its_node(scene, family, action):
    """Isolation never stands between a container and its node; a rule that names the node does, both ways."""
    web, node, address, own = scene.web, scene.netns, scene.web.addrs[family], NODE_ADDRESS[family]
    node.run("ip", "addr", "add", own, "dev", "lo")
    for port in (8022, 8023):
        topo.nginx(node, scene.dir / f"node{port}", port)
    scene.apply(NODE.format(action=action).replace("[80]", "[9]").replace("[8022]", "[9]"))
    assert topo.http_get(node, address) and topo.http_get(web, own, port=8022)
    assert not topo.http_get(scene.client, address)
    scene.apply(NODE.format(action=action))
    assert not topo.http_get(node, address)
    record = scene.wait_record(reason="l3l4_denied", src__kind="node", dst__name="web", flow__ipv=family, flow__dport=80)
    assert record["verdicts"][0]["rule"]["name"] == "from-node" and record["verdicts"][0]["dir"] == "ingress"
    assert record["action"] == ("drop" if action == "deny" else "reject")
    assert not topo.http_get(web, own, port=8022)
    record = scene.wait_record(reason="l3l4_denied", src__name="web", dst__kind="node", dst__address=own)
    assert record["verdicts"][0]["rule"]["name"] == "to-node" and record["verdicts"][0]["dir"] == "egress"
    # What no rule names.
    assert topo.http_get(web, own, port=8023) and topo.http_get(node, address, port=8080)


JUDGED = """
apiVersion: bulkhead.network/v1alpha1
kind: TrafficPolicy
metadata: {{name: web, namespace: shop}}
spec:
  podSelector: {{matchLabels: {{app: web}}}}
  isolate: both
  ingress:
  - {{name: addresses, from: [{{ipBlock: {{cidr: 0.0.0.0/0}}}}, {{ipBlock: {{cidr: "::/0"}}}}], ports: [8080]}}
  - {{name: somebody, {rule}ports: [80]}}
"""


def test_what_the_node_opens_is_judged(scene, family):
    """hostToContainer: policy: the node is anybody to a container that it opens something to, and only there."""
    node, own = scene.netns, NODE_ADDRESS[family]
    node.run("ip", "addr", "add", own, "dev", "lo")
    topo.nginx(node, scene.dir / "node", 8022)
    judged = scene.containers["judged"] = topo.Container(scene, "judged", {"app": "web"})
    judged.add(hostToContainer="policy")
    for port in (80, 8080):
        topo.nginx(judged, scene.dir / f"judged{port}", port)
    address = judged.addrs[family]
    assert topo.http_get(node, address)  # nobody isolates it
    scene.apply(JUDGED.format(rule="from: [{entity: world}], "))
    assert not topo.http_get(node, address) and topo.http_get(node, scene.web.addrs[family])
    record = scene.wait_record(src__kind="node", dst__name="judged", flow__ipv=family, flow__dport=80)
    assert record["reason"] == "default_deny" and record["action"] == "drop"
    assert [(v["dir"], v["policy"]["name"]) for v in record["verdicts"]] == [("ingress", "web")]
    # No block of addresses means the own node, whatever address it has.
    assert not topo.http_get(node, address, port=8080) and topo.http_get(scene.client, address, port=8080)
    # What the container opens is as it ever was: its node answers.
    assert topo.http_get(judged, own, port=8022)
    listed = {e["name"]: e["hostToContainer"] for e in json.loads(scene.api("/v1/endpoints").stdout)["endpoints"]}
    assert listed["judged"] == "policy" and listed["web"] == "allow"
    for rule in ("", "from: [{entity: host}], "):
        scene.apply(JUDGED.format(rule=rule))
        assert topo.http_get(node, address)
        assert not topo.http_get(node, address, port=8080)
        scene.apply(JUDGED.format(rule="from: [{entity: world}], "))
        assert not topo.http_get(node, address)
    # A deny rule without peers means it too, and an agent that comes back knows from the record.
    scene.apply(JUDGED.format(rule="action: reject, "))
    assert not topo.http_get(node, address) and topo.http_get(node, scene.web.addrs[family])
    assert scene.wait_record(src__kind="node", dst__name="judged", action="reject")["reason"] == "l3l4_denied"
    scene.kill_agent()
    scene.start_agent()
    assert not topo.http_get(node, address) and topo.http_get(node, scene.web.addrs[family])


def test_a_port_that_a_proxy_of_the_host_publishes(scene, family):
    """What comes in by it starts on the host, whoever it is from: an isolated container is safe from it by hostToContainer."""
    node, own = scene.netns, NODE_ADDRESS[family]
    node.run("ip", "addr", "add", own, "dev", "lo")
    judged = scene.containers["judged"] = topo.Container(scene, "judged", {"app": "web"})
    judged.add(hostToContainer="policy")
    topo.nginx(judged, scene.dir / "judged")
    for port, c in ((8090, scene.web), (8091, judged)):
        node.start("socat", f"TCP{family}-LISTEN:{port},fork,reuseaddr", f"TCP{family}:[{c.addrs[family]}]:80"
                   if family == 6 else f"TCP4:{c.addrs[4]}:80")
        node.wait_listen(port)
    scene.apply(JUDGED.format(rule="from: [{podSelector: {matchLabels: {role: client}}}], "))
    assert not topo.http_get(scene.intruder, scene.web.addrs[family])
    assert topo.http_get(scene.intruder, own, port=8090) and not topo.http_get(scene.intruder, own, port=8091)
    assert topo.http_get(scene.client, judged.addrs[family])
    record = scene.wait_record(src__kind="node", dst__name="judged", flow__ipv=family)
    assert record["reason"] == "default_deny"
    assert "the node that shop/judged runs on, which only rules without peers and entity" in record["verdicts"][0]["text"]


def test_a_container_that_comes_back_from_another_network(scene, family):
    """The same container, its network's configuration changed in between."""
    node, c = scene.netns, topo.Container(scene, "again", {"app": "web"})
    node.run("ip", "addr", "add", NODE_ADDRESS[family], "dev", "lo")
    scene.containers["again"] = c
    scene.apply(JUDGED.format(rule="from: [{entity: world}], "))
    topo.nginx(c, scene.dir / "again")
    for conf, reached in (({}, True), ({"hostToContainer": "policy"}, False), ({"hostToContainer": "allow"}, True)):
        c.add(**conf)
        assert topo.http_get(node, c.addrs[family]) == reached
        c.cni("DEL")


def test_what_is_spoken_with_the_node(scene, family):
    """A container may speak HTTP with its node and nothing else; both ends of anything else are reset."""
    web, node, own = scene.web, scene.netns, NODE_ADDRESS[family]
    node.run("ip", "addr", "add", own, "dev", "lo")
    topo.nginx(node, scene.dir / "node", 8022)
    scene.apply(NODE.format(action="deny").replace("[8022]}", "[8022], notProtocols: [http]}"))
    assert topo.http_get(web, own, port=8022)
    assert topo.tcp(web, own, 8022, b"SSH-2.0-x\r\n")[0] == "reset"
    record = scene.wait_record(dst__kind="node", dst__address=own, flow__dport=8022)
    assert record["l7"]["seen"] == "ssh" and record["verdicts"][0]["rule"]["name"] == "to-node"
    # The connections that the node opens are no business of that rule, whatever port they come from.
    assert topo.http_get(node, web.addrs[family], port=8080)


def test_what_cannot_be_held_is_not_taken(scene):
    """A rule that asks for a header which nobody here reads yet."""
    before = scene.revision()
    text = topo.WEB_ONLY_HTTP + "    proxyHeader: require\n"
    done = scene.apply(text, check=False)
    assert done.returncode == 1 and "cannot be enforced by this version" in done.stderr and "e20" in done.stderr
    assert scene.revision() == before
    # In the folder: what was in force stays, and status says why.
    scene.write_policy("header.yaml", text)
    topo.wait_for("the folder is refused", lambda: not scene.status()["policies"]["ok"])
    assert "proxyHeader" in json.dumps(scene.status()["policies"]["diagnostics"])
    assert topo.http_get(scene.intruder, scene.web.addrs[4])
    # Offline nobody minds.
    topo.run(topo.CLI, "lint", scene.dir / "policies/header.yaml")
    # What is only refused too much is taken, and said.
    (scene.dir / "policies/header.yaml").unlink()
    topo.wait_for("the folder is right", lambda: scene.status()["policies"]["ok"])
    done = scene.apply(topo.WEB_ONLY_HTTP.replace("protocols: [http]", "http: [{methods: [GET]}]"))
    assert "w13" in done.stderr and "what only this rule allows is refused" in done.stderr
    assert not topo.http_get(scene.client, scene.web.addrs[4])
    assert scene.wait_record(reason="not_judged")["l7"]["seen"] == "http"
