// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * cni/main.c - bulkhead-cni: environment and standard input in, a verb, a result or an error object out
 *
 * The only place that prints errors and ends the process. Standard output belongs to the runtime: results and
 * error objects; everything else goes to standard error.
 */
#include "cni/args.h"
#include "cni/cmd.h"
#include "cni/netconf.h"
#include "cni/result.h"
#include "common/file.h"
#include "common/limits.h"
#include "common/log.h"
#include "config.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "common/banned.h"

/* Nomad looks for a version in this text when it asks what plugins there are. */
static int about(void)
{
	(void)fprintf(
	    stderr,
	    "CNI bulkhead-cni plugin v%s\n"
	    "CNI protocol versions supported: 0.1.0, 0.2.0, 0.3.0, 0.3.1, 0.4.0, 1.0.0, 1.1.0\n"
	    "A container runtime runs this program with CNI_COMMAND and a network configuration "
	    "on standard input.\n",
	    BH_VERSION);
	return 0;
}

/* Whatever is on standard input, or nothing: a probe must be answered. */
static enum bh_cni_code version(const char *data, size_t size, struct bh_cni_error *e)
{
	bh_autojson json_t *v = NULL;
	const char *asked = NULL;

	if (data && bh_json_load(data, size, BH_CNI_STDIN_MAX, &v, NULL) == 0 && json_is_object(v))
		(void)!bh_json_str(v, "cniVersion", &asked, NULL);
	if (bh_result_version(asked) < 0)
		return bh_cni_fail(e, BH_CNI_IO, "cannot write the answer");
	return BH_CNI_OK;
}

static enum bh_cni_code needs_spec(const struct bh_netconf *c, enum bh_spec least, const char *verb,
				   struct bh_cni_error *e)
{
	if (c->spec >= least)
		return BH_CNI_OK;
	return bh_cni_fail(e, BH_CNI_VERSION, "cniVersion %s has no %s; it came with %s",
			   bh_spec_name[c->spec], verb, bh_spec_name[least]);
}

static enum bh_cni_code dispatch(const struct bh_cni_args *a, struct bh_netconf *c,
				 struct bh_cni_error *e)
{
	enum bh_cni_code code;

	switch (a->verb) {
	case BH_CNI_ADD:
		return bh_cmd_add(a, c, e);
	case BH_CNI_DEL:
		return bh_cmd_del(a, c, e);
	case BH_CNI_CHECK:
		code = needs_spec(c, BH_SPEC_0_4_0, "CHECK", e);
		return code ? code : bh_cmd_check(a, c, e);
	case BH_CNI_STATUS:
		code = needs_spec(c, BH_SPEC_1_1_0, "STATUS", e);
		return code ? code : bh_cmd_status(a, c, e);
	case BH_CNI_GC:
		code = needs_spec(c, BH_SPEC_1_1_0, "GC", e);
		return code ? code : bh_cmd_gc(a, c, e);
	case BH_CNI_VERB_INVALID:
	case BH_CNI_VERSION_VERB:
	case BH_CNI_VERB_COUNT:
		break;
	}
	return bh_cni_fail(e, BH_CNI_ENV, "unknown CNI_COMMAND");
}

int main(void)
{
	bh_cleanup(bh_cni_args_done) struct bh_cni_args args = { .verb = BH_CNI_VERB_INVALID };
	bh_cleanup(bh_netconf_done) struct bh_netconf conf = { .root = NULL };
	struct bh_cni_error e = { .msg = "" };
	bh_autofree char *data = NULL;
	enum bh_cni_code code;
	size_t size = 0;
	int r;

	bh_log_init("bulkhead-cni", BH_LOG_NOTICE);
	(void)signal(SIGPIPE, SIG_IGN);
	if (!getenv("CNI_COMMAND"))
		return about();
	code = bh_cni_args_read(&args, &e);
	if (!code) {
		r = bh_fd_read(STDIN_FILENO, BH_CNI_STDIN_MAX, &data, &size);
		if (args.verb == BH_CNI_VERSION_VERB)
			code = version(r == 0 ? data : NULL, size, &e);
		else if (r == -E2BIG)
			code = bh_cni_fail(
			    &e, BH_CNI_DECODE,
			    "network configuration: standard input is larger than %u bytes",
			    BH_CNI_STDIN_MAX);
		else if (r < 0)
			code = bh_cni_fail(&e, BH_CNI_IO, "cannot read standard input: %s",
					   strerrordesc_np(-r));
		else
			code = bh_netconf_load(data, size, &conf, &e);
		if (!code && args.verb != BH_CNI_VERSION_VERB)
			code = dispatch(&args, &conf, &e);
	}
	if (code)
		bh_cni_error_print(conf.root ? bh_spec_name[conf.spec] : NULL, code, &e);
	return code ? 1 : 0;
}
