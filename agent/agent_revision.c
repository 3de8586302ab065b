// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * agent/agent_revision.c - the number of the last revision outlives the agent
 *
 * It is written down about once a second. What was made in the last second before an agent was killed the workers know,
 * unless it had no rules of its own: that is written down at once.
 */
#include <stdio.h>
#include <string.h>

#include "agent/agent.h"
#include "common/file.h"
#include "common/log.h"
#include "common/parse.h"
#include "common/util.h"

#include "common/banned.h"

static char *revision_path(const struct bh_agent *a)
{
	char *path;

	return asprintf(&path, "%s/revision", a->cfg.state_dir) < 0 ? NULL : path;
}

static uint64_t read_revision(const struct bh_agent *a)
{
	bh_autofree char *path = revision_path(a), *text = NULL;
	uint64_t v = 0;
	size_t size;

	if (!path || bh_file_read(path, 32, &text, &size, NULL) < 0)
		return 0;
	text[strcspn(text, "\n")] = '\0';
	return bh_parse_u64(text, INT64_MAX, &v) < 0 ? 0 : v;
}

void bh_agent_save_revision(struct bh_agent *a)
{
	bh_autofree char *path = revision_path(a);
	struct bh_reconcile_state st;
	struct bh_err err = { 0 };
	char text[32];
	int n, r;

	bh_reconcile_state_get(a->rc, &st);
	if (!path || st.wanted == a->saved_revision)
		return;
	n = snprintf(text, sizeof(text), "%llu\n", (unsigned long long)st.wanted);
	r = bh_file_write(path, text, (size_t)n, 0600, &err);
	if (r < 0) {
		static struct bh_log_limit limit = BH_LOG_LIMIT_INIT;

		bh_log_limited(&limit, BH_LOG_WARNING, "%s", bh_err_text(&err, r));
		return;
	}
	a->saved_revision = st.wanted;
}

uint64_t bh_agent_last_revision(const struct bh_agent *a)
{
	uint64_t last = read_revision(a);

	for (unsigned i = 0; i < bh_pool_count(a->pool); i++) {
		struct bh_pool_worker w;

		bh_pool_get(a->pool, i, &w);
		last = BH_MAX(last, w.revision);
	}
	return last;
}
