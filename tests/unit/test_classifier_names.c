// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * tests/unit/test_classifier_names.c - names that nDPI gives, and that nothing but the bytes enters them
 */
#include "dataplane/classifier/name_ndpi.h"
#include "tests/lib/lab.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "common/util.h"
#include "config.h"

#if BH_HAVE_NDPI

static uint8_t buf[2][BH_STREAM_CLIENT_MAX];
static struct bh_stream st;

static void fresh(void)
{
	memset(&st, 0, sizeof(st));
	bh_stream_reset(&st);
	st.buf[0] = buf[0];
	st.buf[1] = buf[1];
}

static void say(unsigned dir, const void *data, uint32_t len, bool udp)
{
	struct bh_side side = { .base = 0 };
	uint32_t room = (dir ? BH_STREAM_SERVER_MAX : BH_STREAM_CLIENT_MAX) - st.have[dir];

	if (udp)
		bh_stream_datagram(&st, dir, data, len);
	else
		(void)bh_stream_segment(&st, &side, dir, false, st.have[dir], data,
					BH_MIN(len, room), 0, true, 0);
}

/* The first pieces of the first flow of a capture that says something. */
static unsigned name_of(struct bh_namer *n, const char *file, char *name)
{
	struct lab_capture c;
	unsigned r = 0;
	size_t i, k;

	lab_capture_read(&c, file);
	for (i = 0; i < c.n && !r; i++) {
		const struct lab_flow *f = &c.flows[i];
		uint32_t at[2] = { 0, 0 };

		if (f->n_pieces == 0)
			continue;
		fresh();
		for (k = 0; k < f->n_pieces && k < 6; k++) {
			unsigned dir = f->pieces[k].dir;

			say(dir, f->bytes[dir] + at[dir], f->pieces[k].len, f->l4 == BH_L4_UDP);
			at[dir] += f->pieces[k].len;
		}
		r = bh_namer_name(n, &st, f->l4 == BH_L4_UDP, name);
	}
	lab_capture_done(&c);
	return r;
}

static const struct {
	const char *file;
	unsigned proto;
	const char *name;
} known[] = {
	{ "captures/mariadb.pcap", BH_PROTO_MYSQL, "MySQL" },
	{ "captures/mongodb.pcap", BH_PROTO_MONGODB, "MongoDB" },
	{ "captures/mqtt.pcap", BH_PROTO_MQTT, "MQTT" },
	{ "captures/amqp.pcap", BH_PROTO_AMQP, "AMQP" },
	{ "captures/vnc.pcap", BH_PROTO_VNC, "VNC" },
	{ "captures/http-badport.pcap", BH_PROTO_HTTP, "HTTP" }, /* on a port of Redis */
	{ "captures/bittorrent.pcap", BH_PROTO_BITTORRENT, "BitTorrent" },
	{ "captures/stratum.pcap", BH_PROTO_MINING, "Mining" },
	/* Known by their ports only: */
	{ "captures/smb.pcap", BH_PROTO_UNKNOWN, "" },
	{ "captures/kafka.pcap", BH_PROTO_UNKNOWN, "" },
	{ "captures/dns.pcap", BH_PROTO_UNKNOWN, "" },
};

static void assert_known(struct bh_namer *n)
{
	size_t i;

	for (i = 0; i < BH_ARRAY_SIZE(known); i++) {
		char name[BH_NDPI_NAME_SIZE];
		unsigned r = name_of(n, known[i].file, name);

		if (r != known[i].proto || strcmp(name, known[i].name) != 0)
			fail_msg("%s: %u '%s' instead of %u '%s'", known[i].file, r, name,
				 known[i].proto, known[i].name);
	}
}

/* One flow of BitTorrent or mining taints nothing that comes after it, nor does garbage. */
static void test_nothing_carries_over(void **state)
{
	struct bh_namer *n = NULL;
	uint64_t x = 3;
	unsigned i, k;

	assert_int_equal(bh_namer_new(&n, NULL), 0);
	assert_known(n);
	assert_known(n);
	for (i = 0; i < 3000; i++) {
		uint8_t noise[300];
		char name[BH_NDPI_NAME_SIZE];
		bool udp = i % 4 == 0;

		for (k = 0; k < sizeof(noise); k++) {
			x = x * UINT64_C(6364136223846793005) + 1;
			noise[k] = (uint8_t)(x >> 40);
		}
		fresh();
		say(i % 2, noise, 1 + noise[0], udp);
		say(!(i % 2), noise + 100, 1 + noise[1] % 200u, udp);
		(void)bh_namer_name(n, &st, udp, name);
	}
	assert_known(n);
	bh_namer_free(n);
}

static void test_longest(void **state)
{
	struct bh_namer *n = NULL;
	char name[BH_NDPI_NAME_SIZE];
	uint8_t line[1000];
	unsigned i;

	assert_int_equal(bh_namer_new(&n, NULL), 0);
	memset(line, 'x', sizeof(line));
	fresh();
	for (i = 0; i < 40; i++)
		say(i % 2, line, sizeof(line), false);
	assert_true(bh_stream_full(&st, 0) && bh_stream_full(&st, 1));
	assert_int_equal(bh_namer_name(n, &st, false, name), BH_PROTO_UNKNOWN);
	fresh(); /* nothing at all */
	assert_int_equal(bh_namer_name(n, &st, false, name), BH_PROTO_UNKNOWN);
	assert_string_equal(name, "");
	bh_namer_free(n);
}

#else

static void test_without(void **state)
{
	struct bh_namer *n = NULL;
	struct bh_err err = { 0 };

	assert_int_equal(bh_namer_new(&n, &err), -ENOTSUP);
	assert_string_equal(err.msg, "built without nDPI");
}

#endif

int main(void)
{
	const struct CMUnitTest tests[] = {
#if BH_HAVE_NDPI
		cmocka_unit_test(test_nothing_carries_over),
		cmocka_unit_test(test_longest),
#else
		cmocka_unit_test(test_without),
#endif
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
