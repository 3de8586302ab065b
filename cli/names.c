// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * cli/names.c - kinds of objects as people write them on a command line
 */
#include "cli/names.h"

#include "cli/agent.h"
#include "common/parse.h"
#include "common/util.h"

#include <ctype.h>
#include <string.h>

#include "common/banned.h"

int bh_kind_parse(const char *word, enum bh_kind *ret, struct bh_err *err)
{
	static const struct {
		const char *name;
		enum bh_kind kind;
	} forms[] = {
		{ "networkpolicy", BH_KIND_NETWORK_POLICY },
		{ "networkpolicies", BH_KIND_NETWORK_POLICY },
		{ "netpol", BH_KIND_NETWORK_POLICY },
		{ "trafficpolicy", BH_KIND_TRAFFIC_POLICY },
		{ "trafficpolicies", BH_KIND_TRAFFIC_POLICY },
		{ "tp", BH_KIND_TRAFFIC_POLICY },
		{ "namespace", BH_KIND_NAMESPACE },
		{ "namespaces", BH_KIND_NAMESPACE },
		{ "endpoint", BH_KIND_ENDPOINT },
		{ "endpoints", BH_KIND_ENDPOINT },
	};
	const char *names[BH_ARRAY_SIZE(forms)], *near;
	char lower[32];
	size_t n = 0;

	for (; n < sizeof(lower) - 1 && word[n] != '\0'; n++)
		lower[n] = (char)tolower((unsigned char)word[n]);
	lower[n] = '\0';
	for (size_t i = 0; i < BH_ARRAY_SIZE(forms); i++) {
		names[i] = forms[i].name;
		if (word[n] == '\0' && bh_streq(forms[i].name, lower)) {
			*ret = forms[i].kind;
			return 0;
		}
	}
	near = word[n] == '\0' ? bh_nearest(lower, names, BH_ARRAY_SIZE(names)) : NULL;
	if (near)
		return bh_err_set(err, -EINVAL, "unknown kind '%s'; did you mean '%s'?", word,
				  near);
	return bh_err_set(err, -EINVAL,
			  "unknown kind '%s'; there are NetworkPolicy and TrafficPolicy", word);
}

void bh_policy_path(struct bh_buf *out, const char *kind, const char *ns, const char *name)
{
	bh_buf_puts(out, "/v1/policies/");
	bh_agent_escape(out, kind);
	bh_buf_putc(out, '/');
	if (ns) {
		bh_agent_escape(out, ns);
		bh_buf_putc(out, '/');
	}
	bh_agent_escape(out, name);
}
