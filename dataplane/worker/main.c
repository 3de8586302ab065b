// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * dataplane/worker/main.c - bulkhead-worker: judges the packets of one queue
 *
 * Started by the agent (dataplane/worker/pool.c) with two descriptors: a listening socket for agents, and
 * the netlink socket that has the queue bound. Takes all its memory, gives up everything it does not need, and
 * then does three things for ever: answer packets, take rule sets, hand findings over. It goes on without
 * an agent, and ends only by STOP, by a signal, or when it does what it must not.
 *
 * It keeps no state that its successor would need: it may be killed at any instruction, and the worst is
 * that TCP sends some segments again.
 */
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>

#include "common/limits.h"
#include "common/log.h"
#include "common/parse.h"
#include "common/util.h"
#include "dataplane/worker/judge.h"
#include "dataplane/worker/link.h"
#include "dataplane/worker/sandbox.h"

#include "common/banned.h"

#define EV_QUEUE 3U /* beside BH_LINK_* */

struct options {
	int listen_fd, queue_fd;
	uint16_t queue;
	uint32_t ring;
	struct bh_engine_config engine;
};

struct worker {
	struct options opt;
	int epoll_fd;
	struct bh_judge *judge;
	struct bh_link *link;
};

static void on_finding(void *arg, const struct bh_finding *f)
{
	struct worker *w = arg;

	bh_link_finding(w->link, f);
}

static int on_rules(void *arg, int rules_fd, int addrs_fd, struct bh_err *err)
{
	struct worker *w = arg;

	return bh_judge_rules(w->judge, rules_fd, addrs_fd, err);
}

static uint64_t on_revision(void *arg)
{
	struct worker *w = arg;

	return bh_judge_revision(w->judge);
}

static void on_stats(void *arg, struct bh_worker_stats *ret)
{
	struct worker *w = arg;

	bh_judge_stats_get(w->judge, ret);
}

static int setup(struct worker *w, struct bh_err *err)
{
	static const struct bh_link_ops ops = { .rules = on_rules,
						.revision = on_revision,
						.stats = on_stats };
	struct epoll_event ev = { .events = EPOLLIN, .data.u32 = EV_QUEUE };
	struct bh_link_config cfg = {
		.listen_fd = w->opt.listen_fd,
		.queue_fd = w->opt.queue_fd,
		.queue = w->opt.queue,
		.ring = w->opt.ring,
		.engine = w->opt.engine,
	};
	int r;

	w->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (w->epoll_fd < 0)
		return bh_err_set(err, -errno, "epoll: %m");
	cfg.epoll_fd = w->epoll_fd;
	r = bh_judge_new(w->opt.queue_fd, w->opt.queue, &w->opt.engine, on_finding, w, &w->judge,
			 err);
	if (r == 0)
		r = bh_link_new(&cfg, &ops, w, &w->link, err);
	if (r < 0)
		return r;
	if (epoll_ctl(w->epoll_fd, EPOLL_CTL_ADD, w->opt.queue_fd, &ev) < 0)
		return bh_err_set(err, -errno, "descriptor %d is no queue: %m", w->opt.queue_fd);
	/* Connections wait for these packets: before others, where that is permitted. */
	(void)setpriority(PRIO_PROCESS, 0, -10);
	if (signal(SIGPIPE, SIG_IGN) == SIG_ERR || signal(SIGHUP, SIG_IGN) == SIG_ERR)
		return bh_err_set(err, -errno, "signal: %m");
	r = bh_sandbox_capabilities(err);
	if (r == 0)
		r = bh_sandbox_limits(err);
	if (r == 0)
		r = bh_sandbox_filter(err);
	return r;
}

static int shorter(int a, int b)
{
	if (a < 0 || b < 0)
		return a < 0 ? b : a;
	return BH_MIN(a, b);
}

static int run(struct worker *w, struct bh_err *err)
{
	int timeout = 0;

	for (;;) {
		struct epoll_event ev[4];
		uint32_t ready = 0;
		int n, r = 0;

		n = epoll_wait(w->epoll_fd, ev, BH_ARRAY_SIZE(ev), timeout);
		if (n < 0 && errno != EINTR)
			return bh_err_set(err, -errno, "epoll: %m");
		for (int i = 0; i < n; i++)
			ready |= 1U << ev[i].data.u32;
		/* The agent first: a worker that begins finds its rules there, and judges by them. */
		if (ready & 1U << BH_LINK_LISTEN)
			bh_link_accept(w->link);
		if ((ready & (1U << BH_LINK_LISTEN | 1U << BH_LINK_CONN)) && bh_link_serve(w->link))
			return 0;
		if (ready & 1U << EV_QUEUE)
			r = bh_judge_read(w->judge);
		if (r < 0)
			return bh_err_set(err, r, "queue %u: %s", w->opt.queue,
					  strerrordesc_np(-r));
		timeout = bh_judge_tick(w->judge);
		timeout = shorter(timeout, bh_link_flush(w->link, bh_clock_now()));
	}
}

static int number(const char *name, const char *text, uint64_t max, uint64_t *ret)
{
	if (bh_parse_u64(text, max, ret) == 0)
		return 0;
	bh_error("--%s %s: not a number in 0-%llu", name, text, (unsigned long long)max);
	return -EINVAL;
}

static int parse_options(int argc, char **argv, struct options *o)
{
	static const struct {
		const char *name;
		uint64_t max;
	} keys[] = {
		{ "listen-fd", 4096 }, { "queue-fd", 4096 },     { "queue", 65535 },
		{ "flows", 1U << 24 }, { "contexts", 1U << 20 }, { "naming", 1 },
		{ "ring", 1U << 24 },  { "mark-down", 16 },
	};
	struct option longs[BH_ARRAY_SIZE(keys) + 1] = { 0 };
	uint64_t value[BH_ARRAY_SIZE(keys)] = { UINT64_MAX, UINT64_MAX, UINT64_MAX };
	int c;

	value[3] = o->engine.flows;
	value[4] = o->engine.contexts;
	value[5] = o->engine.naming;
	value[6] = o->ring;
	value[7] = o->engine.mark_down;
	for (size_t i = 0; i < BH_ARRAY_SIZE(keys); i++)
		longs[i] = (struct option){ keys[i].name, required_argument, NULL, (int)i };
	while ((c = getopt_long(argc, argv, "", longs, NULL)) != -1) {
		if (c == '?' || number(keys[c].name, optarg, keys[c].max, &value[c]) < 0)
			return -EINVAL;
	}
	for (size_t i = 0; i < BH_ARRAY_SIZE(keys); i++) {
		if (value[i] == UINT64_MAX) {
			bh_error("--%s is missing: this program is started by bulkheadd",
				 keys[i].name);
			return -EINVAL;
		}
	}
	if (optind != argc) {
		bh_error("unexpected argument: %s", argv[optind]);
		return -EINVAL;
	}
	o->listen_fd = (int)value[0];
	o->queue_fd = (int)value[1];
	o->queue = (uint16_t)value[2];
	o->engine.flows = (uint32_t)value[3];
	o->engine.contexts = (uint32_t)value[4];
	o->engine.naming = value[5];
	o->ring = (uint32_t)value[6];
	o->engine.mark_down = (uint8_t)value[7];
	return 0;
}

int main(int argc, char **argv)
{
	struct worker w = { .epoll_fd = -1,
			    .opt = { .ring = BH_WORKER_RING, .engine = BH_ENGINE_CONFIG_DEFAULT } };
	struct bh_err err = { 0 };
	int r;

	bh_log_init("bulkhead-worker", BH_LOG_NOTICE);
	if (parse_options(argc, argv, &w.opt) < 0)
		return 2;
	r = setup(&w, &err);
	if (r == 0)
		r = run(&w, &err);
	if (r < 0)
		bh_error("%s", bh_err_text(&err, r));
	else
		bh_judge_drain(w.judge);
	/* The memory goes with the process; what is left to do must be in the filter's list. */
	_exit(r < 0 ? 1 : 0);
}
