/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * cli/cli.h - what a verb of `bulkhead` is, and the arguments that verbs share
 *
 * One file per verb (verb_*.c) brings a struct bh_verb: its options, its help and what it does. main.c holds
 * the table of them; args.c reads the command line by that table and writes the help from it, so that no
 * option exists without words. Verbs get all arguments in one struct bh_args, whose strings are those of argv.
 *
 * Thread-safety: the program has one thread.
 */
#ifndef BH_CLI_CLI_H
#define BH_CLI_CLI_H

#include "common/buf.h"
#include "common/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum bh_exit {
	BH_EXIT_OK = 0,
	BH_EXIT_FAILED = 1,  /* it could not be done, or errors were found */
	BH_EXIT_USAGE = 2,   /* the command line is wrong */
	BH_EXIT_REFUSED = 3, /* explain: the connection is refused */
	BH_EXIT_DEPENDS = 4, /* explain: it depends on the protocol that is spoken */
};

enum bh_format {
	BH_FORMAT_INVALID = 0,
	BH_FORMAT_TABLE,
	BH_FORMAT_JSON,
	BH_FORMAT_YAML,
	BH_FORMAT_CSV,
	BH_FORMAT_DOT, /* Graphviz */
	BH_FORMAT_SVG,
	BH_FORMAT_TAP,
	BH_FORMAT_JUNIT,
	BH_FORMAT_COUNT,
};
#define BH_FORMATS_TEXT (1U << BH_FORMAT_TABLE | 1U << BH_FORMAT_JSON)
#define BH_FORMATS_ALL  (BH_FORMATS_TEXT | 1U << BH_FORMAT_YAML)

struct bh_strings {
	const char **items; /* owned; the strings are argv's */
	size_t n;
};

struct bh_args {
	/* Every verb. */
	const char *socket;
	enum bh_format format;
	bool help;
	struct bh_strings words; /* what is no option */

	/* Some verbs. */
	const char *ns;
	struct bh_strings files, policies, endpoints;
	struct bh_strings ranges, resolvers, known; /* what surrounds the policies (cli/world.h) */
	const char *at;
	bool ask_agent, codes;
	bool strict, dry_run, follow, v4, v6, ports, nft, live;
	const char *table;
	uint64_t count;
	bool count_given;
	const char *from, *to, *port, *protocol;
	/* What is spoken (policy/spoken.h). */
	const char *http, *host, *upgrade, *sni, *alpn, *tls_version, *ech, *dns, *grpc, *risk;
	const char *icmp;
	/* What explain-field makes of the tables. */
	bool recursive, schema, crd, reference;
	const char *api_version;
};

enum bh_option_kind {
	BH_OPTION_INVALID = 0,
	BH_OPTION_FLAG,   /* bool */
	BH_OPTION_TEXT,   /* const char *, once */
	BH_OPTION_LIST,   /* struct bh_strings, may come again */
	BH_OPTION_COUNT_, /* uint64_t count, and count_given */
	BH_OPTION_FORMAT,
};

struct bh_option {
	char letter;      /* 0: none */
	const char *name; /* without "--"; NULL: only the letter */
	const char *arg;  /* "FILE"; NULL for flags */
	enum bh_option_kind kind;
	size_t offset; /* into struct bh_args */
	const char *help;
};

/* Options about policies, endpoints and what surrounds them that a verb shares with others (cli/world.h). */
enum bh_world_options {
	BH_WORLD_NONE = 0,
	BH_WORLD_AROUND, /* --endpoints, --cluster-range, --resolver, --name, --at */
	BH_WORLD_ALL,    /* and --policy */
};

struct bh_verb {
	const char *name;
	const char *words;               /* "FILE|DIR..."; "" for none */
	const char *summary;             /* one line, for the list of verbs */
	const char *text;                /* paragraphs of the help; NULL: the summary says it all */
	const struct bh_option *options; /* ends in kind 0; NULL: none */
	enum bh_world_options world;
	unsigned formats; /* 1U << enum bh_format of -o; 0: no -o */
	bool agent;       /* --socket matters */
	size_t min_words, max_words;
	const char *exits;   /* lines "  0  text\n" */
	const char *example; /* one line */
	int (*run)(const struct bh_args *a);
};

/* NULL-terminated, in the order in which the help lists them (main.c). */
extern const struct bh_verb *const bh_verbs[];

extern const struct bh_verb bh_verb_lint, bh_verb_apply, bh_verb_get, bh_verb_delete,
    bh_verb_explain, bh_verb_explain_field, bh_verb_test, bh_verb_matrix, bh_verb_diff,
    bh_verb_status, bh_verb_endpoints, bh_verb_violations, bh_verb_render, bh_verb_replay,
    bh_verb_protocols, bh_verb_version;

/* ---- args.c ---- */

void bh_args_done(struct bh_args *a);

/**
 * bh_args_parse() - Read a command line
 * @argc, @argv:	As main() has them
 * @a:		Zeroed by the caller; to be released by bh_args_done(), also on error
 * @ret_verb:	The verb; NULL if only help or the version of the program is asked for
 *
 * Return: 0; -EINVAL (in @err what is wrong, and what was probably meant), -ENOMEM
 */
int bh_args_parse(int argc, const char *const *argv, struct bh_args *a,
		  const struct bh_verb **ret_verb, struct bh_err *err) bh_must_check;

/* @verb: NULL for the program's own help. */
void bh_help_print(const struct bh_verb *verb, struct bh_buf *out);

#endif
