"""From the blocks that tests/bench/dataplane measured to figures, targets and tables.

The figure of a configuration is that of its fast blocks, below which one in twenty lies: a block is short, and what makes
it slow is mostly something else that the machine does. Between two topologies without rules this differs by one per cent
or two on a machine that is busy, less on an idle one; the median differs by five. Of bulk data one in five is taken: now
and then a connection runs three times as fast, with all that is under way in the cache.
"""
import platform
import re
import statistics

NONE = "no rules"
AGAIN = "no rules, again"
CONNTRACK = "conntrack alone"
QUEUE = "user space judges"
NAMES = {"linear": "linear rules", "chains": "chain per endpoint"}

# The clients are local, too, and their egress is judged; the router's links are those of containers, whose addresses are checked.
BOTH, GUARDED = SPECIAL = ("both directions", "guarded links")

ENDPOINT_MS, POLICY_MS, AT, POLICIES_OF_A_HOST = 2, 10, 10000, 1000
NEW_NS = 1200
FAST = {"bulk": 0.2, "else": 0.05}
BULK, CONNECTIONS, FLAT = 0.97, 0.85, 0.05


def product(endpoints, policies, special=""):
    return f"Bulkhead {endpoints} x {policies}" + (f", {special}" if special else "")


def other(kind, n):
    return f"{NAMES[kind]} {n} x {n}"


def conntrack_of(endpoints):
    """Where everybody talks: with as many addresses."""
    return f"{CONNTRACK}, {endpoints} endpoints"


def size(key):
    """(endpoints, policies) of a key; None: it has none."""
    words = key.split(",")[0].split()
    return (int(words[-3]), int(words[-1])) if len(words) > 3 and words[-2] == "x" else None


def machine():
    with open("/proc/cpuinfo", encoding="ascii", errors="replace") as f:
        models = [line.split(":")[1].strip() for line in f if line.startswith("model name")]
    return {"processor": models[0] if models else platform.machine(), "processors": len(models),
            "kernel": ".".join(platform.release().split("-")[0].split(".")[:2])}


def quantile(values, q):
    values = sorted(values)
    return values[min(len(values) - 1, int(q * len(values)))]


def rows(results):
    """One for each measure and configuration."""
    found = []
    for measure, blocks in results["measures"].items():
        ns = {key: quantile(v, FAST.get(measure, FAST["else"])) for key, v in blocks.items()}
        for key in blocks:
            base = CONNTRACK if CONNTRACK in ns else conntrack_of(size(key)[0]) if size(key) else key
            found.append({"measure": measure, "key": key, "ns": ns[key], "of_none": rate(ns, NONE, key),
                          "of_conntrack": rate(ns, base, key), "over_conntrack": ns[key] - ns[base]})
    return found


def rate(ns, base, key):
    """How many a second, in proportion to the base; "no rules" stands there twice."""
    if base not in ns:
        return None
    return (statistics.mean((ns[NONE], ns[AGAIN])) if base == NONE else ns[base]) / ns[key]


def changes(results, key):
    """What a change took, ms: name -> part -> [p50, p99]."""
    load = results["loads"].get(key, {})
    found = {}
    for name in ("endpoint_add", "endpoint_del", "policy"):
        if not isinstance(load.get(name), dict):
            continue
        parts = dict(load[name])
        parts["all"] = [sum(v) for v in zip(*load[name].values())]
        found[name] = {part: [quantile(v, 0.5), quantile(v, 0.99)] for part, v in parts.items()}
    return found


def pick(rows_, measure, key):
    return next((r for r in rows_ if r["measure"] == measure and r["key"] == key), None)


def products(rows_, measure):
    return [r for r in rows_ if r["measure"] == measure and r["key"].startswith("Bulkhead") and "," not in r["key"]]


# ---- targets ----

def target(row, value, text, met):
    return {"row": row, "value": value, "text": text, "met": met}


def flat(rows_, measure):
    """Ten endpoints against more, for each number of policies: what a unit costs."""
    found = []
    for r in products(rows_, measure):
        endpoints, policies = size(r["key"])
        base = pick(rows_, measure, product(10, policies))
        if endpoints == 10 or not base:
            continue
        change = r["ns"] / base["ns"] - 1
        found.append(target(f"{measure}, flat, {r['key']}", change,
                            f"{change:+.1%} against 10 endpoints; target: within {FLAT:.0%}", abs(change) <= FLAT))
    return found


def targets(results, rows_):
    found = []
    # One row of bulk data differs from the next by some per cent, with rules or without; that no size costs established
    # packets more is seen better below.
    bulk, alone = statistics.median(r["of_none"] for r in products(rows_, "bulk")), pick(rows_, "bulk", CONNTRACK)
    found.append(target("bulk throughput, Bulkhead, median of all sizes", bulk,
                        f"{bulk:.3f} of no rules (conntrack alone: {alone['of_none']:.3f}); target: {BULK} at least",
                        bulk >= BULK))
    for r in products(rows_, "connection"):
        found.append(target(f"new connections, {r['key']}", r["of_none"],
                            f"{r['of_none']:.3f} of no rules; target: {CONNECTIONS} at least",
                            r["of_none"] >= CONNECTIONS))
    for r in products(rows_, "packet, new"):
        found.append(target(f"packet, new, {r['key']}", r["over_conntrack"],
                            f"{r['over_conntrack']:+.0f} ns over conntrack alone; target: +{NEW_NS} at most",
                            r["over_conntrack"] <= NEW_NS))
    found += flat(rows_, "packet, established") + flat(rows_, "packet, new") + flat(rows_, "connection")
    for key in results["loads"]:
        if not key.startswith("Bulkhead") or size(key)[0] != AT:
            continue
        took = changes(results, key)
        for name, what, limit in (("endpoint_add", "endpoint known", ENDPOINT_MS),
                                  ("policy", "policy changed", POLICY_MS)):
            p50 = took[name]["all"][0]
            # What one host is to carry is 1,000 policies; an endpoint's change does not depend on them.
            if name == "policy" and size(key)[1] > POLICIES_OF_A_HOST:
                continue
            found.append(target(f"{what}, {key}", p50,
                                f"p50 {p50:.2f} ms until it is in the kernel; target: {limit} ms at most", p50 <= limit))
    return found


# ---- tables ----

def csv(rows_):
    lines = ["measure,configuration,ns,of_no_rules,of_conntrack,ns_over_conntrack"]
    for r in rows_:
        cells = [f'"{r["measure"]}"', f'"{r["key"]}"', f"{r['ns']:.1f}",
                 "" if r["of_none"] is None else f"{r['of_none']:.4f}", f"{r['of_conntrack']:.4f}",
                 f"{r['over_conntrack']:.1f}"]
        lines.append(",".join(cells))
    return "\n".join(lines) + "\n"


def table(head, body):
    lines = ["| " + " | ".join(head) + " |", "|" + " --- |" * len(head)]
    return "\n".join(lines + ["| " + " | ".join(r) + " |" for r in body]) + "\n"


def ns_text(ns):
    return f"{ns:,.0f}" if ns < 100000 else f"{ns / 1000:,.0f} k"


TITLES = {
    "packet, established": "Packets of established connections, ns each on their whole way",
    "packet, new": "First packets of new connections, ns each; five pairs of hosts talk in every size",
    "packet, refused": "Refused first packets, ns each",
    "packet, new, all pairs": "First packets of new connections, all hosts talk, ns each (more addresses: more misses of the cache)",
    "packet, established, IPv6": "The same over IPv6: established",
    "packet, new, IPv6": "The same over IPv6: new",
    "connection": "Connections by real sockets: connect, request, answer, reset; ns each, client and server included",
    "handshake": "The same without request and answer",
    "refused connection": "Attempts that are refused, ns each (without rules: answered by a reset)",
    "connection, IPv6": "Connections over IPv6",
    "bulk": "Bulk data over one connection, ns for each MiB",
}


def thousands(key):
    return re.sub(r"\d{4,}", lambda m: f"{int(m[0]):,}", key)


def measure_table(rows_, measure):
    body = []
    for r in (r for r in rows_ if r["measure"] == measure):
        body.append([thousands(r["key"]), ns_text(r["ns"]), "" if r["of_none"] is None else f"{r['of_none']:.3f}",
                     f"{r['of_conntrack']:.3f}", f"{r['over_conntrack']:+,.0f}"])
    return f"**{TITLES[measure]}**\n\n" + table(
        ["endpoints x policies", "ns", "rate, no rules = 1", "rate, conntrack alone = 1", "ns over conntrack"], body)


def ms(pair):
    return f"{pair[0]:.3f} / {pair[1]:.3f}"


def change_table(results):
    body = []
    for key in results["loads"]:
        for name, part in changes(results, key).items():
            what = {"endpoint_add": "endpoint comes", "endpoint_del": "endpoint goes", "policy": "policy changes"}[name]
            body.append([thousands(key), what, ms(part["all"]), ms(part["compile"]), ms(part["apply"]), ms(part["bump"])])
    text = table(["endpoints x policies", "change", "all", "compile", "apply", "new epoch"], body)
    body = [[thousands(key), f"{statistics.median(load['endpoint_add']):,.1f}"]
            for key, load in results["loads"].items() if isinstance(load.get("endpoint_add"), list)]
    return ("**Changes until they are in the kernel, ms, p50 / p99**\n\n" + text +
            "\n**One endpoint more, by the command of others, ms, median**\n\n" + table(["endpoints x policies", "ms"], body))


def memory_table(results):
    body = []
    for key, load in results["loads"].items():
        took = sum(v[0] for v in load["load"].values()) if "load" in load else load["seconds"] * 1e3
        body.append([thousands(key), f"{load.get('cells', ''):,}" if "cells" in load else "",
                     f"{load['kib'] / 1024:.1f}", f"{took:,.0f}"])
    own = all(load["own"] for load in results["loads"].values())
    how = "charged to a memory group of its own" if own else "difference of slab, vmalloc and per-CPU memory"
    return (f"**Kernel memory ({how}) and first load**\n\n" +
            table(["endpoints x policies", "cells", "MiB", "compile and load, ms"], body))


def target_table(targets_):
    return "**Targets**\n\n" + table(["row", "measured", "met"], [
        [thousands(t["row"]), t["text"], "yes" if t["met"] else "**no**"] for t in targets_])


def tables(results, rows_, targets_):
    m = results["machine"]
    head = (f"{m['processor']}, {m['processors']} processors, Linux {m['kernel']}; "
            f"{'quick run, ' if results['quick'] else ''}{results.get('seconds', 0) / 60:.0f} minutes; load average "
            f"{results['load_before'][0]:.1f} before, {results.get('load_after', [0])[0]:.1f} after.\n")
    parts = [head, target_table(targets_)]
    parts += [measure_table(rows_, measure) for measure in results["measures"]]
    parts += [change_table(results), memory_table(results)]
    return "\n".join(parts)
