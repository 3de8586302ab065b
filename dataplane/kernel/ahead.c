// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * dataplane/kernel/ahead.c - what takes its time before there can be tables
 *
 * While an agent starts whose tables others removed, nothing is enforced. It reads its policies then, and meanwhile two
 * threads find out what the kernel can do, and which epoch no connection has. Two, because the one mostly waits: for a
 * module that is looked for, for what was removed before; the other reads the list of connections.
 */
#include <signal.h>
#include <string.h>

#include "common/util.h"
#include "dataplane/kernel/kernel_internal.h"
#include "dataplane/marks.h"

#include "common/banned.h"

#define EPOCHS (BH_EPOCH_MAX + 1)

/*
 * Where there was an earlier agent, everything is open until we are through: as few connections as possible are read,
 * and none is changed. A bump cleans each block before it comes to it, so that it is enough that an epoch and the rest
 * of its block stand in no mark. Not the whole first block: to the kernel's filter, connections without a mark are in it.
 * -ENOENT: there is no such epoch.
 */
static int free_epoch(uint8_t mark_down, unsigned *ret)
{
	for (unsigned n = BH_EPOCH_BLOCK; n > 1; n /= 2) {
		for (unsigned first = BH_EPOCH_BLOCK - n; first < EPOCHS; first += BH_EPOCH_BLOCK) {
			bool has = true;
			int r = first == 0 ? 0 : bh_ct_has_epochs(mark_down, first, n, &has);

			if (r < 0)
				return r;
			if (has)
				continue;
			*ret = first;
			return 0;
		}
	}
	return -ENOENT;
}

static void *find_epoch(void *arg)
{
	struct bh_kernel *k = arg;

	k->ahead.epoch_r = free_epoch(k->cfg.mark_down, &k->ahead.epoch);
	return NULL;
}

static void *find_caps(void *arg)
{
	struct bh_kernel *k = arg;
	int r = bh_caps_probe(&k->nl, k->table, &k->caps, &k->ahead.err);

	if (r == 0) {
		k->chains_hash = bh_chains_hash(&k->cfg, &k->caps);
		if (k->chains_hash == 0)
			r = bh_err_set(&k->ahead.err, -ENOMEM, "out of memory");
	}
	k->ahead.caps_r = r;
	return NULL;
}

/* Signals are the caller's. @fn: without a thread it is done at once. */
static void begin(struct bh_kernel *k, struct bh_ahead_thread *t, void *(*fn)(void *))
{
	sigset_t all, before;

	(void)sigfillset(&all);
	(void)pthread_sigmask(SIG_SETMASK, &all, &before);
	t->running = pthread_create(&t->thread, NULL, fn, k) == 0;
	(void)pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (!t->running)
		(void)fn(k);
}

static void end(struct bh_ahead_thread *t)
{
	if (t->running)
		(void)pthread_join(t->thread, NULL);
	t->running = false;
}

void bh_ahead_begin(struct bh_kernel *k)
{
	struct bh_found found;

	/* Only our tables give connections a mark. If there are none, what is found holds until there are. */
	k->ahead.has_epoch =
	    bh_read_tables(k, &found, NULL) == 0 && !found.exists[0] && !found.exists[1];
	if (k->ahead.has_epoch)
		begin(k, &k->ahead.epochs, find_epoch);
	begin(k, &k->ahead.probe, find_caps);
}

void bh_ahead_end(struct bh_kernel *k)
{
	end(&k->ahead.probe);
	end(&k->ahead.epochs);
}

int bh_ahead_caps(struct bh_kernel *k, struct bh_err *err)
{
	end(&k->ahead.probe);
	return k->ahead.caps_r < 0 ? bh_err_set(err, k->ahead.caps_r, "%s", k->ahead.err.msg) : 0;
}

int bh_ahead_epoch(struct bh_kernel *k)
{
	end(&k->ahead.epochs);
	if (!k->ahead.has_epoch)
		return free_epoch(k->cfg.mark_down, &k->epoch);
	k->ahead.has_epoch = false;
	k->epoch = k->ahead.epoch;
	return k->ahead.epoch_r;
}
