"""What of a folder is to be run, by several evaluators at once, and how the results are told."""
import argparse
import fnmatch
import os
import queue
import signal
import sys
import threading
from pathlib import Path

import conformance

ENDS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
NOTES_SHOWN = 100               # of one case; all with -v


class Item:
    """A case, one manifest of validation.yaml, or a file that is none of ours."""

    def __init__(self, kind, group, label, names, run, world=None):
        self.kind, self.group, self.label, self.names, self.run = kind, group, label, names, run
        self.world = world              # of a case: the file


def classify(path):
    """"case", "manifests", or "world": by what stands in the file."""
    text = conformance.read(path)
    docs = conformance.documents(text)
    first = conformance.parse(docs[0]) if docs else None
    if isinstance(first, list):
        return "manifests", first
    if isinstance(first, dict) and first.get("kind") == "Case":
        return "case", first
    if isinstance(first, dict) and "world" in first and "endpoints" in first:
        return "world", None
    raise conformance.BadFile("it is no case, no world, and no list of manifests")


def bad_file(path, why):
    def run(_):
        result = conformance.Result(path.stem)
        result.notes.append(why)
        return result
    return Item("bad", str(path.parent), str(path), [path.stem, f"{path.parent.name}/{path.stem}"], run)


def items_of_file(path, run_case):
    """Nothing is passed over: a file that is none of ours fails."""
    try:
        what, content = classify(path)
    except conformance.BadFile as e:
        return [bad_file(path, str(e))]
    if what == "case":
        names = [path.stem, f"{path.parent.name}/{path.stem}", str(content.get("id"))]
        return [Item("case", str(path.parent), str(path), names, lambda evaluator: run_case(evaluator, path),
                     world=(path.parent / str(content.get("world"))).resolve())]
    return [Item("manifest", str(path), f"{path}: {e.get('id')}", [str(e.get("id")), f"{path.stem}/{e.get('id')}"],
                 lambda evaluator, e=e: conformance.run_manifest(evaluator, e))
            for e in content or [] if isinstance(e, dict)]


def collect(paths, only=None, run_case=conformance.run_case):
    items = []
    for path in map(Path, paths):
        files = sorted(f for f in path.rglob("*.yaml") if f.parent.name != "worlds") if path.is_dir() else [path]
        for f in files:
            items += items_of_file(f, run_case)
    return [i for i in items if not only or any(fnmatch.fnmatch(n, only) for n in i.names)]


# ---- running ----

def lots_of(items, by_world):
    """Lists of the numbers of items that run one after the other, the longest first."""
    lots = {}
    for i, item in enumerate(items):
        lots.setdefault(item.world if by_world and item.world else i, []).append(i)
    return sorted(lots.values(), key=len, reverse=True)


def run_all(items, jobs, make, tell, stop=None):
    """Calls tell(item, result) in the order of the items. Returns what is wrong with the evaluators themselves.

    make() makes an evaluator, for a thread. One that must be closed whatever happens comes with stop, an event: what ends
    this early sets it and waits. Such a one also keeps a world, so cases of one world come one after the other.
    """
    results, todo = [None] * len(items), queue.SimpleQueue()
    done = [threading.Event() for _ in items]
    trouble = []

    def one(evaluator, i):
        try:
            results[i] = items[i].run(evaluator)
        except Exception as e:                              # told as a failure of this one
            results[i] = conformance.Result(items[i].label)
            results[i].notes.append(f"{type(e).__name__}: {e}")
        done[i].set()

    def work():
        if stop:
            # Inherited by what is run here: a Ctrl-C that kills half of it would leave the other half behind.
            signal.pthread_sigmask(signal.SIG_BLOCK, ENDS)
        evaluator = make()
        try:
            while not (stop and stop.is_set()):
                for i in todo.get_nowait():
                    one(evaluator, i)
        except queue.Empty:
            pass
        status = evaluator.close()
        if status:
            trouble.append(f"an evaluator ended with {status}")

    lots = lots_of(items, bool(stop))
    for lot in lots:
        todo.put(lot)
    threads = [threading.Thread(target=work, daemon=True) for _ in range(max(1, min(jobs, len(lots))))]
    for t in threads:
        t.start()
    try:
        for i, item in enumerate(items):
            done[i].wait()
            tell(item, results[i])
            results[i] = None
    except BaseException:
        if stop:
            stop.set()
            for s in ENDS:                                  # once is enough: all is being taken down
                signal.signal(s, signal.SIG_IGN)
            for t in threads:
                t.join()
        raise
    for t in threads:
        t.join()
    return trouble


class Teller:
    def __init__(self, verbose=False, out=sys.stdout):
        self.verbose, self.out = verbose, out
        self.groups = {}                                    # group: [passed, failed, cells, compiled again]

    def say(self, text):
        print(text, file=self.out)

    def tell(self, item, result):
        g = self.groups.setdefault(item.group, [0, 0, 0, 0])
        g[0 if result.passed else 1] += 1
        g[2] += result.cells
        g[3] += result.again
        if self.verbose and result.passed:
            self.say(f"{item.label}: passed" + (f", {result.cells} cells" if result.cells else ""))
        shown = result.notes if self.verbose else result.notes[:NOTES_SHOWN]
        for note in shown:
            self.say(f"{item.label}: {note}")
        if len(shown) < len(result.notes):
            self.say(f"{item.label}: and {len(result.notes) - len(shown)} more (-v shows them)")

    def passed(self):
        return sum(g[0] for g in self.groups.values())

    def failed(self):
        return sum(g[1] for g in self.groups.values())

    def sum_up(self):
        for name, (passed, failed, cells, again) in self.groups.items():
            self.say(f"{name}: {passed} passed, {failed} failed" + (f", {cells} cells" if cells else "") +
                     (f"; {again} steps were compiled from scratch instead of by changes" if again else ""))


def run(items, make, jobs=1, verbose=False, stop=None):
    """Runs, tells, closes with "N passed, N failed". Returns the exit status."""
    teller = Teller(verbose)
    trouble = run_all(items, jobs, make, teller.tell, stop)
    for text in trouble:
        teller.say(text)
    if not items:
        teller.say("there is nothing to run")
    teller.sum_up()
    teller.say(f"{teller.passed()} passed, {teller.failed() + len(trouble)} failed")
    return 0 if items and not trouble and not teller.failed() else 1


# ---- what both programs have ----

def arguments(description):
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, metavar="N", help="so many at once")
    parser.add_argument("-v", "--verbose", action="store_true", help="tell what passed too, and every wrong cell")
    parser.add_argument("--eval", default=conformance.program(), help=argparse.SUPPRESS)
    return parser


def parse(parser):
    args = parser.parse_args()
    if args.jobs < 1:
        parser.error("--jobs: at least 1")
    if not os.access(args.eval, os.X_OK):
        parser.error(f"{args.eval}: not built; run: ninja -C build policy/conformance_eval")
    return args


def end_with(main):
    """Who reads the output may stop reading; who stops the program leaves nothing behind."""
    for s in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(s, lambda number, _: sys.exit(128 + number))
    try:
        status = main()
        sys.stdout.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        status = 1
    except KeyboardInterrupt:
        status = 130
    sys.exit(status)
