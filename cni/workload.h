/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * cni/workload.h - who the container is: name, namespace, labels, named ports
 *
 * Labels come from (later ones win) LABEL_<key>=<value> of CNI_ARGS, BULKHEAD_LABELS of CNI_ARGS (base64url
 * of a JSON object), args.cni.labels of the configuration (a list of {"key", "value"}, or an object).
 * A label that cannot be read is an error: without it the container might be somebody else.
 *
 * Thread-safety: a workload belongs to one thread.
 */
#ifndef BH_CNI_WORKLOAD_H
#define BH_CNI_WORKLOAD_H

#include "cni/args.h"
#include "cni/netconf.h"

struct bh_workload {
	const char *name; /* borrowed from the environment */
	const char *ns;   /* borrowed from the environment */
	json_t *labels;   /* object of strings */
	json_t *ports;    /* [{"name", "port", "protocol"}] */
	json_t *cni_args; /* object of strings */
};

/* Release with bh_workload_done(), also after a failure. */
enum bh_cni_code bh_workload_read(const struct bh_netconf *c, const struct bh_cni_args *a,
				  struct bh_workload *ret, struct bh_cni_error *e);
void bh_workload_done(struct bh_workload *w);

#endif
