// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * cli/record.c - a record of the violation log as one line for people
 *
 *	2026-01-02 03:04:05.678Z reset shop/shell 10.1.0.5 -> shop/web 10.1.0.9:80/tcp protocol_mismatch:
 *	TrafficPolicy shop/web rule 0 "clients" (ingress); expected http, seen ssh; 3 times
 *
 * Of ICMP with type and code: "10.1.0.9/icmp 8/0".
 */
#include "cli/record.h"

#include "cli/out.h"
#include "common/json.h"
#include "common/util.h"

#include <inttypes.h>
#include <string.h>

#include "common/banned.h"

/* NULL where it is missing or no string. */
static const char *text_of(const json_t *v, const char *key)
{
	const char *s = NULL;

	return bh_json_str(v, key, &s, NULL) < 0 ? NULL : s;
}

static bool number_of(const json_t *v, const char *key, uint64_t *ret)
{
	return bh_json_u64(v, key, UINT64_MAX, ret, NULL) == 0;
}

/* "2026-01-02T03:04:05.678901Z" to the millisecond. */
static void put_time(const json_t *v, struct bh_buf *out)
{
	const char *ts = text_of(v, "ts");
	char shown[25];

	if (!ts || strlen(ts) != 27 || ts[10] != 'T' || ts[26] != 'Z') {
		bh_put_clean(out, ts ? ts : "?");
	} else {
		memcpy(shown, ts, 23);
		shown[10] = ' ';
		shown[23] = 'Z';
		shown[24] = '\0';
		bh_put_clean(out, shown);
	}
	bh_buf_putc(out, ' ');
}

static void put_what(const json_t *v, bool colour, struct bh_buf *out)
{
	const char *action = text_of(v, "action"), *would = text_of(v, "would"),
		   *reason = text_of(v, "reason");

	if (action && strcmp(action, "none") != 0) {
		bh_put_colour(out, colour, BH_COLOUR_RED, action);
	} else if (would) {
		bh_put_colour(out, colour, BH_COLOUR_YELLOW, "would ");
		bh_put_colour(out, colour, BH_COLOUR_YELLOW, would);
	} else if (action) {
		bh_put_colour(out, colour,
			      bh_streq(reason, "alert") ? BH_COLOUR_YELLOW : BH_COLOUR_NONE,
			      bh_streq(text_of(v, "kind"), "learn") ? "learn"
			      : bh_streq(reason, "log")             ? "log"
								    : "alert");
	} else {
		bh_buf_putc(out, '?');
	}
	bh_buf_putc(out, ' ');
}

/* "shop/web 10.1.0.9"; the port only for the destination. */
static void put_side(const json_t *v, const char *side, const char *port_key, struct bh_buf *out)
{
	const json_t *who = json_object_get(v, side), *flow = json_object_get(v, "flow");
	const char *ns = text_of(who, "ns"), *name = text_of(who, "name"),
		   *addr = text_of(flow, side);
	bool six = addr && strchr(addr, ':');
	uint64_t port = 0;
	bool has_port = port_key && number_of(flow, port_key, &port);

	if (name) {
		bh_put_clean(out, ns ? ns : "?");
		bh_buf_putc(out, '/');
		bh_put_clean(out, name);
		bh_buf_putc(out, ' ');
	}
	if (!addr)
		addr = text_of(who, "address");
	bh_buf_puts(out, six && has_port ? "[" : "");
	bh_put_clean(out, addr ? addr : "?");
	bh_buf_puts(out, six && has_port ? "]" : "");
	if (has_port)
		bh_buf_printf(out, ":%" PRIu64, port);
}

static void put_verdict(const json_t *v, struct bh_buf *out)
{
	const json_t *policy = json_object_get(v, "policy"), *rule = json_object_get(v, "rule");
	const char *kind = text_of(policy, "kind"), *ns = text_of(policy, "ns");
	const char *name = text_of(policy, "name"), *rule_name = text_of(rule, "name");
	const char *text = text_of(v, "text"), *dir = text_of(v, "dir");
	uint64_t index = 0;

	if (name) {
		bh_put_clean(out, kind ? kind : "policy");
		bh_buf_putc(out, ' ');
		bh_put_clean(out, ns ? ns : "?");
		bh_buf_puts(out, bh_streq(ns, "") ? "" : "/");
		bh_put_clean(out, name);
		if (number_of(rule, "index", &index))
			bh_buf_printf(out, " rule %" PRIu64, index);
		if (rule_name) {
			bh_buf_puts(out, " \"");
			bh_put_clean(out, rule_name);
			bh_buf_putc(out, '"');
		}
	} else if (text && *text != '\0') {
		bh_put_clean(out, text);
	} else {
		bh_buf_puts(out, "no policy");
	}
	bh_buf_puts(out, " (");
	bh_put_clean(out, dir ? dir : "?");
	bh_buf_putc(out, ')');
}

static void put_l7(const json_t *v, struct bh_buf *out)
{
	const json_t *l7 = json_object_get(v, "l7");
	json_t *expected = json_object_get(l7, "expected"), *item;
	const char *seen = text_of(l7, "seen"), *ndpi = text_of(l7, "ndpi");
	size_t i;

	if (!json_is_object(l7))
		return;
	json_array_foreach(expected, i, item) {
		const char *s = json_string_value(item);

		bh_buf_puts(out, i == 0 ? "; expected " : " or ");
		bh_put_clean(out, s ? s : "?");
	}
	if (seen) {
		bh_buf_puts(out, json_array_size(expected) > 0 ? ", seen " : "; seen ");
		bh_put_clean(out, seen);
	}
	if (ndpi && !bh_streq(ndpi, seen)) {
		bh_buf_puts(out, " (nDPI says ");
		bh_put_clean(out, ndpi);
		bh_buf_putc(out, ')');
	}
}

/* " 8/0": type and code. */
static void put_icmp(const json_t *flow, struct bh_buf *out)
{
	const json_t *icmp = json_object_get(flow, "icmp");
	uint64_t type = 0, code = 0;

	if (number_of(icmp, "type", &type) && number_of(icmp, "code", &code))
		bh_buf_printf(out, " %" PRIu64 "/%" PRIu64, type, code);
}

/* What the guard refused: by which link it came, whatever it says of itself. */
static void put_link(const json_t *link, struct bh_buf *out)
{
	const char *name = text_of(link, "name"), *mac = text_of(link, "mac");

	if (!json_is_object(link))
		return;
	bh_buf_puts(out, "; on ");
	bh_put_clean(out, name ? name : "an unknown link");
	if (mac) {
		bh_buf_puts(out, " from ");
		bh_put_clean(out, mac);
	}
}

static void put_violation(const json_t *v, bool colour, struct bh_buf *out)
{
	const char *proto = text_of(json_object_get(v, "flow"), "proto"),
		   *reason = text_of(v, "reason");
	json_t *list = json_object_get(v, "verdicts"), *item;
	uint64_t count = 0;
	size_t i;

	put_what(v, colour, out);
	put_side(v, "src", NULL, out);
	bh_buf_puts(out, " -> ");
	put_side(v, "dst", "dport", out);
	bh_buf_putc(out, '/');
	bh_put_clean(out, proto ? proto : "?");
	put_icmp(json_object_get(v, "flow"), out);
	bh_buf_putc(out, ' ');
	bh_put_colour(out, colour, BH_COLOUR_BOLD, reason ? reason : "?");
	json_array_foreach(list, i, item) {
		bh_buf_puts(out, i == 0 ? ": " : "; ");
		put_verdict(item, out);
	}
	put_l7(v, out);
	put_link(json_object_get(v, "link"), out);
	if (number_of(v, "count", &count) && count > 1)
		bh_buf_printf(out, "; %" PRIu64 " times", count);
}

/* Records of other kinds: their members, but for those that every record has. */
static void put_members(const json_t *v, struct bh_buf *out)
{
	static const char *const common[] = { "v", "ts", "seq", "boot", "node", "kind" };
	const char *key;
	json_t *item;

	json_object_foreach((json_t *)v, key, item) {
		bool skip = json_is_null(item);

		for (size_t i = 0; i < BH_ARRAY_SIZE(common); i++)
			skip = skip || bh_streq(key, common[i]);
		if (skip)
			continue;
		bh_buf_putc(out, ' ');
		bh_put_clean(out, key);
		bh_buf_putc(out, '=');
		if (json_is_string(item)) {
			bh_put_clean(out, json_string_value(item));
		} else {
			bh_autofree char *text = bh_json_text(item);

			bh_put_clean(out, text ? text : "?");
		}
	}
}

void bh_record_line(const json_t *v, bool colour, struct bh_buf *out)
{
	const char *kind = text_of(v, "kind");

	put_time(v, out);
	if (bh_streq(kind, "violation") || bh_streq(kind, "learn")) {
		put_violation(v, colour, out);
	} else {
		bh_put_colour(out, colour, bh_streq(kind, "loss") ? BH_COLOUR_RED : BH_COLOUR_BOLD,
			      kind ? kind : "?");
		put_members(v, out);
	}
	bh_buf_putc(out, '\n');
}
