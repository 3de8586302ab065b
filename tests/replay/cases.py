"""Captures and what `bulkhead replay` must make of them: the cases of expect.tsv, and those of a corpus outside."""
import collections
import csv
import json
import os
import subprocess
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = Path(os.environ.get("BH_SOURCE_ROOT", HERE.parents[1]))
BUILD = Path(os.environ.get("BH_BUILD_ROOT", ROOT / "build"))
BULKHEAD = BUILD / "cli" / "bulkhead"
SERVER = "10.77.0.2"

POLICY = """\
apiVersion: bulkhead.network/v1alpha1
kind: Endpoint
metadata: {{name: server, namespace: lab}}
spec:
  addresses: [{addresses}]
---
apiVersion: bulkhead.network/v1alpha1
kind: TrafficPolicy
metadata: {{name: allowed, namespace: lab}}
spec:
  podSelector: {{}}
  isolate: ingress
  ingress:
  - ports: [{port}]
    protocols: [{protocols}]
"""


def replay(capture, protocols, l4, port=None, addresses=(SERVER,)):
    """Every flow of the capture, when only these protocols may come in. A crash or an error is an exception."""
    entry = {"protocol": l4.upper()}
    if port:
        entry["port"] = port
    text = POLICY.format(addresses=", ".join(json.dumps(a) for a in addresses), port=json.dumps(entry),
                         protocols=", ".join(protocols))
    with tempfile.NamedTemporaryFile("w", suffix=".yaml") as f:
        f.write(text)
        f.flush()
        done = subprocess.run([BULKHEAD, "replay", "--policy", f.name, "-o", "json", capture],
                              capture_output=True, text=True, timeout=120)
    if done.returncode != 0:
        raise AssertionError(f"bulkhead replay ended with {done.returncode}: {done.stderr.strip()}")
    return json.loads(done.stdout)["flows"]


class Case:
    """A row of expect.tsv."""

    def __init__(self, row):
        self.file, self.l4, self.port, protocols, verdict, seen, cause = row
        self.protocols = protocols.split(",")
        self.expected = {"verdict": verdict.split(","), "protocol": seen.split(","), "cause": cause.split(",")}
        self.name = f"{self.file} as {protocols} over {self.l4}" + ("" if self.port == "-" else f"/{self.port}")

    def check(self):
        """Empty, or what is wrong."""
        port = None if self.port == "-" else int(self.port)
        flows = [f for f in replay(HERE / self.file, self.protocols, self.l4, port)
                 if f["transport"] == self.l4 and f["server"]["address"] == SERVER
                 and port in (None, f["server"]["port"])]
        if not flows:
            return "no such flow in the capture"
        wrong = []
        for key, want in self.expected.items():
            if len(want) == 1:
                want = want * len(flows)
            got = [f[key] or "-" for f in flows]
            if len(want) != len(got):
                return f"{len(got)} flows, not {len(want)}"
            wrong += [f"flow {i}: {key} {g}, not {w}" for i, (g, w) in enumerate(zip(got, want))
                      if w != g and (w != "-" or (key != "protocol" and g != "-"))]
        return "; ".join(wrong)


def cases():
    with open(HERE / "expect.tsv", encoding="utf-8") as f:
        return [Case(row) for row in csv.reader(f, delimiter="\t") if row and not row[0].startswith("#")]


# ---- a corpus outside: every flow that is certainly a protocol with a probe must pass where that is allowed ----

PROBED = {"HTTP": "http", "TLS": "tls", "SSH": "ssh", "DNS": "dns", "Redis": "redis", "RESP": "redis",
          "PostgreSQL": "postgres"}

# Flows of the foreign captures that are refused or not there, and rightly so.
EXCEPTIONS = {
    ("ndpi/http-manipulated.pcap", "http"): "many spaces before the target: no request line of RFC 9112",
    ("ndpi/mongo_false_positive.pcapng", "tls"): "not TLS: the corpus label is nDPI's guess",
    ("ndpi/ssh_unidirectional.pcap", "ssh"): "the client sends an empty line and never a version",
    ("ndpi/dns_invert_query.pcapng", "dns"): "an inverse query, which RFC 3425 withdrew",
    ("ndpi/http_asymmetric.pcapng", "http"): "addresses are translated between the two directions",
    ("ndpi/6in4tunnel.pcap", "tls"): "inside of a tunnel",
    ("ndpi/6in4tunnel.pcap", "http"): "inside of a tunnel",
    ("ndpi/6in4tunnel.pcap", "dns"): "inside of a tunnel",
    ("ndpi/4in6tunnel.pcap", "tls"): "inside of a tunnel",
    ("ndpi/fuzz-2006-09-29-28586.pcap", "http"): "mutated: checksums are wrong",
}


class CorpusCase:
    """A capture of the corpus, under a policy that allows the one protocol that some of its flows speak."""

    def __init__(self, corpus, file, protocol, flows):
        self.path, self.file, self.protocol, self.flows = corpus / file, file, protocol, flows
        self.name = f"{file} as {protocol}"

    def check(self):
        wrong = []
        ends = {end[0] for f in self.flows for end in (f[1], f[2])}
        for l4 in sorted({f[0] for f in self.flows}):
            found = {}
            for f in replay(self.path, [self.protocol], l4, addresses=sorted(ends)):
                ends_of = [(f[e]["address"], f[e]["port"]) for e in ("client", "server")]
                found.setdefault((f["transport"], *ends_of), f)
                found.setdefault((f["transport"], *reversed(ends_of)), f)
            for flow in (f for f in self.flows if f[0] == l4):
                got = found.get(flow)
                if got is None:
                    wrong.append(f"{flow}: no such flow")
                elif got["midstream"]:
                    # Its beginning is missing: that is refused under a contract, as the kernel does.
                    if got["verdict"] == "allowed":
                        wrong.append(f"{flow}: allowed without its beginning")
                elif got["verdict"] == "refused":
                    wrong.append(f"{flow}: refused, {got['cause']}, seen {got['protocol']}")
        if wrong and (self.file, self.protocol) in EXCEPTIONS:
            return ""
        return "; ".join(wrong)


def corpus_cases():
    """Nothing where BULKHEAD_CORPUS is not set."""
    corpus = os.environ.get("BULKHEAD_CORPUS")
    if not corpus:
        return []
    corpus = Path(corpus)
    wanted = collections.defaultdict(list)
    with open(corpus / "flows.tsv", encoding="utf-8") as f:
        for row in csv.reader(f, delimiter="\t", quoting=csv.QUOTE_NONE):
            if row[0].startswith("#"):
                continue
            file, l4, client, cport, server, sport, ndpi, _, how = row[:9]
            label = row[15] if row[15] != "-" else ndpi if how == "dpi" else ""
            protocol = PROBED.get(label.split(".")[0])
            if protocol:
                wanted[file, protocol].append((l4, (client, int(cport)), (server, int(sport))))
    assert len(wanted) > 20, f"{corpus} holds hardly anything to look at"
    return [CorpusCase(corpus, file, protocol, flows) for (file, protocol), flows in sorted(wanted.items())]
