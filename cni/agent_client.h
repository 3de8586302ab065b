/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * cni/agent_client.h - one question to the agent on RUNDIR/cni.sock (docs/api.md)
 *
 * Thread-safety: no state.
 */
#ifndef BH_CNI_AGENT_CLIENT_H
#define BH_CNI_AGENT_CLIENT_H

#include "common/err.h"
#include "common/json.h"

/**
 * bh_agent_call() - Send one request, wait for its reply
 * @request:	Borrowed
 * @netns_fd:	Travels with the first byte; -1: none
 * @timeout_ms:	For all of it
 * @cancel_fd:	When it becomes readable the call is given up; -1: none
 * @ret:	The reply, an object
 *
 * Return: 0, -ECONNREFUSED no agent, -ETIMEDOUT, -ECANCELED, -EPROTO, -EACCES the other side is not root,
 * errno of the socket
 */
int bh_agent_call(const char *run_dir, const json_t *request, int netns_fd, int64_t timeout_ms,
		  int cancel_fd, json_t **ret, struct bh_err *err) bh_must_check;

#endif
