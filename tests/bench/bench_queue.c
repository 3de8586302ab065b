// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * tests/bench/bench_queue.c - the least that a judge in user space can do: every packet of a queue is accepted
 *
 *	bench_queue NAME		(the topology; until it is killed)
 *
 * It stands for enforcers that let user space judge each new connection: whatever such a one does besides, it cannot be
 * faster. Writes a line when the queue is bound.
 */
#include <linux/netfilter.h>
#include <poll.h>

#include "dataplane/worker/nfq.h"
#include "tests/bench/meter.h"
#include "tests/bench/rules.h"

static void accept_packet(void *arg, const struct bh_nfq_packet *p)
{
	bh_nfq_verdict(arg, p->open, p->id, NF_ACCEPT, false, 0, NULL, 0);
}

int main(int argc, char **argv)
{
	struct bh_err err = { .code = 0 };
	struct bh_nfq *q;
	int fd;

	if (argc != 2) {
		(void)fprintf(stderr, "usage: bench_queue NAME\n");
		return 2;
	}
	meter_enter(argv[1], 'r');
	if (bh_nfq_open(JUDGE_QUEUE, 4096, &fd, &err) < 0 || bh_nfq_new(fd, JUDGE_QUEUE, &q) < 0) {
		(void)fprintf(stderr, "bench_queue: %s\n", err.msg);
		return 1;
	}
	meter_pin(1);
	printf("ready\n");
	(void)fflush(stdout);
	for (;;) {
		struct pollfd p = { .fd = fd, .events = POLLIN };

		(void)poll(&p, 1, -1);
		while (bh_nfq_read(q, accept_packet, q) > 0)
			bh_nfq_flush(q);
	}
}
