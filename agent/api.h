/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * agent/api.h - api.sock: HTTP/1.1 and JSON, as docs/api.md has it
 *
 * libmicrohttpd without threads of its own: it lends its epoll descriptor to our loop. Who is at the other end
 * decides what he may do: root writes, whoever can open the socket reads.
 *
 * Thread-safety: the main thread.
 */
#ifndef BH_AGENT_API_H
#define BH_AGENT_API_H

#include "agent/agent.h"

int bh_api_new(struct bh_agent *a, struct bh_api **ret, struct bh_err *err) bh_must_check;
struct bh_api *bh_api_free(struct bh_api *api);
/* A line of the violation log, for those who follow it. */
void bh_api_line(struct bh_api *api, const char *line, size_t len);

#endif
