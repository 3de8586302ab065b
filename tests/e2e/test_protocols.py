"""Real servers and clients of every protocol with a probe: the right one passes, the wrong one is cut."""
import os
import shutil
import subprocess

import pytest

import topo

POLICY = """
apiVersion: bulkhead.network/v1alpha1
kind: TrafficPolicy
metadata: {{name: only, namespace: shop}}
spec:
  podSelector: {{matchLabels: {{app: server}}}}
  isolate: ingress
  ingress:
  - name: clients
    from: [{{podSelector: {{matchLabels: {{role: client}}}}}}]
    ports: ["{port}"]
    protocols: [{protocol}]
"""
HTTP = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"
SSH = b"SSH-2.0-client\r\n"


@pytest.fixture
def pair(host):
    host.server = host.container("server", app="server")
    host.client = host.container("client", role="client")
    return host


def refused(host, family, port, payload, seen):
    outcome, _ = topo.tcp(host.client, host.server.addrs[family], port, payload)
    assert outcome == "reset"
    record = host.wait_record(reason="protocol_mismatch", flow__ipv=family)
    assert record["l7"]["seen"] == seen
    assert record["src"]["name"] == "client" and record["dst"]["name"] == "server"


def test_redis(pair, family):
    pair.server.start("redis-server", "--port", 6379, "--bind", "0.0.0.0", "::", "--protected-mode", "no",
                      "--save", "", "--dir", pair.dir)
    pair.server.wait_listen(6379)
    pair.apply(POLICY.format(port=6379, protocol="redis"))
    address = pair.server.addrs[family]
    assert pair.client.run("redis-cli", "-h", address, "ping").stdout == "PONG\n"
    assert pair.client.run("redis-cli", "-3", "-h", address, "set", "a", "1").stdout == "OK\n"
    refused(pair, family, 6379, HTTP, "http")


def test_ssh(pair, family):
    key, config = pair.dir / "hostkey", pair.dir / "sshd_config"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key], check=True)
    config.write_text(f"HostKey {key}\nPidFile none\nListenAddress 0.0.0.0\nListenAddress ::\nUsePAM no\n")
    os.makedirs("/run/sshd", exist_ok=True)
    pair.server.start("/usr/sbin/sshd", "-D", "-f", config)
    pair.server.wait_listen(22)
    pair.apply(POLICY.format(port=22, protocol="ssh"))
    scan = pair.client.run("ssh-keyscan", "-t", "ed25519", pair.server.addrs[family], check=False)
    assert "ssh-ed25519" in scan.stdout
    refused(pair, family, 22, HTTP, "http")


def test_tls(pair, family):
    key, cert = pair.dir / "key.pem", pair.dir / "cert.pem"
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
                    "-keyout", key, "-out", cert, "-subj", "/CN=shop.test", "-days", "2"], check=True,
                   capture_output=True)
    pair.server.start("openssl", "s_server", f"-{family}", "-accept", "443", "-www", "-cert", cert, "-key", key)
    pair.server.wait_listen(443)
    pair.apply(POLICY.format(port=443, protocol="tls"))
    address = pair.server.addrs[family]
    where = f"https://[{address}]/" if family == 6 else f"https://{address}/"
    assert pair.client.run("curl", "-gksf", "-m", "10", where).stdout
    refused(pair, family, 443, HTTP, "http")


def test_dns_over_udp_and_tcp(pair, family):
    pair.server.start("dnsmasq", "-k", "-C", "/dev/null", "--no-resolv", "--no-hosts", "--user=root",
                      "--pid-file=", "--address=/shop.test/192.0.2.7")
    pair.server.wait_listen(53, "udp")
    pair.apply(POLICY.format(port="53/udp", protocol="dns"))
    address = pair.server.addrs[family]
    dig = ["dig", f"@{address}", "+short", "+tries=1", "+time=3", "shop.test"]
    assert pair.client.run(*dig).stdout == "192.0.2.7\n"
    junk = pair.client.run("python3", "-c", f"""
import socket
s = socket.socket(socket.AF_INET{'6' if family == 6 else ''}, socket.SOCK_DGRAM)
s.settimeout(2)
s.connect(({address!r}, 53))
try:
    s.send(b"\\xff" * 40)
    s.recv(100)
    print("answered")
except ConnectionRefusedError:
    print("refused")
except OSError as e:
    print("unreachable", e.errno)
except TimeoutError:
    print("timeout")
""").stdout
    assert "answered" not in junk
    assert pair.wait_record(kind="violation", flow__proto="udp")["l7"]["expected"] == ["dns"]
    pair.apply(POLICY.format(port="53/tcp", protocol="dns"))
    assert pair.client.run(*dig, "+tcp").stdout == "192.0.2.7\n"
    refused(pair, family, 53, HTTP, "http")


def test_postgres(pair, family):
    lib = sorted(topo.Path("/usr/lib/postgresql").iterdir())[-1] / "bin"
    data = pair.dir / "pg"
    data.mkdir()
    shutil.chown(data, "postgres", "postgres")

    def as_postgres(*args):
        return ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups", "env", "-C", str(data),
                *map(str, args)]
    (pair.dir / "pw").write_text("secret\n")
    (pair.dir / "pw").chmod(0o644)
    topo.run(*as_postgres(lib / "initdb", "-D", data / "d", "-A", "scram-sha-256", f"--pwfile={pair.dir / 'pw'}"),
             timeout=120)
    with open(data / "d/pg_hba.conf", "a") as f:
        f.write("host all all 0.0.0.0/0 scram-sha-256\nhost all all ::/0 scram-sha-256\n")
    pair.server.start(*as_postgres(lib / "postgres", "-D", data / "d", "-c", "listen_addresses=*", "-c",
                                   f"unix_socket_directories={data}", "-c", "fsync=off"))
    pair.server.wait_listen(5432)
    pair.apply(POLICY.format(port=5432, protocol="postgres"))
    address = pair.server.addrs[family]

    def query():
        return pair.client.run("psql", "-h", address, "-U", "postgres", "-d", "postgres", "-Atc", "select 6*7",
                               env=dict(os.environ, PGPASSWORD="secret", PGCONNECT_TIMEOUT="5"), check=False)
    topo.wait_for("the database answers", lambda: query().stdout == "42\n", 20)
    refused(pair, family, 5432, SSH, "ssh")
