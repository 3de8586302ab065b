// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * tests/bench/bench_rules.c - brings the policies of a shape into a router; what that takes, and what changes take
 *
 *	bench_rules product NAME ENDPOINTS POLICIES in|both|guarded CHANGES	into the tables of the router of topology NAME
 *	bench_rules linear ENDPOINTS POLICIES		the same policies for iptables-nft-restore: a rule for each pair
 *	bench_rules chains ENDPOINTS POLICIES		and for nft -f: a chain for each endpoint, found by a verdict map
 *
 * `product` goes the way of the agent: bh_compile*() -> bh_kernel_apply() -> bh_kernel_bump() where one is due. The tables
 * stay when the program ends. Local endpoints have links that the guard knows; guarded: so have the hosts that talk. CHANGES times each: a local endpoint with labels that are known comes, and goes; a policy
 * changes its port. It writes one line of JSON: milliseconds of the parts of each.
 */
#include <net/if.h>

#include "common/util.h"
#include "dataplane/kernel/kernel.h"
#include "policy/compile.h"
#include "tests/bench/meter.h"
#include "tests/bench/rules.h"
#include "tests/bench/world.h"

/* ---- other enforcers ---- */

static const char *addr_text(bool server, unsigned i, char *buf, size_t size)
{
	uint8_t b[16];

	(void)shape_addr(4, server, i, b);
	(void)snprintf(buf, size, "%u.%u.%u.%u", b[0], b[1], b[2], b[3]);
	return buf;
}

static void print_linear(const struct shape *s)
{
	char from[16], to[16];

	printf("*filter\n:INPUT ACCEPT [0:0]\n:FORWARD ACCEPT [0:0]\n:OUTPUT ACCEPT [0:0]\n"
	       "-A FORWARD -m conntrack --ctstate ESTABLISHED,RELATED -j ACCEPT\n");
	for (unsigned p = 0; p < s->policies; p++)
		for (unsigned k = p % s->apps; k < shape_local(s); k += s->apps)
			for (unsigned i = p % s->apps; i < s->clients; i += s->apps)
				printf(
				    "-A FORWARD -s %s/32 -d %s/32 -p tcp -m tcp --dport %u -j ACCEPT\n",
				    addr_text(false, i, from, sizeof(from)),
				    addr_text(true, k, to, sizeof(to)), world_policy_port(s, p));
	/* The servers' network: each is selected by some policy. */
	printf("-A FORWARD -d 10.16.0.0/12 -j DROP\nCOMMIT\n");
}

static void print_chains(const struct shape *s)
{
	char text[16];

	printf("table ip enforcer {\n");
	for (unsigned a = 0; a < s->apps; a++) {
		printf("set app%u { type ipv4_addr; elements = { ", a);
		for (unsigned i = a; i < s->clients; i += s->apps)
			printf("%s%s", i == a ? "" : ", ", addr_text(false, i, text, sizeof(text)));
		printf(" }; }\n");
	}
	for (unsigned k = 0; k < shape_local(s); k++) {
		printf("chain ep%u {\n", k);
		for (unsigned p = k % s->apps; p < s->policies; p += s->apps)
			printf("ip saddr @app%u tcp dport %u accept\n", k % s->apps,
			       world_policy_port(s, p));
		printf("drop\n}\n");
	}
	printf("map endpoints { type ipv4_addr : verdict; elements = { ");
	for (unsigned k = 0; k < shape_local(s); k++)
		printf("%s%s : goto ep%u", k ? ", " : "", addr_text(true, k, text, sizeof(text)),
		       k);
	printf(" }; }\nchain forward { type filter hook forward priority 0;\n"
	       "ct state established,related accept\nip daddr vmap @endpoints\n}\n}\n");
}

/* ---- the product ---- */

struct world {
	struct shape shape;
	struct bh_policy_set *set;
	const struct bh_endpoint **eps;
	size_t n_eps;
	struct bh_compiler *compiler;
	struct bh_kernel *kernel;
	struct bh_guard *guard;
	size_t n_guard;
	uint64_t revision;
};

/* Links of local endpoints, which are not there: numbers above those of the router's. */
#define LINKS 1000U

/* Milliseconds. */
struct took {
	double compile, apply, bump;
};

static void ok(int r, const struct bh_err *err)
{
	if (r >= 0)
		return;
	(void)fprintf(stderr, "bench_rules: %s\n", bh_err_text(err, r));
	exit(1);
}

static void into_kernel(struct world *w, const struct bh_compiled *c, double start,
			struct took *ret)
{
	struct bh_kernel_change change;
	struct bh_err err = { .code = 0 };
	double compiled = meter_now(), applied;

	ok(bh_kernel_apply(w->kernel, c->rules, c->addrs, c->n_addrs, w->guard, w->n_guard, &change,
			   &err),
	   &err);
	applied = meter_now();
	if (change.needs_bump)
		ok(bh_kernel_bump(w->kernel, &err), &err);
	*ret = (struct took){ (compiled - start) / 1e6, (applied - compiled) / 1e6,
			      (meter_now() - applied) / 1e6 };
}

static void guard_add(struct world *w, const struct bh_endpoint *ep, uint32_t link)
{
	w->guard[w->n_guard++] = (struct bh_guard){
		.ifindex = link,
		.has_mac = true,
		.routed = true,
		.mac = { 2, 1, (uint8_t)(link >> 24), (uint8_t)(link >> 16), (uint8_t)(link >> 8),
			 (uint8_t)link },
		.addrs = ep->addrs,
		.n_addrs = ep->n_addrs,
	};
}

/* The router's own links are those of an endpoint that has the addresses of all who talk. */
static void guard_router(struct world *w)
{
	static const uint8_t macs[2][6] = { METER_CLIENT_MAC, METER_SERVER_MAC };

	for (unsigned server = 0; server < 2; server++) {
		struct bh_addr *addrs = calloc(2 * FEW, sizeof(*addrs));
		struct bh_guard *g = &w->guard[w->n_guard++];
		uint8_t bytes[16];

		if (!addrs)
			meter_die("memory");
		for (unsigned i = 0; i < FEW; i++) {
			(void)shape_addr(4, server, i, bytes);
			addrs[2 * i] = bh_addr_from_v4(bytes);
			(void)shape_addr(6, server, i, bytes);
			addrs[2 * i + 1] = bh_addr_from_v6(bytes);
		}
		*g = (struct bh_guard){
			.ifindex = if_nametoindex(server ? "r1" : "r0"),
			.has_mac = true,
			.routed = true,
			.addrs = addrs,
			.n_addrs = 2UL * FEW,
		};
		memcpy(g->mac, macs[server], sizeof(g->mac));
	}
}

static struct took endpoint_change(struct world *w, const struct bh_endpoint *ep)
{
	const struct bh_endpoint_change change = { (uint32_t)w->n_eps, ep };
	size_t n_guard = w->n_guard;
	bh_cleanup(bh_compiled_done) struct bh_compiled c = { .rules = NULL };
	struct bh_err err = { .code = 0 };
	struct took took;
	double start = meter_now();

	ok(bh_compile_endpoints(w->compiler, &change, 1, ++w->revision, &c, &err), &err);
	/* Its place is behind the others. */
	if (ep)
		guard_add(w, ep, LINKS + (uint32_t)w->n_eps);
	into_kernel(w, &c, start, &took);
	/* When it goes, its link does. */
	w->n_guard = n_guard;
	return took;
}

static struct took policy_change(struct world *w, unsigned p, unsigned port)
{
	struct bh_policy_set *set = world_policies_with(w->set, &w->shape, p, port);
	const struct bh_compile_input in = { .set = set, .revision = ++w->revision };
	bh_cleanup(bh_compiled_done) struct bh_compiled c = { .rules = NULL };
	struct bh_err err = { .code = 0 };
	struct took took;
	double start = meter_now();

	ok(bh_compile_policies(w->compiler, &in, &c, &err), &err);
	into_kernel(w, &c, start, &took);
	bh_policy_set_free(w->set);
	w->set = set;
	return took;
}

static void print_part(const char *name, const struct took *v, unsigned n, size_t part,
		       const char *end)
{
	printf("\"%s\": [", name);
	for (unsigned i = 0; i < n; i++)
		printf("%s%.4f", i ? ", " : "", *(const double *)((const char *)&v[i] + part));
	printf("]%s", end);
}

static void print_took(const char *name, const struct took *v, unsigned n)
{
	printf(", \"%s\": {", name);
	print_part("compile", v, n, offsetof(struct took, compile), ", ");
	print_part("apply", v, n, offsetof(struct took, apply), ", ");
	print_part("bump", v, n, offsetof(struct took, bump), "}");
}

static struct took load(struct world *w, bool guarded)
{
	bh_cleanup(bh_compiled_done) struct bh_compiled c = { .rules = NULL };
	struct bh_compile_input in = { .revision = ++w->revision };
	struct bh_err err = { .code = 0 };
	size_t cells, classes;
	struct took took;
	double start;

	w->set = world_policies(&w->shape);
	w->n_eps = w->shape.clients + w->shape.servers;
	w->eps = calloc(w->n_eps, sizeof(struct bh_endpoint *));
	w->guard = calloc(w->n_eps + 3, sizeof(*w->guard));
	if (!w->eps || !w->guard)
		meter_die("memory");
	if (guarded)
		guard_router(w);
	for (unsigned i = 0; i < w->n_eps; i++)
		w->eps[i] = i < w->shape.clients
				? world_endpoint(&w->shape, false, i)
				: world_endpoint(&w->shape, true, i - w->shape.clients);
	for (unsigned i = 0; i < w->n_eps; i++)
		if (w->eps[i]->local)
			guard_add(w, w->eps[i], LINKS + i);
	in.set = w->set;
	in.eps = w->eps;
	in.n_eps = w->n_eps;
	ok(bh_compiler_new(&w->compiler), &err);
	start = meter_now();
	ok(bh_compile(w->compiler, &in, &c, &err), &err);
	into_kernel(w, &c, start, &took);
	(void)bh_ruleset_cells(c.rules, &cells);
	(void)bh_ruleset_classes(c.rules, &classes);
	printf("{\"cells\": %zu, \"classes\": %zu", cells, classes);
	return took;
}

static void changes(struct world *w, unsigned n)
{
	struct took *add = calloc(n, sizeof(*add)), *del = calloc(n, sizeof(*del)),
		    *policy = calloc(n, sizeof(*policy));

	if (!add || !del || !policy)
		meter_die("memory");
	meter_pin(0);
	for (unsigned i = 0; i < n; i++) {
		/* Of an application that is there: the class is known. */
		struct bh_endpoint *ep = world_endpoint(&w->shape, true, w->shape.servers + i);
		unsigned p = i / 2 * 7919U % w->shape.policies;

		add[i] = endpoint_change(w, ep);
		del[i] = endpoint_change(w, NULL);
		bh_endpoint_free(ep);
		/* To another port, and back. */
		policy[i] =
		    policy_change(w, p, i % 2 ? world_policy_port(&w->shape, p) : 20000 + i);
	}
	print_took("endpoint_add", add, n);
	print_took("endpoint_del", del, n);
	print_took("policy", policy, n);
}

static int product(const char *name, const struct shape *shape, bool guarded, unsigned n)
{
	const struct bh_kernel_config cfg = {
		.table = RULES_TABLE,
		.queue_base = RULES_QUEUE,
		.n_queues = 2,
		.nflog_group = RULES_NFLOG,
		.group_quarantine = RULES_QUARANTINE,
		.group_managed = RULES_MANAGED,
	};
	struct world w = { .shape = *shape };
	struct bh_err err = { .code = 0 };
	struct took took;
	bool adopted;

	meter_enter(name, 'r');
	ok(bh_kernel_open(&cfg, &w.kernel, &err), &err);
	ok(bh_kernel_start(w.kernel, &adopted, &err), &err);
	took = load(&w, guarded);
	print_took("load", &took, 1);
	if (n > 0)
		changes(&w, n);
	printf("}\n");
	/* The rules stay in force. Memory goes with the process. */
	bh_kernel_close(w.kernel);
	return 0;
}

static unsigned number(const char *text, unsigned least)
{
	unsigned long n = strtoul(text, NULL, 10);

	if (n < least || n > 10000000) {
		(void)fprintf(stderr, "bench_rules: '%s': a number, %u at least\n", text, least);
		exit(2);
	}
	return (unsigned)n;
}

int main(int argc, char **argv)
{
	const char *what = argc > 1 ? argv[1] : "";
	struct shape s;

	if (bh_streq(what, "product") && argc == 7) {
		s = shape_of(number(argv[3], 2 * FEW), number(argv[4], FEW),
			     bh_streq(argv[5], "both"));
		return product(argv[2], &s, bh_streq(argv[5], "guarded"), number(argv[6], 0));
	}
	if (argc == 4 && (bh_streq(what, "linear") || bh_streq(what, "chains"))) {
		s = shape_of(number(argv[2], 2 * FEW), number(argv[3], FEW), false);
		if (bh_streq(what, "linear"))
			print_linear(&s);
		else
			print_chains(&s);
		return 0;
	}
	(void)fprintf(stderr,
		      "usage: bench_rules product NAME ENDPOINTS POLICIES in|both|guarded CHANGES\n"
		      "       bench_rules linear|chains ENDPOINTS POLICIES\n");
	return 2;
}
