/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * tests/bench/bench_compile.c - how long does a compile take, and how large is what comes out?
 *
 * A cluster of equal namespaces: in each some applications of several pods, and policies that name an
 * application as subject, two others and a namespace label as peers, an ipBlock, a port, a range, and in
 * every third policy a protocol.
 *
 *	bench_compile [ENDPOINTS [POLICIES [NAMESPACES [LOCAL-PERCENT]]]]	default 10000 1000 100 100
 */
#include "policy/compile.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#define APPS 10U

static unsigned n_eps = 10000, n_policies = 1000, n_namespaces = 100, local_percent = 100;

static void *must(void *p)
{
	if (!p)
		abort();
	return p;
}

static char *text(const char *fmt, unsigned n)
{
	char b[64];

	snprintf(b, sizeof(b), "%s%u", fmt, n);
	return must(strdup(b));
}

static void selector(struct bh_selector *s, const char *key, char *value)
{
	s->reqs = must(calloc(1, sizeof(*s->reqs)));
	s->n = 1;
	s->reqs[0].op = BH_SEL_IN;
	s->reqs[0].key = must(strdup(key));
	s->reqs[0].values = must(calloc(1, sizeof(char *)));
	s->reqs[0].values[0] = value;
	s->reqs[0].n_values = 1;
}

static void rule_make(struct bh_rule *r, unsigned i)
{
	char cidr[32];

	r->action = BH_ACTION_ALLOW;
	r->n_peers = 4;
	r->peers = must(calloc(4, sizeof(*r->peers)));
	for (unsigned k = 0; k < 3; k++)
		r->peers[k].kind = BH_PEER_ENDPOINTS;
	r->peers[0].has_pod = r->peers[1].has_pod = true;
	selector(&r->peers[0].pod, "app", text("app-", (i + 1) % APPS));
	selector(&r->peers[1].pod, "app", text("app-", (i + 3) % APPS));
	r->peers[2].has_ns = r->peers[2].has_pod = true;
	selector(&r->peers[2].ns, "team", text("team-", i % 20));
	selector(&r->peers[2].pod, "app", text("app-", i % APPS));
	r->peers[3].kind = BH_PEER_BLOCK;
	snprintf(cidr, sizeof(cidr), "172.%u.%u.0/24", 16 + i % 16, i % 256);
	if (bh_prefix_parse(cidr, &r->peers[3].block.cidr) < 0)
		abort();
	r->n_ports = 2;
	r->ports = must(calloc(2, sizeof(*r->ports)));
	r->ports[0] = (struct bh_port){ .l4 = BH_L4_TCP, .lo = 8080, .hi = 8080 };
	r->ports[1] =
	    (struct bh_port){ .l4 = BH_L4_TCP, .lo = 9000, .hi = (uint16_t)(9010 + i % 5) };
	if (i % 3 == 0) {
		r->has_protocols = true;
		bh_protoset_add(&r->protocols, BH_PROTO_HTTP);
	}
}

static struct bh_policy_set *policies_make(void)
{
	struct bh_policy_set *set = must(bh_policy_set_new());

	set->policies = must(calloc(n_policies, sizeof(struct bh_policy *)));
	for (unsigned i = 0; i < n_policies; i++) {
		struct bh_policy *p = must(calloc(1, sizeof(*p)));

		p->kind = BH_KIND_TRAFFIC_POLICY;
		p->ns = text("ns-", i % n_namespaces);
		p->name = text("policy-", i);
		p->file = text("bench.yaml", 0);
		p->source = text("", 0);
		p->tier = BH_TIER_APPLICATION;
		p->priority = -1;
		p->mode = BH_MODE_ENFORCE;
		selector(&p->pods, "app", text("app-", i / n_namespaces % APPS));
		for (enum bh_dir d = BH_DIR_INGRESS; d < BH_DIR_COUNT; d++) {
			p->isolates[d] = true;
			p->n_rules[d] = 1;
			p->rules[d] = must(calloc(1, sizeof(struct bh_rule)));
			rule_make(&p->rules[d][0], i);
		}
		set->policies[set->n_policies++] = p;
	}
	set->namespaces = must(calloc(n_namespaces, sizeof(struct bh_namespace *)));
	for (unsigned i = 0; i < n_namespaces; i++) {
		struct bh_namespace *ns = must(calloc(1, sizeof(*ns)));
		char *team = text("team-", i % 20);

		ns->name = text("ns-", i);
		if (bh_labels_set(&ns->labels, "team", team) < 0)
			abort();
		free(team);
		set->namespaces[set->n_namespaces++] = ns;
	}
	return set;
}

static struct bh_endpoint **endpoints_make(void)
{
	struct bh_endpoint **eps = must(calloc(n_eps, sizeof(struct bh_endpoint *)));

	for (unsigned i = 0; i < n_eps; i++) {
		struct bh_endpoint *ep = must(calloc(1, sizeof(*ep)));
		char *app = text("app-", i / n_namespaces % APPS), addr[64];

		ep->id = text("id-", i);
		ep->ns = text("ns-", i % n_namespaces);
		ep->name = text("pod-", i);
		ep->local = i % 100 < local_percent;
		ep->addrs = must(calloc(2, sizeof(*ep->addrs)));
		ep->n_addrs = 2;
		snprintf(addr, sizeof(addr), "10.%u.%u.%u", i >> 16 & 255, i >> 8 & 255, i & 255);
		if (bh_addr_parse(addr, &ep->addrs[0]) < 0)
			abort();
		snprintf(addr, sizeof(addr), "fd00::%x:%x", i >> 16 & 255, i & 65535);
		if (bh_addr_parse(addr, &ep->addrs[1]) < 0)
			abort();
		if (bh_labels_set(&ep->labels, "app", app) < 0 ||
		    bh_labels_set(&ep->labels, "pod", ep->name) < 0)
			abort();
		free(app);
		eps[i] = ep;
	}
	return eps;
}

static double now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

static void lookups(const struct bh_compiled *out)
{
	double start;
	uint32_t sum = 0;
	unsigned n = 1000000;

	if (out->n_addrs == 0)
		return;
	start = now_ms();
	for (unsigned i = 0; i < n; i++) {
		const struct bh_addr_class *a = &out->addrs[i * 7919UL % out->n_addrs];
		const struct bh_addr_class *b = &out->addrs[i * 104729UL % out->n_addrs];
		struct bh_conn c = {
			.src = a->addr,
			.dst = b->addr,
			.src_class = a->cls,
			.dst_class = b->cls,
			.src_local = a->local,
			.dst_local = b->local,
			.l4 = BH_L4_TCP,
			.dport = 8080,
		};
		struct bh_decision d = bh_ruleset_decide(out->rules, &c);

		sum ^= d.egress ^ d.ingress;
	}
	printf("  a decision (both directions): %.0f ns (%x)\n", (now_ms() - start) * 1e6 / n,
	       sum & 1);
}

int main(int argc, char **argv)
{
	unsigned *const args[] = { &n_eps, &n_policies, &n_namespaces, &local_percent };
	struct bh_policy_set *set;
	struct bh_endpoint **eps;
	struct bh_compiler *c;
	struct rusage use;

	for (int i = 1; i < argc && i <= 4; i++)
		*args[i - 1] = (unsigned)strtoul(argv[i], NULL, 10);
	set = policies_make();
	eps = endpoints_make();
	if (bh_compiler_new(&c) < 0)
		return 1;
	printf("%u endpoints, %u policies, %u namespaces, %u %% local\n", n_eps, n_policies,
	       n_namespaces, local_percent);
	for (unsigned i = 1; i <= 3; i++) {
		struct bh_compiled out;
		struct bh_err err;
		double start = now_ms();
		size_t cells, classes, contracts, size;

		const struct bh_compile_input in = {
			.set = set,
			.eps = (const struct bh_endpoint *const *)eps,
			.n_eps = n_eps,
			.revision = i,
		};

		if (bh_compile(c, &in, &out, &err) < 0) {
			fprintf(stderr, "bench_compile: %s\n", err.msg);
			return 1;
		}
		(void)bh_ruleset_cells(out.rules, &cells);
		(void)bh_ruleset_classes(out.rules, &classes);
		(void)bh_ruleset_contracts(out.rules, &contracts);
		(void)bh_ruleset_data(out.rules, &size);
		printf("  compile %u: %.1f ms; %zu classes, %zu cells, %zu contracts, %zu KiB\n", i,
		       now_ms() - start, classes, cells, contracts, size / 1024);
		if (i == 3)
			lookups(&out);
		bh_compiled_done(&out);
	}
	getrusage(RUSAGE_SELF, &use);
	printf("  peak memory of the process: %ld KiB\n", use.ru_maxrss);
	bh_compiler_free(c);
	for (unsigned i = 0; i < n_eps; i++)
		bh_endpoint_free(eps[i]);
	free(eps);
	bh_policy_set_free(set);
	return 0;
}
