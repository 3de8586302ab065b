// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * agent/api.c - api.sock: the server, the table of requests, the forms of answers
 *
 * A body that nobody will look at is read and thrown away, so that its sender sees the answer and not a broken
 * pipe; one that is announced to be too large is not. A request whose answer has to wait (flush, streams) is
 * suspended, and resumed by what it waits for.
 */
#include <grp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>

#include "agent/api_internal.h"
#include "agent/unix.h"
#include "common/limits.h"
#include "common/log.h"
#include "common/parse.h"
#include "common/util.h"

#include "common/banned.h"

#define CONNECTIONS_MAX 256U
#define TIMEOUT_SEC     30U

/* ---- answers ---- */

static enum MHD_Result reply(struct bh_request *q, unsigned status, const char *type, char *text,
			     size_t size)
{
	struct MHD_Response *r;
	enum MHD_Result ret;

	r = MHD_create_response_from_buffer(size, text, MHD_RESPMEM_MUST_FREE);
	if (!r) {
		free(text);
		return MHD_NO;
	}
	(void)MHD_add_response_header(r, MHD_HTTP_HEADER_CONTENT_TYPE, type);
	if (status == MHD_HTTP_METHOD_NOT_ALLOWED)
		(void)MHD_add_response_header(r, MHD_HTTP_HEADER_ALLOW, "GET, POST, DELETE");
	ret = MHD_queue_response(q->conn, status, r);
	MHD_destroy_response(r);
	return ret;
}

enum MHD_Result bh_reply_text(struct bh_request *q, unsigned status, const char *type, char *text)
{
	return text ? reply(q, status, type, text, strlen(text)) : MHD_NO;
}

enum MHD_Result bh_reply_json(struct bh_request *q, unsigned status, json_t *v)
{
	bh_autojson json_t *owned = v;
	bh_cleanup(bh_buf_done) struct bh_buf b = BH_BUF_INIT;
	bh_autofree char *text = owned ? bh_json_text(owned) : NULL;

	if (!text)
		return MHD_NO;
	bh_buf_puts(&b, text);
	bh_buf_putc(&b, '\n');
	return bh_reply_text(q, status, "application/json", bh_buf_take(&b));
}

enum MHD_Result bh_reply_diags(struct bh_request *q, unsigned status, const char *msg,
			       const struct bh_diags *d)
{
	json_t *list = d ? bh_diags_json(d) : json_array();

	return bh_reply_json(q, status, json_pack("{s:s, s:o}", "error", msg, "diagnostics", list));
}

enum MHD_Result bh_reply_error(struct bh_request *q, unsigned status, const char *fmt, ...)
{
	char msg[BH_ERR_MSG_SIZE];
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(msg, sizeof(msg), fmt, ap);
	va_end(ap);
	return bh_reply_diags(q, status, msg, NULL);
}

const char *bh_request_arg(struct bh_request *q, const char *key)
{
	const char *v = NULL;

	if (MHD_lookup_connection_value_n(q->conn, MHD_GET_ARGUMENT_KIND, key, strlen(key), &v,
					  NULL) != MHD_YES)
		return NULL;
	return v ? v : "";
}

/* ---- the table of requests ---- */

static const struct {
	const char *method;
	const char *name; /* below /v1/ */
	unsigned parts;   /* below that, at least */
	unsigned parts_max;
	bool write;
	enum MHD_Result (*fn)(struct bh_request *q);
} routes[] = {
	{ "GET", "status", 0, 0, false, bh_api_status },
	{ "GET", "settings", 0, 0, false, bh_api_settings },
	{ "GET", "endpoints", 0, 0, false, bh_api_endpoints },
	{ "GET", "ruleset", 0, 0, false, bh_api_ruleset },
	{ "GET", "live", 0, 0, false, bh_api_live },
	{ "GET", "policies", 0, 0, false, bh_api_policies_list },
	{ "GET", "policies", 2, 3, false, bh_api_policies_get },
	{ "POST", "policies", 0, 0, true, bh_api_policies_apply },
	{ "DELETE", "policies", 2, 3, true, bh_api_policies_delete },
	{ "GET", "violations", 0, 0, false, bh_api_violations },
	{ "POST", "flush", 0, 0, true, bh_api_flush },
};

/* "/v1/policies/a/b/c" to { "v1", "policies", "a", "b", "c", NULL }; false: too many or empty parts. */
static bool split(struct bh_request *q)
{
	size_t n = 0;
	char *p = q->path;

	while (*p == '/') {
		*p++ = '\0';
		if (n + 1 >= BH_API_PARTS_MAX || *p == '\0' || *p == '/')
			return false;
		q->parts[n++] = p;
		p += strcspn(p, "/");
	}
	return *p == '\0' && n > 0;
}

/* Index in the table, or -1 with the status in *@ret_status. */
static int find_route(const struct bh_request *q, unsigned *ret_status)
{
	unsigned n = 0;

	*ret_status = MHD_HTTP_NOT_FOUND;
	if (!bh_streq(q->parts[0], "v1") || !q->parts[1])
		return -1;
	while (q->parts[2 + n])
		n++;
	for (size_t i = 0; i < BH_ARRAY_SIZE(routes); i++) {
		if (!bh_streq(routes[i].name, q->parts[1]) || n < routes[i].parts ||
		    n > routes[i].parts_max)
			continue;
		if (bh_streq(routes[i].method, q->method))
			return (int)i;
		*ret_status = MHD_HTTP_METHOD_NOT_ALLOWED;
	}
	return -1;
}

static bool may_write(struct bh_request *q)
{
	const union MHD_ConnectionInfo *info =
	    MHD_get_connection_info(q->conn, MHD_CONNECTION_INFO_CONNECTION_FD);
	struct ucred cred;

	return info && bh_unix_peer(info->connect_fd, &cred) == 0 &&
	       (cred.uid == 0 || cred.uid == geteuid());
}

static unsigned check(struct bh_request *q, int *ret_route)
{
	unsigned status;

	*ret_route = find_route(q, &status);
	if (*ret_route < 0)
		return status;
	if (routes[*ret_route].write && !may_write(q))
		return MHD_HTTP_FORBIDDEN;
	return q->api->a->started && !q->api->stopping ? 0 : MHD_HTTP_SERVICE_UNAVAILABLE;
}

static enum MHD_Result refuse(struct bh_request *q, unsigned status)
{
	switch (status) {
	case MHD_HTTP_FORBIDDEN:
		return bh_reply_error(q, status, "only root may do that");
	case MHD_HTTP_METHOD_NOT_ALLOWED:
		return bh_reply_error(q, status, "this does not know the method %s", q->method);
	case MHD_HTTP_CONTENT_TOO_LARGE:
		return bh_reply_error(q, status, "the request is larger than %u bytes",
				      BH_API_BODY_MAX);
	case MHD_HTTP_SERVICE_UNAVAILABLE:
		return bh_reply_error(q, status, "the agent is starting or stopping");
	case MHD_HTTP_NOT_FOUND:
		return bh_reply_error(q, status, "there is no such thing");
	default:
		return bh_reply_error(q, status, "this cannot be done");
	}
}

/* The header is there: refused now, or read on. */
static enum MHD_Result begin(struct bh_api *api, struct MHD_Connection *conn, const char *url,
			     const char *method, void **ctx)
{
	struct bh_request *q = calloc(1, sizeof(*q));
	const char *length;
	uint64_t n;
	int route;

	if (!q)
		return MHD_NO;
	q->api = api;
	q->conn = conn;
	*ctx = q; /* released by on_completed() */
	q->path = strdup(url);
	q->method = method;
	if (!q->path)
		return MHD_NO;
	if (!split(q)) {
		q->refuse = MHD_HTTP_NOT_FOUND;
		memset(q->parts, 0, sizeof(q->parts));
	} else {
		q->refuse = check(q, &route);
	}
	length = MHD_lookup_connection_value(conn, MHD_HEADER_KIND, MHD_HTTP_HEADER_CONTENT_LENGTH);
	if (length && bh_parse_u64(length, BH_API_BODY_MAX, &n) < 0)
		return refuse(q, MHD_HTTP_CONTENT_TOO_LARGE);
	return MHD_YES;
}

static enum MHD_Result on_request(void *arg, struct MHD_Connection *conn, const char *url,
				  const char *method, const char *version, const char *data,
				  size_t *size, void **ctx)
{
	struct bh_api *api = arg;
	struct bh_request *q = *ctx;
	int route;

	if (!q)
		return begin(api, conn, url, method, ctx);
	if (*size > 0) {
		if (!q->refuse && q->body.len + *size > BH_API_BODY_MAX)
			q->refuse = MHD_HTTP_CONTENT_TOO_LARGE;
		if (!q->refuse)
			bh_buf_add(&q->body, data, *size);
		*size = 0;
		return MHD_YES;
	}
	if (bh_buf_failed(&q->body))
		return MHD_NO;
	if (q->refuse)
		return refuse(q, q->refuse);
	q->refuse = check(q, &route);
	return q->refuse ? refuse(q, q->refuse) : routes[route].fn(q);
}

static void on_completed(void *arg, struct MHD_Connection *conn, void **ctx,
			 enum MHD_RequestTerminationCode code)
{
	struct bh_request *q = *ctx;

	if (!q)
		return;
	*ctx = NULL;
	bh_api_flush_cancel(q);
	bh_buf_done(&q->body);
	free(q->path);
	free(q);
}

/* ---- the loop ---- */

static void run(struct bh_api *api)
{
	MHD_UNSIGNED_LONG_LONG ms;

	(void)MHD_run(api->daemon);
	if (MHD_get_timeout(api->daemon, &ms) == MHD_YES)
		(void)bh_timer_set(api->timer, ms > 60000 ? 60000 : (bh_msec_t)ms, 0);
	else
		(void)bh_timer_set(api->timer, -1, 0);
}

static int on_epoll(struct bh_source *s, int fd, uint32_t events, void *arg)
{
	run(arg);
	return 0;
}

static int on_timer(struct bh_source *s, void *arg)
{
	run(arg);
	return 0;
}

void bh_api_kick(struct bh_api *api)
{
	(void)bh_timer_set(api->timer, 0, 0);
}

static void on_mhd_log(void *arg, const char *fmt, va_list ap)
    __attribute__((__format__(printf, 2, 0)));

static void on_mhd_log(void *arg, const char *fmt, va_list ap)
{
	static struct bh_log_limit limit = BH_LOG_LIMIT_INIT;
	char text[256];

	(void)vsnprintf(text, sizeof(text), fmt, ap);
	text[strcspn(text, "\n")] = '\0';
	bh_log_limited(&limit, BH_LOG_DEBUG, "api.sock: %s", text);
}

/* ---- life ---- */

static int start_daemon(struct bh_api *api, int fd, struct bh_err *err)
{
	const union MHD_DaemonInfo *info;
	int r;

	api->daemon = MHD_start_daemon(
	    MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ERROR_LOG, 0, NULL, NULL, on_request,
	    api, MHD_OPTION_EXTERNAL_LOGGER, on_mhd_log, NULL, MHD_OPTION_LISTEN_SOCKET, fd,
	    MHD_OPTION_CONNECTION_LIMIT, CONNECTIONS_MAX, MHD_OPTION_CONNECTION_TIMEOUT,
	    TIMEOUT_SEC, MHD_OPTION_NOTIFY_COMPLETED, on_completed, NULL, MHD_OPTION_END);
	if (!api->daemon) {
		(void)close(fd);
		return bh_err_set(err, -EIO, "api.sock: the HTTP server does not start");
	}
	info = MHD_get_daemon_info(api->daemon, MHD_DAEMON_INFO_EPOLL_FD);
	if (!info)
		return bh_err_set(err, -EIO, "api.sock: the HTTP server has no epoll descriptor");
	r = bh_loop_add_io(api->a->loop, "api.sock", info->epoll_fd, EPOLLIN, on_epoll, api,
			   &api->io);
	return r < 0 ? bh_err_set(err, r, "api.sock: %s", strerrordesc_np(-r)) : 0;
}

static gid_t socket_group(void)
{
	struct group g, *found = NULL;
	char buf[4096];

	if (getgrnam_r("bulkhead", &g, buf, sizeof(buf), &found) != 0 || !found)
		return (gid_t)-1;
	return g.gr_gid;
}

int bh_api_new(struct bh_agent *a, struct bh_api **ret, struct bh_err *err)
{
	struct bh_api *api = calloc(1, sizeof(*api));
	bh_autofree char *path = NULL;
	int fd, r;

	if (!api || asprintf(&path, "%s/api.sock", a->cfg.run_dir) < 0) {
		free(api);
		return bh_err_set(err, -ENOMEM, "out of memory");
	}
	api->a = a;
	r = bh_loop_add_timer(a->loop, "api.sock timer", on_timer, api, &api->timer);
	if (r < 0)
		(void)bh_err_set(err, r, "api.sock: %s", strerrordesc_np(-r));
	if (r == 0)
		r = bh_unix_listen(path, 0660, socket_group(), &fd, err);
	if (r == 0)
		r = start_daemon(api, fd, err);
	if (r < 0) {
		bh_api_free(api);
		return r;
	}
	*ret = api;
	return 0;
}

struct bh_api *bh_api_free(struct bh_api *api)
{
	if (!api)
		return NULL;
	api->stopping = true;
	bh_source_remove(api->io);
	if (api->daemon) {
		/* What is suspended must be resumed before the daemon may stop. */
		bh_api_violations_stop(api);
		while (api->flushing) {
			struct bh_request *q = api->flushing;

			api->flushing = q->next_flushing;
			q->flushing = false;
			q->flushed = true;
			MHD_resume_connection(q->conn);
		}
		(void)MHD_run(api->daemon);
		(void)MHD_run(api->daemon);
		MHD_stop_daemon(api->daemon);
	}
	bh_source_remove(api->timer);
	bh_source_remove(api->flush_timer);
	free(api);
	return NULL;
}
