#!/usr/bin/env python3
"""Looks into the violation log for the quickstart.

records.py LOG DESTINATION SOURCE REASON   exit status 0 if there is such a record
records.py --check LOG                     says whether the records name everything they should
"""
import json
import sys


def read(path):
    with open(path) as f:
        return [r for r in map(json.loads, f) if r["kind"] == "violation"]


def check(path):
    wanted = {(family, kind): False for family in (4, 6) for kind in ("intruder", "ssh")}
    for r in read(path):
        src, dst, verdicts = r["src"], r["dst"], r["verdicts"]
        if dst.get("labels") != {"app": "web"} or not verdicts:
            continue
        policy = verdicts[0].get("policy") or {}
        if (r["reason"] == "default_deny" and src.get("name") == "intruder" and src["labels"] == {"role": "none"}
                and "web-http-only" in json.dumps(verdicts)):
            wanted[r["flow"]["ipv"], "intruder"] = True
        if (r["reason"] == "protocol_mismatch" and src.get("name") == "client" and dst["name"] == "meter"
                and src["labels"] == {"role": "client", "app": "cart"} and policy.get("name") == "web-http-only"
                and (verdicts[0].get("rule") or {}).get("name") == "clients"
                and r["l7"]["expected"] == ["http"] and r["l7"]["seen"] == "ssh"):
            wanted[r["flow"]["ipv"], "ssh"] = True
    for (family, kind), there in sorted(wanted.items()):
        what = {"intruder": "intruder -> web refused: names, labels, policy",
                "ssh": "client -> meter, expected http, seen ssh: names, labels, policy, rule"}[kind]
        print(f"  {'recorded' if there else 'MISSING '} IPv{family}: {what}")
    return all(wanted.values())


if sys.argv[1] == "--check":
    sys.exit(0 if check(sys.argv[2]) else 1)
log, destination, source, reason = sys.argv[1:]
sys.exit(0 if any(r["reason"] == reason and r["flow"]["src"] == source and r["flow"]["dst"] == destination
                  for r in read(log)) else 1)
