// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * agent/cni_server.c - cni.sock: endpoints come and go
 *
 * Nothing here blocks: a message is read piece by piece, an `add` only puts the endpoint into the list and waits
 * for the pass. An endpoint whose `add` could not be answered with success does not stay: the plugin takes its
 * veth down, so nobody would remove it.
 */
#include "agent/cni_server.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "agent/attachment.h"
#include "agent/unix.h"
#include "common/json.h"
#include "common/limits.h"
#include "common/log.h"
#include "common/util.h"

#include "common/banned.h"

#define CONNS_MAX        512U
#define READ_MS          5000
#define PROTOCOL_VERSION 1U

enum op {
	OP_INVALID = 0,
	OP_ADD,
	OP_DEL,
	OP_CHECK,
	OP_STATUS,
};

struct conn {
	struct bh_cni_server *server;
	struct conn *next, *prev;
	int fd;
	struct bh_source *io;
	bh_msec_t deadline;
	uint8_t head[4];
	size_t got; /* of head and body together */
	uint32_t size;
	char *body;
	enum op waits; /* for the next pass; OP_INVALID: still reading */
	struct bh_ep *ep;
};

struct bh_cni_server {
	struct bh_agent *a;
	int fd;
	struct bh_source *io;
	struct conn *conns;
	size_t n_conns;
};

static void conn_free(struct conn *c)
{
	struct bh_cni_server *s = c->server;

	if (c->prev)
		c->prev->next = c->next;
	else
		s->conns = c->next;
	if (c->next)
		c->next->prev = c->prev;
	if (s->n_conns-- == CONNS_MAX && s->io)
		(void)!bh_source_set_events(s->io, EPOLLIN);
	bh_source_remove(c->io);
	bh_closep(&c->fd);
	bh_ep_unref(c->ep);
	free(c->body);
	free(c);
}

/* ---- replies ---- */

/* Takes @reply and ends the connection. A few dozen bytes always fit into the socket. */
static void answer(struct conn *c, json_t *reply)
{
	bh_autojson json_t *v = reply;
	bh_autofree char *text = v ? bh_json_text(v) : NULL;
	size_t size = text ? strlen(text) : 0;
	uint32_t len_be = htonl((uint32_t)size);
	struct iovec iov[2] = { { .iov_base = &len_be, .iov_len = sizeof(len_be) },
				{ .iov_base = text, .iov_len = size } };
	struct msghdr mh = { .msg_iov = iov, .msg_iovlen = 2 };

	if (text && sendmsg(c->fd, &mh, MSG_NOSIGNAL | MSG_DONTWAIT) < 0)
		bh_debug("cni.sock: the answer did not arrive: %s", strerrordesc_np(errno));
	conn_free(c);
}

static void refuse(struct conn *c, bool retry, const char *msg)
{
	bh_notice("cni.sock: request refused: %s", msg);
	answer(c, json_pack("{s:b, s:b, s:s}", "ok", 0, "retry", (int)retry, "msg", msg));
}

static void accept_request(struct conn *c, const char *state)
{
	struct bh_reconcile_state st;

	bh_reconcile_state_get(c->server->a->rc, &st);
	answer(c, json_pack("{s:b, s:s, s:I}", "ok", 1, "state", state, "revision",
			    (json_int_t)st.enforced));
}

/* ---- requests ---- */

/* Addresses of another endpoint: it must be gone, whatever became of its DEL. */
static int make_way(struct bh_agent *a, const struct bh_ep *ep, struct bh_err *err)
{
	for (;;) {
		char text[BH_ADDR_STRLEN];
		struct bh_host_link link;
		struct bh_addr addr;
		struct bh_ep *other = bh_endpoints_conflict(a->eps, ep, &addr);

		if (!other)
			return 0;
		if (other->gone == 0 &&
		    (other->host_index == 0 ||
		     bh_rtnl_link_get(a->rtnl, other->host_index, NULL, &link, NULL) != -ENODEV))
			return bh_err_set(err, -EEXIST,
					  "address %s belongs to '%s' (container %.64s, network "
					  "'%.64s')",
					  bh_addr_format(&addr, text), other->e->name, other->id,
					  other->network);
		bh_agent_forget(a, other);
	}
}

static int check_link(struct bh_agent *a, const struct bh_ep *ep, const json_t *msg,
		      struct bh_err *err)
{
	struct bh_host_link link;
	const char *mode = "main";
	int r;

	if (bh_json_str(msg, "mode", &mode, NULL) < 0)
		mode = "main";
	if (ep->host_index == 0)
		return strcmp(mode, "main") == 0 ? bh_err_set(err, -EINVAL, "host is missing") : 0;
	r = bh_rtnl_link_get(a->rtnl, ep->host_index, ep->host_if, &link, err);
	if (r < 0)
		return r;
	if (strcmp(mode, "main") == 0 && link.group != BH_GROUP_QUARANTINE &&
	    link.group != BH_GROUP_MANAGED)
		return bh_err_set(
		    err, -EINVAL,
		    "link '%s' was not made in the quarantine group 0x%x: its container "
		    "could have sent already",
		    link.name, BH_GROUP_QUARANTINE);
	return 0;
}

static void do_add(struct conn *c, const json_t *msg)
{
	struct bh_agent *a = c->server->a;
	struct bh_err err = { 0 };
	int r = bh_attachment_parse(msg, a->cfg.node_name, &c->ep, &err);

	if (r == 0)
		r = check_link(a, c->ep, msg, &err);
	if (r == 0)
		r = make_way(a, c->ep, &err);
	if (r == 0 && !bh_store_current(a->store))
		r = bh_err_set(
		    &err, -EAGAIN,
		    "no policies are known: the policy folder has errors, and no earlier "
		    "set can be used");
	if (r == 0 && bh_endpoints_put(a->eps, c->ep) < 0)
		r = bh_err_set(&err, -ENOMEM, "out of memory");
	if (r < 0) {
		refuse(c, r != -EINVAL && r != -E2BIG, bh_err_text(&err, r));
		return;
	}
	if (!c->ep->labels_final) {
		bh_notice("'%s' stays in quarantine until its labels are known", c->ep->e->name);
		accept_request(c, "quarantined");
		return;
	}
	c->waits = OP_ADD;
	bh_reconcile_soon(a->rc);
}

static void do_key(struct conn *c, const json_t *msg, enum op op)
{
	struct bh_agent *a = c->server->a;
	struct bh_attachment_key key;
	struct bh_err err = { 0 };
	int r = bh_attachment_key_parse(msg, &key, &err);
	struct bh_ep *ep;

	if (r < 0) {
		refuse(c, false, bh_err_text(&err, r));
		return;
	}
	ep = bh_endpoints_find(a->eps, key.network, key.id, key.ifname);
	if (op == OP_CHECK) {
		if (!ep)
			refuse(c, true, "the endpoint is not known");
		else
			accept_request(c, ep->released && bh_agent_ep_enforced(a, ep)
					      ? "enforced"
					      : "quarantined");
		return;
	}
	if (!ep) {
		accept_request(c, "unknown");
		return;
	}
	c->waits = OP_DEL;
	bh_agent_forget(a, ep);
}

static void do_status(struct conn *c)
{
	struct bh_agent *a = c->server->a;
	struct bh_reconcile_state st;

	bh_reconcile_state_get(a->rc, &st);
	if (!bh_reconcile_enforced(a->rc))
		refuse(c, true, st.error ? st.error : "no policies are in force");
	else
		accept_request(c, "ready");
}

static void dispatch(struct conn *c)
{
	bh_autojson json_t *msg = NULL;
	struct bh_err err = { 0 };
	const char *op = "";
	uint64_t v = 0;
	int r = bh_json_load(c->body, c->size, BH_CNI_MSG_MAX, &msg, &err);

	/* The answer may be long in coming: the plugin is not to be cut off for that. */
	c->deadline = INT64_MAX;
	if (r == 0 && !json_is_object(msg))
		r = bh_err_set(&err, -EINVAL, "the request is no JSON object");
	if (r == 0)
		r = bh_json_u64(msg, "v", UINT32_MAX, &v, &err);
	if (r == 0 && v != PROTOCOL_VERSION)
		r = bh_err_set(&err, -EINVAL,
			       "the request is of version %llu, this agent speaks version %u",
			       (unsigned long long)v, PROTOCOL_VERSION);
	if (r == 0)
		r = bh_json_str(msg, "op", &op, &err);
	if (r < 0)
		refuse(c, false, bh_err_text(&err, r));
	else if (strcmp(op, "add") == 0)
		do_add(c, msg);
	else if (strcmp(op, "del") == 0)
		do_key(c, msg, OP_DEL);
	else if (strcmp(op, "check") == 0)
		do_key(c, msg, OP_CHECK);
	else if (strcmp(op, "status") == 0)
		do_status(c);
	else
		refuse(c, false, "unknown op");
}

/* ---- reading ---- */

/* Descriptors that come along are of no use beyond proving that the plugin holds them: closed at once. */
static void close_rights(struct msghdr *mh)
{
	for (struct cmsghdr *cm = CMSG_FIRSTHDR(mh); cm; cm = CMSG_NXTHDR(mh, cm)) {
		size_t n = (cm->cmsg_len - CMSG_LEN(0)) / sizeof(int);

		if (cm->cmsg_level != SOL_SOCKET || cm->cmsg_type != SCM_RIGHTS)
			continue;
		for (size_t i = 0; i < n; i++) {
			int fd;

			memcpy(&fd, CMSG_DATA(cm) + i * sizeof(fd), sizeof(fd));
			(void)close(fd);
		}
	}
}

static ssize_t receive(int fd, void *data, size_t size)
{
	union {
		char buf[CMSG_SPACE(16 * sizeof(int))];
		struct cmsghdr align;
	} control;
	struct iovec iov = { .iov_base = data, .iov_len = size };
	struct msghdr mh = { .msg_iov = &iov,
			     .msg_iovlen = 1,
			     .msg_control = &control,
			     .msg_controllen = sizeof(control) };
	ssize_t n = recvmsg(fd, &mh, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);

	if (n >= 0)
		close_rights(&mh);
	return n;
}

/* 1: the message is there; 0: not yet; a negative errno: it will never be. */
static int read_some(struct conn *c)
{
	ssize_t n;

	if (c->got < sizeof(c->head)) {
		n = receive(c->fd, c->head + c->got, sizeof(c->head) - c->got);
	} else {
		size_t at = c->got - sizeof(c->head);

		n = receive(c->fd, c->body + at, c->size - at);
	}
	if (n < 0)
		return errno == EAGAIN || errno == EINTR ? 0 : -errno;
	if (n == 0)
		return -ECONNRESET;
	c->got += (size_t)n;
	if (c->got == sizeof(c->head)) {
		memcpy(&c->size, c->head, sizeof(c->size));
		c->size = ntohl(c->size);
		if (c->size == 0 || c->size > BH_CNI_MSG_MAX)
			return -E2BIG;
		c->body = malloc(c->size);
		if (!c->body)
			return -ENOMEM;
	}
	return c->got == sizeof(c->head) + c->size && c->body ? 1 : 0;
}

static int on_conn(struct bh_source *s, int fd, uint32_t events, void *arg)
{
	struct conn *c = arg;
	int r;

	if (c->waits != OP_INVALID) {
		/* The plugin gave up: it takes its veth down, the endpoint must not stay. */
		if (c->waits == OP_ADD)
			bh_agent_forget(c->server->a, c->ep);
		conn_free(c);
		return 0;
	}
	r = read_some(c);
	if (r == -E2BIG) {
		refuse(c, false, "the request is empty or larger than 1 MiB");
		return 0;
	}
	if (r < 0) {
		bh_debug("cni.sock: a request ends in the middle");
		conn_free(c);
		return 0;
	}
	if (r == 1) {
		/* From now on only the end of the connection is news. */
		(void)!bh_source_set_events(s, 0);
		dispatch(c);
	}
	return 0;
}

static int on_listen(struct bh_source *s, int fd, uint32_t events, void *arg)
{
	struct bh_cni_server *server = arg;
	bh_autoclose int peer = accept4(fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	static struct bh_log_limit limit = BH_LOG_LIMIT_INIT;
	struct ucred cred;
	struct conn *c;

	if (peer < 0) {
		if (errno != EAGAIN && errno != EINTR && errno != ECONNABORTED)
			bh_log_limited(&limit, BH_LOG_WARNING, "cni.sock: accept: %s",
				       strerrordesc_np(errno));
		return 0;
	}
	if (bh_unix_peer(peer, &cred) < 0 || cred.uid != 0) {
		bh_log_limited(&limit, BH_LOG_WARNING,
			       "cni.sock: somebody who is not root was refused");
		return 0;
	}
	c = calloc(1, sizeof(*c));
	if (!c)
		return 0;
	c->server = server;
	c->fd = bh_take_fd(&peer);
	c->deadline = bh_clock_now() + READ_MS;
	c->next = server->conns;
	if (c->next)
		c->next->prev = c;
	server->conns = c;
	if (++server->n_conns == CONNS_MAX)
		(void)!bh_source_set_events(s, 0);
	if (bh_loop_add_io(server->a->loop, "cni.sock connection", c->fd, EPOLLIN, on_conn, c,
			   &c->io) < 0)
		conn_free(c);
	return 0;
}

void bh_cni_server_tick(struct bh_cni_server *s, bh_msec_t now)
{
	struct conn *next;

	for (struct conn *c = s->conns; c; c = next) {
		next = c->next;
		if (c->deadline <= now)
			conn_free(c);
	}
}

/* ---- after a pass ---- */

static void finish_add(struct conn *c, int r, const char *why)
{
	struct bh_agent *a = c->server->a;
	struct bh_err err = { 0 };

	if (r == 0 && !bh_agent_ep_enforced(a, c->ep))
		r = bh_err_set(&err, -ESTALE, "another request took its place");
	else if (r == 0)
		r = bh_agent_release(a, c->ep, &err);
	else
		(void)bh_err_set(&err, r, "%s", why);
	if (r == 0) {
		accept_request(c, "enforced");
		return;
	}
	bh_agent_forget(a, c->ep);
	refuse(c, true, bh_err_text(&err, r));
}

void bh_cni_server_pass(struct bh_cni_server *s, int r, const char *why)
{
	struct conn *next;

	for (struct conn *c = s->conns; c; c = next) {
		next = c->next;
		if (c->waits == OP_ADD)
			finish_add(c, r, why);
		else if (c->waits == OP_DEL)
			/* It is forgotten in any case; the kernel follows when it can. */
			accept_request(c, "removed");
	}
}

/* ---- life ---- */

int bh_cni_server_new(struct bh_agent *a, struct bh_cni_server **ret, struct bh_err *err)
{
	struct bh_cni_server *s = calloc(1, sizeof(*s));
	bh_autofree char *path = NULL;
	int r;

	if (!s || asprintf(&path, "%s/cni.sock", a->cfg.run_dir) < 0) {
		free(s);
		return bh_err_set(err, -ENOMEM, "out of memory");
	}
	s->a = a;
	s->fd = -1;
	r = bh_unix_listen(path, 0600, (gid_t)-1, &s->fd, err);
	if (r == 0) {
		r = bh_loop_add_io(a->loop, "cni.sock", s->fd, EPOLLIN, on_listen, s, &s->io);
		if (r < 0)
			(void)bh_err_set(err, r, "cni.sock: %s", strerrordesc_np(-r));
	}
	if (r < 0) {
		bh_cni_server_free(s);
		return r;
	}
	*ret = s;
	return 0;
}

struct bh_cni_server *bh_cni_server_free(struct bh_cni_server *s)
{
	if (!s)
		return NULL;
	while (s->conns)
		conn_free(s->conns);
	bh_source_remove(s->io);
	bh_closep(&s->fd);
	free(s);
	return NULL;
}
