/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * agent/settings.h - bulkheadd.yaml: the agent's own configuration
 *
 * All keys are optional. Unknown keys, values of another type and values out of range are errors with line
 * and column; nothing is started then.
 *
 * Thread-safety: settings belong to one thread; they do not change once loaded.
 */
#ifndef BH_AGENT_SETTINGS_H
#define BH_AGENT_SETTINGS_H

#include "common/log.h"
#include "dataplane/kernel/kernel.h"
#include "policy/load.h"

struct bh_prefixes {
	struct bh_prefix *items;
	size_t n;
};

struct bh_addrs {
	struct bh_addr *items;
	size_t n;
};

struct bh_settings {
	char *run_dir;
	char *state_dir;
	char *policy_dir;
	char *violation_log;
	char *node_name;
	char *table;
	char *worker_program;
	uint16_t workers;
	uint16_t queue_base;
	uint16_t nflog_group;
	enum bh_comments comments; /* nftComments */
	uint8_t mark_down;         /* markMask: bits below the upper half of a mark */
	uint16_t midstream_grace;  /* seconds */
	bool keep_connections;     /* existingConnections: keep */
	enum bh_log_level log_level;
	struct bh_prefixes cluster; /* clusterRanges */
	struct bh_addrs resolvers;  /* as written, else the host's own */
	bool resolvers_given;
};

void bh_settings_done(struct bh_settings *s);
/* -ENOMEM, -errno of gethostname(2). */
int bh_settings_defaults(struct bh_settings *s, struct bh_err *err) bh_must_check;
/* On top of what @s holds. -EINVAL: errors in @d. */
int bh_settings_parse(struct bh_settings *s, const char *file, const char *text, size_t size,
		      struct bh_diags *d) bh_must_check;
/*
 * Defaults, then the file; @file NULL: the standard one, which may be missing. -EINVAL: errors in @d; another error is
 * said in @err.
 */
int bh_settings_load(struct bh_settings *s, const char *file, struct bh_diags *d,
		     struct bh_err *err) bh_must_check;

/* What they tell the compiler; borrowed from @s. */
struct bh_surroundings bh_settings_surroundings(const struct bh_settings *s);

/*
 * The name servers in a resolv.conf(5), but for those of the host alone (loopback, a stub): no container asks there.
 * Added to @ret. -ENOMEM.
 */
int bh_resolvers_parse(const char *text, struct bh_addrs *ret) bh_must_check;

#endif
