// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * tests/integration/test_kernel_guard.c - the guard in the kernel: comes and goes without harm to anybody
 *
 * What it refuses, frame by frame, and in whose name, tests/e2e/test_guard.py shows.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <net/if.h>
#include <netinet/in.h> /* before the kernel's own, which gives way */

#include <linux/netfilter.h>

#include "common/parse.h"
#include "dataplane/worker/nfq.h"
#include "tests/lib/kernel_scene.h"

#define MAC       "02:71:00:00:00:02"
#define HELD      20U /* packets that wait */
#define HELD_PORT 9999
#define HOLD      79 /* their queue */

static struct bh_addr addrs[2];

static struct bh_guard client(void)
{
	struct bh_guard g = {
		.ifindex = if_nametoindex("r0"), .has_mac = true, .addrs = addrs, .n_addrs = 2
	};

	assert_int_equal(bh_parse_mac(MAC, g.mac), 0);
	return g;
}

static struct bh_kernel_change apply_guard(const struct bh_guard *guard, size_t n)
{
	struct bh_err err = { .code = 0 };
	struct bh_kernel_change change;
	struct bh_ruleset *rs;

	begin();
	rs = hand_ruleset(s.h, s.revision);
	no_error(bh_kernel_apply(s.k, rs, s.h->addrs, s.h->n_addrs, guard, n, &change, &err), &err);
	if (change.needs_bump)
		no_error(bh_kernel_bump(s.k, &err), &err);
	bh_ruleset_free(rs);
	hand_free(s.h);
	s.h = NULL;
	read_logs();
	s.n_logs = s.read = 0;
	return change;
}

static void verified(void)
{
	struct bh_err err = { .code = 0 };

	no_error(bh_kernel_verify(s.k, &err), &err);
}

/* As bulkhead-cni wires it: both ends know each other. */
static int up(void **state)
{
	static const int family[] = { 4, 6 };
	char *router;

	(void)group_up(state);
	/* A link-local address is the MAC's only if it was made after it. */
	assert_int_equal(netlab_run(NETLAB_CLIENT,
				    "sysctl -qw net.ipv6.conf.c0.router_solicitations=0 && "
				    "ip link set c0 address " MAC
				    " && ip addr flush dev c0 scope link && "
				    "ip addr replace fe80::71:ff:fe00:2/64 dev c0 nodad"),
			 0);
	router = netlab_output(NETLAB_ROUTER, "ip -br link show r0 | awk \"{print \\$3}\"");
	router[strcspn(router, "\n")] = '\0';
	for (size_t i = 0; i < BH_ARRAY_SIZE(family); i++) {
		const char *net = family[i] == 4 ? "10.71.1." : "fd71:1::";

		assert_int_equal(
		    netlab_run(NETLAB_ROUTER,
			       "ip neigh replace %s2 lladdr " MAC " dev r0 nud permanent", net),
		    0);
		assert_int_equal(netlab_run(NETLAB_CLIENT,
					    "ip neigh replace %s1 lladdr %s dev c0 nud permanent",
					    net, router),
				 0);
		assert_int_equal(bh_addr_parse(netlab_addr(NETLAB_CLIENT, family[i]), &addrs[i]),
				 0);
	}
	free(router);
	assert_int_equal(netlab_run(NETLAB_ROUTER, "ip link set r0 group %d", MANAGED), 0);
	return 0;
}

/* A report of the guard, whatever else is reported. */
static void guarded(char cause)
{
	const struct bh_refused *r;

	do {
		r = next_log();
	} while (r->cause != cause);
	assert_true(bh_refused_by_guard(r));
	assert_int_equal(r->link, if_nametoindex("r0"));
	assert_true(r->has_mac);
	s.read = s.n_logs;
}

static bool forge(void)
{
	return netlab_run(NETLAB_CLIENT,
			  "python3 -c 'import socket; s = socket.socket(socket.AF_INET, "
			  "socket.SOCK_DGRAM); s.bind((\"10.71.1.77\", 0)); s.sendto(b\"x\", "
			  "(\"10.71.2.2\", 9))'") == 0;
}

/* 10.71.1.77 routes back to the client's link, so the reverse path lets it pass where the guard knows nothing. */
static void bound_where_it_is_known(void **state)
{
	const struct bh_guard g = client();
	struct bh_kernel_change change;

	(void)state;
	assert_int_equal(netlab_run(NETLAB_CLIENT, "ip addr add 10.71.1.77/32 dev c0"), 0);
	(void)apply_guard(NULL, 0);
	BOTH allowed(8001);
	assert_true(forge());
	BOTH allowed(8001); /* behind it: no report */

	change = apply_guard(&g, 1);
	assert_true(change.changed);
	assert_false(change.needs_bump);
	verified();
	BOTH allowed(8001);
	assert_true(forge());
	guarded('s');
	assert_int_equal(s.logs[s.read - 1].src.bytes[3], 77);
	assert_int_equal(netlab_run(NETLAB_CLIENT, "ip link set c0 address 02:71:00:00:00:66"), 0);
	BOTH
	{
		assert_int_equal(connect_to(8001, 50), -ETIMEDOUT);
		guarded('h');
		assert_int_equal(s.logs[s.read - 1].mac[5], 0x66);
	}
	assert_int_equal(netlab_run(NETLAB_CLIENT, "ip link set c0 address " MAC), 0);
	/* Its kernel spoke from there, too, of neighbours and groups. */
	read_logs();
	s.read = s.n_logs;
	BOTH allowed(8001);

	change = apply_guard(NULL, 0);
	assert_false(change.needs_bump);
	assert_int_equal(change.rules, 0);
	assert_true(forge());
	BOTH allowed(8001);
	verified();
}

/* ---- packets that wait in a queue ---- */

struct held {
	uint32_t ids[HELD * 2];
	unsigned n;
};

static void hold(void *arg, const struct bh_nfq_packet *p)
{
	struct held *h = arg;

	assert_true(h->n < BH_ARRAY_SIZE(h->ids));
	h->ids[h->n++] = p->id;
}

static void add_and_remove(void)
{
	const struct bh_guard base = client();
	struct bh_guard two[] = { base, base };

	two[1].ifindex = if_nametoindex("r1");
	two[1].mac[5] = 0x55;
	for (int i = 0; i < 100; i++) {
		assert_true(apply_guard(two, 2).added > 0);
		assert_true(apply_guard(two, 1).removed > 0);
	}
}

/* What the guard does without, and why: as a chain of a single device would come and go. */
static void netdev_chain(void)
{
	assert_int_equal(netlab_run(NETLAB_ROUTER,
				    "nft 'add table netdev other; add chain netdev other r1 { type "
				    "filter hook ingress device r1 priority 0; }' && nft delete "
				    "table netdev other"),
			 0);
}

/* Return: how many of the packets that waited meanwhile arrived */
static unsigned arrive_after(void (*what)(void))
{
	bh_cleanup(bh_nfq_freep) struct bh_nfq *q = NULL;
	int fd, receiver, sender;
	struct held held = { .n = 0 };
	struct bh_err err = { .code = 0 };
	bh_msec_t end = bh_clock_now() + 5000;
	unsigned n = 0;
	char buf[64];

	no_error(bh_nfq_open(HOLD, 1024, &fd, &err), &err);
	assert_int_equal(bh_nfq_new(fd, HOLD, &q), 0);
	s.family = 4;
	receiver = netlab_serve(NETLAB_SERVER, 4, SOCK_DGRAM, HELD_PORT);
	sender = netlab_connect(NETLAB_CLIENT, NETLAB_SERVER, 4, SOCK_DGRAM, HELD_PORT, 1000);
	for (unsigned i = 0; i < HELD; i++)
		assert_true(netlab_write(sender, "held", 4) == 4);
	while (held.n < HELD && bh_clock_now() < end)
		assert_true(bh_nfq_read(q, hold, &held) >= 0);
	assert_int_equal(held.n, HELD);
	what();
	for (unsigned i = 0; i < held.n; i++)
		bh_nfq_verdict(q, false, held.ids[i], NF_ACCEPT, false, 0, NULL, 0);
	bh_nfq_flush(q);
	while (n < HELD && netlab_read(receiver, buf, sizeof(buf), 500) == 4)
		n++;
	(void)close(fd);
	return n;
}

static void nobody_loses_what_waits(void **state)
{
	const struct bh_guard g = client();

	(void)state;
	(void)apply_guard(&g, 1);
	BOTH allowed(8001);
	assert_int_equal(
	    netlab_run(NETLAB_ROUTER,
		       "iptables -I FORWARD -p udp --dport %d -j NFQUEUE --queue-num %d", HELD_PORT,
		       HOLD),
	    0);
	assert_int_equal(arrive_after(add_and_remove), HELD);
	/* The measure is a good one: it sees what a base chain that goes does. */
	assert_int_equal(arrive_after(netdev_chain), 0);
	assert_int_equal(arrive_after(add_and_remove), HELD);
	assert_int_equal(netlab_run(NETLAB_ROUTER, "iptables -F FORWARD"), 0);
}

/* ---- agents come and go, others meddle ---- */

static void taken_over(void)
{
	const struct bh_kernel_config cfg = {
		.table = TABLE,
		.queue_base = QUEUE,
		.n_queues = 2,
		.nflog_group = NFLOG,
		.group_quarantine = QUARANTINE,
		.group_managed = MANAGED,
	};
	struct bh_err err = { .code = 0 };
	bool adopted;

	no_error(bh_kernel_open(&cfg, &s.k, &err), &err);
	no_error(bh_kernel_start(s.k, &adopted, &err), &err);
	assert_true(adopted);
	verified();
}

static void the_next_agent_finds_it(void **state)
{
	const struct bh_guard g = client();

	(void)state;
	(void)apply_guard(&g, 1);
	s.k = bh_kernel_close(s.k);
	assert_true(forge());
	guarded('s');
	taken_over();
	assert_true(forge());
	guarded('s');
	BOTH allowed(8001);
	assert_false(apply_guard(&g, 1).changed);
}

static int nft(const char *command)
{
	return netlab_run(NETLAB_ROUTER, "nft '%s' 2>/dev/null", command);
}

/* Tables of a version that had no guard, as far as the next agent can see. */
static void tables_without_a_guard(void **state)
{
	static const char *const tables[] = { "ip", "ip6" };
	const struct bh_guard g = client();

	(void)state;
	(void)apply_guard(&g, 1);
	s.k = bh_kernel_close(s.k);
	for (size_t i = 0; i < BH_ARRAY_SIZE(tables); i++)
		assert_int_equal(netlab_run(NETLAB_ROUTER,
					    "nft 'delete element %s " TABLE
					    " state { 0x00000001 }; add element %s " TABLE
					    " state { 0x00000001 : 0x00000002 }'",
					    tables[i], tables[i]),
				 0);
	assert_int_equal(nft("delete table arp " TABLE), 0);
	assert_int_equal(nft("delete table bridge " TABLE), 0);
	taken_over();
	/* Until the first apply nothing is bound, but nobody is cut off either. */
	BOTH allowed(8001);
	(void)apply_guard(&g, 1);
	verified();
	BOTH allowed(8001);
	assert_true(forge());
	guarded('s');
}

/* While no agent lives, somebody removes the tables that only the guard has. */
static void a_table_is_gone(void **state)
{
	const struct bh_guard g = client();

	(void)state;
	(void)apply_guard(&g, 1);
	s.k = bh_kernel_close(s.k);
	assert_int_equal(nft("delete table arp " TABLE), 0);
	taken_over();
	/* Its elements come with the next apply; the others were kept. */
	assert_true(forge());
	guarded('s');
	assert_true(apply_guard(&g, 1).changed);
	verified();
	BOTH allowed(8001);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(bound_where_it_is_known, after),
		cmocka_unit_test_teardown(nobody_loses_what_waits, after),
		cmocka_unit_test_teardown(the_next_agent_finds_it, after),
		cmocka_unit_test_teardown(tables_without_a_guard, after),
		cmocka_unit_test_teardown(a_table_is_gone, after),
	};

	return cmocka_run_group_tests(tests, up, group_down);
}
