/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * cli/agent.h - requests to the agent: HTTP over its unix socket (docs/api.md)
 *
 * Thread-safety: one thread.
 */
#ifndef BH_CLI_AGENT_H
#define BH_CLI_AGENT_H

#include "common/buf.h"
#include "common/err.h"

#include <jansson.h>

struct bh_request {
	const char *socket;
	const char *method; /* "GET", ... */
	const char *path;   /* "/v1/..." */
	const char *body;   /* NULL: none */
	size_t size;
};

/**
 * bh_agent_call() - One request and its whole answer
 * @ret_status:	HTTP status, 0 if there was no answer; may be NULL
 * @body:	The answer, also that of a refusal
 *
 * Return: 0 on a 2xx; else a negative errno: of the connection; -ENOENT (404), -EEXIST (409), -EACCES (403),
 * -EINVAL (other 4xx), -EPROTO (5xx, or no HTTP). @err says what the agent said.
 */
int bh_agent_call(const struct bh_request *req, long *ret_status, struct bh_buf *body,
		  struct bh_err *err) bh_must_check;

/* The same for an answer in JSON, which is an object. Complains by itself, with the agent's diagnostics. */
int bh_agent_json(const struct bh_request *req, json_t **ret) bh_must_check;
/* The same for text. */
int bh_agent_text(const struct bh_request *req, struct bh_buf *out) bh_must_check;

/* A list of diagnostics as a compiler prints them, on stderr. */
void bh_agent_diags(const json_t *list);
/* The error, and the diagnostics that @body (of a refusal) brings. */
void bh_agent_complain(const struct bh_err *err, int r, const struct bh_buf *body);

/* A line without its newline. Return: 0, or a negative errno that ends the stream. */
typedef int (*bh_line_fn)(void *arg, char *line);

/* GET without end: each line as it comes. Return: 0 when the agent ended it, else as above. */
int bh_agent_stream(const char *socket, const char *path, bh_line_fn fn, void *arg,
		    struct bh_err *err) bh_must_check;

/* Adds @s to a path, escaped. -ENOMEM sticks in @path. */
void bh_agent_escape(struct bh_buf *path, const char *s);

#endif
