/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * agent/agent_proxy.h - which userland proxies open what policies close
 *
 * Thread-safety: the main thread.
 */
#ifndef BH_AGENT_AGENT_PROXY_H
#define BH_AGENT_AGENT_PROXY_H

#include "agent/agent.h"

void bh_agent_proxies_start(struct bh_agent *a);
/* Each second: looks if it is time, and warns in the log when there are more than before. */
void bh_agent_proxies_tick(struct bh_agent *a, bh_msec_t now);
/* The list as docs/api.md has it; a text for each in @warnings. */
json_t *bh_agent_proxies(struct bh_agent *a, json_t *warnings);

#endif
