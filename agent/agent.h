/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * agent/agent.h - bulkheadd: what lives in it, and what its parts ask of each other
 *
 * One thread, one loop. agent.c makes the parts in order and takes them down in the opposite order; the
 * parts see each other through this structure.
 *
 * Thread-safety: the main thread.
 */
#ifndef BH_AGENT_AGENT_H
#define BH_AGENT_AGENT_H

#include "agent/endpoints.h"
#include "agent/proxy.h"
#include "agent/reconcile.h"
#include "agent/records.h"
#include "agent/rtnl.h"
#include "agent/settings.h"
#include "agent/store.h"
#include "agent/violation_log.h"
#include "common/loop.h"
#include "dataplane/kernel/kernel.h"
#include "dataplane/kernel/nflog.h"
#include "dataplane/worker/pool.h"

struct bh_api;
struct bh_bridgecheck;
struct bh_cni_server;

struct bh_agent {
	struct bh_settings cfg;
	struct bh_surroundings around; /* what the compiler is told of cfg; borrowed from it */
	const char *config_file;       /* NULL: the standard one */
	bool level_fixed;              /* --log-level was given */
	int run_lock, state_lock;
	char boot[BH_VLOG_BOOT_SIZE];
	int64_t started_us;
	bool adopted;      /* kernel tables of an earlier agent */
	bool started;      /* the first pass was made */
	bool all_released; /* nobody waits but those whose add is being answered */

	struct bh_loop *loop;
	struct bh_vlog *log;
	struct bh_store *store;
	struct bh_endpoints *eps;
	struct bh_rtnl *rtnl;
	struct bh_pool *pool;
	struct bh_kernel *kernel;
	struct bh_nflog *nflog;
	struct bh_reconcile *rc;
	struct bh_records *records;
	struct bh_cni_server *cni;
	struct bh_api *api;

	struct bh_ep **leaving; /* forgotten, their connections still to be ended */
	size_t n_leaving;
	struct bh_source *tick, *links, *nflog_io, *monitor_io, *verify, *farewell;
	struct bh_source *signals[4];
	struct bh_source *watchdog;
	/* What a `policy` record is due for, when it is enforced: "policies", "settings", "time"; NULL: nothing. */
	const char *changed;
	uint64_t saved_revision;
	bh_msec_t verify_wait; /* grows while somebody keeps changing our tables */
	bh_msec_t verified;
	bh_msec_t touched; /* our tables, by others, and not verified since; 0: not */
	bool heard;        /* of refused packets, since others like them were asked for */
	bool noted;        /* refused packets, in the run folder */
	uint64_t noted_refused, noted_unjudged;
	struct bh_proxies *proxies; /* NULL: they cannot be looked for */
	size_t n_proxies;           /* that matter, at the last look */
	struct bh_bridgecheck *bridges;
};

/* Everything up to READY; on failure nothing was changed that was in force. To be released in any case. */
int bh_agent_start(struct bh_agent *a, struct bh_err *err) bh_must_check;
/* Rules and workers stay in force. */
void bh_agent_stop(struct bh_agent *a);
/* Removes the tables, ends the workers: nothing is enforced any more. Not while an agent runs. */
int bh_agent_teardown(struct bh_agent *a, struct bh_err *err) bh_must_check;
/* SIGHUP: the policy folder, the violation log, the log level. */
void bh_agent_reload(struct bh_agent *a);

/* ---- for the parts (agent_endpoints.c) ---- */

/* Moves an endpoint that is enforced out of quarantine. */
int bh_agent_release(struct bh_agent *a, struct bh_ep *ep, struct bh_err *err) bh_must_check;
/* Everybody whom an earlier agent left there. */
void bh_agent_release_all(struct bh_agent *a);
/* Takes an endpoint out of the list and makes a pass of the loop due. */
void bh_agent_forget(struct bh_agent *a, struct bh_ep *ep);
/* After a pass that went well: the connections of those who were forgotten end, soon. */
void bh_agent_forgotten(struct bh_agent *a);
int bh_agent_farewell(struct bh_source *s, void *arg);
/* Its class is in force (and it has left the quarantine). */
bool bh_agent_ep_enforced(const struct bh_agent *a, const struct bh_ep *ep);
/* Who exists, by the plugin's records; at start. */
void bh_agent_adopt(struct bh_agent *a);
int bh_agent_watch_links(struct bh_agent *a, struct bh_err *err) bh_must_check;
/* Links that vanished more than five seconds ago. */
void bh_agent_bury(struct bh_agent *a, bh_msec_t now);

/* Everything that was reported so far becomes a record; a POST /v1/flush waits a moment before it. */
void bh_agent_flush_records(struct bh_agent *a);

/* What the kernel only counted becomes records; nothing, if it reported nothing. */
void bh_agent_take_told(struct bh_agent *a);

/* Notes how many packets were refused so far; what an earlier agent noted, less than now, becomes a loss. */
void bh_agent_note_refused(struct bh_agent *a);
void bh_agent_find_unheard(struct bh_agent *a);
/* When an earlier agent of this boot was last seen alive, wall clock in microseconds; 0: there was none. */
int64_t bh_agent_last_seen(const struct bh_agent *a);
void bh_agent_forget_refused(const struct bh_agent *a);

/* Writes the present revision down, if it is not. */
void bh_agent_save_revision(struct bh_agent *a);
/* The last one anybody knows: the workers outlived the agent and may know a later one than the disk. */
uint64_t bh_agent_last_revision(const struct bh_agent *a);

/* One line of the `policy` or `agent` kind: {"kind": @kind, "event": @event, ...@more}; @more is taken, may be NULL. */
void bh_agent_event(struct bh_agent *a, const char *kind, const char *event, json_t *more);

#endif
