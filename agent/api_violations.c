// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * agent/api_violations.c - GET /v1/violations (streams too), POST /v1/flush
 *
 * DOC: Streams
 *
 * A follower has a buffer of its own. When that is empty, its connection is suspended, and the next line
 * resumes it. A suspended connection is not looked at by the HTTP server, so we watch ourselves whether its
 * other end is still there. Who reads too slowly misses lines; a `loss` line in his stream says how many.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>

#include "agent/api_internal.h"
#include "common/log.h"
#include "common/parse.h"
#include "common/util.h"

#include "common/banned.h"

#define DEFAULT_LINES 100U
#define FOLLOW_MAX    (4U * 1024 * 1024)
#define LINES_TYPE    "application/x-ndjson"
/* For messages that are on their way from workers and kernel when a flush is asked for. */
#define FLUSH_MS 50

struct bh_follower {
	struct bh_api *api;
	struct bh_follower *next, *prev;
	struct MHD_Connection *conn;
	struct bh_source *io; /* is the other end still there? */
	struct bh_buf buf;
	size_t sent; /* bytes of buf that were given away */
	uint64_t missed;
	bool suspended;
	bool gone;
};

static void wake(struct bh_follower *f)
{
	if (!f->suspended)
		return;
	f->suspended = false;
	MHD_resume_connection(f->conn);
	bh_api_kick(f->api);
}

static void add_line(struct bh_follower *f, const char *line, size_t len)
{
	if (f->sent == f->buf.len) {
		bh_buf_clear(&f->buf);
		f->sent = 0;
	}
	if (f->missed > 0 && f->buf.len + len + 128 <= FOLLOW_MAX) {
		bh_buf_printf(
		    &f->buf,
		    "{\"v\":1,\"kind\":\"loss\",\"cause\":\"slow_reader\",\"count\":%" PRIu64 "}\n",
		    f->missed);
		f->missed = 0;
	}
	if (f->buf.len + len > FOLLOW_MAX)
		f->missed++;
	else
		bh_buf_add(&f->buf, line, len);
}

void bh_api_line(struct bh_api *api, const char *line, size_t len)
{
	for (struct bh_follower *f = api->followers; f; f = f->next) {
		add_line(f, line, len);
		wake(f);
	}
}

static ssize_t read_stream(void *arg, uint64_t pos, char *to, size_t max)
{
	struct bh_follower *f = arg;
	size_t n = BH_MIN(f->buf.len - f->sent, max);

	if (f->gone || bh_buf_failed(&f->buf))
		return MHD_CONTENT_READER_END_WITH_ERROR;
	if (n > 0) {
		memcpy(to, f->buf.data + f->sent, n);
		f->sent += n;
		return (ssize_t)n;
	}
	if (f->api->stopping)
		return MHD_CONTENT_READER_END_OF_STREAM;
	f->suspended = true;
	MHD_suspend_connection(f->conn);
	return 0;
}

static void follower_free(void *arg)
{
	struct bh_follower *f = arg;

	if (f->prev)
		f->prev->next = f->next;
	else
		f->api->followers = f->next;
	if (f->next)
		f->next->prev = f->prev;
	bh_source_remove(f->io);
	bh_buf_done(&f->buf);
	free(f);
}

static int on_end(struct bh_source *s, int fd, uint32_t events, void *arg)
{
	struct bh_follower *f = arg;

	f->gone = true;
	f->io = bh_source_remove(f->io);
	wake(f);
	return 0;
}

static void collect(void *arg, const char *line, size_t len)
{
	bh_buf_add(arg, line, len);
}

static enum MHD_Result follow(struct bh_request *q, struct bh_buf *past)
{
	const union MHD_ConnectionInfo *info =
	    MHD_get_connection_info(q->conn, MHD_CONNECTION_INFO_CONNECTION_FD);
	struct bh_follower *f = calloc(1, sizeof(*f));
	struct MHD_Response *r;
	enum MHD_Result ret;

	if (!f)
		return MHD_NO;
	f->api = q->api;
	f->conn = q->conn;
	f->buf = *past;
	*past = (struct bh_buf)BH_BUF_INIT;
	f->next = q->api->followers;
	if (f->next)
		f->next->prev = f;
	q->api->followers = f;
	/* Nothing but its end is of interest, and that is always told. */
	if (info && bh_loop_add_io(q->api->a->loop, "api.sock stream", info->connect_fd, 0, on_end,
				   f, &f->io) < 0)
		f->io = NULL;
	r = MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, 32768, read_stream, f,
					      follower_free);
	if (!r) {
		follower_free(f);
		return MHD_NO;
	}
	(void)MHD_add_response_header(r, MHD_HTTP_HEADER_CONTENT_TYPE, LINES_TYPE);
	ret = MHD_queue_response(q->conn, MHD_HTTP_OK, r);
	MHD_destroy_response(r);
	return ret;
}

void bh_api_violations_stop(struct bh_api *api)
{
	for (struct bh_follower *f = api->followers; f; f = f->next)
		wake(f);
}

static bool is_yes(const char *s)
{
	return s && (strcmp(s, "1") == 0 || strcmp(s, "true") == 0 || !*s);
}

enum MHD_Result bh_api_violations(struct bh_request *q)
{
	bh_cleanup(bh_buf_done) struct bh_buf b = BH_BUF_INIT;
	const char *n_text = bh_request_arg(q, "n"), *follow_text = bh_request_arg(q, "follow");
	uint64_t n = DEFAULT_LINES;

	if (n_text && bh_parse_u64(n_text, UINT32_MAX, &n) < 0)
		return bh_reply_error(q, MHD_HTTP_BAD_REQUEST, "n is not a number");
	bh_vlog_last(q->api->a->log, (size_t)n, collect, &b);
	if (bh_buf_failed(&b))
		return MHD_NO;
	if (is_yes(follow_text))
		return follow(q, &b);
	return bh_reply_text(q, MHD_HTTP_OK, LINES_TYPE, b.data ? bh_buf_take(&b) : strdup(""));
}

/* ---- flush ---- */

static int on_flush(struct bh_source *s, void *arg)
{
	struct bh_api *api = arg;
	struct bh_request *q = api->flushing, *next;

	bh_agent_flush_records(api->a);
	api->flushing = NULL;
	for (; q; q = next) {
		next = q->next_flushing;
		q->flushing = false;
		q->flushed = true;
		MHD_resume_connection(q->conn);
	}
	bh_api_kick(api);
	return 0;
}

enum MHD_Result bh_api_flush(struct bh_request *q)
{
	struct bh_api *api = q->api;

	if (q->flushed)
		return bh_reply_json(q, MHD_HTTP_OK, json_object());
	if (!api->flush_timer &&
	    bh_loop_add_timer(api->a->loop, "flush", on_flush, api, &api->flush_timer) < 0)
		return MHD_NO;
	if (!api->flushing)
		(void)bh_timer_set(api->flush_timer, FLUSH_MS, 0);
	q->flushing = true;
	q->next_flushing = api->flushing;
	api->flushing = q;
	MHD_suspend_connection(q->conn);
	return MHD_YES;
}

void bh_api_flush_cancel(struct bh_request *q)
{
	struct bh_request **p = &q->api->flushing;

	if (!q->flushing)
		return;
	while (*p && *p != q)
		p = &(*p)->next_flushing;
	if (*p)
		*p = q->next_flushing;
}
