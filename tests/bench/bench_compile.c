/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * tests/bench/bench_compile.c - how long does a compile take, how large is what comes out, what does a change cost?
 *
 * A cluster: namespaces of equal size, in each some applications, pods of an application alike but for a label of their
 * own (as StatefulSets have). A namespace has five policies of its own, each for one application: other applications
 * of the namespace, two of other namespaces by their labels, a namespace label, ipBlocks (one of them 0.0.0.0/0 with
 * exceptions), single ports, named ports, ranges, and in every third policy a protocol. A few cluster-wide policies
 * stand above and below them. Some pods are local: they are the subjects.
 *
 *	bench_compile				the sizes of docs/decisions/0007, small to extreme
 *	bench_compile PODS POLICIES NAMESPACES LOCAL [unique]
 *						one size; unique: every pod is a class of its own
 *
 * Times are medians of several runs, of the processor (the machine may be busy); "baseline" is what hashing every
 * label of every pod once takes in the same process, so that figures of different machines can be compared by ratio.
 */
#include "common/hash.h"
#include "common/util.h"
#include "policy/compile.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define APPS 10U

struct size {
	const char *name;
	unsigned pods, policies, namespaces, local;
	bool unique;
};

struct world {
	struct size z;
	struct bh_policy_set *set;
	struct bh_endpoint **eps;
	struct bh_compiler *c;
	uint64_t revision;
};

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

/* ---- policies ---- */

static void want(struct bh_selector *s, const char *key, char *value)
{
	struct bh_sel_req *q;

	s->reqs = must(reallocarray(s->reqs, s->n + 1, sizeof(*s->reqs)));
	q = &s->reqs[s->n++];
	*q = (struct bh_sel_req){ .op = BH_SEL_IN, .key = must(strdup(key)), .n_values = 1 };
	q->values = must(calloc(1, sizeof(char *)));
	q->values[0] = value;
}

static struct bh_peer *peer_add(struct bh_rule *r, enum bh_peer_kind kind)
{
	struct bh_peer *p;

	r->peers = must(reallocarray(r->peers, r->n_peers + 1, sizeof(*r->peers)));
	p = &r->peers[r->n_peers++];
	*p = (struct bh_peer){ .kind = kind };
	return p;
}

static void block_add(struct bh_rule *r, const char *cidr, const char *except)
{
	struct bh_ip_block *b = &peer_add(r, BH_PEER_BLOCK)->block;

	if (bh_prefix_parse(cidr, &b->cidr) < 0)
		abort();
	if (!except)
		return;
	b->except = must(calloc(1, sizeof(*b->except)));
	b->n_except = 1;
	if (bh_prefix_parse(except, &b->except[0]) < 0)
		abort();
}

static void peers_make(struct bh_rule *r, unsigned i, enum bh_dir dir)
{
	struct bh_peer *p;
	char cidr[32];

	for (unsigned k = 1; k <= 3; k += 2) {
		p = peer_add(r, BH_PEER_ENDPOINTS);
		p->has_pod = true;
		want(&p->pod, "app", text("app-", (i + k) % APPS));
	}
	for (unsigned k = 0; k < 2; k++) {
		p = peer_add(r, BH_PEER_ENDPOINTS);
		p->has_ns = p->has_pod = true;
		want(&p->ns, "team", text("team-", (i + k) % 100));
		want(&p->pod, "app", text("app-", (i + k) % APPS));
	}
	if (i % 4 == 0) {
		p = peer_add(r, BH_PEER_ENDPOINTS);
		p->has_ns = true;
		want(&p->ns, "team", text("team-", i % 100));
	}
	snprintf(cidr, sizeof(cidr), "172.%u.%u.0/24", 16 + i % 16, i / 16 % 256);
	block_add(r, cidr, NULL);
	if (dir == BH_DIR_EGRESS && i % 2 == 0)
		block_add(r, "0.0.0.0/0", "10.0.0.0/8");
}

static void rule_make(struct bh_rule *r, unsigned i, enum bh_dir dir)
{
	r->action = BH_ACTION_ALLOW;
	peers_make(r, i, dir);
	r->has_ports = true;
	r->n_ports = 3;
	r->ports = must(calloc(3, sizeof(*r->ports)));
	r->ports[0] = (struct bh_port){ .l4 = BH_L4_TCP, .lo = 8080, .hi = 8080 };
	r->ports[1] =
	    (struct bh_port){ .l4 = BH_L4_TCP, .lo = 9000, .hi = (uint16_t)(9010 + i % 5) };
	r->ports[2] = (struct bh_port){ .l4 = BH_L4_TCP, .name = must(strdup("metrics")) };
	if (i % 3 == 0) {
		r->has_protocols = true;
		bh_protoset_add(&r->protocols, BH_PROTO_HTTP);
	}
}

static struct bh_policy *policy_new(enum bh_kind kind, char *ns, char *name)
{
	struct bh_policy *p = must(calloc(1, sizeof(*p)));

	p->kind = kind;
	p->ns = ns;
	p->name = name;
	p->file = text("bench.yaml", 0);
	p->source = must(strdup(""));
	p->tier = BH_TIER_APPLICATION;
	p->priority = -1;
	p->mode = BH_MODE_ENFORCE;
	p->unknown = BH_FAIL_REFUSE;
	return p;
}

static struct bh_policy *policy_make(const struct size *z, unsigned i)
{
	struct bh_policy *p =
	    policy_new(BH_KIND_TRAFFIC_POLICY, text("ns-", i % z->namespaces), text("policy-", i));

	want(&p->pods, "app", text("app-", i / z->namespaces % APPS));
	for (enum bh_dir d = BH_DIR_INGRESS; d < BH_DIR_COUNT; d++) {
		p->isolates[d] = true;
		p->n_rules[d] = 1;
		p->rules[d] = must(calloc(1, sizeof(struct bh_rule)));
		rule_make(&p->rules[d][0], i, d);
	}
	return p;
}

/* Above: no shell from one team; below: the world is refused. */
static struct bh_policy *cluster_make(unsigned i)
{
	struct bh_policy *p =
	    policy_new(BH_KIND_CLUSTER_TRAFFIC_POLICY, must(strdup("")), text("cluster-", i));
	struct bh_rule *r;

	p->tier = i % 2 ? BH_TIER_BASELINE : BH_TIER_ADMIN;
	p->priority = (int)i;
	p->n_rules[BH_DIR_INGRESS] = 1;
	r = p->rules[BH_DIR_INGRESS] = must(calloc(1, sizeof(*r)));
	r->action = BH_ACTION_DENY;
	if (i % 2) {
		peer_add(r, BH_PEER_ENTITY)->entity = BH_ENTITY_WORLD;
	} else {
		struct bh_peer *peer = peer_add(r, BH_PEER_ENDPOINTS);

		peer->has_ns = true;
		want(&peer->ns, "team", text("team-", i));
		r->has_protocols = true;
		bh_protoset_add(&r->protocols, BH_PROTO_SSH);
	}
	return p;
}

static int policy_cmp(const void *a, const void *b)
{
	const struct bh_policy *x = *(struct bh_policy *const *)a,
			       *y = *(struct bh_policy *const *)b;
	int c;

	if (x->kind != y->kind)
		return x->kind < y->kind ? -1 : 1;
	c = strcmp(x->ns, y->ns);
	return c ? c : strcmp(x->name, y->name);
}

static int namespace_cmp(const void *a, const void *b)
{
	return strcmp((*(struct bh_namespace *const *)a)->name,
		      (*(struct bh_namespace *const *)b)->name);
}

static struct bh_policy_set *policies_make(const struct size *z)
{
	struct bh_policy_set *set = must(bh_policy_set_new());
	unsigned n_cluster = z->policies >= 1000 ? 4 : 0;

	set->policies = must(calloc(z->policies + 1, sizeof(struct bh_policy *)));
	for (unsigned i = 0; i < z->policies; i++)
		set->policies[set->n_policies++] =
		    i < n_cluster ? cluster_make(i) : policy_make(z, i);
	qsort(set->policies, set->n_policies, sizeof(struct bh_policy *), policy_cmp);
	set->namespaces = must(calloc(z->namespaces, sizeof(struct bh_namespace *)));
	for (unsigned i = 0; i < z->namespaces; i++) {
		struct bh_namespace *ns = must(calloc(1, sizeof(*ns)));
		char *team = text("team-", i % 100);

		ns->name = text("ns-", i);
		if (bh_labels_set(&ns->labels, "team", team) < 0)
			abort();
		free(team);
		set->namespaces[set->n_namespaces++] = ns;
	}
	qsort(set->namespaces, set->n_namespaces, sizeof(struct bh_namespace *), namespace_cmp);
	return set;
}

/* The same but for @p in place of @at; what is the same is shared. */
static struct bh_policy_set *set_with(const struct bh_policy_set *old, size_t at,
				      struct bh_policy *p)
{
	struct bh_policy_set *set = must(bh_policy_set_new());

	set->policies = must(calloc(old->n_policies + 1, sizeof(struct bh_policy *)));
	for (size_t i = 0; i < old->n_policies; i++)
		set->policies[set->n_policies++] = i == at ? p : bh_policy_ref(old->policies[i]);
	/* Namespaces are lent: set_done() takes them out again. */
	set->namespaces = old->namespaces;
	set->n_namespaces = old->n_namespaces;
	return set;
}

static void set_done(struct bh_policy_set *set)
{
	set->namespaces = NULL;
	set->n_namespaces = 0;
	bh_policy_set_free(set);
}

/* ---- endpoints ---- */

static struct bh_endpoint *endpoint_make(const struct size *z, unsigned i, unsigned app,
					 const char *extra)
{
	struct bh_endpoint *ep = must(calloc(1, sizeof(*ep)));
	char *name = text("app-", app), addr[64];

	ep->id = text("id-", i);
	ep->ns = text("ns-", i % z->namespaces);
	ep->name = text("pod-", i);
	ep->local = (uint64_t)i * z->local / z->pods != (uint64_t)(i + 1) * z->local / z->pods;
	ep->addrs = must(calloc(2, sizeof(*ep->addrs)));
	ep->n_addrs = 2;
	snprintf(addr, sizeof(addr), "10.%u.%u.%u", i >> 16 & 255, i >> 8 & 255, i & 255);
	if (bh_addr_parse(addr, &ep->addrs[0]) < 0)
		abort();
	snprintf(addr, sizeof(addr), "fd00::%x:%x", i >> 16 & 255, i & 65535);
	if (bh_addr_parse(addr, &ep->addrs[1]) < 0)
		abort();
	ep->ports = must(calloc(1, sizeof(*ep->ports)));
	ep->n_ports = 1;
	ep->ports[0] = (struct bh_named_port){ must(strdup("metrics")), BH_L4_TCP,
					       (uint16_t)(9100 + app % 3) };
	if (bh_labels_set(&ep->labels, "app", name) < 0 ||
	    bh_labels_set(&ep->labels, "pod", ep->name) < 0 ||
	    (extra && bh_labels_set(&ep->labels, "extra", extra) < 0))
		abort();
	/* Another port: nothing tells pods apart so well. */
	if (z->unique)
		ep->ports[0].port = (uint16_t)(1 + i % 65535);
	free(name);
	return ep;
}

static unsigned app_of(const struct size *z, unsigned i)
{
	return i / z->namespaces % APPS;
}

/* ---- measuring ---- */

static double now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

static int double_cmp(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static double median(double *v, size_t n)
{
	qsort(v, n, sizeof(*v), double_cmp);
	return v[n / 2];
}

static void ok(int r, const struct bh_err *err)
{
	if (r == 0)
		return;
	fprintf(stderr, "bench_compile: %s\n", bh_err_text(err, r));
	exit(1);
}

static double baseline(const struct world *w)
{
	double start = now_ms();
	uint64_t sum = 0;

	for (unsigned i = 0; i < w->z.pods; i++) {
		const struct bh_labels *l = &w->eps[i]->labels;

		for (size_t k = 0; k < l->n; k++)
			sum ^=
			    bh_siphash(l->items[k].value, strlen(l->items[k].value), bh_hash_key());
	}
	return now_ms() - start + (double)(sum & 1) * 1e-9;
}

static struct bh_compile_input input_of(struct world *w, const struct bh_policy_set *set)
{
	return (struct bh_compile_input){
		.set = set,
		.eps = (const struct bh_endpoint *const *)w->eps,
		.n_eps = w->z.pods,
		.revision = ++w->revision,
	};
}

static double scratch(struct world *w, struct bh_compiled *out)
{
	struct bh_compile_input in = input_of(w, w->set);
	struct bh_err err = { .code = 0 };
	double start = now_ms();

	ok(bh_compile(w->c, &in, out, &err), &err);
	return now_ms() - start;
}

/* A pod gets other labels, and back. @step: each time others. */
static double relabel(struct world *w, unsigned pod, unsigned app, unsigned step, const char *extra)
{
	double v[41];
	size_t n = 0;

	for (unsigned k = 0; k < 42; k++) {
		bool there = k % 2 == 0;
		struct bh_endpoint *ep = endpoint_make(&w->z, pod, there ? app : app_of(&w->z, pod),
						       there ? extra : NULL);
		struct bh_endpoint_change ch = { pod, ep };
		struct bh_compiled out;
		struct bh_err err = { .code = 0 };
		double start = now_ms();

		ok(bh_compile_endpoints(w->c, &ch, 1, ++w->revision, &out, &err), &err);
		if (k)
			v[n++] = now_ms() - start;
		bh_compiled_done(&out);
		bh_endpoint_free(ep);
	}
	return median(v, n);
}

/* One policy is another one, and back. @like: made like the i-th. */
static double repolicy(struct world *w, size_t at, unsigned like)
{
	double v[15];

	for (size_t k = 0; k < BH_ARRAY_SIZE(v) + 1; k++) {
		const struct bh_policy *old = w->set->policies[at];
		struct bh_policy *p;
		struct bh_policy_set *set;
		struct bh_compile_input in;
		struct bh_compiled out;
		struct bh_err err = { .code = 0 };
		double start;

		if (k % 2 == 0) {
			p = old->tier == BH_TIER_APPLICATION ? policy_make(&w->z, like)
							     : cluster_make(like);
			free(p->ns);
			free(p->name);
			p->ns = must(strdup(old->ns));
			p->name = must(strdup(old->name));
		} else {
			p = bh_policy_ref(w->set->policies[at]);
		}
		set = set_with(w->set, at, p);
		in = input_of(w, set);
		start = now_ms();
		ok(bh_compile_policies(w->c, &in, &out, &err), &err);
		if (k)
			v[k - 1] = now_ms() - start;
		bh_compiled_done(&out);
		set_done(set);
	}
	return median(v, BH_ARRAY_SIZE(v));
}

static unsigned first_local(const struct world *w)
{
	unsigned i = 0;

	while (i + 1 < w->z.pods && !w->eps[i]->local)
		i++;
	return i;
}

static size_t policy_of(const struct world *w, const char *ns)
{
	for (size_t i = 0; i < w->set->n_policies; i++) {
		if (bh_streq(w->set->policies[i]->ns, ns))
			return i;
	}
	return 0;
}

static void report(struct world *w)
{
	struct bh_compiled out;
	double base = baseline(w), v[3];
	size_t cells, classes, contracts, pieces, size;
	unsigned local = first_local(w), remote = local ? 0 : 1;
	struct rusage use;

	for (size_t i = 0; i < BH_ARRAY_SIZE(v); i++) {
		v[i] = scratch(w, &out);
		if (i + 1 < BH_ARRAY_SIZE(v))
			bh_compiled_done(&out);
	}
	getrusage(RUSAGE_SELF, &use);
	(void)bh_ruleset_cells(out.rules, &cells);
	(void)bh_ruleset_classes(out.rules, &classes);
	(void)bh_ruleset_contracts(out.rules, &contracts);
	(void)bh_ruleset_cidr_pieces(out.rules, &pieces);
	(void)bh_ruleset_data(out.rules, &size);
	bh_compiled_done(&out);
	printf("%s: %u pods (%u local), %u policies, %u namespaces%s\n", w->z.name, w->z.pods,
	       w->z.local, w->z.policies, w->z.namespaces,
	       w->z.unique ? ", every pod a class of its own" : "");
	printf("  baseline                        %9.2f ms\n", base);
	printf("  from scratch                    %9.2f ms   (%.0f x baseline), peak %ld MiB\n",
	       median(v, 3), v[1] / base, use.ru_maxrss / 1024);
	printf(
	    "  what comes out                  %9zu KiB: %zu classes, %zu cells, %zu contracts, %zu "
	    "pieces\n",
	    size / 1024, classes, cells, contracts, pieces);
	printf("  a local pod, a label nobody asks for   %9.3f ms\n",
	       relabel(w, local, app_of(&w->z, local), 0, "x"));
	printf("  a local pod becomes another app        %9.3f ms\n",
	       relabel(w, local, (app_of(&w->z, local) + 1) % APPS, 0, NULL));
	printf("  a local pod of a kind that is new      %9.3f ms\n",
	       relabel(w, local, APPS + 1, 1, NULL));
	printf("  a remote pod becomes another app       %9.3f ms\n",
	       relabel(w, remote, (app_of(&w->z, remote) + 1) % APPS, 0, NULL));
	printf("  a policy of a local pod's namespace    %9.3f ms\n",
	       repolicy(w, policy_of(w, w->eps[local]->ns), 7));
	printf("  a policy of another namespace          %9.3f ms\n",
	       repolicy(w, policy_of(w, w->eps[remote]->ns), 9));
	if (w->set->policies[w->set->n_policies - 1]->tier != BH_TIER_APPLICATION)
		printf("  a cluster-wide policy                  %9.3f ms\n",
		       repolicy(w, w->set->n_policies - 1, 1));
	fflush(stdout);
}

/* In a process of its own: memory is what it itself needs. */
static int run(const struct size *z)
{
	pid_t pid = fork();
	int status = 0;

	if (pid == 0) {
		struct world w = { .z = *z };

		w.set = policies_make(z);
		w.eps = must(calloc(z->pods, sizeof(struct bh_endpoint *)));
		for (unsigned i = 0; i < z->pods; i++)
			w.eps[i] = endpoint_make(z, i, app_of(z, i), NULL);
		if (bh_compiler_new(&w.c) < 0)
			abort();
		report(&w);
		fflush(stdout);
		_exit(0);
	}
	if (pid < 0 || waitpid(pid, &status, 0) < 0)
		return 1;
	return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}

int main(int argc, char **argv)
{
	static const struct size sizes[] = {
		{ "small", 300, 20, 5, 100, false },
		{ "medium", 10000, 1000, 200, 250, false },
		{ "medium, all local", 10000, 1000, 200, 10000, false },
		{ "between", 30000, 5000, 1000, 250, false },
		{ "large", 60000, 10000, 2000, 250, false },
		{ "large, worst case", 60000, 10000, 2000, 250, true },
		{ "extreme", 150000, 75000, 10000, 250, false },
	};
	struct size z = { "given", 0, 0, 0, 0, false };
	int r = 0;

	if (argc > 4) {
		z.pods = (unsigned)strtoul(argv[1], NULL, 10);
		z.policies = (unsigned)strtoul(argv[2], NULL, 10);
		z.namespaces = (unsigned)strtoul(argv[3], NULL, 10);
		z.local = (unsigned)strtoul(argv[4], NULL, 10);
		z.unique = argc > 5;
		if (z.pods && z.namespaces)
			return run(&z);
	}
	if (argc > 1) {
		fprintf(stderr, "usage: bench_compile [PODS POLICIES NAMESPACES LOCAL [unique]]\n");
		return 2;
	}
	for (size_t i = 0; r == 0 && i < BH_ARRAY_SIZE(sizes); i++)
		r = run(&sizes[i]);
	return r;
}
