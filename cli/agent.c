// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * cli/agent.c - requests to the agent by libcurl
 */
#include "cli/agent.h"

#include "cli/out.h"
#include "cli/view.h"
#include "common/json.h"
#include "common/util.h"
#include "policy/load.h"

#include <curl/curl.h>
#include <stdio.h>
#include <string.h>
#include <sys/un.h>

#include "common/banned.h"

#define CONNECT_MS 5000L
#define ANSWER_MS  60000L /* a set of 100,000 policies is compiled within one */
#define ANSWER_MAX (512UL * 1024 * 1024)
#define LINE_MAX_  (4UL * 1024 * 1024)

static void easy_cleanupp(CURL **c)
{
	curl_easy_cleanup(*c);
}

static void slist_freep(struct curl_slist **l)
{
	curl_slist_free_all(*l);
}

struct sink {
	struct bh_buf *body;
	bh_line_fn line; /* NULL: everything goes to body */
	void *arg;
	CURL *curl;
	int r; /* of @line, or -E2BIG, -ENOMEM */
};

/* Hands over what is complete, and keeps the rest. */
static int give_lines(struct sink *s)
{
	char *start = s->body->data, *end = start + s->body->len, *nl;
	int r;

	while ((nl = memchr(start, '\n', (size_t)(end - start)))) {
		*nl = '\0';
		r = s->line(s->arg, start);
		if (r < 0)
			return r;
		start = nl + 1;
	}
	s->body->len = (size_t)(end - start);
	memmove(s->body->data, start, s->body->len + 1);
	return s->body->len > LINE_MAX_ ? -E2BIG : 0;
}

static size_t on_data(char *data, size_t size, size_t n, void *arg)
{
	struct sink *s = arg;
	long status = 0;

	n *= size;
	if (n > ANSWER_MAX - BH_MIN(s->body->len, ANSWER_MAX)) {
		s->r = -E2BIG;
		return 0;
	}
	bh_buf_add(s->body, data, n);
	if (bh_buf_failed(s->body)) {
		s->r = -ENOMEM;
		return 0;
	}
	/* The text of a refusal is no stream. */
	if (n > 0 && s->line &&
	    curl_easy_getinfo(s->curl, CURLINFO_RESPONSE_CODE, &status) == CURLE_OK &&
	    status == 200)
		s->r = give_lines(s);
	return s->r < 0 ? 0 : n;
}

/* "Connection refused" as it stands in the middle of a sentence. */
static const char *os_text(long e, char *buf, size_t size)
{
	const char *s = strerrordesc_np((int)e);

	(void)snprintf(buf, size, "%s", s ? s : "unknown error");
	if (buf[0] >= 'A' && buf[0] <= 'Z' && buf[1] >= 'a' && buf[1] <= 'z')
		buf[0] = (char)(buf[0] - 'A' + 'a');
	return buf;
}

static int unreachable(CURL *c, const char *socket, struct bh_err *err)
{
	char text[128];
	long e = 0;

	if (curl_easy_getinfo(c, CURLINFO_OS_ERRNO, &e) != CURLE_OK || e <= 0)
		e = ECONNREFUSED;
	if (e == EACCES || e == EPERM)
		return bh_err_set(
		    err, -(int)e,
		    "cannot reach the agent at %s: %s; root and the socket's group may", socket,
		    os_text(e, text, sizeof(text)));
	return bh_err_set(err, -(int)e, "cannot reach the agent at %s: %s; is bulkheadd running?",
			  socket, os_text(e, text, sizeof(text)));
}

static int transfer_error(CURL *c, CURLcode code, const struct bh_request *req,
			  const struct sink *s, struct bh_err *err)
{
	switch ((int)code) {
	case CURLE_COULDNT_CONNECT:
		return unreachable(c, req->socket, err);
	case CURLE_OPERATION_TIMEDOUT:
		return bh_err_set(err, -ETIMEDOUT, "the agent at %s does not answer", req->socket);
	case CURLE_OUT_OF_MEMORY:
		return bh_err_set(err, -ENOMEM, "out of memory");
	case CURLE_WRITE_ERROR:
		if (s->r == -ENOMEM)
			return bh_err_set(err, -ENOMEM, "out of memory");
		if (s->r == -E2BIG)
			return bh_err_set(err, -E2BIG, "the agent's answer is too long");
		if (s->r < 0)
			return s->r;
		break;
	case CURLE_GOT_NOTHING:
	case CURLE_PARTIAL_FILE:
	case CURLE_RECV_ERROR:
	case CURLE_SEND_ERROR:
		return bh_err_set(err, -ECONNRESET, "the agent at %s ended the connection",
				  req->socket);
	default:
		break;
	}
	return bh_err_set(err, -EPROTO, "no answer from the agent at %s: %s", req->socket,
			  curl_easy_strerror(code));
}

static int status_error(long status)
{
	switch (status) {
	case 403:
		return -EACCES;
	case 404:
		return -ENOENT;
	case 409:
		return -EEXIST;
	case 413:
		return -E2BIG;
	default:
		return status >= 400 && status < 500 ? -EINVAL : -EPROTO;
	}
}

/* What the agent says about a refusal: {"error": "..."}. */
static int refused(long status, const struct bh_buf *body, struct bh_err *err)
{
	bh_cleanup(bh_buf_done) struct bh_buf clean = BH_BUF_INIT;
	bh_autojson json_t *v = NULL;
	int r = status_error(status);
	const char *text = NULL;

	if (bh_json_load(bh_buf_str(body), body->len, ANSWER_MAX, &v, NULL) < 0 ||
	    bh_json_str(v, "error", &text, NULL) < 0)
		return bh_err_set(err, r, "the agent answers with HTTP status %ld and no reason",
				  status);
	bh_put_clean(&clean, text);
	return bh_err_set(err, r, "%s", bh_buf_str(&clean));
}

static CURLcode set_up(CURL *c, const struct bh_request *req, struct curl_slist *headers,
		       struct sink *s, const char *url)
{
	CURLcode r = CURLE_OK;

#define SET(option, value)                                      \
	do {                                                    \
		if (r == CURLE_OK)                              \
			r = curl_easy_setopt(c, option, value); \
	} while (0)
	SET(CURLOPT_UNIX_SOCKET_PATH, req->socket);
	SET(CURLOPT_URL, url);
	SET(CURLOPT_PROTOCOLS_STR, "http");
	SET(CURLOPT_PROXY, ""); /* whatever the environment says */
	SET(CURLOPT_NOSIGNAL, 1L);
	SET(CURLOPT_CONNECTTIMEOUT_MS, CONNECT_MS);
	if (!s->line)
		SET(CURLOPT_TIMEOUT_MS, ANSWER_MS);
	SET(CURLOPT_HTTPHEADER, headers);
	SET(CURLOPT_CUSTOMREQUEST, req->method);
	if (req->body) {
		SET(CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)req->size);
		SET(CURLOPT_POSTFIELDS, req->body);
	}
	SET(CURLOPT_WRITEFUNCTION, on_data);
	SET(CURLOPT_WRITEDATA, s);
#undef SET
	return r;
}

static int transfer(const struct bh_request *req, struct sink *s, long *ret_status,
		    struct bh_err *err)
{
	bh_cleanup(easy_cleanupp) CURL *c = curl_easy_init();
	bh_cleanup(slist_freep) struct curl_slist *headers = NULL;
	bh_cleanup(bh_buf_done) struct bh_buf url = BH_BUF_INIT;
	struct curl_slist *more;
	CURLcode code;
	long status = 0;

	if (strlen(req->socket) >= sizeof(((struct sockaddr_un *)0)->sun_path))
		return bh_err_set(err, -ENAMETOOLONG, "the path of the socket, %s, is too long",
				  req->socket);
	bh_buf_printf(&url, "http://bulkhead%s", req->path);
	/* No "Expect: 100-continue": it costs a second where it is not answered. */
	headers = curl_slist_append(NULL, "Expect:");
	more = headers ? curl_slist_append(headers, "Content-Type: application/yaml") : NULL;
	if (!c || !more || bh_buf_failed(&url))
		return bh_err_set(err, -ENOMEM, "out of memory");
	headers = more;
	s->curl = c;
	code = set_up(c, req, headers, s, bh_buf_str(&url));
	if (code == CURLE_OK)
		code = curl_easy_perform(c);
	(void)curl_easy_getinfo(c, CURLINFO_RESPONSE_CODE, &status);
	*ret_status = status;
	if (code != CURLE_OK)
		return transfer_error(c, code, req, s, err);
	if (status < 200 || status > 299)
		return refused(status, s->body, err);
	return 0;
}

int bh_agent_call(const struct bh_request *req, long *ret_status, struct bh_buf *body,
		  struct bh_err *err)
{
	struct sink s = { .body = body };
	long status = 0;
	int r = transfer(req, &s, &status, err);

	if (ret_status)
		*ret_status = status;
	return r;
}

int bh_agent_stream(const char *socket, const char *path, bh_line_fn fn, void *arg,
		    struct bh_err *err)
{
	const struct bh_request req = { .socket = socket, .method = "GET", .path = path };
	bh_cleanup(bh_buf_done) struct bh_buf body = BH_BUF_INIT;
	struct sink s = { .body = &body, .line = fn, .arg = arg };
	long status = 0;
	int r = transfer(&req, &s, &status, err);

	/* A last line without its newline. */
	if (r == 0 && body.len > 0)
		r = fn(arg, body.data);
	return r;
}

/* NULL only without memory, or where @must is false and the key is missing. */
static char *copy_of(const json_t *v, const char *key, bool must)
{
	bh_cleanup(bh_buf_done) struct bh_buf clean = BH_BUF_INIT;
	const char *s = NULL;

	if (bh_json_str(v, key, &s, NULL) < 0) {
		if (!must)
			return NULL;
		s = "";
	}
	bh_put_clean(&clean, s);
	return bh_buf_take(&clean);
}

static void diag_from_json(const json_t *v, struct bh_diag *d)
{
	const char *code = bh_view_str(v, "code");
	uint64_t n;

	*d = (struct bh_diag){ .severity = BH_SEVERITY_ERROR };
	if (bh_streq(bh_view_str(v, "severity"), "warning"))
		d->severity = BH_SEVERITY_WARNING;
	(void)snprintf(d->code, sizeof(d->code), "%.7s", *code != '\0' ? code : "agent");
	if (bh_json_u64(v, "line", UINT32_MAX, &n, NULL) == 0)
		d->pos.line = (uint32_t)n;
	if (bh_json_u64(v, "column", UINT32_MAX, &n, NULL) == 0)
		d->pos.column = (uint32_t)n;
	d->file = copy_of(v, "file", true);
	d->path = copy_of(v, "path", false);
	d->message = copy_of(v, "message", true);
	d->hint = copy_of(v, "hint", false);
}

void bh_agent_diags(const json_t *list)
{
	bh_cleanup(bh_diags_done) struct bh_diags d = BH_DIAGS_INIT;
	bh_cleanup(bh_buf_done) struct bh_buf out = BH_BUF_INIT;
	size_t n = json_array_size(list);
	bool whole = true;

	d.items = n > 0 ? calloc(n, sizeof(*d.items)) : NULL;
	if (!d.items)
		return;
	for (d.n = 0; d.n < n; d.n++) {
		struct bh_diag *i = &d.items[d.n];

		diag_from_json(json_array_get(list, d.n), i);
		whole = whole && i->file && i->message;
		if (i->severity == BH_SEVERITY_ERROR)
			d.n_errors++;
		else
			d.n_warnings++;
	}
	if (!whole)
		return;
	bh_diags_print(&d, &out);
	(void)fputs(bh_buf_str(&out), stderr);
}

void bh_agent_complain(const struct bh_err *err, int r, const struct bh_buf *body)
{
	bh_autojson json_t *v = NULL;
	json_t *list = NULL;

	bh_out_complain("%s", bh_err_text(err, r));
	if (bh_json_load(bh_buf_str(body), body->len, ANSWER_MAX, &v, NULL) == 0 &&
	    bh_json_arr(v, "diagnostics", &list, NULL) == 0)
		bh_agent_diags(list);
}

int bh_agent_text(const struct bh_request *req, struct bh_buf *out)
{
	struct bh_err err = { .code = 0 };
	int r = bh_agent_call(req, NULL, out, &err);

	if (r < 0)
		bh_agent_complain(&err, r, out);
	return r;
}

int bh_agent_json(const struct bh_request *req, json_t **ret)
{
	bh_cleanup(bh_buf_done) struct bh_buf body = BH_BUF_INIT;
	struct bh_err err = { .code = 0 };
	int r = bh_agent_text(req, &body);

	if (r < 0)
		return r;
	r = bh_json_load(bh_buf_str(&body), body.len, ANSWER_MAX, ret, &err);
	if (r == 0 && !json_is_object(*ret)) {
		json_decref(*ret);
		*ret = NULL;
		r = bh_err_set(&err, -EPROTO, "it is no object");
	}
	if (r < 0)
		bh_out_complain("the agent's answer to %s %s cannot be read: %s", req->method,
				req->path, bh_err_text(&err, r));
	return r;
}

void bh_agent_escape(struct bh_buf *path, const char *s)
{
	static const char hex[] = "0123456789ABCDEF";

	for (; *s != '\0'; s++) {
		unsigned char c = (unsigned char)*s;

		if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
		    strchr("-._~", c)) {
			bh_buf_putc(path, *s);
		} else {
			bh_buf_putc(path, '%');
			bh_buf_putc(path, hex[c >> 4]);
			bh_buf_putc(path, hex[c & 15]);
		}
	}
}
