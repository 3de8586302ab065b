// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * dataplane/worker/link.c - the worker's side of its connection to the agent
 *
 * DOC: The ring of findings
 *
 * Findings are numbered from 1; number n stands in slot n modulo the ring's size.
 *
 *	first	the oldest that is kept
 *	sent	the last that went out on this connection
 *	made	the last there is
 *
 * An acknowledgement moves `first`. A ring that is full gives up `first`: if it was never sent it is lost; if it
 * was sent, it is lost only if the connection ends before it is acknowledged (`doubtful`).
 */
#include "dataplane/worker/link.h"

#include "config.h"

#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "common/log.h"
#include "common/util.h"

#include "common/banned.h"

#define SNDBUF    (4 * 1024 * 1024)
#define BATCH     32U
#define READS_MAX 64
#define STATS_MS  1000
#define RING_MAX  (1U << 24)

struct slot {
	int64_t wall_us;
	struct bh_finding f;
};

struct bh_link {
	struct bh_link_config cfg;
	const struct bh_link_ops *ops;
	void *arg;
	int conn; /* -1: none */
	bool want_out;
	bool has_answer; /* waits for room in the socket */
	struct bh_wmsg answer;
	bool stats_wanted;
	bh_msec_t stats_at;
	struct bh_worker_stats stats_sent;
	uint64_t first, sent, made;
	uint64_t doubtful, lost, lost_acked;
	uint32_t ring_mask;
	struct slot *ring;
	struct bh_wmsg out[BATCH];
	struct iovec iov[BATCH];
	struct mmsghdr msgs[BATCH];
};

int bh_link_new(const struct bh_link_config *cfg, const struct bh_link_ops *ops, void *arg,
		struct bh_link **ret, struct bh_err *err)
{
	struct epoll_event ev = { .events = EPOLLIN, .data.u32 = BH_LINK_LISTEN };
	bh_cleanup(bh_link_freep) struct bh_link *l = calloc(1, sizeof(*l));
	uint32_t n = 1;

	if (!l)
		return bh_err_set(err, -ENOMEM, "out of memory");
	l->cfg = *cfg;
	l->ops = ops;
	l->arg = arg;
	l->conn = -1;
	l->first = 1;
	if (cfg->ring > RING_MAX)
		return bh_err_set(err, -E2BIG, "a ring of %u findings: at most %u", cfg->ring,
				  RING_MAX);
	while (n < cfg->ring)
		n *= 2;
	l->ring_mask = n - 1;
	l->ring = calloc(n, sizeof(*l->ring));
	if (!l->ring)
		return bh_err_set(err, -ENOMEM, "out of memory for %u findings", n);
	for (size_t i = 0; i < BATCH; i++) {
		l->iov[i] = (struct iovec){ .iov_base = &l->out[i], .iov_len = sizeof(l->out[i]) };
		l->msgs[i].msg_hdr.msg_iov = &l->iov[i];
		l->msgs[i].msg_hdr.msg_iovlen = 1;
	}
	if (epoll_ctl(cfg->epoll_fd, EPOLL_CTL_ADD, cfg->listen_fd, &ev) < 0)
		return bh_err_set(err, -errno, "epoll_ctl of the listening socket: %m");
	*ret = bh_take_ptr(&l);
	return 0;
}

static void hang_up(struct bh_link *l)
{
	if (l->conn < 0)
		return;
	(void)close(l->conn); /* leaves epoll with it */
	l->conn = -1;
	l->want_out = false;
	l->has_answer = false;
	/* What went out and was not acknowledged is sent again, or lost if it is not there any more. */
	l->lost += l->doubtful;
	l->doubtful = 0;
	l->sent = l->first - 1;
}

struct bh_link *bh_link_free(struct bh_link *l)
{
	if (!l)
		return NULL;
	hang_up(l);
	free(l->ring);
	free(l);
	return NULL;
}

bool bh_link_connected(const struct bh_link *l)
{
	return l->conn >= 0;
}

static void want_out(struct bh_link *l, bool on)
{
	struct epoll_event ev = { .events = on ? EPOLLIN | EPOLLOUT : EPOLLIN,
				  .data.u32 = BH_LINK_CONN };

	if (l->conn < 0 || on == l->want_out)
		return;
	if (epoll_ctl(l->cfg.epoll_fd, EPOLL_CTL_MOD, l->conn, &ev) == 0)
		l->want_out = on;
}

static void message(struct bh_wmsg *m, enum bh_wmsg_type type)
{
	memset(m, 0, sizeof(*m));
	m->type = type;
	m->version = BH_WORKER_PROTO_VERSION;
}

/* Return: false if there is no room now, or no connection any more. */
static bool transmit(struct bh_link *l, const struct bh_wmsg *m)
{
	if (l->conn < 0)
		return false;
	if (send(l->conn, m, sizeof(*m), MSG_NOSIGNAL | MSG_DONTWAIT) >= 0)
		return true;
	if (errno != EAGAIN && errno != EINTR && errno != ENOBUFS && errno != ENOMEM)
		hang_up(l);
	else
		want_out(l, true);
	return false;
}

static int send_hello(struct bh_link *l)
{
	const int fds[2] = { l->cfg.queue_fd, l->cfg.listen_fd };
	union {
		char buf[CMSG_SPACE(sizeof(fds))];
		struct cmsghdr align;
	} control = { .buf = { 0 } };
	struct bh_wmsg m;
	struct iovec iov = { .iov_base = &m, .iov_len = sizeof(m) };
	struct msghdr mh = { .msg_iov = &iov,
			     .msg_iovlen = 1,
			     .msg_control = control.buf,
			     .msg_controllen = sizeof(control.buf) };
	struct cmsghdr *c = CMSG_FIRSTHDR(&mh);

	message(&m, BH_WMSG_HELLO);
	m.hello.pid = (int32_t)getpid();
	m.seq = l->cfg.queue;
	m.hello.revision = l->ops->revision(l->arg);
	m.hello.acked = l->first - 1 - l->doubtful;
	m.hello.lost_acked = l->lost_acked;
	m.hello.engine = l->cfg.engine;
	(void)snprintf(m.hello.build, sizeof(m.hello.build), "%s", BH_VERSION);
	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(sizeof(fds));
	memcpy(CMSG_DATA(c), fds, sizeof(fds));
	return sendmsg(l->conn, &mh, MSG_NOSIGNAL | MSG_DONTWAIT) < 0 ? -errno : 0;
}

static void accept_one(struct bh_link *l, int fd)
{
	struct epoll_event ev = { .events = EPOLLIN, .data.u32 = BH_LINK_CONN };
	const int sndbuf = SNDBUF;
	struct ucred peer = { .uid = (uid_t)-1 };
	socklen_t len = sizeof(peer);

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) < 0 ||
	    (peer.uid != 0 && peer.uid != geteuid())) {
		bh_warning("a connection of user %u was refused: only root may talk to a worker",
			   peer.uid);
		(void)close(fd);
		return;
	}
	(void)setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &sndbuf, sizeof(sndbuf));
	hang_up(l);
	l->conn = fd;
	l->stats_wanted = true;
	if (epoll_ctl(l->cfg.epoll_fd, EPOLL_CTL_ADD, fd, &ev) < 0 || send_hello(l) < 0)
		hang_up(l);
}

void bh_link_accept(struct bh_link *l)
{
	for (int i = 0; i < READS_MAX; i++) {
		int fd = accept4(l->cfg.listen_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

		if (fd < 0)
			break;
		accept_one(l, fd);
	}
}

static void on_rules(struct bh_link *l, const struct bh_wmsg *m, int *fds, size_t n_fds)
{
	struct bh_err err = { 0 };
	int r;

	if (n_fds == 2)
		r = l->ops->rules(l->arg, fds[0], fds[1], &err);
	else
		r = bh_err_set(&err, -EPROTO, "%zu descriptors came with the rule set, not two",
			       n_fds);
	/* Mapped or refused: when the agent hears of it, this process holds no descriptor more than before. */
	for (size_t i = 0; i < 2; i++) {
		bh_closep(&fds[i]);
		fds[i] = -1;
	}
	message(&l->answer, r < 0 ? BH_WMSG_RULES_BAD : BH_WMSG_RULES_OK);
	l->answer.seq = m->seq;
	l->answer.rules.revision = m->rules.revision;
	if (r < 0)
		(void)snprintf(l->answer.rules.text, sizeof(l->answer.rules.text), "%.*s",
			       (int)sizeof(l->answer.rules.text) - 1, bh_err_text(&err, r));
	l->has_answer = !transmit(l, &l->answer);
}

static void on_ack(struct bh_link *l, uint64_t seq, uint64_t lost)
{
	if (lost <= l->lost && lost > l->lost_acked)
		l->lost_acked = lost;
	if (seq > l->sent)
		return;
	if (seq >= l->first - 1)
		l->doubtful = 0;
	if (seq >= l->first)
		l->first = seq + 1;
}

static size_t take_fds(struct msghdr *mh, int fds[2])
{
	size_t n = 0;

	for (struct cmsghdr *c = CMSG_FIRSTHDR(mh); c; c = CMSG_NXTHDR(mh, c)) {
		size_t k = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);

		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
			continue;
		for (size_t i = 0; i < k; i++) {
			int fd;

			memcpy(&fd, CMSG_DATA(c) + i * sizeof(int), sizeof(int));
			if (n < 2)
				fds[n] = fd;
			else
				(void)close(fd);
			n++;
		}
	}
	return n;
}

/* Return: <0 the connection is done, 0 nothing to read, 1 go on, 2 STOP. */
static int receive(struct bh_link *l)
{
	union {
		char buf[CMSG_SPACE(4 * sizeof(int))];
		struct cmsghdr align;
	} control;
	struct bh_wmsg m = { .type = BH_WMSG_INVALID };
	struct iovec iov = { .iov_base = &m, .iov_len = sizeof(m) };
	struct msghdr mh = { .msg_iov = &iov,
			     .msg_iovlen = 1,
			     .msg_control = control.buf,
			     .msg_controllen = sizeof(control.buf) };
	int fds[2] = { -1, -1 }, r = 1;
	size_t n_fds;
	ssize_t n;

	n = recvmsg(l->conn, &mh, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
	if (n < 0)
		return errno == EAGAIN || errno == EINTR ? 0 : -errno;
	if (n == 0)
		return -ECONNRESET;
	n_fds = take_fds(&mh, fds);
	if ((size_t)n >= offsetof(struct bh_wmsg, seq) && m.type == BH_WMSG_STOP)
		r = 2;
	else if ((size_t)n != sizeof(m) || (mh.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) ||
		 m.version != BH_WORKER_PROTO_VERSION)
		r = -EPROTO;
	else if (m.type == BH_WMSG_RULES)
		on_rules(l, &m, fds, n_fds);
	else if (m.type == BH_WMSG_ACK)
		on_ack(l, m.ack.seq, m.ack.lost);
	else if (m.type == BH_WMSG_GET_STATS)
		l->stats_wanted = true;
	else
		r = -EPROTO;
	for (size_t i = 0; i < 2; i++)
		bh_closep(&fds[i]);
	if (r == -EPROTO)
		bh_warning("a message that cannot be understood came from the agent: its "
			   "connection is closed");
	return r;
}

bool bh_link_serve(struct bh_link *l)
{
	for (int i = 0; l->conn >= 0 && i < READS_MAX; i++) {
		int r = receive(l);

		if (r == 2)
			return true;
		if (r < 0)
			hang_up(l);
		if (r == 0)
			break;
	}
	want_out(l, false);
	if (l->has_answer)
		l->has_answer = !transmit(l, &l->answer);
	return false;
}

void bh_link_finding(struct bh_link *l, const struct bh_finding *f)
{
	struct slot *s;

	if (l->made + 1 - l->first > l->ring_mask) {
		if (l->first > l->sent) {
			l->lost++;
			l->sent = l->first;
		} else {
			l->doubtful++;
		}
		l->first++;
	}
	l->made++;
	s = &l->ring[l->made & l->ring_mask];
	s->wall_us = bh_clock_wall_us();
	s->f = *f;
}

static void flush_findings(struct bh_link *l)
{
	while (l->conn >= 0 && l->sent < l->made) {
		uint64_t room = BH_WORKER_WINDOW - BH_MIN(l->sent + 1 - l->first, BH_WORKER_WINDOW);
		unsigned n = 0;
		int r;

		for (; n < BATCH && n < room && l->sent + n < l->made; n++) {
			const struct slot *s = &l->ring[(l->sent + n + 1) & l->ring_mask];

			message(&l->out[n], BH_WMSG_FINDING);
			l->out[n].seq = l->sent + n + 1;
			l->out[n].finding.wall_us = s->wall_us;
			l->out[n].finding.f = s->f;
		}
		if (n == 0)
			return; /* an acknowledgement will come */
		r = sendmmsg(l->conn, l->msgs, n, MSG_NOSIGNAL | MSG_DONTWAIT);
		if (r < 0) {
			if (errno != EAGAIN && errno != EINTR && errno != ENOBUFS &&
			    errno != ENOMEM)
				hang_up(l);
			else
				want_out(l, true);
			return;
		}
		l->sent += (unsigned)r;
	}
}

static void flush_stats(struct bh_link *l, bh_msec_t now)
{
	struct bh_wmsg m;

	if (l->conn < 0 || (!l->stats_wanted && now < l->stats_at))
		return;
	message(&m, BH_WMSG_STATS);
	l->ops->stats(l->arg, &m.stats);
	m.stats.findings = l->made;
	m.stats.lost = l->lost;
	l->stats_at = now + STATS_MS;
	if (!l->stats_wanted && memcmp(&m.stats, &l->stats_sent, sizeof(m.stats)) == 0)
		return;
	if (transmit(l, &m)) {
		l->stats_sent = m.stats;
		l->stats_wanted = false;
	}
}

int bh_link_flush(struct bh_link *l, bh_msec_t now)
{
	if (l->conn < 0)
		return -1;
	flush_findings(l);
	flush_stats(l, now);
	return l->conn < 0 ? -1 : (int)BH_MAX(l->stats_at - now, 1);
}
