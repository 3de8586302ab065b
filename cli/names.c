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

static const struct {
	enum bh_kind kind;
	const char *names[4]; /* lower case */
} forms[] = {
	{ BH_KIND_NETWORK_POLICY, { "networkpolicy", "networkpolicies", "netpol" } },
	{ BH_KIND_TRAFFIC_POLICY, { "trafficpolicy", "trafficpolicies", "tp" } },
	{ BH_KIND_CLUSTER_TRAFFIC_POLICY,
	  { "clustertrafficpolicy", "clustertrafficpolicies", "ctp" } },
	{ BH_KIND_CLUSTER_NETWORK_POLICY,
	  { "clusternetworkpolicy", "clusternetworkpolicies", "cnp" } },
	{ BH_KIND_ADMIN_NETWORK_POLICY, { "adminnetworkpolicy", "adminnetworkpolicies", "anp" } },
	{ BH_KIND_BASELINE_ADMIN_NETWORK_POLICY,
	  { "baselineadminnetworkpolicy", "baselineadminnetworkpolicies", "banp" } },
	{ BH_KIND_NAMESPACE, { "namespace", "namespaces", "ns" } },
	{ BH_KIND_ENDPOINT, { "endpoint", "endpoints", "ep" } },
	{ BH_KIND_NODE, { "node", "nodes", "no" } },
};
#define NAMES_MAX (BH_ARRAY_SIZE(forms) * BH_ARRAY_SIZE(forms[0].names))

int bh_kind_parse(const char *word, enum bh_kind *ret, struct bh_err *err)
{
	const char *names[NAMES_MAX], *near;
	size_t n = 0, n_names = 0;
	char lower[32];

	for (; n < sizeof(lower) - 1 && word[n] != '\0'; n++)
		lower[n] = (char)tolower((unsigned char)word[n]);
	lower[n] = '\0';
	for (size_t i = 0; word[n] == '\0' && i < BH_ARRAY_SIZE(forms); i++) {
		for (size_t k = 0; forms[i].names[k]; k++) {
			names[n_names++] = forms[i].names[k];
			if (bh_streq(forms[i].names[k], lower)) {
				*ret = forms[i].kind;
				return 0;
			}
		}
	}
	near = bh_nearest(lower, names, n_names);
	if (near)
		return bh_err_set(err, -EINVAL, "unknown kind '%s'; did you mean '%s'?", word,
				  near);
	return bh_err_set(err, -EINVAL,
			  "unknown kind '%s'; there are NetworkPolicy, TrafficPolicy, "
			  "ClusterTrafficPolicy, ClusterNetworkPolicy, AdminNetworkPolicy, "
			  "BaselineAdminNetworkPolicy, Namespace, Endpoint and Node",
			  word);
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
