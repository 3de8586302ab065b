// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * tests/unit/test_reconcile.c - the order of a change, and what stays when a step fails
 *
 * Workers, kernel and clock are stood in for by functions of this file, which write down what they are asked and look
 * into the address table at that moment.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "agent/attachment.h"
#include "agent/reconcile.h"
#include "agent/wallclock.h"
#include "common/file.h"
#include "common/json.h"
#include "common/log.h"
#include "dataplane/addrtable.h"

static const char policy[] = "apiVersion: networking.k8s.io/v1\n"
			     "kind: NetworkPolicy\n"
			     "metadata: {name: web, namespace: shop}\n"
			     "spec: {podSelector: {matchLabels: {app: web}}}\n";
static const char other_policy[] = "apiVersion: networking.k8s.io/v1\n"
				   "kind: NetworkPolicy\n"
				   "metadata: {name: all, namespace: shop}\n"
				   "spec: {podSelector: {matchLabels: {app: db}}}\n";

static const char timed_policy[] = "apiVersion: bulkhead.network/v1alpha1\n"
				   "kind: TrafficPolicy\n"
				   "metadata: {name: timed, namespace: shop}\n"
				   "spec:\n"
				   "  podSelector: {}\n"
				   "  isolate: ingress\n"
				   "  ingress:\n"
				   "  - {ports: [80], expires: \"1970-01-01T00:25:00Z\"}\n";

/* ---- stand-ins ---- */

static struct {
	char calls[512]; /* "publish(7) apply(7) bump " */
	int publish_fails, apply_fails, bump_fails, flush_fails;
	bool needs_bump;
	unsigned epoch;
	const struct bh_addrtable *table;
	uint32_t a_at_publish, a_at_apply; /* class of 10.0.0.1 in the workers' table */
	bh_who_fn who;
	void *who_arg;
	char name[64];     /* of 10.0.0.1, as told while the kernel was */
	int64_t now, wake; /* time of day, and when it is waited for */
	bh_wallclock_fn clock_fn;
	void *clock_arg;
} fake;

static struct bh_addr addr_a(void)
{
	struct bh_addr a;

	assert_int_equal(bh_addr_parse("10.0.0.1", &a), 0);
	return a;
}

static uint32_t class_of_a(void)
{
	struct bh_addr a = addr_a();

	return fake.table ? bh_addrtable_get(fake.table, &a, NULL) : 0;
}

static void note(const char *what, uint64_t revision)
{
	size_t n = strlen(fake.calls);

	(void)snprintf(fake.calls + n, sizeof(fake.calls) - n, "%s%llu ", what,
		       (unsigned long long)revision);
}

int bh_pool_publish(struct bh_pool *p, const struct bh_ruleset *rs, struct bh_addrtable *addrs,
		    struct bh_err *err)
{
	note("publish", bh_ruleset_revision(rs));
	fake.table = addrs;
	fake.a_at_publish = class_of_a();
	return fake.publish_fails ? bh_err_set(err, fake.publish_fails, "no answer") : 0;
}

void bh_kernel_names(struct bh_kernel *k, bh_who_fn who, void *arg)
{
	fake.who = who;
	fake.who_arg = arg;
}

void bh_kernel_renamed(struct bh_kernel *k, const struct bh_addr *a)
{
	char text[BH_ADDR_STRLEN];
	size_t n = strlen(fake.calls);

	(void)snprintf(fake.calls + n, sizeof(fake.calls) - n, "renamed(%s) ",
		       bh_addr_format(a, text));
}

int bh_kernel_apply(struct bh_kernel *k, struct bh_ruleset *rs, const struct bh_addr_class *addrs,
		    size_t n_addrs, const struct bh_guard *guard, size_t n_guard,
		    struct bh_kernel_change *ret, struct bh_err *err)
{
	const struct bh_addr a = addr_a();

	note("apply", bh_ruleset_revision(rs));
	fake.a_at_apply = class_of_a();
	fake.who(fake.who_arg, &a, fake.name, sizeof(fake.name));
	ret->needs_bump = fake.needs_bump;
	return fake.apply_fails ? bh_err_set(err, fake.apply_fails, "no memory for a set") : 0;
}

int bh_kernel_bump(struct bh_kernel *k, struct bh_err *err)
{
	note("bump", ++fake.epoch);
	return fake.bump_fails ? bh_err_set(err, fake.bump_fails, "no") : 0;
}

int bh_kernel_doubt(struct bh_kernel *k, struct bh_err *err)
{
	note("doubt", 0);
	return 0;
}

int bh_kernel_flush_conntrack(struct bh_kernel *k, const struct bh_addr *a, struct bh_err *err)
{
	note("flush", a->bytes[3]);
	return fake.flush_fails ? bh_err_set(err, fake.flush_fails, "no") : 0;
}

unsigned bh_kernel_epoch(const struct bh_kernel *k)
{
	return fake.epoch;
}

int64_t bh_wallclock_now(void)
{
	return fake.now;
}

int bh_wallclock_new(struct bh_loop *loop, bh_wallclock_fn fn, void *arg, struct bh_wallclock **ret,
		     struct bh_err *err)
{
	fake.clock_fn = fn;
	fake.clock_arg = arg;
	return 0;
}

struct bh_wallclock *bh_wallclock_free(struct bh_wallclock *w)
{
	return NULL;
}

int bh_wallclock_at(struct bh_wallclock *w, int64_t at)
{
	fake.wake = at;
	return 0;
}

/* ---- the scene ---- */

struct fixture {
	char dir[64], folder[96], file[128], second[128];
	struct bh_loop *loop;
	struct bh_store *store;
	struct bh_endpoints *eps;
	struct bh_reconcile *rc;
	unsigned passes, times;
	int last;
};

static void on_pass(void *arg, int r)
{
	struct fixture *f = arg;

	f->passes++;
	f->last = r;
}

static void on_time(void *arg)
{
	struct fixture *f = arg;

	f->times++;
}

static void on_store(void *arg)
{
}

static void add(struct fixture *f, const char *name, const char *app, const char *ip)
{
	bh_cleanup(bh_ep_unrefp) struct bh_ep *ep = NULL;
	bh_autojson json_t *v = json_pack("{s:s, s:s, s:s, s:s, s:s, s:{s:s}, s:[s]}", "network",
					  "net", "id", name, "ifname", "eth0", "name", name,
					  "namespace", "shop", "labels", "app", app, "ips", ip);

	assert_int_equal(bh_attachment_parse(v, "n1", &ep, NULL), 0);
	assert_int_equal(bh_endpoints_put(f->eps, ep), 0);
}

static int setup_with(void **state, bool keep)
{
	struct fixture *f = calloc(1, sizeof(*f));
	struct bh_reconcile_config cfg = { .keep = keep,
					   .node = "n1",
					   .revision = 6,
					   .done = on_pass,
					   .time = on_time,
					   .arg = f };

	memset(&fake, 0, sizeof(fake));
	(void)snprintf(f->dir, sizeof(f->dir), "/tmp/bh-reconcile.XXXXXX");
	assert_non_null(mkdtemp(f->dir));
	(void)snprintf(f->folder, sizeof(f->folder), "%s/policies", f->dir);
	(void)snprintf(f->file, sizeof(f->file), "%s/web.yaml", f->folder);
	(void)snprintf(f->second, sizeof(f->second), "%s/db.yaml", f->folder);
	assert_int_equal(mkdir(f->folder, 0700), 0);
	assert_int_equal(bh_file_write(f->file, policy, strlen(policy), 0600, NULL), 0);
	assert_int_equal(bh_loop_new(&f->loop, NULL), 0);
	assert_int_equal(bh_store_new(f->loop, f->folder, f->dir, on_store, f, &f->store, NULL), 0);
	assert_int_equal(bh_store_load(f->store, NULL), 0);
	assert_int_equal(bh_endpoints_new(&f->eps), 0);
	cfg.loop = f->loop;
	cfg.store = f->store;
	cfg.eps = f->eps;
	assert_int_equal(bh_reconcile_new(&cfg, &f->rc, NULL), 0);
	*state = f;
	return 0;
}

static int setup(void **state)
{
	return setup_with(state, false);
}

static int setup_keep(void **state)
{
	return setup_with(state, true);
}

static int teardown(void **state)
{
	struct fixture *f = *state;
	char command[96];

	bh_reconcile_free(f->rc);
	bh_endpoints_free(f->eps);
	bh_store_free(f->store);
	bh_loop_free(f->loop);
	(void)snprintf(command, sizeof(command), "rm -r %s", f->dir);
	assert_int_equal(system(command), 0);
	free(f);
	return 0;
}

static struct bh_reconcile_state state_of(const struct fixture *f)
{
	struct bh_reconcile_state st;

	bh_reconcile_state_get(f->rc, &st);
	return st;
}

static void write_second(struct fixture *f, const char *text)
{
	assert_int_equal(bh_file_write(f->second, text, strlen(text), 0600, NULL), 0);
	bh_store_rescan(f->store);
}

static void test_workers_then_kernel_then_epoch(void **state)
{
	struct fixture *f = *state;

	add(f, "b", "db", "10.0.0.2");
	fake.needs_bump = true;
	assert_int_equal(bh_reconcile_now(f->rc, NULL), 0);
	assert_string_equal(fake.calls, "publish7 apply7 bump1 ");
	assert_int_equal(state_of(f).wanted, 7);
	assert_int_equal(state_of(f).enforced, 7);
	assert_null(state_of(f).error);
	fake.needs_bump = false;
	fake.calls[0] = '\0';
	write_second(f, other_policy);
	assert_int_equal(bh_reconcile_now(f->rc, NULL), 0);
	assert_string_equal(fake.calls, "publish8 apply8 ");
	assert_int_equal(state_of(f).enforced, 8);
	/* Nothing new: the kernel is asked all the same, somebody may have been at its tables. */
	fake.calls[0] = '\0';
	assert_int_equal(bh_reconcile_now(f->rc, NULL), 0);
	assert_string_equal(fake.calls, "apply8 ");
	assert_int_equal(state_of(f).enforced, 8);
	assert_int_equal(f->passes, 3);
}

/* A change that changes nothing for anybody here is a revision, but no work for the workers. */
static void test_a_policy_for_nobody(void **state)
{
	struct fixture *f = *state;

	add(f, "b", "web", "10.0.0.2");
	assert_int_equal(bh_reconcile_now(f->rc, NULL), 0);
	fake.calls[0] = '\0';
	write_second(f, other_policy);
	assert_int_equal(bh_reconcile_now(f->rc, NULL), 0);
	assert_null(strstr(fake.calls, "bump"));
	assert_int_equal(state_of(f).wanted, 8);
	assert_int_equal(state_of(f).enforced, 8);
	assert_int_equal(bh_reconcile_enforced(f->rc)->policies->set->n_policies, 2);
	/* What a worker says of its revision is understood. */
	assert_ptr_equal(
	    bh_history_revision(bh_reconcile_history(f->rc),
				bh_ruleset_revision(bh_reconcile_enforced(f->rc)->rules->rs)),
	    bh_reconcile_enforced(f->rc));
}

static void test_addresses_come_early_and_go_late(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(bh_reconcile_now(f->rc, NULL), 0);
	assert_int_equal(class_of_a(), 0);
	add(f, "a", "web", "10.0.0.1");
	assert_int_equal(bh_reconcile_now(f->rc, NULL), 0);
	assert_int_not_equal(fake.a_at_publish, 0);
	assert_int_equal(fake.a_at_apply, fake.a_at_publish);
	assert_int_equal(class_of_a(), fake.a_at_publish);
	/* It goes: still there while the kernel works, and gone afterwards. */
	bh_endpoints_remove(f->eps, bh_endpoints_find(f->eps, "net", "a", "eth0"));
	assert_int_equal(bh_reconcile_now(f->rc, NULL), 0);
	assert_int_not_equal(fake.a_at_apply, 0);
	assert_int_equal(class_of_a(), 0);
}

/* The address is all that the kernel decides by; who has it is what its comment says. */
static void test_an_address_that_changes_hands(void **state)
{
	struct fixture *f = *state;

	add(f, "a", "web", "10.0.0.1");
	add(f, "b", "web", "10.0.0.2");
	assert_int_equal(bh_reconcile_now(f->rc, NULL), 0);
	assert_string_equal(fake.name, "shop/a");
	assert_null(strstr(fake.calls, "renamed"));
	fake.calls[0] = '\0';
	bh_endpoints_remove(f->eps, bh_endpoints_find(f->eps, "net", "a", "eth0"));
	add(f, "c", "web", "10.0.0.1");
	assert_int_equal(bh_reconcile_now(f->rc, NULL), 0);
	assert_non_null(strstr(fake.calls, "renamed(10.0.0.1) apply"));
	assert_string_equal(fake.name, "shop/c");
	/* The same one again is nothing to tell. */
	fake.calls[0] = '\0';
	bh_endpoints_remove(f->eps, bh_endpoints_find(f->eps, "net", "c", "eth0"));
	add(f, "c", "web", "10.0.0.1");
	assert_int_equal(bh_reconcile_now(f->rc, NULL), 0);
	assert_null(strstr(fake.calls, "renamed"));
}

static void test_another_class_means_another_table(void **state)
{
	struct fixture *f = *state;
	const struct bh_addrtable *first;

	add(f, "a", "web", "10.0.0.1");
	assert_int_equal(bh_reconcile_now(f->rc, NULL), 0);
	first = fake.table;
	add(f, "b", "db", "10.0.0.2");
	assert_int_equal(bh_reconcile_now(f->rc, NULL), 0);
	assert_ptr_equal(fake.table, first);
	/* Now "db" is told apart from the rest: one of the addresses changes its class. */
	add(f, "a", "db", "10.0.0.1");
	assert_int_equal(bh_file_write(f->second, other_policy, strlen(other_policy), 0600, NULL),
			 0);
	bh_store_rescan(f->store);
	assert_int_equal(bh_reconcile_now(f->rc, NULL), 0);
	assert_ptr_not_equal(fake.table, first);
	assert_int_not_equal(class_of_a(), 0);
}

static void test_workers_that_fail_leave_the_kernel_alone(void **state)
{
	struct fixture *f = *state;
	struct bh_err err = { 0 };

	assert_int_equal(bh_reconcile_now(f->rc, NULL), 0);
	fake.calls[0] = '\0';
	fake.publish_fails = -ETIMEDOUT;
	add(f, "a", "web", "10.0.0.1");
	assert_int_equal(bh_reconcile_now(f->rc, &err), -ETIMEDOUT);
	assert_string_equal(fake.calls, "publish8 ");
	assert_string_equal(err.msg, "workers: no answer");
	assert_int_equal(state_of(f).wanted, 8);
	assert_int_equal(state_of(f).enforced, 7);
	assert_string_equal(state_of(f).error, "workers: no answer");
	assert_int_equal(bh_reconcile_enforced(f->rc)->revision, 7);
	assert_int_equal(f->last, -ETIMEDOUT);
}

static void test_it_is_tried_again_by_itself(void **state)
{
	struct fixture *f = *state;
	bh_msec_t until = bh_clock_now() + 5000;

	assert_int_equal(bh_reconcile_now(f->rc, NULL), 0);
	fake.apply_fails = -ENOMEM;
	add(f, "a", "web", "10.0.0.1");
	assert_int_equal(bh_reconcile_now(f->rc, NULL), -ENOMEM);
	assert_string_equal(state_of(f).error, "kernel: no memory for a set");
	fake.apply_fails = 0;
	while (state_of(f).error && bh_clock_now() < until)
		assert_int_equal(bh_loop_once(f->loop, 1000), 0);
	assert_null(state_of(f).error);
	assert_int_equal(state_of(f).enforced, state_of(f).wanted);
	assert_int_not_equal(class_of_a(), 0);
	/* And what was added in vain and taken back leaves no trace. */
	fake.apply_fails = -ENOMEM;
	add(f, "b", "web", "10.0.0.2");
	assert_int_equal(bh_reconcile_now(f->rc, NULL), -ENOMEM);
	bh_endpoints_remove(f->eps, bh_endpoints_find(f->eps, "net", "a", "eth0"));
	fake.apply_fails = 0;
	assert_int_equal(bh_reconcile_now(f->rc, NULL), 0);
	assert_int_equal(class_of_a(), 0);
}

static void test_an_epoch_that_is_owed_is_made_up_for(void **state)
{
	struct fixture *f = *state;

	fake.needs_bump = true;
	fake.bump_fails = -EAGAIN;
	assert_int_equal(bh_reconcile_now(f->rc, NULL), -EAGAIN);
	assert_int_equal(state_of(f).enforced, 0);
	/* For the kernel nothing changes any more, but the epoch is still due. */
	fake.needs_bump = false;
	fake.bump_fails = 0;
	fake.calls[0] = '\0';
	assert_int_equal(bh_reconcile_now(f->rc, NULL), 0);
	assert_string_equal(fake.calls, "publish7 apply7 bump2 ");
	assert_int_equal(state_of(f).enforced, state_of(f).wanted);
}

static void test_many_changes_one_pass(void **state)
{
	struct fixture *f = *state;

	for (unsigned i = 0; i < 10; i++)
		bh_reconcile_soon(f->rc);
	assert_int_equal(f->passes, 0);
	while (f->passes == 0)
		assert_int_equal(bh_loop_once(f->loop, 1000), 0);
	assert_int_equal(bh_loop_once(f->loop, 0), 0);
	assert_int_equal(f->passes, 1);
}

static void test_a_twin_needs_no_new_rules(void **state)
{
	struct fixture *f = *state;

	add(f, "b", "web", "10.0.0.2");
	assert_int_equal(bh_reconcile_now(f->rc, NULL), 0);
	fake.calls[0] = '\0';
	add(f, "a", "web", "10.0.0.1");
	assert_int_equal(bh_reconcile_now(f->rc, NULL), 0);
	/* A new epoch, for connections that its address may have had before. */
	assert_string_equal(fake.calls, "apply7 bump2 ");
	assert_int_not_equal(fake.a_at_apply, 0);
	assert_int_equal(state_of(f).wanted, 7);
	assert_int_equal(state_of(f).enforced, 7);
	/* Away: known until the kernel has forgotten it. */
	fake.calls[0] = '\0';
	bh_endpoints_remove(f->eps, bh_endpoints_find(f->eps, "net", "a", "eth0"));
	assert_int_equal(bh_reconcile_now(f->rc, NULL), 0);
	assert_string_equal(fake.calls, "apply7 ");
	assert_int_not_equal(fake.a_at_apply, 0);
	assert_int_equal(class_of_a(), 0);
	/* Where that fails, what the workers have is uncertain: they get it all next time. */
	fake.calls[0] = '\0';
	fake.apply_fails = -EIO;
	add(f, "a", "web", "10.0.0.1");
	assert_int_equal(bh_reconcile_now(f->rc, NULL), -EIO);
	assert_int_equal(state_of(f).wanted, 8);
	assert_int_equal(state_of(f).enforced, 7);
	fake.apply_fails = 0;
	assert_int_equal(bh_reconcile_now(f->rc, NULL), 0);
	assert_string_equal(fake.calls, "apply7 publish7 apply7 bump3 ");
	assert_int_equal(state_of(f).wanted, 8);
	assert_int_equal(state_of(f).enforced, 8);
	/* Another kind: new rules. */
	fake.calls[0] = '\0';
	add(f, "c", "db", "10.0.0.3");
	assert_int_equal(bh_reconcile_now(f->rc, NULL), 0);
	assert_string_equal(fake.calls, "publish9 apply9 bump4 ");
}

/* Connections live on; but what an address was used for before its endpoint came does not. */
static void test_kept_connections(void **state)
{
	struct fixture *f = *state;

	add(f, "b", "web", "10.0.0.2");
	assert_int_equal(bh_reconcile_now(f->rc, NULL), 0);
	assert_string_equal(fake.calls, "publish7 apply7 flush2 bump1 ");
	/* When its address is in the kernel's sets, and once; if that fails, again. */
	fake.calls[0] = '\0';
	fake.flush_fails = -EIO;
	add(f, "a", "web", "10.0.0.1");
	assert_int_equal(bh_reconcile_now(f->rc, NULL), -EIO);
	fake.flush_fails = 0;
	assert_int_equal(bh_reconcile_now(f->rc, NULL), 0);
	assert_string_equal(fake.calls, "apply7 flush1 publish7 apply7 flush1 bump2 ");
	fake.calls[0] = '\0';
	bh_reconcile_distrust(f->rc);
	assert_int_equal(bh_reconcile_now(f->rc, NULL), 0);
	assert_string_equal(fake.calls, "apply7 doubt0 bump3 ");
	fake.calls[0] = '\0';
	assert_int_equal(bh_reconcile_now(f->rc, NULL), 0);
	assert_string_equal(fake.calls, "apply7 ");
}

/* The rules stay, but one address means something else: nobody is to see it half. */
static void test_other_labels_at_the_same_address(void **state)
{
	struct fixture *f = *state;
	const struct bh_addrtable *first;
	uint32_t before;

	add(f, "a", "web", "10.0.0.1");
	add(f, "b", "web", "10.0.0.2");
	add(f, "c", "db", "10.0.0.3");
	assert_int_equal(bh_reconcile_now(f->rc, NULL), 0);
	first = fake.table;
	before = class_of_a();
	fake.calls[0] = '\0';
	add(f, "a", "db", "10.0.0.1");
	assert_int_equal(bh_reconcile_now(f->rc, NULL), 0);
	assert_string_equal(fake.calls, "publish7 apply7 bump2 ");
	assert_ptr_not_equal(fake.table, first);
	assert_int_not_equal(class_of_a(), before);
}

/* Its moment came, or somebody set the clock: what holds then holds, whichever way it was set. */
static void test_the_clock_makes_a_pass(void **state)
{
	struct fixture *f = *state;

	write_second(f, timed_policy);
	fake.now = 1000;
	add(f, "b", "web", "10.0.0.2");
	assert_int_equal(bh_reconcile_now(f->rc, NULL), 0);
	assert_int_equal(fake.wake, 1500);
	for (int64_t now = 2000; now > 0; now -= 1500) {
		unsigned passes = f->passes, times = f->times;
		uint64_t revision = state_of(f).enforced;

		fake.now = now;
		fake.wake = 0;
		fake.calls[0] = '\0';
		fake.clock_fn(fake.clock_arg);
		/* Also where somebody came meanwhile who alone would need no new rules. */
		add(f, now == 2000 ? "c" : "d", "web", now == 2000 ? "10.0.0.3" : "10.0.0.4");
		assert_int_equal(f->times, times + 1);
		assert_int_equal(f->passes, passes);
		while (f->passes == passes)
			assert_int_equal(bh_loop_once(f->loop, 1000), 0);
		assert_int_equal(state_of(f).enforced, revision + 1);
		assert_non_null(strstr(fake.calls, "publish"));
		if (now < 1500)
			assert_int_equal(fake.wake, 1500);
		else
			assert_true(fake.wake > now);
	}
	/* Set by a second: nothing is otherwise. */
	fake.now++;
	fake.calls[0] = '\0';
	fake.clock_fn(fake.clock_arg);
	assert_int_equal(bh_reconcile_now(f->rc, NULL), 0);
	assert_null(strstr(fake.calls, "publish"));
	assert_int_equal(fake.wake, 1500);
}

static void test_more_addresses_than_the_table_holds(void **state)
{
	struct fixture *f = *state;
	const struct bh_addrtable *first;
	char name[16], ip[32];

	add(f, "a", "web", "10.0.0.1");
	assert_int_equal(bh_reconcile_now(f->rc, NULL), 0);
	first = fake.table;
	for (unsigned i = 0; i < 4000; i++) {
		(void)snprintf(name, sizeof(name), "x%u", i);
		(void)snprintf(ip, sizeof(ip), "10.1.%u.%u", i / 250, i % 250 + 1);
		add(f, name, "web", ip);
		fake.calls[0] = '\0';
		assert_int_equal(bh_reconcile_now(f->rc, NULL), 0);
	}
	assert_ptr_not_equal(fake.table, first);
	assert_int_not_equal(class_of_a(), 0);
	assert_int_equal(bh_reconcile_enforced(f->rc)->n_addrs, 4001);
}

static void test_labels_to_come_keep_out(void **state)
{
	struct fixture *f = *state;

	add(f, "a", "web", "10.0.0.1");
	bh_endpoints_find(f->eps, "net", "a", "eth0")->labels_final = false;
	assert_int_equal(bh_reconcile_now(f->rc, NULL), 0);
	assert_int_equal(class_of_a(), 0);
}

static void test_history(void **state)
{
	struct fixture *f = *state;
	const struct bh_history *h = bh_reconcile_history(f->rc);

	fake.needs_bump = true;
	add(f, "b", "db", "10.0.0.2");
	for (unsigned i = 0; i < 100; i++) {
		write_second(f, i % 2 ? timed_policy : other_policy);
		assert_int_equal(bh_reconcile_now(f->rc, NULL), 0);
	}
	assert_int_equal(h->n, BH_HISTORY_MAX);
	assert_int_equal(bh_history_newest(h)->revision, 106);
	assert_int_equal(bh_history_revision(h, 43)->revision, 43);
	assert_null(bh_history_revision(h, 42));
	/* A packet of the epoch in which revision 100 was in force; it is in its own first epoch, too. */
	assert_int_equal(bh_history_find(h, 94, 0)->revision, 101);
	assert_int_equal(bh_history_find(h, 60, 0)->revision, 67);
	/* Nothing is known of that epoch: the newest. */
	assert_int_equal(bh_history_find(h, 3, 0)->revision, 106);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_workers_then_kernel_then_epoch, setup,
						teardown),
		cmocka_unit_test_setup_teardown(test_a_policy_for_nobody, setup, teardown),
		cmocka_unit_test_setup_teardown(test_other_labels_at_the_same_address, setup,
						teardown),
		cmocka_unit_test_setup_teardown(test_addresses_come_early_and_go_late, setup,
						teardown),
		cmocka_unit_test_setup_teardown(test_an_address_that_changes_hands, setup,
						teardown),
		cmocka_unit_test_setup_teardown(test_another_class_means_another_table, setup,
						teardown),
		cmocka_unit_test_setup_teardown(test_workers_that_fail_leave_the_kernel_alone,
						setup, teardown),
		cmocka_unit_test_setup_teardown(test_it_is_tried_again_by_itself, setup, teardown),
		cmocka_unit_test_setup_teardown(test_an_epoch_that_is_owed_is_made_up_for, setup,
						teardown),
		cmocka_unit_test_setup_teardown(test_many_changes_one_pass, setup, teardown),
		cmocka_unit_test_setup_teardown(test_a_twin_needs_no_new_rules, setup, teardown),
		cmocka_unit_test_setup_teardown(test_kept_connections, setup_keep, teardown),
		cmocka_unit_test_setup_teardown(test_the_clock_makes_a_pass, setup, teardown),
		cmocka_unit_test_setup_teardown(test_more_addresses_than_the_table_holds, setup,
						teardown),
		cmocka_unit_test_setup_teardown(test_labels_to_come_keep_out, setup, teardown),
		cmocka_unit_test_setup_teardown(test_history, setup, teardown),
	};

	bh_log_init("test_reconcile", BH_LOG_ERROR - 1);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
