/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * agent/api_internal.h - what api.c and the groups of requests (api_*.c) share
 *
 * Thread-safety: the main thread.
 */
#ifndef BH_AGENT_API_INTERNAL_H
#define BH_AGENT_API_INTERNAL_H

#include "agent/api.h"
#include "common/buf.h"
#include "common/json.h"

#include <microhttpd.h>

#define BH_API_PARTS_MAX 6U

struct bh_follower;

struct bh_api {
	struct bh_agent *a;
	struct MHD_Daemon *daemon;
	struct bh_source *io, *timer;
	struct bh_source *flush_timer;
	struct bh_request *flushing; /* requests that wait for POST /v1/flush */
	struct bh_follower *followers;
	bool stopping;
	bool kicked;
};

struct bh_request {
	struct bh_api *api;
	struct MHD_Connection *conn;
	const char *method;
	char *parts[BH_API_PARTS_MAX]; /* of the path; NULL-terminated */
	char *path;
	struct bh_buf body;
	unsigned refuse; /* status with which it is refused once its body was read; 0: it is not */
	struct bh_request *next_flushing;
	bool flushing, flushed;
};

/* Has MHD run in the next round of the loop. */
void bh_api_kick(struct bh_api *api);

/* Replies end a request; what they return is to be returned to MHD. @v, @text are taken (NULL: out of memory, 500). */
enum MHD_Result bh_reply_json(struct bh_request *q, unsigned status, json_t *v);
enum MHD_Result bh_reply_text(struct bh_request *q, unsigned status, const char *type, char *text);
enum MHD_Result bh_reply_error(struct bh_request *q, unsigned status, const char *fmt, ...)
    bh_printf(3, 4);
enum MHD_Result bh_reply_diags(struct bh_request *q, unsigned status, const char *msg,
			       const struct bh_diags *d);
/* Value of ?key=value; NULL: it was not given, "" without a value. */
const char *bh_request_arg(struct bh_request *q, const char *key);

/* ---- groups ---- */

enum MHD_Result bh_api_status(struct bh_request *q);
enum MHD_Result bh_api_settings(struct bh_request *q);
enum MHD_Result bh_api_endpoints(struct bh_request *q);
enum MHD_Result bh_api_ruleset(struct bh_request *q);
enum MHD_Result bh_api_live(struct bh_request *q);
enum MHD_Result bh_api_policies_list(struct bh_request *q);
enum MHD_Result bh_api_policies_get(struct bh_request *q);
enum MHD_Result bh_api_policies_apply(struct bh_request *q);
enum MHD_Result bh_api_policies_delete(struct bh_request *q);
enum MHD_Result bh_api_violations(struct bh_request *q);
enum MHD_Result bh_api_flush(struct bh_request *q);

/* Ends every stream, before the daemon stops. */
void bh_api_violations_stop(struct bh_api *api);
/* The request ended, whoever ended it. */
void bh_api_flush_cancel(struct bh_request *q);

#endif
