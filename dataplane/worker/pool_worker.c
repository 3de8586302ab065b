// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * dataplane/worker/pool_worker.c - one worker: started or found, listened to, replaced when it dies
 *
 * DOC: A death
 *
 * A process that ends makes its pidfd readable. Its last messages are still in the connection and are read
 * first. Then a successor is started with the same two sockets: the queue's, in which packets went on
 * collecting, and the listening one, to which the pool connects at once, so that the rules stand there
 * before the successor reads its first packet. Five deaths in ten seconds make the next start wait for
 * a second; it is never given up.
 *
 * A connection that ends while the process lives is made again.
 */
#include "dataplane/worker/pool_worker.h"

#include "config.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/pidfd.h>

#include "common/file.h"
#include "common/log.h"
#include "common/util.h"
#include "dataplane/worker/nfq.h"
#include "dataplane/worker/pool_os.h"

#include "common/banned.h"

#define READS_MAX    256
#define DEATHS_MS    10000
#define START_MS     1000
#define RECONNECT_MS 20
#define STOP_MS      1000

static int on_conn(struct bh_source *src, int fd, uint32_t events, void *arg)
{
	struct bh_pool_slot *s = arg;

	(void)bh_slot_read(s);
	bh_pool_settle(s->pool);
	return 0;
}

static int on_pidfd(struct bh_source *src, int fd, uint32_t events, void *arg)
{
	struct bh_pool_slot *s = arg;

	bh_slot_check(s);
	bh_pool_settle(s->pool);
	return 0;
}

void bh_slot_disconnect(struct bh_pool_slot *s)
{
	s->conn_source = bh_source_remove(s->conn_source);
	bh_closep(&s->conn);
	s->conn = -1;
	s->greeted = false;
	s->info.connected = false;
}

static void forget_process(struct bh_pool_slot *s)
{
	s->pid_source = bh_source_remove(s->pid_source);
	bh_closep(&s->pidfd);
	s->pidfd = -1;
	s->pid = 0;
	s->info.pid = 0;
	s->adopted = false;
	s->stopping = false;
}

void bh_slot_close(struct bh_pool_slot *s)
{
	bh_slot_disconnect(s);
	forget_process(s);
	bh_closep(&s->listen_fd);
	bh_closep(&s->queue_fd);
	s->listen_fd = -1;
	s->queue_fd = -1;
}

static int watch_process(struct bh_pool_slot *s, pid_t pid, int pidfd)
{
	int r;

	s->pid = pid;
	s->pidfd = pidfd;
	s->info.pid = (int)pid;
	s->silent = 0;
	r = bh_loop_add_io(s->pool->loop, "worker process", pidfd, EPOLLIN, on_pidfd, s,
			   &s->pid_source);
	return r;
}

int bh_slot_connect(struct bh_pool_slot *s)
{
	int r;

	bh_slot_disconnect(s);
	r = bh_os_connect(s->sock_path, &s->conn);
	if (r < 0) {
		s->conn = -1;
		return r;
	}
	r = bh_loop_add_io(s->pool->loop, "worker connection", s->conn, EPOLLIN, on_conn, s,
			   &s->conn_source);
	if (r < 0)
		bh_slot_disconnect(s);
	return r;
}

void bh_slot_send_rules(struct bh_pool_slot *s)
{
	const struct bh_pool_rules *rules = s->pool->wanted;
	const int fds[2] = { rules->rules_fd, rules->addrs_fd };
	struct bh_wmsg m;

	s->answer = BH_POOL_ANSWER_NONE;
	if (rules->rules_fd < 0 || s->conn < 0)
		return;
	memset(&m, 0, sizeof(m));
	m.type = BH_WMSG_RULES;
	m.version = BH_WORKER_PROTO_VERSION;
	m.seq = rules->number;
	m.rules.revision = rules->revision;
	s->asked = rules->number;
	/* No room: a connection that takes nothing is as good as none. */
	if (bh_os_send(s->conn, &m, fds, 2) < 0) {
		bh_slot_disconnect(s);
		s->retry_at = bh_clock_now() + RECONNECT_MS;
	}
}

int bh_slot_spawn(struct bh_pool_slot *s, struct bh_err *err)
{
	const struct bh_os_spawn what = {
		.bin = s->pool->worker_bin,
		.listen_fd = s->listen_fd,
		.queue_fd = s->queue_fd,
		.queue = s->queue,
		.engine = s->pool->cfg.engine,
	};
	struct bh_err ignored = { 0 };
	int pidfd = -1, r;
	char text[16];
	pid_t pid;

	/* Connections that the last one did not live to take. */
	bh_os_drain(s->listen_fd);
	r = bh_os_spawn(&what, &pid, &pidfd, err);
	if (r < 0)
		return r;
	s->adopted = false;
	s->seq_heard = 0;
	s->seq_acked = 0;
	s->unacked = 0;
	s->lost_heard = 0;
	s->lost_acked = 0;
	memset(&s->info.stats.engine, 0, sizeof(s->info.stats.engine));
	s->info.revision = 0;
	r = watch_process(s, pid, pidfd);
	if (r < 0) {
		bh_os_kill(pidfd);
		(void)bh_os_reap(pidfd);
		forget_process(s);
		return bh_err_set(err, r, "cannot watch a worker: %s", strerrordesc_np(-r));
	}
	(void)snprintf(text, sizeof(text), "%d\n", (int)pid);
	if (bh_file_write(s->pid_path, text, strlen(text), 0644, &ignored) < 0)
		bh_warning("%s (the worker runs all the same)", bh_err_text(&ignored, 0));
	r = bh_slot_connect(s);
	if (r < 0)
		return bh_err_set(err, r, "%s: connect: %s", s->sock_path, strerrordesc_np(-r));
	bh_slot_send_rules(s);
	return 0;
}

/* Too many deaths of late: not now. Return: when. */
static bh_msec_t start_time(const struct bh_pool_slot *s, bh_msec_t now)
{
	if (s->n_deaths >= BH_POOL_DEATHS &&
	    now - s->deaths[s->n_deaths % BH_POOL_DEATHS] < DEATHS_MS)
		return now + START_MS;
	return now;
}

static void start_successor(struct bh_pool_slot *s)
{
	static struct bh_log_limit limit = BH_LOG_LIMIT_INIT;
	struct bh_err err = { 0 };
	int r;

	s->retry_at = 0;
	r = bh_slot_spawn(s, &err);
	if (r == 0)
		return;
	bh_log_limited(&limit, BH_LOG_ERROR, "worker %u: %s: its flows wait; next try in a second",
		       s->index, bh_err_text(&err, r));
	/* A process without a connection is of no use; if there is one, its end comes back here. */
	if (s->pidfd >= 0)
		bh_os_kill(s->pidfd);
	else
		s->retry_at = bh_clock_now() + START_MS;
	bh_pool_tell(s->pool, &(struct bh_pool_event){
				  .type = BH_POOL_RESTARTED,
				  .worker = s->index,
				  .restarted = { .status = s->died_status, .gap_ms = -1 } });
}

static void died(struct bh_pool_slot *s)
{
	bh_msec_t now = bh_clock_now();
	uint64_t unheard;

	/* What it said before its end. */
	while (bh_slot_read(s))
		;
	bh_slot_disconnect(s);
	s->died_status = bh_os_reap(s->pidfd);
	forget_process(s);
	unheard = s->info.stats.findings - BH_MIN(s->seq_heard, s->info.stats.findings);
	if (unheard)
		bh_pool_tell(s->pool,
			     &(struct bh_pool_event){ .type = BH_POOL_LOST,
						      .worker = s->index,
						      .lost = { "worker_died", unheard } });
	s->info.stats.findings = 0;
	if (!s->died_at)
		s->died_at = now;
	s->deaths[s->n_deaths++ % BH_POOL_DEATHS] = now;
	s->info.restarts++;
	s->retry_at = start_time(s, now);
	if (s->retry_at <= now)
		start_successor(s);
}

void bh_slot_check(struct bh_pool_slot *s)
{
	if (s->pidfd >= 0 && !s->stopping && bh_os_gone(s->pidfd, 0))
		died(s);
}

void bh_slot_retry(struct bh_pool_slot *s)
{
	if (!s->retry_at || bh_clock_now() < s->retry_at)
		return;
	s->retry_at = 0;
	if (s->pidfd < 0) {
		start_successor(s);
	} else if (s->conn < 0) {
		if (bh_slot_connect(s) < 0)
			s->retry_at = bh_clock_now() + RECONNECT_MS;
		else
			bh_slot_send_rules(s);
	}
}

/* ---- what it says ---- */

static bool same_as_ours(const struct bh_pool_slot *s, const struct bh_os_msg *msg)
{
	const struct bh_engine_config *a = &msg->m.hello.engine, *b = &s->pool->cfg.engine;

	return msg->size == sizeof(msg->m) && msg->m.version == BH_WORKER_PROTO_VERSION &&
	       msg->m.seq == s->queue &&
	       strncmp(msg->m.hello.build, BH_VERSION, sizeof(msg->m.hello.build)) == 0 &&
	       a->flows == b->flows && a->contexts == b->contexts && a->naming == b->naming &&
	       a->mark_down == b->mark_down;
}

static void on_hello(struct bh_pool_slot *s, struct bh_os_msg *msg)
{
	bool ours = same_as_ours(s, msg);

	/* A queue of another number is of no use; the listening socket is. */
	if (s->queue_fd < 0 && msg->m.seq == s->queue)
		s->queue_fd = bh_take_fd(&msg->fds[0]);
	if (s->listen_fd < 0)
		s->listen_fd = bh_take_fd(&msg->fds[1]);
	if (s->pidfd < 0) {
		int pidfd = pidfd_open(msg->pid, 0);

		if (pidfd < 0 || watch_process(s, msg->pid, pidfd) < 0) {
			if (pidfd >= 0)
				forget_process(s);
			bh_slot_disconnect(s);
			return;
		}
		s->adopted = true;
		if (ours) {
			s->seq_heard = s->seq_acked = msg->m.hello.acked;
			s->lost_heard = s->lost_acked = msg->m.hello.lost_acked;
		}
	}
	if (!ours) {
		bh_notice("worker %u (process %d) is of another build or for other settings: "
			  "it is replaced",
			  s->index, (int)s->pid);
		bh_slot_stop(s);
		return;
	}
	s->greeted = true;
	s->silent = 0;
	s->info.connected = true;
	s->info.revision = msg->m.hello.revision;
	if (s->died_at) {
		bh_pool_tell(s->pool,
			     &(struct bh_pool_event){
				 .type = BH_POOL_RESTARTED,
				 .worker = s->index,
				 .restarted = { s->died_status, bh_clock_now() - s->died_at } });
		s->died_at = 0;
	}
}

static void on_finding(struct bh_pool_slot *s, const struct bh_wmsg *m)
{
	/* Sent again after a connection was lost. */
	if (m->seq <= s->seq_heard)
		return;
	s->seq_heard = m->seq;
	s->unacked++;
	bh_pool_tell(s->pool,
		     &(struct bh_pool_event){ .type = BH_POOL_FINDING,
					      .worker = s->index,
					      .finding = { m->finding.wall_us, m->finding.f } });
}

static void on_stats(struct bh_pool_slot *s, const struct bh_wmsg *m)
{
	uint64_t dropped = s->info.stats.queue_dropped, user = s->info.stats.user_dropped;

	s->silent = 0;
	s->info.stats = m->stats;
	s->info.stats.queue_dropped = dropped;
	s->info.stats.user_dropped = user;
	if (m->stats.lost > s->lost_heard) {
		bh_pool_tell(s->pool,
			     &(struct bh_pool_event){
				 .type = BH_POOL_LOST,
				 .worker = s->index,
				 .lost = { "findings_ring_full", m->stats.lost - s->lost_heard } });
		s->lost_heard = m->stats.lost;
	}
}

static void on_answer(struct bh_pool_slot *s, const struct bh_wmsg *m)
{
	if (m->type == BH_WMSG_RULES_OK)
		s->info.revision = m->rules.revision;
	if (m->seq != s->asked)
		return;
	s->answer = m->type == BH_WMSG_RULES_OK ? BH_POOL_ANSWER_OK : BH_POOL_ANSWER_BAD;
	(void)snprintf(s->bad, sizeof(s->bad), "%.*s", (int)sizeof(m->rules.text) - 1,
		       m->rules.text);
}

/* Return: false if the connection is not worth going on with. */
static bool on_message(struct bh_pool_slot *s, struct bh_os_msg *msg)
{
	const struct bh_wmsg *m = &msg->m;

	if (msg->uid != 0 && msg->uid != geteuid())
		return false;
	if (m->type == BH_WMSG_HELLO && !s->greeted) {
		on_hello(s, msg);
		return true;
	}
	if (!s->greeted || msg->size != sizeof(*m) || m->version != BH_WORKER_PROTO_VERSION)
		return false;
	switch (m->type) {
	case BH_WMSG_FINDING:
		on_finding(s, m);
		return s->unacked <= BH_WORKER_WINDOW;
	case BH_WMSG_STATS:
		on_stats(s, m);
		return true;
	case BH_WMSG_RULES_OK:
	case BH_WMSG_RULES_BAD:
		on_answer(s, m);
		return true;
	default:
		return false;
	}
}

bool bh_slot_read(struct bh_pool_slot *s)
{
	for (int i = 0; s->conn >= 0 && i < READS_MAX; i++) {
		struct bh_os_msg msg;
		int r = bh_os_recv(s->conn, &msg);

		if (r == 0)
			return false;
		if (r > 0) {
			bool fine = on_message(s, &msg);

			bh_closep(&msg.fds[0]);
			bh_closep(&msg.fds[1]);
			if (fine)
				continue;
		}
		/* Dead, or it hung up: the process will tell which. */
		bh_slot_disconnect(s);
		s->retry_at = bh_clock_now() + RECONNECT_MS;
	}
	return s->conn >= 0;
}

void bh_slot_stop(struct bh_pool_slot *s)
{
	struct bh_wmsg m;

	if (s->pidfd < 0)
		return;
	s->stopping = true;
	memset(&m, 0, sizeof(m));
	m.type = BH_WMSG_STOP;
	m.version = BH_WORKER_PROTO_VERSION;
	if (s->conn < 0 || bh_os_send(s->conn, &m, NULL, 0) < 0 || !bh_os_gone(s->pidfd, STOP_MS))
		bh_os_kill(s->pidfd);
	(void)bh_os_reap(s->pidfd);
	bh_slot_disconnect(s);
	forget_process(s);
	s->info.revision = 0;
}
