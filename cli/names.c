// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * cli/names.c - kinds of objects as people write them on a command line
 */
#include "cli/names.h"

#include "cli/agent.h"
#include "policy/schema_text.h"

#include "common/banned.h"

int bh_kind_parse(const char *word, enum bh_kind *ret, struct bh_err *err)
{
	const struct bh_kind_info *k = NULL;
	int r = bh_schema_kind_parse(word, NULL, &k, err);

	if (r < 0)
		return r;
	if (!k->kind)
		return bh_err_set(err, -EINVAL, "a %s is several objects; name the kind of one",
				  k->name);
	*ret = k->kind;
	return 0;
}

void bh_policy_path(struct bh_buf *out, const char *kind, const char *ns, const char *name)
{
	bh_buf_puts(out, "/v1/policies/");
	bh_agent_escape(out, kind);
	bh_buf_putc(out, '/');
	if (ns && *ns != '\0') {
		bh_agent_escape(out, ns);
		bh_buf_putc(out, '/');
	}
	bh_agent_escape(out, name);
}
