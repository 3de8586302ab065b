// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * cni/args.c - the environment of a call: CNI_COMMAND and its companions, checked
 *
 * Source: CNI specification 1.1.0, section 2 "Parameters". CNI_PATH is not asked for: this plugin runs no
 * other. CNI_ARGS comes in random order from some runtimes, with values that hold "=", ":" or JSON, so a
 * pair ends at ";" and is split at its first "="; what is not known is left alone.
 */
#include "cni/args.h"

#include "common/buf.h"
#include "common/util.h"

#include <stdlib.h>
#include <string.h>

static const char *const verb_name[] = {
	[BH_CNI_VERB_INVALID] = "",        [BH_CNI_ADD] = "ADD",       [BH_CNI_DEL] = "DEL",
	[BH_CNI_CHECK] = "CHECK",          [BH_CNI_STATUS] = "STATUS", [BH_CNI_GC] = "GC",
	[BH_CNI_VERSION_VERB] = "VERSION",
};
BH_STATIC_ASSERT_TABLE(verb_name, BH_CNI_VERB_COUNT);

static bool is_alnum(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

bool bh_cni_name_ok(const char *s)
{
	if (!is_alnum(s[0]))
		return false;
	for (s++; *s; s++)
		if (!is_alnum(*s) && *s != '_' && *s != '.' && *s != '-')
			return false;
	return true;
}

bool bh_cni_ifname_ok(const char *s)
{
	size_t len = strlen(s);

	return len >= 1 && len <= 15 && strcmp(s, ".") != 0 && strcmp(s, "..") != 0 &&
	       !strpbrk(s, "/: \t\n\v\f\r");
}

static const char *env(const char *name)
{
	const char *s = getenv(name);

	return s && s[0] ? s : NULL;
}

static enum bh_cni_code read_verb(struct bh_cni_args *a, struct bh_cni_error *e)
{
	const char *s = env("CNI_COMMAND");

	if (!s)
		return bh_cni_fail(e, BH_CNI_ENV, "required env variables [CNI_COMMAND] missing");
	for (size_t i = BH_CNI_ADD; i < BH_CNI_VERB_COUNT; i++) {
		if (bh_streq(s, verb_name[i])) {
			a->verb = (enum bh_cni_verb)i;
			return BH_CNI_OK;
		}
	}
	return bh_cni_fail(e, BH_CNI_ENV,
			   "unknown CNI_COMMAND '%.32s' (ADD, DEL, CHECK, STATUS, GC or VERSION)",
			   s);
}

static enum bh_cni_code check_missing(const struct bh_cni_args *a, struct bh_cni_error *e)
{
	const char *missing[3];
	size_t n = 0;

	if (a->verb == BH_CNI_STATUS || a->verb == BH_CNI_GC || a->verb == BH_CNI_VERSION_VERB)
		return BH_CNI_OK;
	if (!a->container_id)
		missing[n++] = "CNI_CONTAINERID";
	if (!a->netns && a->verb != BH_CNI_DEL)
		missing[n++] = "CNI_NETNS";
	if (!a->ifname)
		missing[n++] = "CNI_IFNAME";
	if (n == 0)
		return BH_CNI_OK;
	return bh_cni_fail(e, BH_CNI_ENV, "required env variables [%s%s%s%s%s] missing", missing[0],
			   n > 1 ? "," : "", n > 1 ? missing[1] : "", n > 2 ? "," : "",
			   n > 2 ? missing[2] : "");
}

static enum bh_cni_code check_values(const struct bh_cni_args *a, struct bh_cni_error *e)
{
	if (a->container_id && !bh_cni_name_ok(a->container_id))
		return bh_cni_fail(
		    e, BH_CNI_ENV,
		    "CNI_CONTAINERID '%.64s' must be a letter or digit, then letters, "
		    "digits, '_', '.' or '-'",
		    a->container_id);
	if (a->ifname && !bh_cni_ifname_ok(a->ifname))
		return bh_cni_fail(
		    e, BH_CNI_ENV,
		    "CNI_IFNAME '%.32s' must be 1 to 15 bytes, not '.' or '..', without "
		    "'/', ':' and white space",
		    a->ifname);
	return BH_CNI_OK;
}

static enum bh_cni_code read_pairs(struct bh_cni_args *a, struct bh_cni_error *e)
{
	const char *s = env("CNI_ARGS");
	size_t max = 1;
	char *save = NULL;

	if (!s)
		return BH_CNI_OK;
	for (const char *p = s; *p; p++)
		max += *p == ';';
	a->text = strdup(s);
	a->pairs = calloc(max, sizeof(*a->pairs));
	if (!a->text || !a->pairs)
		return bh_cni_fail(e, BH_CNI_SYSTEM, "out of memory");
	for (char *p = strtok_r(a->text, ";", &save); p; p = strtok_r(NULL, ";", &save)) {
		char *eq = strchr(p, '=');

		if (!eq || eq == p) {
			if (a->verb == BH_CNI_DEL)
				continue;
			return bh_cni_fail(e, BH_CNI_ENV, "CNI_ARGS: '%.64s' is not KEY=VALUE", p);
		}
		*eq = '\0';
		a->pairs[a->n_pairs++] = (struct bh_cni_pair){ .key = p, .value = eq + 1 };
	}
	return BH_CNI_OK;
}

enum bh_cni_code bh_cni_args_read(struct bh_cni_args *ret, struct bh_cni_error *e)
{
	enum bh_cni_code code;

	*ret = (struct bh_cni_args){ .verb = BH_CNI_VERB_INVALID };
	code = read_verb(ret, e);
	if (code || ret->verb == BH_CNI_VERSION_VERB)
		return code; /* podman probes VERSION with dummy values in all the others */
	ret->container_id = env("CNI_CONTAINERID");
	ret->netns = env("CNI_NETNS");
	ret->ifname = env("CNI_IFNAME");
	code = check_missing(ret, e);
	if (!code)
		code = check_values(ret, e);
	if (!code)
		code = read_pairs(ret, e);
	return code;
}

void bh_cni_args_done(struct bh_cni_args *a)
{
	free(a->pairs);
	free(a->text);
	*a = (struct bh_cni_args){ .verb = BH_CNI_VERB_INVALID };
}

const char *bh_cni_args_get(const struct bh_cni_args *a, const char *key)
{
	for (size_t i = a->n_pairs; i-- > 0;)
		if (bh_streq(a->pairs[i].key, key))
			return a->pairs[i].value;
	return NULL;
}
