/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * policy/model/when.c - what holds at a moment
 *
 * A window is open while the clock on the wall reads inside of it. So where clocks are put forward over its beginning
 * it opens late, where over all of it it stays shut that day, and where they are put back into it it opens twice.
 */
#include "policy/when.h"

#include "common/timezone.h"
#include "common/util.h"

#include <stdio.h>
#include <string.h>

#include "common/banned.h"

#define DAY    INT64_C(86400)
#define MINUTE INT64_C(60)
/* Beyond, moments count as this one: nothing overflows. */
#define TIME_MAX (INT64_C(1) << 54)
/* A window that does not change within this time never does: the rarest changes come once a week, and clocks are
 * changed a few times a year. */
#define NEVER_AFTER (400 * DAY)

/* ---- times as text ---- */

static bool digits(const char **s, unsigned n, unsigned *ret)
{
	*ret = 0;
	for (; n > 0; n--, (*s)++) {
		if (**s < '0' || **s > '9')
			return false;
		*ret = *ret * 10 + (unsigned)(**s - '0');
	}
	return true;
}

static bool one_of(const char **s, char a, char b)
{
	if (**s != a && **s != b)
		return false;
	(*s)++;
	return true;
}

/* "Z", "+01:00"; seconds east */
static bool offset(const char **s, int64_t *ret)
{
	unsigned h, m;
	bool west = **s == '-';

	*ret = 0;
	if (one_of(s, 'Z', 'z'))
		return true;
	if (!one_of(s, '+', '-') || !digits(s, 2, &h) || !one_of(s, ':', ':') ||
	    !digits(s, 2, &m) || h > 23 || m > 59)
		return false;
	*ret = (int64_t)h * 3600 + m * MINUTE;
	if (west)
		*ret = -*ret;
	return true;
}

int bh_time_parse(const char *s, int64_t *ret)
{
	unsigned year, month, day, h, m, sec;
	int64_t t, east;
	bool leap;

	if (!s || !digits(&s, 4, &year) || !one_of(&s, '-', '-') || !digits(&s, 2, &month) ||
	    !one_of(&s, '-', '-') || !digits(&s, 2, &day) || !one_of(&s, 'T', 't') ||
	    !digits(&s, 2, &h) || !one_of(&s, ':', ':') || !digits(&s, 2, &m) ||
	    !one_of(&s, ':', ':') || !digits(&s, 2, &sec))
		return -EINVAL;
	if (one_of(&s, '.', '.')) {
		if (*s < '0' || *s > '9')
			return -EINVAL;
		s += strspn(s, "0123456789");
	}
	if (!offset(&s, &east) || *s != '\0')
		return -EINVAL;
	if (year == 0 || day == 0 || day > bh_days_of_month(year, month) || h > 23 || m > 59 ||
	    sec > 60)
		return -EINVAL;
	/* Leap seconds stand at the end of a day of UTC; UNIX time does not count them. */
	leap = sec == 60;
	sec -= leap;
	t = bh_days_of_date(year, month, day) * DAY + (int64_t)h * 3600 + m * MINUTE + sec - east;
	if (leap && (t % DAY + DAY) % DAY != DAY - 1)
		return -EINVAL;
	*ret = t;
	return 0;
}

static int64_t floor_div(int64_t a, int64_t b)
{
	return a / b - (a % b < 0);
}

const char *bh_time_format(int64_t t, char *buf)
{
	int64_t days = floor_div(t, DAY), s = t - days * DAY, year;
	unsigned month, day;

	bh_date_of_days(days, &year, &month, &day);
	(void)snprintf(buf, 32, "%04lld-%02u-%02uT%02u:%02u:%02uZ", (long long)year, month, day,
		       (unsigned)(s / 3600), (unsigned)(s / MINUTE % 60), (unsigned)(s % MINUTE));
	return buf;
}

/* ---- windows ---- */

bool bh_zone_known(const char *zone)
{
	struct bh_zone z;

	return zone && bh_zone_load(NULL, zone, &z) == 0;
}

/* A moment on the clock on the wall. */
static bool open_at_local(const struct bh_when *w, int64_t local)
{
	int64_t day = floor_div(local, DAY), minute = (local - day * DAY) / MINUTE;
	bool today = w->days >> bh_weekday_of_days(day) & 1;
	bool yesterday = w->days >> bh_weekday_of_days(day - 1) & 1;

	if (w->from <= w->to)
		return today && w->from <= minute && minute < w->to;
	return (today && w->from <= minute) || (yesterday && minute < w->to);
}

static int64_t bounded(int64_t t)
{
	return BH_MAX(BH_MIN(t, TIME_MAX), -TIME_MAX);
}

bool bh_when_open(const struct bh_when *w, int64_t now)
{
	struct bh_zone z;

	if (!w->zone)
		return true;
	if (bh_zone_load(NULL, w->zone, &z) < 0)
		return false;
	now = bounded(now);
	return open_at_local(w, now + bh_zone_offset(&z, now, NULL));
}

/* The next time after @local at which the clock reads @minute, midnight for 1440. */
static int64_t next_minute(int64_t local, unsigned minute)
{
	int64_t at = floor_div(local, DAY) * DAY + minute % (DAY / MINUTE) * MINUTE;

	return at > local ? at : at + DAY;
}

int64_t bh_when_next(const struct bh_when *w, int64_t now)
{
	int64_t t = bounded(now), end = t + NEVER_AFTER, until;
	struct bh_zone z;
	int32_t east;
	bool open;

	if (!w->zone || bh_zone_load(NULL, w->zone, &z) < 0)
		return INT64_MAX;
	east = bh_zone_offset(&z, t, &until);
	open = open_at_local(w, t + east);
	/* From one moment at which it could change to the next. */
	while (t < end) {
		if (t >= until)
			east = bh_zone_offset(&z, t, &until);
		if (open_at_local(w, t + east) != open)
			return t;
		t = BH_MIN(BH_MIN(next_minute(t + east, w->from), next_minute(t + east, w->to)) -
			       east,
			   until);
	}
	return INT64_MAX;
}

/* ---- policies ---- */

static bool is_past(int64_t moment, int64_t now)
{
	return moment != 0 && now >= moment;
}

enum bh_mode bh_policy_mode_at(const struct bh_policy *p, int64_t now)
{
	if (is_past(p->expires, now))
		return BH_MODE_INVALID;
	if (is_past(p->enforce_after, now))
		return BH_MODE_ENFORCE;
	return is_past(p->monitor_after, now) ? BH_MODE_MONITOR : p->mode;
}

bool bh_rule_holds_at(const struct bh_rule *r, int64_t now)
{
	if (is_past(r->expires, now))
		return false;
	if (bh_when_open(&r->when, now))
		return true;
	/* What time it is there cannot be told: then what refuses holds, and nothing else does. */
	return (r->action == BH_ACTION_DENY || r->action == BH_ACTION_REJECT) &&
	       !bh_zone_known(r->when.zone);
}

static void sooner(int64_t *best, int64_t moment, int64_t now)
{
	if (moment != 0 && moment > now && moment < *best)
		*best = moment;
}

int64_t bh_policy_next(const struct bh_policy *p, int64_t now)
{
	int64_t best = INT64_MAX;

	if (is_past(p->expires, now))
		return best;
	sooner(&best, p->expires, now);
	sooner(&best, p->monitor_after, now);
	sooner(&best, p->enforce_after, now);
	for (enum bh_dir d = BH_DIR_INGRESS; d < BH_DIR_COUNT; d++) {
		for (size_t i = 0; i < p->n_rules[d]; i++) {
			const struct bh_rule *r = &p->rules[d][i];

			if (is_past(r->expires, now))
				continue;
			sooner(&best, r->expires, now);
			if (r->when.zone)
				sooner(&best, bh_when_next(&r->when, now), now);
		}
	}
	return best;
}
