// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * tests/unit/test_worker_queue.c - messages of a queue in, one verdict for each packet out
 *
 * A socketpair stands in for the kernel, an engine that does as it is told for the classifier.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <fcntl.h>
#include <libmnl/libmnl.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_queue.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>

#include "common/limits.h"
#include "dataplane/worker/judge.h"
#include "dataplane/worker/nfq.h"

#define QUEUE 7U
#define MARK  (BH_QMARK | BH_QMARK_START | 0x1234)

struct scene {
	struct bh_judge *j;
	int kernel; /* our end of the pair */
	int queue;
	struct bh_addrtable *addrs;
	unsigned findings;
};

static void count_finding(void *arg, const struct bh_finding *f)
{
	struct scene *s = arg;

	s->findings++;
}

static int rules_file(uint64_t revision, size_t size, int seals)
{
	int fd = memfd_create("rules", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	assert_true(fd >= 0);
	assert_int_equal(pwrite(fd, &revision, sizeof(revision), 0), sizeof(revision));
	assert_int_equal(ftruncate(fd, (off_t)size), 0);
	assert_int_equal(fcntl(fd, F_ADD_SEALS, seals), 0);
	return fd;
}

#define SEALS (F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK)

static void give_rules(struct scene *s, uint64_t revision)
{
	bh_autoclose int fd = rules_file(revision, 8, SEALS);
	struct bh_err err = { 0 };

	assert_int_equal(bh_judge_rules(s->j, fd, bh_addrtable_fd(s->addrs), &err), 0);
	assert_int_equal(bh_judge_revision(s->j), revision);
}

static int setup(void **state)
{
	const struct bh_engine_config cfg = BH_ENGINE_CONFIG_DEFAULT;
	struct scene *s = calloc(1, sizeof(*s));
	const int size = 8 << 20;
	int fds[2];

	assert_non_null(s);
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds), 0);
	s->kernel = fds[0];
	s->queue = fds[1];
	(void)setsockopt(s->kernel, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
	assert_int_equal(bh_judge_new(s->queue, QUEUE, &cfg, count_finding, s, &s->j, NULL), 0);
	assert_int_equal(bh_addrtable_new(10, &s->addrs, NULL), 0);
	*state = s;
	return 0;
}

static int setup_with_rules(void **state)
{
	setup(state);
	give_rules(*state, 1);
	return 0;
}

static int teardown(void **state)
{
	struct scene *s = *state;

	bh_judge_free(s->j);
	bh_addrtable_free(s->addrs);
	(void)close(s->kernel);
	(void)close(s->queue);
	free(s);
	return 0;
}

/* ---- the kernel's part ---- */

static size_t message_to(char *buf, uint16_t queue, uint32_t id, uint32_t mark, const void *payload,
			 size_t len)
{
	struct nfqnl_msg_packet_hdr hdr = { .packet_id = htonl(id), .hook = NF_INET_FORWARD };
	struct nlmsghdr *nlh = mnl_nlmsg_put_header(buf);
	struct nfgenmsg *nfg;

	nlh->nlmsg_type = NFNL_SUBSYS_QUEUE << 8 | NFQNL_MSG_PACKET;
	nfg = mnl_nlmsg_put_extra_header(nlh, sizeof(*nfg));
	nfg->res_id = htons(queue);
	mnl_attr_put(nlh, NFQA_PACKET_HDR, sizeof(hdr), &hdr);
	mnl_attr_put_u32(nlh, NFQA_MARK, htonl(mark));
	if (payload)
		mnl_attr_put(nlh, NFQA_PAYLOAD, len, payload);
	return nlh->nlmsg_len;
}

static size_t message(char *buf, uint32_t id, uint32_t mark, const void *payload, size_t len)
{
	return message_to(buf, QUEUE, id, mark, payload, len);
}

static void queue_open_packet(struct scene *s, uint32_t id, const char *payload)
{
	char buf[512];
	size_t len = message_to(buf, QUEUE + BH_QUEUE_OPEN, id, MARK, payload, strlen(payload));

	assert_int_equal(send(s->kernel, buf, len, 0), len);
}

static void queue_packet(struct scene *s, uint32_t id, uint32_t mark, const char *payload)
{
	char buf[512];
	size_t len = message(buf, id, mark, payload, strlen(payload));

	assert_int_equal(send(s->kernel, buf, len, 0), len);
}

struct answer {
	uint32_t id, verdict, mark;
	bool has_mark, batch, open;
};

/* Everything that was sent to the kernel. Return: number of answers. */
static size_t answers(struct scene *s, struct answer *ret, size_t max)
{
	static char buf[1 << 16];
	size_t n = 0;
	ssize_t got;

	while ((got = recv(s->kernel, buf, sizeof(buf), MSG_DONTWAIT)) > 0) {
		const struct nlmsghdr *nlh = (const void *)buf;
		int left = (int)got;

		for (; mnl_nlmsg_ok(nlh, left); nlh = mnl_nlmsg_next(nlh, &left)) {
			const struct nfgenmsg *nfg = mnl_nlmsg_get_payload(nlh);
			struct answer a = { .batch = (nlh->nlmsg_type & 0xff) ==
						     NFQNL_MSG_VERDICT_BATCH };
			const struct nlattr *attr = mnl_nlmsg_get_payload_offset(nlh, sizeof(*nfg));
			const char *tail = mnl_nlmsg_get_payload_tail(nlh);

			assert_int_equal(nlh->nlmsg_type >> 8, NFNL_SUBSYS_QUEUE);
			a.open = ntohs(nfg->res_id) == QUEUE + BH_QUEUE_OPEN;
			assert_true(a.open || ntohs(nfg->res_id) == QUEUE);
			for (; mnl_attr_ok(attr, (int)(tail - (const char *)attr));
			     attr = mnl_attr_next(attr)) {
				const struct nfqnl_msg_verdict_hdr *h = mnl_attr_get_payload(attr);

				if (mnl_attr_get_type(attr) == NFQA_VERDICT_HDR) {
					a.id = ntohl(h->id);
					a.verdict = ntohl(h->verdict);
				} else if (mnl_attr_get_type(attr) == NFQA_MARK) {
					a.has_mark = true;
					a.mark = ntohl(mnl_attr_get_u32(attr));
				}
			}
			assert_true(n < max);
			ret[n++] = a;
		}
		assert_int_equal(left, 0);
	}
	return n;
}

/* The one answer; the batch verdict that a worker begins with is passed over. */
static struct answer ask(struct scene *s, uint32_t mark, const char *payload)
{
	static uint32_t id = 100;
	struct answer a[4];
	size_t n;

	queue_packet(s, ++id, mark, payload);
	assert_int_equal(bh_judge_read(s->j), 0);
	n = answers(s, a, 4);
	assert_true(n > 0);
	if (a[0].batch) {
		assert_int_equal(a[0].id, id - 1);
		assert_int_equal(a[0].verdict, NF_DROP);
		memmove(a, a + 1, --n * sizeof(a[0]));
	}
	assert_int_equal(n, 1);
	assert_int_equal(a[0].id, id);
	assert_false(a[0].batch);
	return a[0];
}

/* ---- what the answers mean ---- */

static void verdicts_and_marks(void **state)
{
	struct scene *s = *state;
	struct answer a = ask(s, MARK, "P");

	/* Undecided: goes on, and nothing of our half of the mark with it. */
	assert_int_equal(a.verdict, NF_ACCEPT);
	assert_true(a.has_mark);
	assert_int_equal(a.mark, 0x1234);
	a = ask(s, MARK, "S");
	assert_int_equal(a.verdict, NF_REPEAT);
	assert_int_equal(a.mark, BH_VMARK | BH_SUB_UNDECIDED << 16 | 0x1234);
	a = ask(s, MARK, "R");
	assert_int_equal(a.verdict, NF_REPEAT);
	assert_int_equal(a.mark, BH_VMARK | BH_PROTO_HTTP << 16 | 0x1234);
	a = ask(s, MARK, "D");
	assert_int_equal(a.verdict, NF_DROP);
	assert_false(a.has_mark);
	/* A result that is none, and a second answer, allow nothing. */
	assert_int_equal(ask(s, MARK, "Z").verdict, NF_DROP);
	assert_int_equal(ask(s, MARK, "2").verdict, NF_DROP);
	ask(s, MARK, "F");
	assert_int_equal(s->findings, 1);
}

static void without_rules_everything_is_dropped(void **state)
{
	struct scene *s = *state;

	assert_int_equal(ask(s, MARK, "P").verdict, NF_DROP);
	assert_int_equal(ask(s, MARK, "R").verdict, NF_DROP);
	give_rules(s, 5);
	assert_int_equal(ask(s, MARK, "P").verdict, NF_ACCEPT);
}

static void marks_that_are_not_ours(void **state)
{
	struct scene *s = *state;

	assert_int_equal(ask(s, 0, "P").verdict, NF_DROP);
	assert_int_equal(ask(s, BH_VMARK, "P").verdict, NF_DROP);
	assert_int_equal(ask(s, BH_MARK_ALLOW, "P").verdict, NF_DROP);
}

static void *drain(void *arg)
{
	bh_judge_drain(arg);
	return NULL;
}

static void held_packets(void **state)
{
	pthread_t thread;
	struct scene *s = *state;
	static struct answer a[17000];
	size_t n;

	for (uint32_t id = 1; id <= 17000; id++) {
		queue_packet(s, id, MARK, "!H");
		if (id % 100 == 0)
			assert_int_equal(bh_judge_read(s->j), 0);
	}
	/* There is a limit to what can wait: beyond it a packet is dropped at once. */
	n = answers(s, a, 17000);
	assert_int_equal(bh_judge_pending(s->j), 16384);
	assert_int_equal(n, 1 + 17000 - 16384);
	assert_int_equal(a[1].id, 16385);
	/* More than the socket holds: somebody has to read meanwhile, as the kernel does. */
	assert_int_equal(pthread_create(&thread, NULL, drain, s->j), 0);
	for (n = 0; n < 16384;)
		n += answers(s, a + n, 17000 - n);
	assert_int_equal(pthread_join(thread, NULL), 0);
	assert_int_equal(n + answers(s, a, 1), 16384);
	assert_int_equal(bh_judge_pending(s->j), 0);
	for (uint32_t i = 0; i < 16384; i++) {
		assert_int_equal(a[i].id, i + 1);
		assert_int_equal(a[i].verdict, NF_DROP);
	}
}

/* What may pass unjudged goes on where it cannot be judged, with the mark by which the kernel knows it. */
static void open_queue(void **state)
{
	struct scene *s = *state;
	static struct answer a[17000];
	size_t n;

	queue_open_packet(s, 50, "P");
	assert_int_equal(bh_judge_read(s->j), 0);
	assert_int_equal(answers(s, a, 4), 2);
	/* Not without rules either; and what a predecessor had goes on. */
	for (unsigned i = 0; i < 2; i++) {
		assert_true(a[i].open && !a[i].has_mark);
		assert_int_equal(a[i].batch, i == 0);
		assert_int_equal(a[i].id, 49 + i);
		assert_int_equal(a[i].verdict, NF_ACCEPT);
	}
	assert_int_equal(ask(s, MARK, "P").verdict, NF_DROP);

	give_rules(s, 1);
	queue_open_packet(s, 51, "P");
	queue_open_packet(s, 52, "D");
	assert_int_equal(bh_judge_read(s->j), 0);
	assert_int_equal(answers(s, a, 4), 2);
	assert_true(a[0].has_mark && a[0].mark == 0x1234 && a[0].verdict == NF_ACCEPT);
	assert_int_equal(a[1].verdict, NF_DROP);

	/* Two packets of one number, each its own. */
	queue_packet(s, 60, MARK, "!H");
	queue_open_packet(s, 60, "!H");
	assert_int_equal(bh_judge_read(s->j), 0);
	assert_int_equal(bh_judge_pending(s->j), 2);

	/* No room: one is dropped, the other goes on. */
	for (uint32_t id = 1001; id <= 1000 + 16382; id++) {
		queue_packet(s, id, MARK, "!H");
		if (id % 100 == 0)
			assert_int_equal(bh_judge_read(s->j), 0);
	}
	queue_packet(s, 20000, MARK, "P");
	queue_open_packet(s, 20000, "P");
	assert_int_equal(bh_judge_read(s->j), 0);
	n = answers(s, a, 17000);
	assert_int_equal(n, 2);
	assert_true(!a[0].open && a[0].verdict == NF_DROP);
	assert_true(a[1].open && a[1].verdict == NF_ACCEPT && !a[1].has_mark);
}

static void many_at_once(void **state)
{
	struct scene *s = *state;
	static struct answer a[400];
	char buf[8192];
	size_t len = 0, n;

	/* Several messages in one datagram, and more of them than one round or one batch takes. */
	for (uint32_t id = 0; id < 300; id++) {
		len += NLMSG_ALIGN(message(buf + len, id, MARK, "P", 1));
		if (len > 4000 || id == 299) {
			assert_int_equal(send(s->kernel, buf, len, 0), len);
			len = 0;
		}
	}
	assert_int_equal(bh_judge_read(s->j), 0);
	n = answers(s, a, 400);
	assert_int_equal(n, 301);
	assert_true(a[0].batch);
	assert_int_equal(a[0].id, UINT32_MAX);
	for (uint32_t id = 0; id < 300; id++)
		assert_int_equal(a[id + 1].id, id);
}

static void same_id_twice(void **state)
{
	struct scene *s = *state;
	struct answer a[4];

	queue_packet(s, 9, MARK, "!H");
	queue_packet(s, 9, MARK, "P");
	assert_int_equal(bh_judge_read(s->j), 0);
	assert_int_equal(answers(s, a, 4), 1); /* the batch */
	bh_judge_drain(s->j);
	assert_int_equal(answers(s, a, 4), 1);
}

static void bad_rules_change_nothing(void **state)
{
	struct scene *s = *state;
	int addrs = bh_addrtable_fd(s->addrs);
	const struct {
		size_t size;
		int seals;
	} c[] = { { 8, 0 },
		  { 8, F_SEAL_WRITE | F_SEAL_GROW },
		  { 8, F_SEAL_GROW | F_SEAL_SHRINK },
		  { 0, SEALS },
		  { 9, SEALS } };

	for (size_t i = 0; i < sizeof(c) / sizeof(c[0]); i++) {
		bh_autoclose int fd = rules_file(2, c[i].size, c[i].seals);
		struct bh_err err = { 0 };

		assert_int_equal(bh_judge_rules(s->j, fd, addrs, &err), -EPROTO);
		assert_true(err.msg[0]);
	}
	bh_autoclose int good = rules_file(2, 8, SEALS);

	assert_int_equal(bh_judge_rules(s->j, good, good, NULL), -EPROTO);
	assert_int_equal(bh_judge_rules(s->j, -1, addrs, NULL), -EPROTO);
	assert_int_equal(bh_judge_revision(s->j), 1);
	assert_int_equal(ask(s, MARK, "P").verdict, NF_ACCEPT);
	give_rules(s, 2);
}

/* ---- hostile bytes ---- */

static void cut_messages(void **state)
{
	struct scene *s = *state;
	char buf[512], payload[64] = "PPPPPPPPPPPPPPPPPPPPPPPPPPPPPPPP";
	size_t whole = message(buf, 1, MARK, payload, 32);
	size_t named =
	    NLMSG_LENGTH(sizeof(struct nfgenmsg)) + 4 + sizeof(struct nfqnl_msg_packet_hdr);
	struct answer a[4];

	ask(s, MARK, "P");
	for (size_t len = 1; len < whole; len++) {
		uint32_t id = 1000 + (uint32_t)len;
		size_t n;

		message(buf, id, MARK, payload, 32);
		assert_int_equal(send(s->kernel, buf, len, 0), len);
		assert_int_equal(bh_judge_read(s->j), 0);
		n = answers(s, a, 4);
		/* As soon as its name can be read, a packet is answered; and cut it never passes. */
		assert_int_equal(n, len >= named ? 1 : 0);
		assert_true(n == 0 || (a[0].id == id && a[0].verdict == NF_DROP));
	}
}

/* Ids of well-formed packet headers in what was sent: the reference for the fuzzer. */
static size_t ids_in(const char *buf, size_t size, uint32_t *ids)
{
	size_t n = 0;

	while (size >= NLMSG_HDRLEN) {
		const struct nlmsghdr *nlh = (const void *)buf;
		size_t len = nlh->nlmsg_len, at = 20;
		uint16_t queue;

		if (len < NLMSG_HDRLEN)
			break;
		len = len < size ? len : size;
		if (nlh->nlmsg_type == (NFNL_SUBSYS_QUEUE << 8 | NFQNL_MSG_PACKET) && len >= at) {
			memcpy(&queue, buf + 18, 2);
			while ((queue == htons(QUEUE) || queue == htons(QUEUE + BH_QUEUE_OPEN)) &&
			       len >= at + 4) {
				uint16_t alen, type;

				memcpy(&alen, buf + at, 2);
				memcpy(&type, buf + at + 2, 2);
				if (alen < 4 || alen > len - at)
					break;
				if ((type & 0x3fff) == NFQA_PACKET_HDR && alen >= 4 + 7) {
					memcpy(&ids[n], buf + at + 4, 4);
					ids[n] = ntohl(ids[n]);
					n++;
					break;
				}
				at += (alen + 3U) & ~3U;
				if (at > len)
					break;
			}
		}
		len = (len + 3) & ~(size_t)3;
		len = len < size ? len : size;
		buf += len;
		size -= len;
	}
	return n;
}

static uint32_t rnd(uint32_t *x)
{
	*x ^= *x << 13;
	*x ^= *x >> 17;
	*x ^= *x << 5;
	return *x;
}

static void fuzz(void **state)
{
	struct scene *s = *state;
	uint32_t seed = 20260102, next = 1;
	struct answer first[4];

	ask(s, MARK, "P");
	queue_open_packet(s, 7, "P");
	assert_int_equal(bh_judge_read(s->j), 0);
	assert_int_equal(answers(s, first, 4), 2);
	for (unsigned round = 0; round < 100000; round++) {
		static const char what[] = "PSRDFZ2";
		_Alignas(8) char buf[1024];
		struct answer a[64];
		uint32_t ids[64];
		size_t len = 0, n, want;

		for (unsigned k = rnd(&seed) % 5 + 1; k > 0; k--) {
			char p[40];

			memset(p, what[rnd(&seed) % 7], sizeof(p));
			/* Ids far apart, so that a flipped bit seldom makes one of another. */
			next += 0x10001;
			len += NLMSG_ALIGN(message(buf + len, next, MARK, p, rnd(&seed) % 40));
		}
		for (unsigned k = rnd(&seed) % 6; k > 0; k--)
			buf[rnd(&seed) % len] =
			    (char)(rnd(&seed) % 3 ? rnd(&seed) : rnd(&seed) % 64);
		if (rnd(&seed) % 4 == 0)
			len = rnd(&seed) % len + 1;
		want = ids_in(buf, len, ids);
		assert_int_equal(send(s->kernel, buf, len, 0), len);
		assert_int_equal(bh_judge_read(s->j), 0);
		n = answers(s, a, 64);
		assert_int_equal(n, want);
		for (size_t i = 0; i < n; i++)
			assert_int_equal(a[i].id, ids[i]);
	}
	assert_int_equal(bh_judge_pending(s->j), 0);
}

int main(void)
{
#define WITH_RULES(f) cmocka_unit_test_setup_teardown(f, setup_with_rules, teardown)
	const struct CMUnitTest tests[] = {
		WITH_RULES(verdicts_and_marks),
		cmocka_unit_test_setup_teardown(without_rules_everything_is_dropped, setup,
						teardown),
		WITH_RULES(marks_that_are_not_ours),
		WITH_RULES(held_packets),
		cmocka_unit_test_setup_teardown(open_queue, setup, teardown),
		WITH_RULES(many_at_once),
		WITH_RULES(same_id_twice),
		WITH_RULES(bad_rules_change_nothing),
		WITH_RULES(cut_messages),
		WITH_RULES(fuzz),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
