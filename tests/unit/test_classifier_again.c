// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * tests/unit/test_classifier_again.c - what looks like a flow that the engine knows: the same ports, another hook
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <linux/netfilter.h>

#include "common/util.h"
#include "tests/lib/lab_scene.h"

static void test_port_reuse(void **state)
{
	struct scene s = scene();
	struct lab *l = s.l;
	unsigned i;

	for (i = 0; i < 3; i++) {
		uint32_t sisn = SISN + 100000 * i, n = strlen(REQ);
		const char *say = i == 1 ? SSH : REQ;

		assert_sub(
		    l, lab_send_tcp(l, &web, false, BH_QMARK_START, CISN, sisn, LAB_ACK, NULL, 0),
		    BH_SUB_UNDECIDED);
		if (i == 1) {
			assert_result(
			    l,
			    lab_send_tcp(l, &web, false, 0, CISN, sisn, LAB_ACK, say, strlen(say)),
			    BH_PROTO_SSH);
			continue;
		}
		assert_sub(l,
			   lab_send_tcp(l, &web, false, 0, CISN, sisn, LAB_ACK, say, strlen(say)),
			   BH_SUB_CONFIRM);
		assert_result(l, lab_send_tcp(l, &web, true, 0, sisn, CISN + n, LAB_ACK, NULL, 0),
			      BH_PROTO_HTTP);
	}
	assert_int_equal(stats(l).flows, 3);
	assert_int_equal(stats(l).flows_now, 1);
	assert_int_equal(l->n_findings, 1);

	/* The same numbers too, but later than anything could have waited. */
	l->now += 1001;
	assert_sub(
	    l, lab_send_tcp(l, &web, false, BH_QMARK_START, CISN, SISN + 200000, LAB_ACK, NULL, 0),
	    BH_SUB_UNDECIDED);
	assert_int_equal(stats(l).flows, 4);
	done(&s);
}

/* A connection of this host with a container: out by one hook, in by another. */
static void test_hooks(void **state)
{
	static const struct lab_rule rules[] = { { .action = BH_ACTION_DENY,
						   .l4 = BH_L4_TCP,
						   .port = 80,
						   .protos = { BH_PROTO_HTTP },
						   .negated = true,
						   .node = true } };
	struct scene s =
	    scene_with(rules, 1, false, (struct bh_engine_config){ .flows = 64, .contexts = 16 });
	struct lab *l = s.l;

	l->hook = NF_INET_LOCAL_OUT;
	start(l, &web);
	assert_sub(l, client(l, &web, 0, REQ), BH_SUB_CONFIRM);
	/* The same tuple elsewhere is another flow. */
	l->hook = NF_INET_FORWARD;
	assert_result(l, client(l, &web, 0, REQ), BH_PROTO_UNSEEN);
	l->hook = NF_INET_LOCAL_IN;
	assert_result(l, server(l, &web, 0, strlen(REQ), ""), BH_PROTO_HTTP);
	done(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_port_reuse),
		cmocka_unit_test(test_hooks),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
