/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * policy/model/when.c - what holds at a moment
 *
 * A window is open while the clock on the wall reads inside of it. So where clocks are put forward over its beginning
 * it opens late, where over all of it it stays shut that day, and where they are put back into it it opens twice.
 *
 * Source: RFC 3339 (times as text).
 */
#include "policy/when.h"

#include "common/timezone.h"
#include "common/util.h"

#include <stdio.h>
#include <string.h>

#include "common/banned.h"

#define DAY    INT64_C(86400)
#define MINUTE INT64_C(60)
#define HOUR   INT64_C(3600)
/* Beyond, moments count as this one: nothing overflows. */
#define TIME_MAX (INT64_C(1) << 54)
/* A window that does not change within this time never does: the rarest changes come once a week, and clocks are
 * changed a few times a year. */
#define NEVER_AFTER (400 * DAY)

/* ---- times as text ---- */

#define NO_MOMENT "there is no such moment"

/* The digits stand where they must: d for one, the rest as it is. */
static bool like(const char *s, const char *form)
{
	for (; *form; form++, s++)
		if (*form == 'd' ? *s < '0' || *s > '9' : *s != *form)
			return false;
	return true;
}

static unsigned two(const char *s)
{
	return (unsigned)(s[0] - '0') * 10 + (unsigned)(s[1] - '0');
}

/* These move *s on and return what is wrong, in @buf or a constant; NULL: nothing, and *ret is what they read. */

static const char *date(const char **s, int64_t *ret_days, char *buf, size_t size)
{
	unsigned year, month, day;

	if (!like(*s, "dddd-dd-dd"))
		return "the date must be written as 2031-03-01";
	year = two(*s) * 100 + two(*s + 2);
	month = two(*s + 5);
	day = two(*s + 8);
	if (month < 1 || month > 12) {
		(void)snprintf(buf, size, "month %u", month);
		return buf;
	}
	if (day < 1 || day > bh_days_of_month(year, month)) {
		(void)snprintf(buf, size, "day %u: the month has %u", day,
			       bh_days_of_month(year, month));
		return buf;
	}
	if (year == 0)
		return NO_MOMENT;
	*s += strlen("dddd-dd-dd");
	*ret_days = bh_days_of_date(year, month, day);
	return NULL;
}

/* With a fraction, which is dropped. @ret: seconds of the day; a leap second is the one before it */
static const char *clock_time(const char **s, int64_t *ret, bool *ret_leap, char *buf, size_t size)
{
	unsigned h, m, sec;

	if (**s != 'T' && **s != 't')
		return **s ? "there must be a \"T\" between date and time" : "the time is missing";
	(*s)++;
	if (!like(*s, "dd:dd:dd"))
		return "hour, minute and second must be written as 18:00:00";
	h = two(*s);
	m = two(*s + 3);
	sec = two(*s + 6);
	if (h > 23)
		(void)snprintf(buf, size, "hour %u", h);
	else if (m > 59)
		(void)snprintf(buf, size, "minute %u", m);
	else if (sec > 60)
		(void)snprintf(buf, size, "second %u", sec);
	else
		buf[0] = '\0';
	if (*buf)
		return buf;
	*s += strlen("dd:dd:dd");
	if (**s == '.') {
		size_t n = strspn(*s + 1, "0123456789");

		if (n == 0)
			return "no digits behind the point";
		*s += n + 1;
	}
	/* UNIX time does not count them. */
	*ret_leap = sec == 60;
	*ret = h * HOUR + m * MINUTE + sec - *ret_leap;
	return NULL;
}

/* "Z", "+01:00", and the end. @ret: seconds east */
static const char *offset(const char *s, int64_t *ret, char *buf, size_t size)
{
	*ret = 0;
	if (*s == '\0')
		return "no offset at the end: write Z for UTC";
	if ((*s == 'Z' || *s == 'z') && s[1] == '\0')
		return NULL;
	if ((*s != '+' && *s != '-') || !like(s + 1, "dd:dd") || s[6] != '\0')
		return "what stands at the end must be Z, or an offset like +01:00";
	if (two(s + 1) > 23 || two(s + 4) > 59) {
		(void)snprintf(buf, size, "offset %s", s);
		return buf;
	}
	*ret = two(s + 1) * HOUR + two(s + 4) * MINUTE;
	if (*s == '-')
		*ret = -*ret;
	return NULL;
}

const char *bh_time_read(const char *s, int64_t *ret, char *buf, size_t size)
{
	int64_t days, seconds, east, t;
	const char *why = date(&s, &days, buf, size);
	bool leap;

	if (!why)
		why = clock_time(&s, &seconds, &leap, buf, size);
	if (!why)
		why = offset(s, &east, buf, size);
	if (why)
		return why;
	t = days * DAY + seconds - east;
	/* Leap seconds stand at the end of a day of UTC. */
	if (leap && (t % DAY + DAY) % DAY != DAY - 1)
		return NO_MOMENT;
	*ret = t;
	return NULL;
}

int bh_time_parse(const char *s, int64_t *ret)
{
	char buf[BH_TIME_WHY];

	return s && !bh_time_read(s, ret, buf, sizeof(buf)) ? 0 : -EINVAL;
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
