"""Captures through `bulkhead replay`: what must come out stands in expect.tsv; what people see stands here."""
import json
import subprocess

import pytest

import cases


@pytest.mark.parametrize("case", cases.cases() + cases.corpus_cases(), ids=lambda c: c.name)
def test_case(case):
    assert case.check() == ""


def bulkhead(*args):
    return subprocess.run([cases.BULKHEAD, "replay", *args], capture_output=True, text=True, timeout=60)


@pytest.fixture
def policy(tmp_path):
    path = tmp_path / "policy.yaml"
    path.write_text(cases.POLICY.format(addresses=cases.SERVER, port="{protocol: TCP}", protocols="http"))
    return path


def test_table(policy):
    done = bulkhead("--policy", policy, cases.HERE / "captures/ssh.pcap", cases.HERE / "captures/websocket.pcap")
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == [
        "VERDICT  CLIENT           SERVER      PORT      SEEN  BY     PKTS/BYTES  REASON",
        "refused  10.77.0.1:45678  lab/server  22/tcp    ssh   probe  1/41        only http allowed here, by "
        "TrafficPolicy lab/allowed ingress[0]",
        "refused  10.77.0.1:39250  lab/server  443/tcp   ssh   probe  1/41        only http allowed here, by "
        "TrafficPolicy lab/allowed ingress[0]",
        "allowed  10.77.0.1:50228  lab/server  8765/tcp  http  probe  1/268       allowed by TrafficPolicy "
        "lab/allowed ingress[0]",
        "",
        "1 allowed, 2 refused",
    ]


def test_json(policy):
    done = bulkhead("--policy", policy, "-o", "json", cases.HERE / "captures/ssh.pcap")
    v = json.loads(done.stdout)
    assert v["summary"] == {"allowed": 0, "refused": 2, "open": 0}
    assert v["captures"][0]["packets"] == 54
    flow = v["flows"][0]
    assert (flow["transport"], flow["verdict"], flow["decidedBy"]) == ("tcp", "refused", "protocol")
    assert flow["client"] == {"address": "10.77.0.1", "port": 45678, "endpoint": None}
    assert flow["server"] == {"address": "10.77.0.2", "port": 22, "endpoint": "lab/server"}
    assert (flow["protocol"], flow["by"], flow["cause"]) == ("ssh", "probe", "protocol")
    assert flow["untilCertain"] == {"packets": 1, "clientBytes": 41, "serverBytes": 0}
    [direction] = flow["directions"]
    assert (direction["dir"], direction["action"]) == ("ingress", "drop")
    assert (direction["policy"]["namespace"], direction["policy"]["name"]) == ("lab", "allowed")
    assert direction["rule"]["index"] == 0


def test_refused_by_address_alone(tmp_path):
    path = tmp_path / "deny.yaml"
    path.write_text(cases.POLICY.format(addresses=cases.SERVER, port="80", protocols="http"))
    done = bulkhead("--policy", path, "-o", "json", cases.HERE / "captures/ssh.pcap")
    flow = json.loads(done.stdout)["flows"][0]
    assert (flow["verdict"], flow["decidedBy"], flow["queued"]) == ("refused", "address", 0)


def test_without_a_contract_it_says_what_is_spoken(tmp_path):
    path = tmp_path / "none.yaml"
    path.write_text("apiVersion: v1\nkind: Namespace\nmetadata: {name: lab}\n")
    done = bulkhead("--policy", path, "-o", "json", cases.HERE / "captures/ssh.pcap")
    flow = json.loads(done.stdout)["flows"][0]
    assert (flow["verdict"], flow["decidedBy"], flow["protocol"]) == ("allowed", "address", "ssh")
    assert flow["directions"] == []


@pytest.mark.parametrize("content, says", [
    (b"", "truncated dump file"),
    (b"this is no capture, whatever its name says", "unknown file format"),
    # A link layer that is not known here: IEEE 802.11.
    (b"\xd4\xc3\xb2\xa1\x02\x00\x04\x00" + bytes(8) + b"\xff\xff\x00\x00\x69\x00\x00\x00", "IEEE802_11"),
], ids=["empty", "text", "wlan"])
def test_files_that_cannot_be_read(policy, tmp_path, content, says):
    path = tmp_path / "x.pcap"
    path.write_bytes(content)
    done = bulkhead("--policy", policy, path)
    assert done.returncode == 1
    assert str(path) in done.stderr and says in done.stderr


def test_missing_file(policy):
    done = bulkhead("--policy", policy, "/nonexistent.pcap")
    assert done.returncode == 1
    assert "/nonexistent.pcap: No such file or directory" in done.stderr


def test_capture_cut_in_a_packet_tells_what_it_has(policy, tmp_path):
    whole = (cases.HERE / "captures/websocket.pcap").read_bytes()
    path = tmp_path / "cut.pcap"
    for size in range(24, len(whole), 97):
        path.write_bytes(whole[:size])
        done = bulkhead("--policy", policy, "-o", "json", path)
        assert done.returncode == 0, done.stderr
        assert len(json.loads(done.stdout)["flows"]) <= 1
