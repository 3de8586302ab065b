"""Captures through the engine of the workers: `bulkhead replay`, compared with expect.tsv.

Each row gives a capture, a policy by protocol, and what every flow of it comes to. With BULKHEAD_CORPUS also the captures
of others, read where they lie: no flow that is certainly of a protocol with a probe may be refused where a policy
expects that protocol.
"""
import json
import os
import subprocess
from pathlib import Path

import pytest

HERE = Path(__file__).parent
ROOT = Path(os.environ.get("BH_SOURCE_ROOT", HERE.parents[1]))
BULKHEAD = Path(os.environ.get("BH_BUILD_ROOT", ROOT / "build")) / "cli" / "bulkhead"

ENDPOINT = """
apiVersion: bulkhead.network/v1alpha1
kind: Endpoint
metadata: {{name: server, namespace: lab, labels: {{app: server}}}}
spec: {{addresses: [{address}]}}
"""
POLICY = """
apiVersion: bulkhead.network/v1alpha1
kind: TrafficPolicy
metadata: {{name: only, namespace: lab}}
spec:
  podSelector: {{}}
  isolate: ingress
  ingress:
  - protocols: [{protocols}]
    {ports}
"""


def replay(tmp_path, capture, protocols, l4=None, port=None, server="10.77.0.2"):
    (tmp_path / "endpoints.yaml").write_text(ENDPOINT.format(address=server))
    ports = "ports: [{protocol: %s%s}]" % (l4.upper(), f", port: {port}" if port else "") if l4 else ""
    (tmp_path / "policy.yaml").write_text(POLICY.format(protocols=protocols, ports=ports))
    done = subprocess.run([BULKHEAD, "replay", "-o", "json", "--policy", tmp_path / "policy.yaml", "--endpoints",
                           tmp_path / "endpoints.yaml", capture], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)["flows"]


def rows():
    for line in (HERE / "expect.tsv").read_text().splitlines():
        if line and not line.startswith("#"):
            yield line.split("\t")


def fits(wanted, seen):
    wanted = wanted.split(",")
    if len(wanted) == 1:
        wanted *= len(seen)
    return len(wanted) == len(seen) and all(w in ("-", s) for w, s in zip(wanted, seen))


@pytest.mark.parametrize("row", rows(), ids=lambda r: f"{r[0]}-{r[3]}")
def test_capture(tmp_path, row):
    name, l4, port, protocols, verdict, seen, cause = row
    flows = [f for f in replay(tmp_path, HERE / name, protocols, l4, None if port == "-" else int(port))
             if f["transport"] == l4 and f["server"]["address"] == "10.77.0.2"
             and (port == "-" or f["server"]["port"] == int(port))]
    assert flows
    assert fits(verdict, [f["verdict"] for f in flows]), [f["verdict"] for f in flows]
    assert fits(seen, [f["protocol"] for f in flows]), [f["protocol"] for f in flows]
    assert fits(cause, [f["cause"] for f in flows]), [f["cause"] for f in flows]


CORPUS = os.environ.get("BULKHEAD_CORPUS")
# nDPI's names of the protocols that have a probe.
THEIRS = {"HTTP": "http", "TLS": "tls", "SSH": "ssh", "DNS": "dns", "Redis": "redis", "RESP": "redis",
          "PostgreSQL": "postgres"}


def foreign():
    """(capture, server, port, l4, our name): flows that nDPI recognised by their content, whole from the start."""
    if not CORPUS:
        return
    for line in (Path(CORPUS) / "flows.tsv").read_text().splitlines():
        if line.startswith(("#", "own/", "evasion/")):
            continue
        f = line.split("\t")
        name = f[9] if f[9] in THEIRS else f[6].split(".")[0]
        if f[8] == "dpi" and f[9] == name and name in THEIRS and (Path(CORPUS) / f[0]).exists():
            yield f[0], f[4], int(f[5]), f[1], f[2], int(f[3]), THEIRS[name]


# Refused with reason, although nDPI gives the protocol's name.
NOT_SO = {
    "ndpi/http-manipulated.pcap": "several spaces inside the request line, which RFC 9112 section 3 does not allow",
    "ndpi/ssh_unidirectional.pcap": "one direction only: nothing acknowledges, the other side's bytes are not there",
    "ndpi/mongo_false_positive.pcapng": "random bytes behind what looks like the header of a TLS record",
}


def test_captures_of_others(tmp_path):
    if not CORPUS:
        print("BULKHEAD_CORPUS is not set: the captures of others are no part of this run")
        return
    judged, wrong = 0, []
    for capture, server, port, l4, client, cport, protocol in foreign():
        if capture in NOT_SO:
            continue
        for f in replay(tmp_path, Path(CORPUS) / capture, protocol, server=server):
            if (f["server"], f["client"]["address"], f["client"]["port"], f["transport"]) == (
                    {**f["server"], "address": server, "port": port}, client, cport, l4) and not f["midstream"]:
                judged += 1
                if f["verdict"] == "refused" and f["cause"] == "protocol":
                    wrong.append(f"{capture} {client}:{cport} -> {server}:{port} {protocol}: seen {f['protocol']}")
    print(f"{judged} flows of others judged, {len(wrong)} refused")
    assert judged > 20
    assert not wrong, "\n".join(wrong)
