// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * dataplane/worker/pool.c - the agent's side of the workers: start, hand rules to, watch, take over
 *
 * pool_worker.c knows one worker, pool_os.c the system calls. Here is what concerns all of them: the start,
 * the publication of rules, the timer, and the telling.
 *
 * DOC: Telling the owner
 *
 * bh_pool_start() and bh_pool_publish() read from the workers while the owner is in the middle of something
 * else. So what he is to hear is put into a list, and told from the loop only. A finding is acknowledged to
 * its worker after it was told; until then the worker keeps it, and sends no more than BH_WORKER_WINDOW.
 */
#include "dataplane/worker/pool.h"

#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>

#include "common/limits.h"
#include "common/log.h"
#include "common/util.h"
#include "dataplane/worker/nfq.h"
#include "dataplane/worker/pool_os.h"
#include "dataplane/worker/pool_worker.h"

#include "common/banned.h"

#define QUEUE_MAXLEN 4096U
/* Tables are taken and zeroed, nDPI is read in: a tenth of a second, and many of them where a host is just booting. */
#define HELLO_MS    30000
#define ADOPT_MS    2000
#define PUBLISH_MS  2000
#define TICK_MS     1000
#define SILENT_MAX  5U
#define SILENT_OPEN 1U

/* ---- telling ---- */

void bh_pool_tell(struct bh_pool *p, const struct bh_pool_event *e)
{
	if (p->n_events == p->cap_events) {
		size_t cap = p->cap_events ? 2 * p->cap_events : 64;
		struct bh_pool_event *events = reallocarray(p->events, cap, sizeof(*events));

		if (!events) {
			bh_error("out of memory: an event of worker %u is lost", e->worker);
			return;
		}
		p->events = events;
		p->cap_events = cap;
	}
	p->events[p->n_events++] = *e;
}

static void acknowledge(struct bh_pool_slot *s)
{
	struct bh_wmsg m;

	if (s->conn < 0 || !s->greeted ||
	    (s->seq_heard == s->seq_acked && s->lost_heard == s->lost_acked))
		return;
	memset(&m, 0, sizeof(m));
	m.type = BH_WMSG_ACK;
	m.version = BH_WORKER_PROTO_VERSION;
	m.ack.seq = s->seq_heard;
	m.ack.lost = s->lost_heard;
	if (bh_os_send(s->conn, &m, NULL, 0) == 0) {
		s->unacked = 0;
		s->seq_acked = s->seq_heard;
		s->lost_acked = s->lost_heard;
	}
}

static bh_msec_t next_retry(const struct bh_pool *p)
{
	bh_msec_t at = INT64_MAX;

	for (size_t i = 0; i < p->n; i++)
		if (p->slots[i].retry_at)
			at = BH_MIN(at, p->slots[i].retry_at);
	return at;
}

static void deliver(struct bh_pool *p)
{
	p->depth++;
	for (size_t i = 0; i < p->n_events; i++) {
		struct bh_pool_event e = p->events[i]; /* the list may grow meanwhile */

		switch (e.type) {
		case BH_POOL_FINDING:
			p->ops->finding(p->arg, e.worker, e.finding.wall_us, &e.finding.f);
			break;
		case BH_POOL_LOST:
			p->ops->lost(p->arg, e.worker, e.lost.cause, e.lost.n);
			break;
		case BH_POOL_RESTARTED:
			p->ops->restarted(p->arg, e.worker, e.restarted.status, e.restarted.gap_ms);
			break;
		}
	}
	p->n_events = 0;
	for (size_t i = 0; i < p->n; i++)
		acknowledge(&p->slots[i]);
	p->depth--;
}

void bh_pool_settle(struct bh_pool *p)
{
	bh_msec_t at;

	if (!p->depth)
		deliver(p);
	at = p->n_events ? 0 : next_retry(p);
	(void)bh_timer_set(p->later, at == INT64_MAX ? -1 : BH_MAX(at - bh_clock_now(), 0), 0);
}

static int on_later(struct bh_source *src, void *arg)
{
	struct bh_pool *p = arg;

	for (size_t i = 0; i < p->n; i++)
		bh_slot_retry(&p->slots[i]);
	bh_pool_settle(p);
	return 0;
}

/* ---- the timer ---- */

static void lost_packets(struct bh_pool_slot *s, const char *cause, uint64_t *seen, uint64_t now)
{
	if (now > *seen)
		bh_pool_tell(s->pool, &(struct bh_pool_event){ .type = BH_POOL_LOST,
							       .worker = s->index,
							       .lost = { cause, now - *seen } });
	*seen = now;
}

static void read_queue_stats(struct bh_pool *p, bool tell)
{
	struct bh_os_queue qs[2 * BH_WORKERS_MAX] = { 0 };

	for (size_t i = 0; i < p->n; i++) {
		qs[i].queue = p->slots[i].queue;
		qs[p->n + i].queue = (uint16_t)(p->slots[i].queue + BH_QUEUE_OPEN);
	}
	if (bh_os_queue_stats(qs, 2 * p->n) < 0)
		return;
	for (size_t i = 0; i < p->n; i++) {
		struct bh_pool_slot *s = &p->slots[i];

		if (tell) {
			lost_packets(s, "queue_full", &s->queue_dropped, qs[i].dropped);
			lost_packets(s, "queue_socket_full", &s->user_dropped, qs[i].user_dropped);
		}
		/* It hangs. Who need not wait for it does not. */
		if (s->silent >= SILENT_OPEN && qs[p->n + i].waiting > 0)
			bh_nfq_let_go(s->queue_fd, s->queue, qs[p->n + i].last_id);
		s->queue_dropped = qs[i].dropped;
		s->user_dropped = qs[i].user_dropped;
		s->info.stats.queue_dropped = qs[i].dropped;
		s->info.stats.user_dropped = qs[i].user_dropped;
	}
}

/*
 * A worker that hangs keeps every packet of its queue: five questions without an answer end it. One that is still
 * starting has as long as at the start of the pool: to begin anew would not make it faster.
 */
static void ask(struct bh_pool_slot *s)
{
	struct bh_wmsg m;

	if (s->pidfd < 0)
		return;
	if (s->silent >= (s->greeted ? SILENT_MAX : HELLO_MS / TICK_MS)) {
		bh_error("worker %u (process %d) does not answer: it is ended and replaced",
			 s->index, (int)s->pid);
		bh_os_kill(s->pidfd);
		bh_slot_check(s);
		return;
	}
	s->silent++;
	memset(&m, 0, sizeof(m));
	m.type = BH_WMSG_GET_STATS;
	m.version = BH_WORKER_PROTO_VERSION;
	/* No room: the silence goes on. */
	if (s->conn >= 0 && bh_os_send(s->conn, &m, NULL, 0) < 0)
		return;
}

static int on_tick(struct bh_source *src, void *arg)
{
	struct bh_pool *p = arg;

	/* The loop may have had no time for what they answered. */
	for (size_t i = 0; i < p->n; i++)
		if (p->slots[i].silent > 0)
			(void)bh_slot_read(&p->slots[i]);
	read_queue_stats(p, true);
	for (size_t i = 0; i < p->n; i++) {
		bh_slot_retry(&p->slots[i]);
		ask(&p->slots[i]);
	}
	bh_pool_settle(p);
	return 0;
}

/* ---- waiting, with all ears open ---- */

/* One round of everything that a worker can cause, at most until @until. */
static void listen_round(struct bh_pool *p, bh_msec_t until)
{
	struct pollfd fds[2 * BH_WORKERS_MAX];
	bh_msec_t now = bh_clock_now(), wait = BH_MIN(until, next_retry(p)) - now;

	for (size_t i = 0; i < p->n; i++) {
		const struct bh_pool_slot *s = &p->slots[i];

		fds[2 * i] = (struct pollfd){ .fd = s->conn, .events = POLLIN };
		fds[2 * i + 1] = (struct pollfd){ .fd = s->pidfd, .events = POLLIN };
	}
	if (poll(fds, 2 * p->n, (int)BH_MAX(wait, 0)) < 0)
		return;
	for (size_t i = 0; i < p->n; i++) {
		if (fds[2 * i].revents)
			(void)bh_slot_read(&p->slots[i]);
		if (fds[2 * i + 1].revents)
			bh_slot_check(&p->slots[i]);
		bh_slot_retry(&p->slots[i]);
	}
}

/* ---- start ---- */

int bh_pool_new(struct bh_loop *loop, const struct bh_pool_config *cfg,
		const struct bh_pool_ops *ops, void *arg, struct bh_pool **ret, struct bh_err *err)
{
	struct bh_pool *p;
	int r = -ENOMEM;

	if (cfg->n < 1 || cfg->n > BH_WORKERS_MAX ||
	    cfg->queue_base > UINT16_MAX - BH_QUEUE_OPEN - cfg->n + 1)
		return bh_err_set(err, -E2BIG,
				  "%u workers from queue %u on: at most %u, and no "
				  "queue above 65535",
				  cfg->n, cfg->queue_base, BH_WORKERS_MAX);
	p = calloc(1, sizeof(*p));
	if (!p)
		return bh_err_set(err, -ENOMEM, "out of memory");
	p->loop = loop;
	p->cfg = *cfg;
	p->ops = ops;
	p->arg = arg;
	p->current = (struct bh_pool_rules){ .rules_fd = -1, .addrs_fd = -1 };
	p->wanted = &p->current;
	p->run_dir = strdup(cfg->run_dir);
	p->worker_bin = strdup(cfg->worker_bin);
	p->slots = calloc(cfg->n, sizeof(*p->slots));
	if (p->run_dir && p->worker_bin && p->slots)
		r = bh_loop_add_timer(loop, "workers", on_tick, p, &p->tick);
	if (r == 0)
		r = bh_loop_add_timer(loop, "workers' events", on_later, p, &p->later);
	for (unsigned i = 0; r == 0 && i < cfg->n; i++, p->n++) {
		struct bh_pool_slot *s = &p->slots[i];

		*s = (struct bh_pool_slot){ .pool = p,
					    .index = i,
					    .queue = (uint16_t)(cfg->queue_base + i),
					    .listen_fd = -1,
					    .queue_fd = -1,
					    .pidfd = -1,
					    .conn = -1 };
		s->info.queue = s->queue;
		(void)snprintf(s->sock_path, sizeof(s->sock_path), "%s/worker-%u.sock", p->run_dir,
			       i);
		(void)snprintf(s->pid_path, sizeof(s->pid_path), "%s/worker-%u.pid", p->run_dir, i);
	}
	if (r < 0) {
		bh_pool_free(p);
		return bh_err_set(err, r, "pool of workers: %s", strerrordesc_np(-r));
	}
	*ret = p;
	return 0;
}

static void rules_done(struct bh_pool_rules *r)
{
	bh_closep(&r->rules_fd);
	bh_closep(&r->addrs_fd);
	r->rules_fd = -1;
	r->addrs_fd = -1;
}

struct bh_pool *bh_pool_free(struct bh_pool *p)
{
	if (!p)
		return NULL;
	for (size_t i = 0; i < p->n; i++)
		bh_slot_close(&p->slots[i]);
	bh_source_remove(p->tick);
	bh_source_remove(p->later);
	rules_done(&p->current);
	free(p->events);
	free(p->slots);
	free(p->run_dir);
	free(p->worker_bin);
	free(p);
	return NULL;
}

/* A worker that cannot be reached by its socket any more, but whose process number is on record. */
static void end_unreachable(const char *pid_path)
{
	bh_autoclose int pidfd = -1;

	if (bh_os_find(pid_path, &pidfd) == 0)
		bh_os_kill(pidfd);
}

/* Whoever listens in the run folder gives us its sockets, and goes on or is stopped. */
static void adopt(struct bh_pool_slot *s)
{
	bh_msec_t until = bh_clock_now() + ADOPT_MS;

	if (bh_slot_connect(s) < 0) {
		end_unreachable(s->pid_path);
		return;
	}
	while (s->conn >= 0 && !s->greeted && bh_clock_now() < until) {
		struct pollfd p = { .fd = s->conn, .events = POLLIN };

		if (poll(&p, 1, (int)BH_MAX(until - bh_clock_now(), 0)) > 0)
			(void)bh_slot_read(s);
	}
	s->retry_at = 0;
	if (!s->greeted) {
		bh_slot_disconnect(s);
		end_unreachable(s->pid_path);
	}
}

/* Workers of a larger pool than this one. */
static void stop_surplus(struct bh_pool *p)
{
	for (unsigned i = p->cfg.n; i < BH_WORKERS_MAX; i++) {
		struct bh_pool_slot s = { .pool = p,
					  .index = i,
					  .listen_fd = -1,
					  .queue_fd = -1,
					  .pidfd = -1,
					  .conn = -1 };

		(void)snprintf(s.sock_path, sizeof(s.sock_path), "%s/worker-%u.sock", p->run_dir,
			       i);
		(void)snprintf(s.pid_path, sizeof(s.pid_path), "%s/worker-%u.pid", p->run_dir, i);
		if (access(s.sock_path, F_OK) < 0)
			continue;
		adopt(&s); /* for no queue of ours: this stops it */
		bh_slot_stop(&s);
		bh_slot_close(&s);
		(void)unlink(s.sock_path);
		(void)unlink(s.pid_path);
	}
}

static int start_slot(struct bh_pool_slot *s, struct bh_err *err)
{
	int r = 0;

	if (s->queue_fd < 0) {
		/* Without the queue's socket nothing of the old worker is of use. */
		if (s->pidfd >= 0)
			bh_slot_stop(s);
		r = bh_nfq_open(s->queue, QUEUE_MAXLEN, &s->queue_fd, err);
	} else if (s->pidfd < 0) {
		/* Of a worker that was ended here: it may have been of a build that knew one queue only. */
		r = bh_nfq_complete(s->queue_fd, s->queue, QUEUE_MAXLEN, err);
	}
	if (r == 0 && s->listen_fd < 0)
		r = bh_os_listen(s->sock_path, &s->listen_fd, err);
	if (r == 0 && s->pidfd < 0)
		r = bh_slot_spawn(s, err);
	return r;
}

int bh_pool_start(struct bh_pool *p, struct bh_err *err)
{
	bh_msec_t until;
	int r = 0;

	p->depth++;
	stop_surplus(p);
	for (size_t i = 0; i < p->n; i++)
		adopt(&p->slots[i]);
	for (size_t i = 0; r == 0 && i < p->n; i++)
		r = start_slot(&p->slots[i], err);
	until = bh_clock_now() + HELLO_MS;
	for (size_t i = 0; r == 0 && i < p->n; i++) {
		const struct bh_pool_slot *s = &p->slots[i];

		while (!s->greeted && bh_clock_now() < until && s->info.restarts == 0)
			listen_round(p, until);
		if (s->greeted)
			continue;
		r = bh_err_set(err, -ETIMEDOUT, "worker %u (%s) %s", s->index, p->worker_bin,
			       s->info.restarts ? "ends as soon as it is started"
						: "does not answer");
	}
	if (r == 0) {
		read_queue_stats(p, false);
		r = bh_timer_set(p->tick, TICK_MS, TICK_MS);
	}
	p->depth--;
	(void)bh_timer_set(p->later, 0, 0);
	return r;
}

/* ---- publication ---- */

static bool wait_for_answers(struct bh_pool *p, bh_msec_t until)
{
	for (;;) {
		size_t ok = 0;

		for (size_t i = 0; i < p->n; i++) {
			struct bh_pool_slot *s = &p->slots[i];

			ok += s->asked == p->wanted->number && s->answer == BH_POOL_ANSWER_OK;
			/* An older program may not know this form: ours does. */
			if (s->answer == BH_POOL_ANSWER_BAD && s->adopted) {
				bh_slot_stop(s);
				s->answer = BH_POOL_ANSWER_NONE;
				s->retry_at = bh_clock_now();
			} else if (s->answer == BH_POOL_ANSWER_BAD) {
				return false;
			}
		}
		if (ok == p->n)
			return true;
		if (bh_clock_now() >= until)
			return false;
		listen_round(p, until);
	}
}

static int explain_failure(const struct bh_pool *p, struct bh_err *err)
{
	for (size_t i = 0; i < p->n; i++) {
		const struct bh_pool_slot *s = &p->slots[i];

		if (s->answer == BH_POOL_ANSWER_BAD)
			return bh_err_set(
			    err, -EPROTO, "worker %u refuses the rules of revision %llu: %s",
			    s->index, (unsigned long long)p->wanted->revision, s->bad);
	}
	for (size_t i = 0; i < p->n; i++) {
		const struct bh_pool_slot *s = &p->slots[i];

		if (s->asked != p->wanted->number || s->answer != BH_POOL_ANSWER_OK)
			return bh_err_set(err, -ETIMEDOUT,
					  "worker %u did not take the rules of revision %llu in "
					  "%d ms",
					  s->index, (unsigned long long)p->wanted->revision,
					  PUBLISH_MS);
	}
	return bh_err_set(err, -EPROTO, "the workers did not take the rules");
}

int bh_pool_publish(struct bh_pool *p, const struct bh_ruleset *rs, struct bh_addrtable *addrs,
		    struct bh_err *err)
{
	struct bh_pool_rules fresh = { .rules_fd = -1,
				       .addrs_fd = -1,
				       .number = ++p->published,
				       .revision = bh_ruleset_revision(rs) };
	struct bh_pool_rules *leaving = &fresh;
	int r;

	r = bh_os_rules_file(rs, &fresh.rules_fd, err);
	if (r < 0)
		return r;
	fresh.addrs_fd = fcntl(bh_addrtable_fd(addrs), F_DUPFD_CLOEXEC, 3);
	if (fresh.addrs_fd < 0) {
		r = bh_err_set(err, -errno, "address table: %m");
		rules_done(&fresh);
		return r;
	}
	p->depth++;
	p->wanted = &fresh;
	for (size_t i = 0; i < p->n; i++)
		bh_slot_send_rules(&p->slots[i]);
	if (wait_for_answers(p, bh_clock_now() + PUBLISH_MS)) {
		struct bh_pool_rules old = p->current;

		p->current = fresh;
		fresh = old;
	} else {
		r = explain_failure(p, err);
	}
	p->wanted = &p->current;
	rules_done(leaving);
	p->depth--;
	(void)bh_timer_set(p->later, 0, 0);
	return r;
}

/* ---- the rest ---- */

void bh_pool_get(const struct bh_pool *p, unsigned i, struct bh_pool_worker *ret)
{
	*ret = p->slots[i].info;
}

size_t bh_pool_count(const struct bh_pool *p)
{
	return p->n;
}

void bh_pool_stop_workers(struct bh_pool *p)
{
	for (size_t i = 0; i < p->n; i++) {
		struct bh_pool_slot *s = &p->slots[i];

		bh_slot_stop(s);
		s->retry_at = 0;
		s->died_at = 0;
		bh_slot_close(s);
		(void)unlink(s->sock_path);
		(void)unlink(s->pid_path);
	}
}
