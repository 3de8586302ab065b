"""The plot of tests/bench/dataplane: what a new connection's first packet and a change cost, over the size. SVG by hand."""
import math
import statistics

import figures

WIDTH, HEIGHT, LEFT, TOP, GAP = 400, 300, 70, 60, 110
COLOURS = {"product": ("#1b6ca8", "#3a9ad9", "#8cc6ec"), "linear": ("#c0392b",), "chains": ("#d68910",),
           "plain": ("#555555", "#999999")}


def text(x, y, words, anchor="middle", extra=""):
    return (f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" {extra}>'
            + words.replace("&", "&amp;").replace("<", "&lt;") + "</text>")


class Panel:
    """A square of logarithmic axes."""

    def __init__(self, left, title, unit, xs, ys):
        self.left, self.title, self.unit = left, title, unit
        self.x_range = (math.log10(min(xs)), math.log10(max(xs)))
        self.y_range = (math.floor(math.log10(min(ys))), math.ceil(math.log10(max(ys))))
        self.parts, self.legend = [], []

    def at(self, x, y):
        (x0, x1), (y0, y1) = self.x_range, self.y_range
        return (self.left + (math.log10(x) - x0) / (x1 - x0) * WIDTH,
                TOP + HEIGHT - (math.log10(y) - y0) / (y1 - y0) * HEIGHT)

    def line(self, name, points, colour, dash=""):
        points = sorted(points)
        path = " ".join(f"{'M' if i == 0 else 'L'}{x:.1f} {y:.1f}" for i, (x, y) in
                        enumerate(self.at(*p) for p in points))
        self.parts.append(f'<path d="{path}" fill="none" stroke="{colour}" stroke-width="2"'
                          + (f' stroke-dasharray="{dash}"' if dash else "") + "/>")
        for x, y in (self.at(*p) for p in points):
            self.parts.append(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="{colour}"/>')
        self.legend.append((name, colour, dash))

    def svg(self):
        bottom = TOP + HEIGHT
        out = [text(self.left + WIDTH / 2, TOP - 30, self.title, extra='font-weight="bold"'),
               text(self.left - 8, TOP - 10, self.unit, "end")]
        for power in range(self.y_range[0], self.y_range[1] + 1):
            _, y = self.at(10 ** self.x_range[0], 10 ** power)
            out.append(f'<path d="M{self.left} {y:.1f}h{WIDTH}" stroke="#dddddd"/>')
            out.append(text(self.left - 8, y + 4, f"{10 ** power:,g}", "end"))
        for power in range(round(self.x_range[0]), round(self.x_range[1]) + 1):
            x, _ = self.at(10 ** power, 10 ** self.y_range[0])
            out.append(f'<path d="M{x:.1f} {TOP}v{HEIGHT}" stroke="#dddddd"/>')
            out.append(text(x, bottom + 16, f"{10 ** power:,}"))
        out.append(text(self.left + WIDTH / 2, bottom + 34, "endpoints"))
        out += self.parts
        for i, (name, colour, dash) in enumerate(self.legend):
            y = bottom + 58 + 18 * i
            out.append(f'<path d="M{self.left} {y - 4}h28" stroke="{colour}" stroke-width="2"'
                       + (f' stroke-dasharray="{dash}"' if dash else "") + "/>")
            out.append(text(self.left + 36, y, name, "start"))
        return "\n".join(out)


def curves(values):
    """key -> value, to kind -> [(endpoints, value)]."""
    found = {}
    for key, value in values.items():
        if "," in key or not figures.size(key):
            continue
        endpoints, policies = figures.size(key)
        kind = f"Bulkhead, {policies:,} policies" if key.startswith("Bulkhead") else key.rsplit(" ", 3)[0]
        found.setdefault(kind, []).append((endpoints, value))
    return found


def draw(panel, values):
    blue = iter(COLOURS["product"])
    for kind, points in curves(values).items():
        if kind.startswith("Bulkhead"):
            panel.line(kind, points, next(blue))
        else:
            name = next(k for k, v in figures.NAMES.items() if v == kind)
            panel.line(f"{kind}, as many policies as endpoints", points, COLOURS[name][0])


def svg(results, rows):
    ns = {r["key"]: r["ns"] / 1000 for r in rows if r["measure"] == "packet, new"}
    ms = {}
    for key, load in results["loads"].items():
        if key.startswith("Bulkhead") and "," not in key:
            ms[key] = figures.changes(results, key)["endpoint_add"]["all"][0]
        elif isinstance(load.get("endpoint_add"), list):
            ms[key] = statistics.median(load["endpoint_add"])
    packets = Panel(LEFT, "First packet of a new connection", "µs", [10, 100000], [1, *ns.values()])
    for name, grey, dash in ((figures.CONNTRACK, 0, "6 4"), (figures.NONE, 1, "2 3")):
        packets.line(name, [(10, ns[name]), (100000, ns[name])], COLOURS["plain"][grey], dash)
    draw(packets, ns)
    endpoint = Panel(LEFT + WIDTH + GAP, "One endpoint more: until it is in the kernel", "ms", [10, 100000], ms.values())
    draw(endpoint, ms)
    width, height = LEFT + 2 * WIDTH + GAP + 30, TOP + HEIGHT + 60 + 18 * 8
    return (f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" '
            f'font-family="sans-serif" font-size="12"><rect width="100%" height="100%" fill="white"/>\n'
            f"{packets.svg()}\n{endpoint.svg()}\n</svg>\n")
