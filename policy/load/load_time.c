/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * policy/load/load_time.c - ends, windows, and changes of mode by time
 *
 * No clock is looked at: what has long passed is read like what is to come.
 */
#include "policy/load/load_internal.h"

#include "common/util.h"
#include "policy/pattern.h"
#include "policy/when.h"

#include <stdio.h>
#include <string.h>

#include "common/banned.h"

/* A time that is 0 means "never": the first second of 1970, and all before it, are the second. */
#define FIRST_SECOND 1

void bh_load_time(struct bh_load *l, const struct bh_yaml_node *n, const char *key, int64_t *ret)
{
	char buf[BH_TIME_WHY];
	const char *why;
	size_t mark;
	int64_t t = 0;

	if (!n)
		return;
	mark = bh_path_key(&l->rd, key);
	why = bh_time_read(bh_node_str(n), &t, buf, sizeof(buf));
	if (why)
		bh_complain(&l->rd, n, "e15", "want RFC 3339 like 2025-12-01T00:00:00Z",
			    "\"%.80s\" is not a time "
			    "(%s)",
			    bh_node_str(n), why);
	else
		*ret = BH_MAX(t, FIRST_SECOND);
	bh_path_back(&l->rd, mark);
}

/* ---- windows ---- */

static uint8_t days(struct bh_load *l, const struct bh_yaml_node *list)
{
	const struct bh_field *f = &bh_object_when.fields[BH_F_WHEN_DAYS];
	uint8_t ret = 0;

	for (uint32_t i = 0; i < list->n; i++) {
		size_t mark = bh_path_key(&l->rd, f->name);

		(void)bh_path_index(&l->rd, i);
		if (bh_read_item(&l->rd, list->items[i], f))
			for (unsigned d = 0; f->values[d]; d++)
				if (strcmp(f->values[d], list->items[i]->text) == 0)
					ret |= (uint8_t)(1U << d);
		bh_path_back(&l->rd, mark);
	}
	return ret;
}

static void minutes(struct bh_load *l, const struct bh_yaml_node *n, const char *key, uint16_t most,
		    uint16_t *ret)
{
	size_t mark;
	int m;

	if (!n)
		return;
	mark = bh_path_key(&l->rd, key);
	m = bh_day_minutes(bh_node_str(n));
	if (m < 0 || m > most)
		bh_complain(&l->rd, n, "e15",
			    most < 1440 ? "write it like \"08:00\", up to \"23:59\""
					: "write it like \"18:00\", up to \"24:00\"",
			    "\"%.80s\" in %s is not a time of day", bh_node_str(n),
			    bh_path(&l->rd, ""));
	else
		*ret = (uint16_t)m;
	bh_path_back(&l->rd, mark);
}

/* Files of the database are read once for many rules. */
static bool zone_known(struct bh_load *l, const char *name)
{
	if (strcmp(l->zone, name) == 0)
		return true;
	if (!bh_zone_known(name))
		return false;
	(void)snprintf(l->zone, sizeof(l->zone), "%s", name);
	return true;
}

static void zone(struct bh_load *l, const struct bh_yaml_node *n, struct bh_when *w)
{
	const char *name = n ? bh_node_str(n) : "UTC";
	size_t mark = bh_path_key(&l->rd, "timeZone");
	const char *why = bh_pattern_zone(name);

	if (n && (why || !zone_known(l, name)))
		bh_complain(&l->rd, n, "e15", why ? why : "names are those of the tz database",
			    "unknown time zone \"%.80s\" in %s", name, bh_path(&l->rd, ""));
	w->zone = bh_load_strdup(l, name);
	bh_path_back(&l->rd, mark);
}

void bh_load_when(struct bh_load *l, const struct bh_yaml_node *n, struct bh_when *w)
{
	struct bh_got got[BH_F_WHEN_COUNT];
	size_t mark = bh_path_key(&l->rd, "when"), errors = l->rd.d->n_errors;

	if (!bh_read_fields(&l->rd, n, &bh_object_when, l->in, got)) {
		bh_path_back(&l->rd, mark);
		return;
	}
	if (n->n == 0)
		bh_complain(&l->rd, n, "e18", "write days, from and to, or leave it out",
			    "%s says nothing", bh_path(&l->rd, ""));
	*w = (struct bh_when){ .days = 0x7f, .from = 0, .to = 1440 };
	if (got[BH_F_WHEN_DAYS].value)
		w->days = days(l, got[BH_F_WHEN_DAYS].value);
	minutes(l, got[BH_F_WHEN_FROM].value, "from", 1439, &w->from);
	minutes(l, got[BH_F_WHEN_TO].value, "to", 1440, &w->to);
	zone(l, got[BH_F_WHEN_ZONE].value, w);
	/* From 08:00 to 08:00: never, or always? */
	if (w->from == w->to && l->rd.d->n_errors == errors)
		bh_complain(&l->rd,
			    got[BH_F_WHEN_TO].value ? got[BH_F_WHEN_TO].value
						    : got[BH_F_WHEN_FROM].value,
			    "e15", "for whole days leave both out",
			    "%s opens and closes at the same time", bh_path(&l->rd, ""));
	bh_path_back(&l->rd, mark);
}

/* ---- modes ---- */

void bh_load_promote(struct bh_load *l, const struct bh_yaml_node *n, struct bh_policy *p)
{
	struct bh_got got[BH_F_PROMOTE_COUNT];
	const struct bh_got *monitor = &got[BH_F_PROMOTE_MONITOR];
	const struct bh_got *enforce = &got[BH_F_PROMOTE_ENFORCE];
	size_t mark = bh_path_key(&l->rd, "promote");

	if (!bh_read_fields(&l->rd, n, &bh_object_promote, l->in, got)) {
		bh_path_back(&l->rd, mark);
		return;
	}
	if (n->n == 0)
		bh_complain(&l->rd, n, "e18", "write monitorAfter or enforceAfter",
			    "%s says nothing", bh_path(&l->rd, ""));
	bh_load_time(l, monitor->value, "monitorAfter", &p->monitor_after);
	bh_load_time(l, enforce->value, "enforceAfter", &p->enforce_after);
	if (p->monitor_after && p->mode != BH_MODE_LEARN && p->mode != BH_MODE_INVALID)
		bh_complain(&l->rd, monitor->key, "e25", "write \"mode: learn\", or leave it out",
			    "monitorAfter with mode \"%s\": only \"learn\" can become \"monitor\"",
			    bh_mode_name(p->mode));
	if (p->enforce_after && p->mode == BH_MODE_ENFORCE)
		bh_complain(&l->rd, enforce->key, "e25",
			    "write \"mode: monitor\" or \"mode: learn\", or leave it out",
			    "enforceAfter with mode \"enforce\": it is enforced already");
	if (p->monitor_after && p->enforce_after && p->monitor_after >= p->enforce_after)
		bh_complain(&l->rd, enforce->value, "e25", "learn, then monitor, then enforce",
			    "enforceAfter is not after monitorAfter (%s)",
			    bh_node_str(monitor->value));
	bh_path_back(&l->rd, mark);
}
