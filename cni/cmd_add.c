// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * cni/cmd_add.c - ADD: wire a container, and return when its isolation is in force
 *
 * DOC: Theory of operation
 *
 * Everything that can be wrong with the input is found before the first trace is left. Then, in this order,
 * each with its step back on the undo stack: the record ("adding"), the addresses, the veth in the
 * quarantine group, both ends up and running inside it, the record again ("ready"), the agent's answer, the
 * result. The veth may be up before the agent knows it, because the quarantine group is dropped by the base
 * table; only the agent moves it out.
 *
 * The record says "ready" just before the agent is asked, not after: an agent that dies between its answer
 * and our next instruction finds on its return what it has agreed to.
 *
 * Signals that would end the process are held back: an interrupted ADD must take back what it did. While it
 * waits for the agent, and once more at the end, it looks whether one came.
 */
#include "cni/cmd.h"

#include "cni/agent_client.h"
#include "cni/ipam.h"
#include "cni/netns.h"
#include "cni/result.h"
#include "cni/undo.h"
#include "cni/wire.h"
#include "cni/workload.h"
#include "common/log.h"
#include "common/util.h"

#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/signalfd.h>

#include "common/banned.h"

struct add {
	const struct bh_cni_args *args;
	struct bh_netconf *conf;
	struct bh_attachment at;
	struct bh_workload wl;
	struct bh_netns self, cont;
	struct bh_wire wire;
	struct bh_addr ips[BH_RANGE_SETS_MAX];
	struct nl_sock *sk;
	json_t *record;
	int signal_fd;
	bool told; /* the agent may know of the endpoint */
};

static void add_done(struct add *s)
{
	bh_rtnl_closep(&s->sk);
	bh_netns_done(&s->self);
	bh_netns_done(&s->cont);
	bh_workload_done(&s->wl);
	bh_attachment_done(&s->at);
	json_decref(s->record);
	free(s->wire.routes);
	bh_closep(&s->signal_fd);
}

static int undo_record(void *arg, struct bh_err *err)
{
	return bh_record_remove(&((struct add *)arg)->at, err);
}

static int undo_addresses(void *arg, struct bh_err *err)
{
	struct add *s = arg;

	return bh_ipam_release(s->conf->run_dir, &s->at, s->ips, s->conf->ranges.n, err);
}

static int undo_link(void *arg, struct bh_err *err)
{
	struct add *s = arg;

	return bh_wire_delete(s->sk, &s->at, err);
}

static int undo_agent(void *arg, struct bh_err *err)
{
	struct add *s = arg;
	bh_autojson json_t *request = bh_agent_request("del", &s->at), *reply = NULL;

	/* An agent that is not there knows nothing that had to be undone. */
	if (s->told && request)
		(void)!bh_agent_call(s->conf->run_dir, request, -1, BH_AGENT_SHORT_MS, -1, &reply,
				     err);
	return 0;
}

static enum bh_cni_code hold_signals(struct add *s, struct bh_cni_error *e)
{
	sigset_t set;

	(void)sigemptyset(&set);
	(void)sigaddset(&set, SIGTERM);
	(void)sigaddset(&set, SIGINT);
	(void)sigaddset(&set, SIGHUP);
	(void)sigaddset(&set, SIGQUIT);
	if (sigprocmask(SIG_BLOCK, &set, NULL) == 0)
		s->signal_fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	if (s->signal_fd < 0)
		return bh_cni_fail(e, BH_CNI_SYSTEM, "signalfd: %s", strerrordesc_np(errno));
	return BH_CNI_OK;
}

static bool interrupted(const struct add *s)
{
	struct pollfd p = { .fd = s->signal_fd, .events = POLLIN };

	return poll(&p, 1, 0) != 0;
}

/* Input, namespace, plan: no trace is left. */
static enum bh_cni_code prepare(struct add *s, struct bh_cni_error *e)
{
	struct bh_err err = { 0 };
	enum bh_cni_code code = bh_netconf_wiring(s->conf, s->args, e);
	int r;

	if (!code)
		code = bh_workload_read(s->conf, s->args, &s->wl, e);
	if (code)
		return code;
	if (s->conf->prev && !json_is_object(s->conf->prev))
		return bh_cni_fail(e, BH_CNI_DECODE, "prevResult must be an object");
	r = bh_netns_open(s->args->netns, &s->cont, &err);
	if (r < 0)
		return bh_cni_fail_err(e, BH_CNI_ENV, &err, r, "CNI_NETNS");
	r = bh_netns_self(&s->self, &err);
	if (r < 0)
		return bh_cni_fail_err(e, BH_CNI_SYSTEM, &err, r, "own network namespace");
	if (bh_netns_same(&s->self, &s->cont))
		return bh_cni_fail(e, BH_CNI_OWN_NETNS,
				   "CNI_NETNS '%.200s' is the network namespace of the host",
				   s->args->netns);
	r = bh_attachment_init(&s->at, s->conf->run_dir, s->conf->network, s->args->container_id,
			       s->args->ifname, &err);
	if (r < 0)
		return bh_cni_fail_err(e, BH_CNI_SYSTEM, &err, r, "attachment");
	return hold_signals(s, e);
}

/*
 * What is there already under these names. A live attachment is an error; what an earlier boot, a killed ADD
 * or a vanished namespace left is removed.
 */
static enum bh_cni_code check_before(struct add *s, struct bh_cni_error *e)
{
	bh_autojson json_t *record = NULL;
	const char *phase = "";
	struct bh_err err = { 0 };
	struct bh_link link;
	int known = bh_record_read(&s->at, &record, &err);
	int there = bh_wire_find(s->sk, &s->at, &link, &err);

	if (there == -EPERM || known == -EPERM || (there == 0 && known < 0))
		return bh_cni_fail(
		    e, BH_CNI_EXISTS,
		    "interface %s exists already: container %.64s has an interface %s on "
		    "network '%.64s'",
		    s->at.host_name, s->at.id, s->at.ifname, s->at.network);
	if (there < 0 && there != -ENODEV)
		return bh_cni_fail_err(e, BH_CNI_SYSTEM, &err, there, s->at.host_name);
	if (known == -ENOENT)
		return BH_CNI_OK;
	if (known == 0)
		(void)!bh_json_str(record, "phase", &phase, NULL);
	if (there == 0 && bh_streq(phase, "ready") && bh_record_fresh(&s->at, record))
		return bh_cni_fail(e, BH_CNI_EXISTS,
				   "container %.64s has an interface %s on network '%.64s' already",
				   s->at.id, s->at.ifname, s->at.network);
	bh_notice("removing what is left of an earlier attachment of container %.64s", s->at.id);
	if (bh_tear_down(s->conf, &s->at, s->sk) < 0)
		return bh_cni_fail(e, BH_CNI_TRY_AGAIN,
				   "what is left of an earlier attachment cannot be removed");
	return BH_CNI_OK;
}

static enum bh_cni_code open_up(struct add *s, struct bh_cni_error *e)
{
	struct bh_err err = { 0 };
	int r = bh_attachment_lock(&s->at, 0, &err);

	if (r < 0)
		return bh_cni_fail_err(e, r == -EBUSY ? BH_CNI_TRY_AGAIN : BH_CNI_SYSTEM, &err, r,
				       "lock");
	r = bh_rtnl_open(&s->sk, &err);
	if (r < 0)
		return bh_cni_fail_err(e, BH_CNI_SYSTEM, &err, r, "netlink");
	return check_before(s, e);
}

/* The add request of docs/api.md with what a record has besides; grows as more becomes known. */
static int make_record(struct add *s, const char *phase, struct bh_err *err)
{
	const struct bh_netconf *c = s->conf;
	const struct bh_wire *w = &s->wire;
	char host_mac[18], cont_mac[18], text[BH_ADDR_STRLEN];
	json_t *ips = json_array(), *o;

	for (size_t i = 0; i < w->n_ips; i++)
		(void)json_array_append_new(ips, json_string(bh_addr_format(&s->ips[i], text)));
	o = json_pack(
	    "{s:i, s:s, s:s, s:s, s:s, s:s, s:{s:s, s:I, s:s}, s:{s:s, s:I, s:s}, s:o, s:s, s:s, "
	    "s:O, s:b, s:s, s:O, s:O, s:s, s:s, s:s, s:I, s:I}",
	    "v", 1, "op", "add", "network", s->at.network, "id", s->at.id, "ifname", s->at.ifname,
	    "netns", s->args->netns, "host", "name", s->at.host_name, "index",
	    (json_int_t)w->host_index, "mac", bh_mac_format(w->host_mac, host_mac), "cont", "name",
	    s->at.ifname, "index", (json_int_t)w->cont_index, "mac",
	    bh_mac_format(w->cont_mac, cont_mac), "ips", ips, "name", s->wl.name, "namespace",
	    s->wl.ns, "labels", s->wl.labels, "labelsFinal", c->labels_final, "hostToContainer",
	    c->host_judged ? "policy" : "allow", "ports", s->wl.ports, "cniArgs", s->wl.cni_args,
	    "mode", "main", "boot", s->at.boot, "phase", phase, "netnsDev", (json_int_t)s->cont.dev,
	    "netnsIno", (json_int_t)s->cont.ino);
	if (!o)
		return bh_err_set(err, -EINVAL, "a name or a path of the container is not UTF-8");
	json_decref(s->record);
	s->record = o;
	return bh_record_write(&s->at, o, err);
}

static enum bh_cni_code take_addresses(struct add *s, struct bh_undo *undo, struct bh_cni_error *e)
{
	struct bh_err err = { 0 };
	int r;

	bh_undo_push(undo, "the record", undo_record, s);
	r = make_record(s, "adding", &err);
	if (r < 0)
		return bh_cni_fail_err(e, BH_CNI_SYSTEM, &err, r, "record");
	r = bh_ipam_take(s->conf->run_dir, &s->at, &s->conf->ranges, s->ips, &err);
	if (r == -ENOSPC || r == -EADDRINUSE)
		return bh_cni_fail_err(e, BH_CNI_TRY_AGAIN, &err, r, "addresses");
	if (r < 0)
		return bh_cni_fail_err(e, BH_CNI_SYSTEM, &err, r, "addresses");
	bh_undo_push(undo, "the addresses", undo_addresses, s);
	return BH_CNI_OK;
}

static enum bh_cni_code wire_up(struct add *s, struct bh_undo *undo, struct bh_cni_error *e)
{
	struct bh_wire *w = &s->wire;
	struct bh_err err = { 0 };
	int r;

	*w = (struct bh_wire){ .conf = s->conf,
			       .at = &s->at,
			       .self = &s->self,
			       .cont = &s->cont,
			       .sk = s->sk,
			       .ips = s->ips,
			       .n_ips = s->conf->ranges.n };
	r = bh_wire_plan(w, &err);
	if (r == 0)
		r = make_record(s, "adding", &err);
	if (r == 0)
		r = bh_wire_forwarding(w, &err);
	/* Taken back in this order: link, agent, addresses, record; see bh_tear_down(). */
	bh_undo_push(undo, "the agent's endpoint", undo_agent, s);
	bh_undo_push(undo, "the link", undo_link, s);
	if (r == 0) {
		r = bh_wire_make(w, &err);
		if (r == -EEXIST)
			return bh_cni_fail(e, BH_CNI_EXISTS,
					   "interface %s exists in the container already",
					   s->at.ifname);
	}
	if (r == 0)
		r = bh_wire_setup(w, &err);
	if (r == 0)
		r = make_record(s, "ready", &err);
	if (r < 0)
		return bh_cni_fail_err(e, BH_CNI_SYSTEM, &err, r, "wiring");
	return BH_CNI_OK;
}

static enum bh_cni_code ask_agent(struct add *s, struct bh_cni_error *e)
{
	bh_autojson json_t *reply = NULL;
	struct bh_err err = { 0 };
	const char *text = NULL;
	bool ok = false, retry = false;
	int r;

	s->told = true;
	r = bh_agent_call(s->conf->run_dir, s->record, s->cont.fd, s->conf->agent_timeout_ms,
			  s->signal_fd, &reply, &err);
	s->told = r != -ECONNREFUSED;
	if (r < 0)
		return bh_cni_fail_err(e, BH_CNI_TRY_AGAIN, &err, r, "no isolation, no network");
	if (bh_json_bool(reply, "ok", &ok, NULL) < 0)
		return bh_cni_fail(e, BH_CNI_TRY_AGAIN, "the agent's answer is neither yes nor no");
	if (ok && bh_json_str(reply, "state", &text, NULL) == 0 &&
	    (bh_streq(text, "enforced") || bh_streq(text, "quarantined")))
		return BH_CNI_OK;
	if (ok)
		return bh_cni_fail(e, BH_CNI_TRY_AGAIN,
				   "the agent's answer says nothing of isolation (state '%.32s')",
				   text ? text : "");
	(void)!bh_json_bool(reply, "retry", &retry, NULL);
	(void)!bh_json_str(reply, "msg", &text, NULL);
	return bh_cni_fail(e, retry ? BH_CNI_TRY_AGAIN : BH_CNI_REFUSED, "the agent refuses: %s",
			   text ? text : "no reason given");
}

static enum bh_cni_code answer(const struct add *s, struct bh_cni_error *e)
{
	bh_autojson json_t *result = bh_result_add(s->conf, &s->wire, s->args->netns);

	if (interrupted(s))
		return bh_cni_fail(e, BH_CNI_TRY_AGAIN, "interrupted by a signal");
	if (!result)
		return bh_cni_fail(e, BH_CNI_SYSTEM, "out of memory");
	if (json_dumpf(result, stdout, JSON_INDENT(2)) < 0 || fputc('\n', stdout) == EOF ||
	    fflush(stdout) != 0)
		return bh_cni_fail(e, BH_CNI_IO, "cannot write the result: %s",
				   strerrordesc_np(errno));
	return BH_CNI_OK;
}

enum bh_cni_code bh_cmd_add(const struct bh_cni_args *a, struct bh_netconf *c,
			    struct bh_cni_error *e)
{
	bh_cleanup(add_done) struct add s = {
		.args = a,
		.conf = c,
		.at = BH_ATTACHMENT_INIT,
		.self = BH_NETNS_INIT,
		.cont = BH_NETNS_INIT,
		.signal_fd = -1,
	};
	bh_cleanup(bh_undo_run) struct bh_undo undo = { .n = 0 };
	enum bh_cni_code code = prepare(&s, e);

	if (!code)
		code = open_up(&s, e);
	if (!code)
		code = take_addresses(&s, &undo, e);
	if (!code)
		code = wire_up(&s, &undo, e);
	if (!code)
		code = ask_agent(&s, e);
	if (!code)
		code = answer(&s, e);
	if (!code)
		bh_undo_forget(&undo);
	return code;
}
