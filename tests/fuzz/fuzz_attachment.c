// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * tests/fuzz/fuzz_attachment.c - what the CNI plugin sends to the agent, and leaves on disk for it
 *
 * What is taken must be an endpoint that can be protected: it has addresses, and names that can stand in a record.
 */
#include "agent/attachment.h"
#include "agent/jsonw.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool holds)
{
	if (!holds)
		abort();
}

static void check(const struct bh_ep *ep)
{
	bh_cleanup(bh_buf_done) struct bh_buf b = BH_BUF_INIT;
	bh_autojson json_t *v = NULL;

	must(ep->e->n_addrs > 0 && ep->e->n_addrs <= BH_ATTACHMENT_ADDRS_MAX);
	must(ep->e->local && ep->e->id && ep->e->ns && ep->e->name && *ep->e->name);
	for (size_t i = 0; i < ep->e->n_addrs; i++)
		must(ep->e->addrs[i].family == 4 || ep->e->addrs[i].family == 6);
	bh_buf_puts(&b, "{\"name\":");
	bh_jsonw_str(&b, ep->e->name);
	bh_buf_puts(&b, ",\"labels\":");
	bh_jsonw_labels(&b, &ep->e->labels);
	bh_buf_putc(&b, '}');
	must(bh_json_load(b.data, b.len, b.len, &v, NULL) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	bh_cleanup(bh_ep_unrefp) struct bh_ep *ep = NULL;
	bh_autojson json_t *msg = NULL;
	struct bh_err err = { 0 };
	int r;

	if (bh_json_load((const char *)data, size, 1 << 20, &msg, &err) < 0)
		return 0;
	r = bh_attachment_parse(msg, "node", &ep, &err);
	must((r == 0) == (ep != NULL));
	if (r == 0)
		check(ep);
	else
		must(err.msg[0] != '\0' && err.code == r);
	return 0;
}
