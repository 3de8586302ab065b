// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * cni/agent_client.c - one question to the agent
 *
 * The socket is reached through /proc/self/fd, because the run folder's path may be longer than a socket
 * address. Connecting blocks while the agent's backlog is full; SO_SNDTIMEO bounds that.
 */
#include "cni/agent_client.h"

#include "common/clock.h"
#include "common/limits.h"
#include "common/util.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "common/banned.h"

struct call {
	int fd;
	int cancel_fd;
	bh_msec_t deadline;
};

static int await(const struct call *c, short events, struct bh_err *err)
{
	struct pollfd p[2] = {
		{ .fd = c->fd, .events = events },
		{ .fd = c->cancel_fd, .events = POLLIN },
	};

	for (;;) {
		bh_msec_t left = c->deadline - bh_clock_now();
		int r = left > 0 ? poll(p, 2, (int)BH_MIN(left, 1000000)) : 0;

		if (r < 0 && errno == EINTR)
			continue;
		if (r < 0)
			return bh_err_set(err, -errno, "poll: %s", strerrordesc_np(errno));
		if (r == 0 && bh_clock_now() >= c->deadline)
			return bh_err_set(err, -ETIMEDOUT, "the agent does not answer");
		if (p[1].revents)
			return bh_err_set(err, -ECANCELED, "interrupted by a signal");
		if (p[0].revents)
			return 0;
	}
}

/* The agent must be root, or whoever we are: anybody else could let a container go free. */
static int check_peer(int fd, struct bh_err *err)
{
	struct ucred cred;
	socklen_t size = sizeof(cred);

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &size) < 0)
		return bh_err_set(err, -errno, "cannot see who listens: %s",
				  strerrordesc_np(errno));
	if (cred.uid != 0 && cred.uid != geteuid())
		return bh_err_set(err, -EACCES, "who listens is user %u, not root", cred.uid);
	return 0;
}

static int dial(struct call *c, const char *run_dir, int64_t timeout_ms, struct bh_err *err)
{
	bh_autoclose int dir = -1;
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	struct timeval tv = { .tv_sec = timeout_ms / 1000, .tv_usec = timeout_ms % 1000 * 1000 };
	int flags;

	dir = open(run_dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (dir < 0)
		return bh_err_set(err, errno == ENOENT ? -ECONNREFUSED : -errno,
				  "the agent is not running: cannot open '%s': %s", run_dir,
				  strerrordesc_np(errno));
	(void)snprintf(sa.sun_path, sizeof(sa.sun_path), "/proc/self/fd/%d/cni.sock", dir);
	c->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (c->fd < 0 || setsockopt(c->fd, SOL_SOCKET, SO_SNDTIMEO, &tv, sizeof(tv)) < 0)
		return bh_err_set(err, -errno, "socket: %s", strerrordesc_np(errno));
	if (connect(c->fd, (struct sockaddr *)&sa, sizeof(sa)) < 0) {
		int e = errno;

		if (e == EAGAIN)
			return bh_err_set(err, -ETIMEDOUT, "the agent takes no connection");
		return bh_err_set(err, e == ENOENT ? -ECONNREFUSED : -e,
				  "the agent is not running: cannot connect to '%s/cni.sock': %s",
				  run_dir, strerrordesc_np(e));
	}
	flags = fcntl(c->fd, F_GETFL);
	if (flags < 0 || fcntl(c->fd, F_SETFL, flags | O_NONBLOCK) < 0)
		return bh_err_set(err, -errno, "fcntl: %s", strerrordesc_np(errno));
	return check_peer(c->fd, err);
}

/* The length and @text; @netns_fd goes with the first byte. */
static int send_all(const struct call *c, const char *text, size_t size, int netns_fd,
		    struct bh_err *err)
{
	union {
		char buf[CMSG_SPACE(sizeof(int))];
		struct cmsghdr align;
	} control = { .buf = { 0 } };
	uint32_t len_be = htonl((uint32_t)size);
	struct iovec iov[2] = {
		{ .iov_base = &len_be, .iov_len = sizeof(len_be) },
		{ .iov_base = (char *)(uintptr_t)text, .iov_len = size },
	};
	struct msghdr mh = { .msg_iov = iov, .msg_iovlen = 2 };

	if (netns_fd >= 0) {
		struct cmsghdr *cm;

		mh.msg_control = control.buf;
		mh.msg_controllen = sizeof(control.buf);
		cm = CMSG_FIRSTHDR(&mh);
		cm->cmsg_level = SOL_SOCKET;
		cm->cmsg_type = SCM_RIGHTS;
		cm->cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(cm), &netns_fd, sizeof(netns_fd));
	}
	while (iov[0].iov_len + iov[1].iov_len > 0) {
		ssize_t n = sendmsg(c->fd, &mh, MSG_NOSIGNAL);
		int r;

		if (n < 0 && (errno == EAGAIN || errno == EINTR)) {
			r = await(c, POLLOUT, err);
			if (r < 0)
				return r;
			continue;
		}
		if (n < 0)
			return bh_err_set(err, -errno, "the agent hung up: %s",
					  strerrordesc_np(errno));
		mh.msg_control = NULL;
		mh.msg_controllen = 0;
		for (size_t i = 0; i < 2; i++) {
			size_t part = BH_MIN((size_t)n, iov[i].iov_len);

			iov[i].iov_base = (char *)iov[i].iov_base + part;
			iov[i].iov_len -= part;
			n -= (ssize_t)part;
		}
	}
	return 0;
}

static int recv_all(const struct call *c, void *data, size_t size, struct bh_err *err)
{
	size_t done = 0;

	while (done < size) {
		ssize_t n;
		int r = await(c, POLLIN, err);

		if (r < 0)
			return r;
		n = recv(c->fd, (char *)data + done, size - done, 0);
		if (n < 0 && (errno == EAGAIN || errno == EINTR))
			continue;
		if (n < 0)
			return bh_err_set(err, -errno, "the agent hung up: %s",
					  strerrordesc_np(errno));
		if (n == 0)
			return bh_err_set(err, -ECONNRESET, "the agent hung up without an answer");
		done += (size_t)n;
	}
	return 0;
}

static int receive(const struct call *c, json_t **ret, struct bh_err *err)
{
	bh_autofree char *text = NULL;
	bh_autojson json_t *v = NULL;
	uint32_t len_be, len;
	int r = recv_all(c, &len_be, sizeof(len_be), err);

	if (r < 0)
		return r;
	len = ntohl(len_be);
	if (len == 0 || len > BH_CNI_MSG_MAX)
		return bh_err_set(err, -EPROTO, "the agent announces an answer of %u bytes", len);
	text = malloc(len);
	if (!text)
		return bh_err_set(err, -ENOMEM, "out of memory");
	r = recv_all(c, text, len, err);
	if (r < 0)
		return r;
	r = bh_json_load(text, len, BH_CNI_MSG_MAX, &v, err);
	if (r < 0)
		return bh_err_wrap(err, -EPROTO, "the agent's answer");
	if (!json_is_object(v))
		return bh_err_set(err, -EPROTO, "the agent's answer is no JSON object");
	*ret = bh_take_ptr(&v);
	return 0;
}

int bh_agent_call(const char *run_dir, const json_t *request, int netns_fd, int64_t timeout_ms,
		  int cancel_fd, json_t **ret, struct bh_err *err)
{
	bh_autofree char *text = bh_json_text(request);
	struct call c = { .fd = -1,
			  .cancel_fd = cancel_fd,
			  .deadline = bh_clock_now() + timeout_ms };
	size_t size = text ? strlen(text) : 0;
	int r;

	if (!text)
		return bh_err_set(err, -ENOMEM, "out of memory");
	if (size > BH_CNI_MSG_MAX)
		return bh_err_set(err, -E2BIG, "the request to the agent is larger than %u bytes",
				  BH_CNI_MSG_MAX);
	r = dial(&c, run_dir, timeout_ms, err);
	if (r == 0)
		r = send_all(&c, text, size, netns_fd, err);
	if (r == 0)
		r = receive(&c, ret, err);
	bh_closep(&c.fd);
	return r;
}
