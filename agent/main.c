// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * agent/main.c - bulkheadd: options, and the way from start to end
 */
#include <getopt.h>
#include <stdio.h>
#include <string.h>

#include "agent/agent.h"
#include "common/log.h"
#include "common/util.h"
#include "config.h"

#include "common/banned.h"

enum job {
	JOB_RUN = 0,
	JOB_CHECK_CONFIG,
	JOB_TEARDOWN,
};

static void usage(FILE *to)
{
	(void)fputs(
	    "Usage: bulkheadd [OPTION]...\n"
	    "The Bulkhead agent: enforces network policies of the containers of this host.\n\n"
	    "  -c, --config FILE      configuration (default: " BH_SYSCONFDIR
	    "/bulkheadd.yaml, if it exists)\n"
	    "      --check-config     read the configuration, say what is wrong with it, and end\n"
	    "      --teardown         remove the nftables tables and end the workers: nothing is\n"
	    "                         enforced any more; for uninstalling, not while an agent runs\n"
	    "      --log-level LEVEL  error, warning, notice, info or debug; overrides the configuration\n"
	    "  -V, --version          print the version and end\n"
	    "  -h, --help             print this and end\n\n"
	    "SIGTERM ends the agent; rules and workers stay in force, and the next agent takes them over.\n"
	    "SIGHUP has it look at the policy folder and open the violation log anew.\n",
	    to);
}

struct options {
	enum job job;
	const char *config;
	bool level_given;
	enum bh_log_level level;
};

/* -1: go on; else the exit status. */
static int parse_options(int argc, char **argv, struct options *o)
{
	enum { OPT_CHECK = 256, OPT_TEARDOWN, OPT_LEVEL };
	static const struct option options[] = {
		{ "config", required_argument, NULL, 'c' },
		{ "check-config", no_argument, NULL, OPT_CHECK },
		{ "teardown", no_argument, NULL, OPT_TEARDOWN },
		{ "log-level", required_argument, NULL, OPT_LEVEL },
		{ "version", no_argument, NULL, 'V' },
		{ "help", no_argument, NULL, 'h' },
		{ 0 },
	};
	int c;

	while ((c = getopt_long(argc, argv, "c:Vh", options, NULL)) != -1) {
		switch (c) {
		case 'c':
			o->config = optarg;
			break;
		case OPT_CHECK:
			o->job = JOB_CHECK_CONFIG;
			break;
		case OPT_TEARDOWN:
			o->job = JOB_TEARDOWN;
			break;
		case OPT_LEVEL:
			if (bh_log_level_parse(optarg, &o->level) < 0) {
				(void)fprintf(stderr,
					      "bulkheadd: '%s' is no log level; there are error, "
					      "warning, notice, info, debug\n",
					      optarg);
				return 2;
			}
			o->level_given = true;
			break;
		case 'V':
			(void)puts("bulkheadd " BH_VERSION);
			return 0;
		case 'h':
			usage(stdout);
			return 0;
		default:
			(void)fputs("Try 'bulkheadd --help'.\n", stderr);
			return 2;
		}
	}
	if (optind < argc) {
		(void)fprintf(stderr, "bulkheadd: unexpected argument '%s'\n", argv[optind]);
		return 2;
	}
	return -1;
}

static int load_config(struct bh_agent *a, const struct options *o)
{
	bh_cleanup(bh_diags_done) struct bh_diags d = BH_DIAGS_INIT;
	bh_cleanup(bh_buf_done) struct bh_buf text = BH_BUF_INIT;
	struct bh_err err = { 0 };
	int r = bh_settings_load(&a->cfg, o->config, &d, &err);

	if (r == -EINVAL) {
		bh_diags_print(&d, &text);
		(void)fputs(bh_buf_str(&text), stderr);
	} else if (r < 0) {
		(void)fprintf(stderr, "bulkheadd: %s\n", bh_err_text(&err, r));
	}
	return r;
}

static int run(struct bh_agent *a)
{
	struct bh_err err = { 0 };
	int r = bh_agent_start(a, &err);

	if (r < 0)
		bh_error("%s", bh_err_text(&err, r));
	else
		r = bh_loop_run(a->loop);
	bh_agent_stop(a);
	return r < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}

static int teardown(struct bh_agent *a)
{
	struct bh_err err = { 0 };
	int r = bh_agent_teardown(a, &err);

	if (r < 0)
		bh_error("nothing was removed: %s", bh_err_text(&err, r));
	bh_agent_stop(a);
	return r < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}

int main(int argc, char **argv)
{
	struct options o = { .job = JOB_RUN, .level = BH_LOG_NOTICE };
	struct bh_agent a = { .run_lock = -1, .state_lock = -1 };
	int status = parse_options(argc, argv, &o);

	if (status >= 0)
		return status;
	bh_log_init("bulkheadd", o.level);
	if (load_config(&a, &o) < 0) {
		bh_settings_done(&a.cfg);
		return EXIT_FAILURE;
	}
	a.config_file = o.config;
	a.level_fixed = o.level_given;
	if (!o.level_given)
		bh_log_set_level(a.cfg.log_level);
	switch (o.job) {
	case JOB_CHECK_CONFIG:
		(void)puts("the configuration is right");
		status = EXIT_SUCCESS;
		break;
	case JOB_TEARDOWN:
		status = teardown(&a);
		break;
	case JOB_RUN:
		status = run(&a);
		break;
	}
	bh_settings_done(&a.cfg);
	return status;
}
