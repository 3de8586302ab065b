// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * agent/agent.c - bulkheadd: the order of start and stop, and what happens in between
 *
 * DOC: The order of start
 *
 * Locks (a second agent ends here and has touched nothing), policies, endpoints, workers, tables, the first pass, and
 * only then the sockets: whoever can talk to us talks to an agent that enforces. Until the kernel is touched, the rules
 * and workers of an earlier agent are in force, and afterwards ours are; there is no moment without.
 */
#include "agent/agent.h"

#include "agent/agent_proxy.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/random.h>

#include "agent/api.h"
#include "agent/bridgecheck.h"
#include "agent/cni_server.h"
#include "agent/notify.h"
#include "common/file.h"
#include "common/json.h"
#include "common/limits.h"
#include "common/log.h"
#include "common/util.h"
#include "config.h"

#include "common/banned.h"

#define TICK_MS        1000
#define VERIFY_MIN_MS  50
#define VERIFY_MAX_MS  5000
#define VERIFY_CALM_MS 10000 /* without a repair for so long, the next one comes at once */

/* ---- records of the agent's own ---- */

void bh_agent_event(struct bh_agent *a, const char *kind, const char *event, json_t *more)
{
	bh_autojson json_t *o = json_pack("{s:s, s:s}", "kind", kind, "event", event),
			   *owned = more;
	bh_autofree char *text = NULL;

	if (o && owned)
		(void)json_object_update(o, owned);
	text = o ? bh_json_text(o) : NULL;
	if (!text) {
		bh_vlog_loss(a->log, "memory", 1);
		return;
	}
	text[strlen(text) - 1] = '\0';
	bh_vlog_event(a->log, bh_clock_wall_us(), text + 1);
}

static void on_line(void *arg, const char *line, size_t len)
{
	struct bh_agent *a = arg;

	if (a->api)
		bh_api_line(a->api, line, len);
}

void bh_agent_flush_records(struct bh_agent *a)
{
	bh_agent_take_told(a);
	bh_records_flush(a->records);
	bh_vlog_flush(a->log);
}

/* ---- what the parts report ---- */

static void on_finding(void *arg, unsigned worker, int64_t wall_us, const struct bh_finding *f)
{
	struct bh_agent *a = arg;

	bh_records_finding(a->records, wall_us, f);
}

static void on_lost(void *arg, unsigned worker, const char *cause, uint64_t n)
{
	struct bh_agent *a = arg;

	bh_vlog_loss(a->log, cause, n);
}

static void on_restarted(void *arg, unsigned worker, int status, bh_msec_t gap_ms)
{
	struct bh_agent *a = arg;

	bh_warning("worker %u ended (status 0x%x) and was replaced after %lld ms", worker,
		   (unsigned)status, (long long)gap_ms);
	bh_agent_event(a, "agent", "worker_restarted",
		       json_pack("{s:i, s:i, s:I}", "worker", (int)worker, "status", status,
				 "gapMs", (json_int_t)gap_ms));
}

static const struct bh_pool_ops pool_ops = {
	.finding = on_finding,
	.lost = on_lost,
	.restarted = on_restarted,
};

static void on_refused(void *arg, const struct bh_refused *p)
{
	struct bh_agent *a = arg;

	a->heard = true;
	bh_records_refused(a->records, bh_clock_wall_us(), p);
}

static int on_nflog(struct bh_source *s, int fd, uint32_t events, void *arg)
{
	static struct bh_log_limit limit = BH_LOG_LIMIT_INIT;
	struct bh_agent *a = arg;
	uint64_t lost = 0;
	int r = bh_nflog_read(a->nflog, on_refused, a, &lost);

	bh_vlog_loss(a->log, "nflog_overrun", lost);
	if (r < 0)
		bh_log_limited(&limit, BH_LOG_WARNING, "refused packets cannot be read: %s",
			       strerrordesc_np(-r));
	return 0;
}

/* Something of ours was touched: look a moment later, when whoever it was is through with it. */
static int on_monitor(struct bh_source *s, int fd, uint32_t events, void *arg)
{
	struct bh_agent *a = arg;
	bool touched = false;

	if (bh_kernel_monitor_read(a->kernel, &touched) < 0)
		touched = true;
	if (!touched)
		return 0;
	if (a->touched == 0)
		a->touched = bh_clock_now();
	(void)bh_timer_set(a->verify, a->verify_wait, 0);
	return 0;
}

static int on_verify(struct bh_source *s, void *arg)
{
	struct bh_agent *a = arg;
	struct bh_err err = { 0 }, why = { 0 };
	bool adopted;
	int r = bh_kernel_verify(a->kernel, &why);

	if (r == 0) {
		a->touched = 0;
		return 0;
	}
	if (a->touched == 0)
		a->touched = bh_clock_now();
	bh_warning("our nftables objects were changed by somebody else: %s; they are repaired",
		   bh_err_text(&why, r));
	r = bh_kernel_start(a->kernel, &adopted, &err);
	bh_reconcile_distrust(a->rc);
	if (r == 0)
		r = bh_reconcile_now(a->rc, &err);
	/* Who fights over the tables is not to have the processor, too. */
	a->verify_wait = bh_clock_now() - a->verified < VERIFY_CALM_MS
			     ? BH_MIN(BH_MAX(a->verify_wait, VERIFY_MIN_MS) * 2, VERIFY_MAX_MS)
			     : VERIFY_MIN_MS;
	a->verified = bh_clock_now();
	bh_vlog_loss_open(a->log, "tables_changed", bh_clock_now() - a->touched);
	if (r == 0)
		a->touched = 0;
	bh_agent_event(a, "agent", r == 0 ? "tables_repaired" : "tables_broken",
		       json_pack("{s:s}", "text", bh_err_text(r == 0 ? &why : &err, r)));
	if (r < 0) {
		bh_error("our nftables objects cannot be repaired: %s", bh_err_text(&err, r));
		(void)bh_timer_set(a->verify, VERIFY_MAX_MS, 0);
	}
	return 0;
}

static void on_pass(void *arg, int r)
{
	struct bh_agent *a = arg;
	struct bh_reconcile_state st;

	bh_reconcile_state_get(a->rc, &st);
	if (r == 0) {
		bh_agent_forgotten(a);
		bh_agent_release_all(a);
		if (a->proxies)
			bh_proxies_due(a->proxies, true);
		bh_bridgecheck_due(a->bridges);
	}
	if (a->cni)
		bh_cni_server_pass(a->cni, r, st.error ? st.error : "");
	if (r < 0)
		return;
	if (a->changed) {
		const struct bh_generation *g = bh_reconcile_enforced(a->rc);

		/* Of a revision without rules of its own only the disk will know. */
		if (g->revision != bh_ruleset_revision(g->rules->rs))
			bh_agent_save_revision(a);

		bh_agent_event(a, "policy", "enforced",
			       json_pack("{s:I, s:I, s:s}", "revision", (json_int_t)g->revision,
					 "policies", (json_int_t)g->policies->set->n_policies,
					 "cause", a->changed));
		a->changed = NULL;
	}
	bh_store_enforced(a->store);
}

static void on_time(void *arg)
{
	struct bh_agent *a = arg;

	a->changed = "time";
}

static void on_store(void *arg)
{
	struct bh_agent *a = arg;
	const struct bh_generation *g = a->rc ? bh_reconcile_enforced(a->rc) : NULL;
	const struct bh_diags *d = bh_store_diags(a->store);

	if (!bh_store_ok(a->store) && d->n_errors > 0)
		bh_agent_event(a, "policy", "rejected",
			       json_pack("{s:I, s:o}", "errors", (json_int_t)d->n_errors,
					 "diagnostics", bh_diags_json(d)));
	if (a->rc && bh_store_current(a->store) &&
	    (!g || g->policies != bh_store_current(a->store))) {
		a->changed = "policies";
		bh_reconcile_soon(a->rc);
	}
}

/* ---- time and signals ---- */

/* Nobody waits for it: the bump that needs it does it itself. */
static void tidy(struct bh_agent *a)
{
	static struct bh_log_limit limit = BH_LOG_LIMIT_INIT;
	struct bh_err err = { 0 };
	int r = bh_kernel_tidy(a->kernel, &err);

	if (r < 0)
		bh_log_limited(&limit, BH_LOG_WARNING, "%s", bh_err_text(&err, r));
}

static int on_tick(struct bh_source *s, void *arg)
{
	struct bh_agent *a = arg;
	bh_msec_t now = bh_clock_now();

	tidy(a);
	bh_agent_take_told(a);
	bh_records_tick(a->records, now);
	bh_vlog_tick(a->log, now);
	bh_agent_bury(a, now);
	if (a->cni)
		bh_cni_server_tick(a->cni, now);
	bh_agent_save_revision(a);
	bh_agent_note_refused(a);
	bh_agent_proxies_tick(a, now);
	bh_bridgecheck_tick(a->bridges, now);
	return 0;
}

static int on_watchdog(struct bh_source *s, void *arg)
{
	(void)bh_notify("WATCHDOG=1");
	return 0;
}

static int on_signal(struct bh_source *s, int signo, void *arg)
{
	struct bh_agent *a = arg;

	if (signo == SIGHUP) {
		bh_agent_reload(a);
		return 0;
	}
	bh_notice("stopping: rules and workers stay in force");
	bh_loop_exit(a->loop, 0);
	return 0;
}

static bool same_surroundings(const struct bh_settings *x, const struct bh_settings *y)
{
	if (x->cluster.n != y->cluster.n || x->resolvers.n != y->resolvers.n)
		return false;
	for (size_t i = 0; i < x->cluster.n; i++)
		if (x->cluster.items[i].len != y->cluster.items[i].len ||
		    !bh_addr_eq(&x->cluster.items[i].addr, &y->cluster.items[i].addr))
			return false;
	for (size_t i = 0; i < x->resolvers.n; i++)
		if (!bh_addr_eq(&x->resolvers.items[i], &y->resolvers.items[i]))
			return false;
	return true;
}

/* Policies mean something else now: a pass. */
static void take_surroundings(struct bh_agent *a, struct bh_settings *fresh)
{
	struct bh_prefixes cluster = a->cfg.cluster;
	struct bh_addrs resolvers = a->cfg.resolvers;

	if (same_surroundings(&a->cfg, fresh))
		return;
	a->cfg.cluster = fresh->cluster;
	a->cfg.resolvers = fresh->resolvers;
	fresh->cluster = cluster;
	fresh->resolvers = resolvers;
	a->around = bh_settings_surroundings(&a->cfg);
	a->changed = "settings";
	bh_reconcile_renew(a->rc);
}

void bh_agent_reload(struct bh_agent *a)
{
	bh_cleanup(bh_diags_done) struct bh_diags d = BH_DIAGS_INIT;
	bh_cleanup(bh_settings_done) struct bh_settings fresh = { .run_dir = NULL };
	struct bh_err err = { 0 };
	char text[96];
	int r;

	(void)snprintf(text, sizeof(text), "RELOADING=1\nMONOTONIC_USEC=%lld",
		       (long long)bh_clock_now() * 1000);
	(void)bh_notify(text);
	bh_notice("reloading");
	r = bh_settings_load(&fresh, a->config_file, &d, &err);
	if (r < 0)
		bh_error("the configuration is not taken over: %s",
			 d.n > 0 ? d.items[0].message : bh_err_text(&err, r));
	if (r == 0 && !a->level_fixed)
		bh_log_set_level(fresh.log_level);
	if (r == 0)
		take_surroundings(a, &fresh);
	r = bh_vlog_reopen(a->log, &err);
	if (r < 0)
		bh_error("%s", bh_err_text(&err, r));
	bh_store_rescan(a->store);
	(void)bh_notify("READY=1");
}

/* ---- start ---- */

static int take_lock(const char *dir, const char *name, int *ret_fd, struct bh_err *err)
{
	bh_autofree char *path = NULL;
	int r;

	if (asprintf(&path, "%s/%s", dir, name) < 0)
		return bh_err_set(err, -ENOMEM, "out of memory");
	r = bh_mkdir_parents(dir, 0755, err);
	if (r == 0)
		r = bh_file_lock(path, ret_fd, err);
	return r == -EBUSY ? bh_err_wrap(err, r, "another agent is running") : r;
}

static int start_loop(struct bh_agent *a, struct bh_err *err)
{
	static const int signals[] = { SIGTERM, SIGINT, SIGHUP };
	uint64_t boot;
	int r;

	_Static_assert(BH_ARRAY_SIZE(signals) <= BH_ARRAY_SIZE(a->signals), "no room for a signal");
	if (getrandom(&boot, sizeof(boot), 0) != (ssize_t)sizeof(boot))
		return bh_err_set(err, -errno, "getrandom: %s", strerrordesc_np(errno));
	(void)snprintf(a->boot, sizeof(a->boot), "%016llx", (unsigned long long)boot);
	a->started_us = bh_clock_wall_us();
	(void)signal(SIGPIPE, SIG_IGN);
	r = bh_loop_new(&a->loop, err);
	if (r < 0)
		return r;
	for (size_t i = 0; r == 0 && i < BH_ARRAY_SIZE(signals); i++)
		r = bh_loop_add_signal(a->loop, signals[i], on_signal, a, &a->signals[i]);
	if (r == 0)
		r = bh_loop_add_timer(a->loop, "tick", on_tick, a, &a->tick);
	if (r == 0)
		r = bh_loop_add_timer(a->loop, "verify tables", on_verify, a, &a->verify);
	if (r == 0)
		r = bh_loop_add_timer(a->loop, "watchdog", on_watchdog, a, &a->watchdog);
	if (r == 0)
		r = bh_loop_add_timer(a->loop, "farewell", bh_agent_farewell, a, &a->farewell);
	return r < 0 ? bh_err_set(err, r, "event loop: %s", strerrordesc_np(-r)) : 0;
}

static int start_store(struct bh_agent *a, struct bh_err *err)
{
	struct bh_vlog_config log = { .path = a->cfg.violation_log,
				      .node = a->cfg.node_name,
				      .boot = a->boot,
				      .line = on_line,
				      .arg = a };
	struct bh_err why = { 0 };
	int r = bh_vlog_new(&log, &a->log, err);

	if (r == 0)
		r = bh_store_new(a->loop, a->cfg.policy_dir, a->cfg.state_dir, on_store, a,
				 &a->store, err);
	if (r < 0)
		return r;
	r = bh_store_load(a->store, &why);
	if (r == -ENODATA)
		bh_error("%s; containers stay in quarantine until that is mended", why.msg);
	else if (r < 0)
		return bh_err_set(err, r, "%s", bh_err_text(&why, r));
	a->changed = "policies";
	return 0;
}

static int start_endpoints(struct bh_agent *a, struct bh_err *err)
{
	int r = bh_endpoints_new(&a->eps);

	if (r < 0)
		return bh_err_set(err, r, "out of memory");
	r = bh_rtnl_open(&a->rtnl, err);
	if (r == 0)
		bh_agent_adopt(a);
	return r;
}

static int open_kernel(struct bh_agent *a, struct bh_err *err)
{
	struct bh_kernel_config kernel = { .table = a->cfg.table,
					   .queue_base = a->cfg.queue_base,
					   .n_queues = a->cfg.workers,
					   .nflog_group = a->cfg.nflog_group,
					   .group_quarantine = BH_GROUP_QUARANTINE,
					   .group_managed = BH_GROUP_MANAGED,
					   .mark_down = a->cfg.mark_down,
					   .comments = a->cfg.comments,
					   .keep = a->cfg.keep_connections,
					   .grace_sec = a->cfg.midstream_grace };

	return bh_kernel_open(&kernel, &a->kernel, err);
}

static int start_dataplane(struct bh_agent *a, struct bh_err *err)
{
	struct bh_pool_config pool = { .run_dir = a->cfg.run_dir,
				       .worker_bin = a->cfg.worker_program,
				       .queue_base = a->cfg.queue_base,
				       .n = a->cfg.workers,
				       .engine = BH_ENGINE_CONFIG_DEFAULT };
	int r;

	pool.engine.mark_down = a->cfg.mark_down;
	r = bh_nflog_open(a->cfg.nflog_group, &a->nflog, err);
	if (r == 0)
		r = bh_kernel_take_over(a->kernel, &a->adopted, err);
	if (r == 0)
		r = bh_pool_new(a->loop, &pool, &pool_ops, a, &a->pool, err);
	if (r == 0)
		r = bh_pool_start(a->pool, err);
	return r;
}

/* Nobody owns tables while no agent runs: somebody else removed them. */
static void tell_gone(struct bh_agent *a, bh_msec_t open_ms)
{
	bh_warning(
	    "our nftables tables of the agent before were removed: nothing was enforced for at "
	    "most %lld ms",
	    (long long)open_ms);
	bh_vlog_loss_open(a->log, "tables_changed", open_ms);
	bh_vlog_tick(a->log, bh_clock_now());
}

static int start_reconcile(struct bh_agent *a, struct bh_err *err)
{
	struct bh_reconcile_config rc = { .loop = a->loop,
					  .store = a->store,
					  .eps = a->eps,
					  .pool = a->pool,
					  .kernel = a->kernel,
					  .node = a->cfg.node_name,
					  .around = &a->around,
					  .keep = a->cfg.keep_connections,
					  .revision = bh_agent_last_revision(a),
					  .done = on_pass,
					  .time = on_time,
					  .arg = a };
	int64_t seen;
	int r;

	a->around = bh_settings_surroundings(&a->cfg);
	r = bh_reconcile_new(&rc, &a->rc, err);
	if (r == 0) {
		r = bh_records_new(a->log, bh_reconcile_history(a->rc), &a->records);
		if (r < 0)
			(void)bh_err_set(err, r, "out of memory");
	}
	if (r == 0) {
		r = bh_loop_add_io(a->loop, "refused packets", bh_nflog_fd(a->nflog), EPOLLIN,
				   on_nflog, a, &a->nflog_io);
		if (r == 0)
			r = bh_loop_add_io(a->loop, "nftables changes",
					   bh_kernel_monitor_fd(a->kernel), EPOLLIN, on_monitor, a,
					   &a->monitor_io);
		if (r < 0)
			(void)bh_err_set(err, r, "event loop: %s", strerrordesc_np(-r));
	}
	if (r < 0)
		return r;
	seen = bh_agent_last_seen(a);
	if (a->adopted)
		bh_agent_find_unheard(a);
	/* What fails here is tried again by itself, and said in status. */
	(void)!bh_reconcile_now(a->rc, NULL);
	if (a->adopted)
		return 0;
	/* What is in quarantine stays there, whatever may be wrong with the policies. */
	r = bh_kernel_make(a->kernel, err);
	if (r < 0)
		return r;
	if (seen > 0)
		tell_gone(a, (bh_clock_wall_us() - seen) / 1000);
	bh_agent_find_unheard(a);
	return 0;
}

static void tell_started(struct bh_agent *a)
{
	struct bh_reconcile_state st;
	bh_msec_t watchdog = bh_notify_watchdog_ms();
	char text[256];

	bh_reconcile_state_get(a->rc, &st);
	bh_notice("started: revision %llu, %zu local endpoints, %s",
		  (unsigned long long)st.enforced, bh_endpoints_count(a->eps),
		  a->adopted ? "tables taken over" : "tables made");
	bh_agent_event(a, "agent", "started",
		       json_pack("{s:s, s:i, s:I, s:b}", "version", BH_VERSION, "pid",
				 (int)getpid(), "revision", (json_int_t)st.enforced, "adopted",
				 (int)a->adopted));
	(void)snprintf(text, sizeof(text), "READY=1\nSTATUS=revision %llu, %zu local endpoints%s",
		       (unsigned long long)st.enforced, bh_endpoints_count(a->eps),
		       bh_reconcile_enforced(a->rc) ? "" : ", nothing enforced yet");
	(void)bh_notify(text);
	if (watchdog > 0)
		(void)bh_timer_set(a->watchdog, watchdog, watchdog);
	(void)bh_timer_set(a->tick, TICK_MS, TICK_MS);
}

int bh_agent_start(struct bh_agent *a, struct bh_err *err)
{
	int r = take_lock(a->cfg.run_dir, "bulkheadd.lock", &a->run_lock, err);

	if (r == 0)
		r = take_lock(a->cfg.state_dir, "lock", &a->state_lock, err);
	if (r == 0)
		r = start_loop(a, err);
	if (r == 0)
		r = open_kernel(a, err);
	if (r == 0)
		r = start_store(a, err);
	if (r == 0)
		r = start_endpoints(a, err);
	if (r == 0)
		r = start_dataplane(a, err);
	if (r == 0)
		r = start_reconcile(a, err);
	if (r == 0)
		r = bh_agent_watch_links(a, err);
	if (r < 0)
		return r;
	a->started = true;
	bh_agent_proxies_start(a);
	r = bh_bridgecheck_new(a->rtnl, a->eps, BH_BRIDGE_SYSCTL, &a->bridges);
	if (r < 0)
		return bh_err_set(err, r, "out of memory");
	bh_bridgecheck_tick(a->bridges, bh_clock_now());
	r = bh_cni_server_new(a, &a->cni, err);
	if (r == 0)
		r = bh_api_new(a, &a->api, err);
	if (r == 0)
		tell_started(a);
	return r;
}

/* ---- stop ---- */

static void unlink_socket(const struct bh_agent *a, const char *name)
{
	bh_autofree char *path = NULL;

	if (asprintf(&path, "%s/%s", a->cfg.run_dir, name) >= 0)
		(void)unlink(path);
}

void bh_agent_stop(struct bh_agent *a)
{
	(void)bh_notify("STOPPING=1");
	if (a->cni)
		unlink_socket(a, "cni.sock");
	if (a->api)
		unlink_socket(a, "api.sock");
	a->cni = bh_cni_server_free(a->cni);
	if (a->nflog_io)
		(void)on_nflog(a->nflog_io, bh_nflog_fd(a->nflog), EPOLLIN, a);
	if (a->started)
		bh_agent_take_told(a);
	a->pool = bh_pool_free(a->pool);
	a->records = bh_records_free(a->records);
	if (a->rc)
		bh_agent_save_revision(a);
	if (a->started)
		bh_agent_event(a, "agent", "stopped", NULL);
	if (a->log)
		bh_vlog_flush(a->log);
	if (a->rc)
		bh_agent_note_refused(a);
	/* Last, so that followers see the end. */
	a->api = bh_api_free(a->api);
	bh_source_remove(a->links);
	bh_source_remove(a->nflog_io);
	bh_source_remove(a->monitor_io);
	bh_source_remove(a->verify);
	bh_source_remove(a->farewell);
	bh_source_remove(a->tick);
	bh_source_remove(a->watchdog);
	a->rc = bh_reconcile_free(a->rc);
	for (size_t i = 0; i < a->n_leaving; i++)
		bh_ep_unref(a->leaving[i]);
	free(a->leaving);
	if (a->nflog)
		bh_nflog_close(a->nflog);
	if (a->kernel)
		bh_kernel_close(a->kernel);
	bh_proxies_free(a->proxies);
	bh_bridgecheck_free(a->bridges);
	bh_rtnl_close(a->rtnl);
	bh_endpoints_free(a->eps);
	bh_store_free(a->store);
	bh_vlog_free(a->log);
	for (size_t i = 0; i < BH_ARRAY_SIZE(a->signals); i++)
		bh_source_remove(a->signals[i]);
	bh_loop_free(a->loop);
	bh_closep(&a->state_lock);
	bh_closep(&a->run_lock);
}

/* ---- uninstalling ---- */

/* Workers that run are reached through a pool; without any there is nothing to start one for. */
static void stop_workers(struct bh_agent *a)
{
	struct bh_pool_config cfg = { .run_dir = a->cfg.run_dir,
				      .worker_bin = a->cfg.worker_program,
				      .queue_base = a->cfg.queue_base,
				      .n = a->cfg.workers,
				      .engine = BH_ENGINE_CONFIG_DEFAULT };
	struct bh_err err = { 0 };
	bool any = false;

	for (unsigned i = 0; i < BH_WORKERS_MAX; i++) {
		bh_autofree char *path = NULL;

		if (asprintf(&path, "%s/worker-%u.sock", a->cfg.run_dir, i) >= 0)
			any = any || access(path, F_OK) == 0;
	}
	if (!any)
		return;
	if (bh_pool_new(a->loop, &cfg, &pool_ops, a, &a->pool, &err) < 0) {
		bh_warning("workers: %s", err.msg);
		return;
	}
	if (bh_pool_start(a->pool, &err) < 0)
		bh_debug("workers: %s", err.msg);
	bh_pool_stop_workers(a->pool);
	a->pool = bh_pool_free(a->pool);
}

int bh_agent_teardown(struct bh_agent *a, struct bh_err *err)
{
	struct bh_kernel_config cfg = { .table = a->cfg.table,
					.queue_base = a->cfg.queue_base,
					.n_queues = a->cfg.workers,
					.nflog_group = a->cfg.nflog_group,
					.group_quarantine = BH_GROUP_QUARANTINE,
					.group_managed = BH_GROUP_MANAGED };
	int r = take_lock(a->cfg.run_dir, "bulkheadd.lock", &a->run_lock, err);

	if (r == 0)
		r = start_loop(a, err);
	if (r == 0)
		r = bh_kernel_open(&cfg, &a->kernel, err);
	if (r == 0)
		r = bh_kernel_teardown(a->kernel, err);
	if (r < 0)
		return r;
	/* After the tables: no packet goes to a queue that nobody serves. */
	stop_workers(a);
	bh_agent_forget_refused(a);
	return 0;
}
