// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * tests/lib/fake_ruleset.c - a rule set that is a revision and nothing else
 *
 * Stands in for policy/ruleset/ruleset.c where a test is about handing rule sets over. Revision 666 is refused.
 */
#include "policy/ruleset.h"

#include <string.h>

struct bh_ruleset {
	uint64_t revision;
};

int bh_ruleset_map(const void *mem, size_t size, struct bh_ruleset **ret, struct bh_err *err)
{
	struct bh_ruleset *rs;
	uint64_t revision;

	if (size != sizeof(revision))
		return bh_err_set(err, -EPROTO, "not a rule set");
	memcpy(&revision, mem, sizeof(revision));
	if (revision == 666)
		return bh_err_set(err, -EPROTO, "the number of the beast");
	rs = calloc(1, sizeof(*rs));
	if (!rs)
		return -ENOMEM;
	rs->revision = revision;
	*ret = rs;
	return 0;
}

struct bh_ruleset *bh_ruleset_free(struct bh_ruleset *rs)
{
	free(rs);
	return NULL;
}

uint64_t bh_ruleset_revision(const struct bh_ruleset *rs)
{
	return rs->revision;
}

const void *bh_ruleset_data(const struct bh_ruleset *rs, size_t *ret_size)
{
	*ret_size = sizeof(rs->revision);
	return &rs->revision;
}
