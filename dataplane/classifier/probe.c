// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * dataplane/classifier/probe.c - the table of probes
 */
#include "dataplane/classifier/probe.h"

#include "common/util.h"

#include "common/banned.h"

/* The stricter first: where two could say YES, the earlier is right more often. */
static const struct bh_probe probes[] = {
	{ BH_PROTO_TLS, true, false, bh_probe_tls },
	{ BH_PROTO_SSH, true, false, bh_probe_ssh },
	{ BH_PROTO_POSTGRES, true, false, bh_probe_postgres },
	{ BH_PROTO_HTTP, true, false, bh_probe_http },
	{ BH_PROTO_DNS, true, true, bh_probe_dns },
	{ BH_PROTO_REDIS, true, false, bh_probe_redis },
};

_Static_assert(BH_ARRAY_SIZE(probes) <= BH_PROBES_MAX, "a flow keeps its probes in 16 bits");

const struct bh_probe *bh_probe_nth(size_t i)
{
	return i < BH_ARRAY_SIZE(probes) ? &probes[i] : NULL;
}

const struct bh_probe *bh_probe_of(unsigned proto)
{
	size_t i;

	for (i = 0; i < BH_ARRAY_SIZE(probes); i++)
		if ((unsigned)probes[i].proto == proto)
			return &probes[i];
	return NULL;
}

unsigned bh_probe_name(const struct bh_view *v, bool *ret_more)
{
	struct bh_view naming = *v;
	bool more = false;
	unsigned found = BH_PROTO_UNKNOWN;
	size_t i;

	naming.naming = true;
	for (i = 0; i < BH_ARRAY_SIZE(probes) && found == BH_PROTO_UNKNOWN; i++) {
		if (!(v->udp ? probes[i].udp : probes[i].tcp))
			continue;
		switch (probes[i].fn(&naming)) {
		case BH_ANSWER_YES:
			found = (unsigned)probes[i].proto;
			break;
		case BH_ANSWER_MORE:
			more = true;
			break;
		case BH_ANSWER_NO:
		case BH_ANSWER_INVALID:
			break;
		}
	}
	if (ret_more)
		*ret_more = more && found == BH_PROTO_UNKNOWN;
	return found;
}
