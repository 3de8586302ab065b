"""What a policy allows passes, what it refuses does not, and the record says why. Both families."""
import json

import topo

SSH_BANNER = b"SSH-2.0-OpenSSH_9.2p1 Debian-2\r\n"


def test_http_passes(shop, family):
    assert topo.http_get(shop.client, shop.web.addrs[family])
    # and a large answer, over a connection that was judged by its first bytes
    assert topo.http_get(shop.client, shop.web.addrs[family], "/big")
    assert not shop.records(kind="violation", dst__name="web")


def test_a_container_that_comes_up_is_no_violation(host):
    """Every IPv6 interface joins its groups when it comes up: dropped in quarantine, and nothing to report."""
    host.container("web", app="web")
    host.flush()
    assert not host.records(kind="violation")


def test_without_the_label_no_connection(shop, family):
    assert not topo.http_get(shop.intruder, shop.web.addrs[family])
    record = shop.wait_record(reason="default_deny")
    assert record["src"]["name"] == "intruder" and record["src"]["labels"] == {"role": "none"}
    assert record["dst"]["name"] == "web" and record["dst"]["labels"] == {"app": "web"}
    assert record["flow"]["dst"] == shop.web.addrs[family]
    assert record["flow"]["dport"] == 80
    assert record["verdicts"][0]["dir"] == "ingress"
    assert "shop/web" in json.dumps(record["verdicts"])
    assert record["action"] == "drop"


def test_the_wrong_port_is_refused(shop, family):
    topo.Meter(shop.web, 8080, shop.dir)
    assert topo.tcp(shop.client, shop.web.addrs[family], 8080, b"GET / HTTP/1.1\r\n\r\n", timeout=1)[0] == "timeout"
    assert shop.wait_record(reason="default_deny")["flow"]["dport"] == 8080


def test_ssh_on_the_http_port_never_reaches_the_server(host, family):
    web = host.container("web", app="web")
    client = host.container("client", role="client")
    meter = topo.Meter(web, 80, host.dir)
    host.apply(topo.WEB_ONLY_HTTP)
    outcome, got = topo.tcp(client, web.addrs[family], 80, SSH_BANNER)
    assert outcome == "reset" and got == b""
    record = host.wait_record(reason="protocol_mismatch")
    assert meter.bytes == 0
    assert record["src"]["name"] == "client" and record["src"]["labels"] == {"role": "client"}
    assert record["dst"]["name"] == "web" and record["dst"]["labels"] == {"app": "web"}
    assert record["verdicts"][0]["policy"]["name"] == "web"
    assert record["verdicts"][0]["rule"]["name"] == "clients"
    assert record["l7"]["expected"] == ["http"]
    assert record["l7"]["seen"] == "ssh"
    assert record["l7"]["by"] == "probe"
    assert record["action"] == "reset"
    # The server side is gone too, not left half open.
    topo.wait_for("the server's socket is closed",
                  lambda: not web.run("ss", "-Htn", "state", "established", "sport = :80").stdout.strip())


def test_not_even_the_reset_carries_what_was_refused(host, family):
    """Whoever listens on the server's interface sees the handshake, the end, and nothing of what was said."""
    web = host.container("web", app="web")
    client = host.container("client", role="client")
    topo.Meter(web, 80, host.dir)
    host.apply(topo.WEB_ONLY_HTTP)
    sniffer = topo.Sniffer(web, host.dir)
    assert topo.tcp(client, web.addrs[family], 80, SSH_BANNER)[0] == "reset"
    topo.wait_for("the server's socket is closed",
                  lambda: not web.run("ss", "-Htn", "state", "established", "sport = :80").stdout.strip())
    assert len(sniffer.bytes) > 100 and b"SSH-" not in sniffer.bytes


def test_the_wrong_protocol_in_small_pieces(host, family):
    web = host.container("web", app="web")
    client = host.container("client", role="client")
    meter = topo.Meter(web, 80, host.dir)
    host.apply(topo.WEB_ONLY_HTTP)
    code = f"""
import socket
s = socket.create_connection(({web.addrs[family]!r}, 80))
s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
try:
    for b in {SSH_BANNER!r} * 4:
        s.sendall(bytes([b]))
    s.recv(1)
except OSError:
    pass
"""
    client.run("python3", "-c", code)
    # What passes is only ever the beginning of something allowed: "SSH-" may begin the name of a method, "SSH-2" may not.
    # Five bytes prove no protocol, so it is certainly not http and otherwise unknown; the record shows them.
    record = host.wait_record(kind="violation", dst__name="web")
    assert record["action"] == "reset" and record["l7"]["expected"] == ["http"]
    assert bytes.fromhex(record["l7"]["evidence"]) == b"SSH-2"
    assert meter.bytes < len(b"SSH-2")


def test_unknown_bytes_are_refused(host, family):
    web = host.container("web", app="web")
    client = host.container("client", role="client")
    meter = topo.Meter(web, 80, host.dir)
    host.apply(topo.WEB_ONLY_HTTP)
    assert topo.tcp(client, web.addrs[family], 80, b"\xa5\x5a\xc3" * 70)[0] == "reset"
    assert host.wait_record(kind="violation", dst__name="web")["l7"]["seen"] == "unknown"
    assert meter.bytes == 0


def test_egress_policies_hold_too(host, family):
    web = host.container("web", app="web")
    client = host.container("client", role="client")
    topo.nginx(web, host.dir / "www")
    topo.nginx(web, host.dir / "www8080", 8080)
    host.apply("""
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: out, namespace: shop}
spec:
  podSelector: {matchLabels: {role: client}}
  policyTypes: [Egress]
  egress:
  - to: [{podSelector: {matchLabels: {app: web}}}]
    ports: [{protocol: TCP, port: 80}]
""")
    assert topo.http_get(client, web.addrs[family])
    assert not topo.http_get(client, web.addrs[family], port=8080)
    assert host.wait_record(reason="default_deny")["verdicts"][0]["dir"] == "egress"


def test_ip_block_and_except(host, family):
    web = host.container("web", app="web")
    client = host.container("client", role="client")
    intruder = host.container("intruder", role="none")
    topo.nginx(web, host.dir / "www")
    bits = 32 if family == 4 else 128
    wide = "10.244.7.0/24" if family == 4 else "fd00:244:7::/64"
    host.apply(f"""
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {{name: block, namespace: shop}}
spec:
  podSelector: {{matchLabels: {{app: web}}}}
  ingress:
  - from: [{{ipBlock: {{cidr: "{wide}", except: ["{intruder.addrs[family]}/{bits}"]}}}}]
""")
    assert topo.http_get(client, web.addrs[family])
    assert not topo.http_get(intruder, web.addrs[family])


def test_monitor_changes_no_verdict_but_says_what_it_would_do(host, family):
    web = host.container("web", app="web")
    client = host.container("client", role="client")
    meter = topo.Meter(web, 80, host.dir)
    host.apply(topo.WEB_ONLY_HTTP.replace("spec:", "spec:\n  mode: monitor"))
    topo.tcp(client, web.addrs[family], 80, SSH_BANNER, timeout=1)
    record = host.wait_record(kind="violation", dst__name="web")
    assert record["mode"] == "monitor" and record["action"] == "none" and record["would"]
    assert record["l7"]["seen"] == "ssh"
    assert meter.bytes == len(SSH_BANNER)


def test_deny_beats_allow(host, family):
    web = host.container("web", app="web")
    client = host.container("client", role="client")
    meter = topo.Meter(web, 2222, host.dir)
    topo.nginx(web, host.dir / "www")
    host.apply("""
apiVersion: bulkhead.network/v1alpha1
kind: TrafficPolicy
metadata: {name: no-ssh, namespace: shop}
spec:
  podSelector: {}
  isolate: none
  ingress:
  - {name: shells, action: reject, protocols: [ssh]}
""")
    assert topo.http_get(client, web.addrs[family])
    assert topo.tcp(client, web.addrs[family], 2222, SSH_BANNER)[0] == "reset"
    assert meter.bytes == 0
    assert host.wait_record(kind="violation", reason="l3l4_denied")["l7"]["seen"] == "ssh"


def test_explain_says_what_packets_get(shop, family):
    def explain(source, protocol):
        return shop.cli("explain", f"-{family}", "--from", f"shop/{source}", "--to", "shop/web", "--port", "80/tcp",
                        "--protocol", protocol, check=False)
    assert explain("client", "http").returncode == 0
    assert explain("client", "ssh").returncode == 3
    refused = explain("intruder", "http")
    assert refused.returncode == 3 and "role" in refused.stdout


def test_no_packet_before_the_policy(host):
    """A container that sends from its first instruction on is heard only after its policy is in the kernel."""
    host.apply("""
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: deny-all, namespace: shop}
spec: {podSelector: {}, policyTypes: [Ingress, Egress]}
""")
    sink = host.container("sink", ns="other", app="sink")
    listener = sink.start("python3", "-c", """
import socket
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.bind(("0.0.0.0", 9999))
print("ready", flush=True)
while True:
    print(s.recv(100).decode(), flush=True)
""", stdout=open(host.dir / "sink.out", "w"))
    topo.wait_for("the sink listens", lambda: "ready" in (host.dir / "sink.out").read_text())
    early = topo.Container(host, "early", {"app": "early"})
    host.containers["early"] = early
    sender = early.start("python3", "-c", f"""
import socket
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
while True:
    try:
        s.sendto(b"early", ({sink.addrs[4]!r}, 9999))
    except OSError:
        pass
""")
    early.add()
    # A container of a namespace without policy is heard at once, through the same host: the path works.
    free = host.container("free", ns="other", app="free")
    free.run("python3", "-c", f"""
import socket
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.sendto(b"free", ({sink.addrs[4]!r}, 9999))
""")
    topo.wait_for("the control datagram", lambda: "free" in (host.dir / "sink.out").read_text())
    sender.kill()
    assert "early" not in (host.dir / "sink.out").read_text()
    assert listener.poll() is None
