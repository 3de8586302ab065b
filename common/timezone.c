/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * common/timezone.c - TZif files, the rule in their footer, and the calendar
 *
 * A file has a header and tables with 32-bit times, which are skipped; then a header and tables with 64-bit times;
 * then, between two line feeds, a rule in the notation of POSIX's TZ variable for what comes after the tables.
 */
#include "common/timezone.h"

#include "common/util.h"

#include <ctype.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "common/banned.h"

#define DAY INT64_C(86400)
/* Times beyond are not looked up in rules, so that nothing overflows: a thousand million years. */
#define TIME_MAX (INT64_C(1) << 55)
/* RFC 9636, 3.2: more than -25 and less than 26 hours. */
#define OFFSET_MIN (-25 * 3600 + 1)
#define OFFSET_MAX (26 * 3600 - 1)

#define HEADER   44
#define TYPE_LEN 6

/* ---- calendar ---- */

/* Years are counted from 1 March, so that the leap day is the last; 400 of them have 146,097 days. */
#define ERA_DAYS  146097
#define DAYS_1970 719468 /* from 1 March of year 0 to 1 January 1970 */

static int64_t floor_div(int64_t a, int64_t b)
{
	return a / b - (a % b < 0);
}

int64_t bh_days_of_date(int64_t year, unsigned month, unsigned day)
{
	int64_t y = month <= 2 ? year - 1 : year, era = floor_div(y, 400), of_era = y - era * 400;
	int64_t of_year = (153 * (int64_t)(month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1;

	return era * ERA_DAYS + of_era * 365 + of_era / 4 - of_era / 100 + of_year - DAYS_1970;
}

void bh_date_of_days(int64_t days, int64_t *ret_year, unsigned *ret_month, unsigned *ret_day)
{
	int64_t d = days + DAYS_1970, era = floor_div(d, ERA_DAYS), of_era = d - era * ERA_DAYS;
	int64_t y = (of_era - of_era / 1460 + of_era / 36524 - of_era / (ERA_DAYS - 1)) / 365;
	int64_t of_year = of_era - (365 * y + y / 4 - y / 100), m = (5 * of_year + 2) / 153;

	*ret_day = (unsigned)(of_year - (153 * m + 2) / 5 + 1);
	*ret_month = (unsigned)(m < 10 ? m + 3 : m - 9);
	*ret_year = era * 400 + y + (*ret_month <= 2);
}

static bool is_leap(int64_t year)
{
	return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
}

unsigned bh_days_of_month(int64_t year, unsigned month)
{
	static const uint8_t days[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };

	if (month < 1 || month > 12)
		return 0;
	return month == 2 && is_leap(year) ? 29 : days[month - 1];
}

unsigned bh_weekday_of_days(int64_t days)
{
	/* 1 January 1970 was a Thursday. */
	return (unsigned)(((days + 3) % 7 + 7) % 7);
}

/* ---- the rule ---- */

/* All of these move *s on; false: not what was expected, and *s is of no use. */

static bool number(const char **s, unsigned max, unsigned *ret)
{
	unsigned v = 0;

	if (!isdigit((unsigned char)**s))
		return false;
	for (; isdigit((unsigned char)**s); (*s)++) {
		v = v * 10 + (unsigned)(**s - '0');
		if (v > max)
			return false;
	}
	*ret = v;
	return true;
}

/* hh[:mm[:ss]], with a sign or without */
static bool duration(const char **s, unsigned max_hours, int32_t *ret)
{
	unsigned h, m = 0, sec = 0;
	bool minus = **s == '-';

	if (**s == '-' || **s == '+')
		(*s)++;
	if (!number(s, max_hours, &h))
		return false;
	if (**s == ':') {
		(*s)++;
		if (!number(s, 59, &m))
			return false;
		if (**s == ':') {
			(*s)++;
			if (!number(s, 59, &sec))
				return false;
		}
	}
	*ret = (int32_t)(h * 3600 + m * 60 + sec);
	if (minus)
		*ret = -*ret;
	return true;
}

/* "CET", "<+0545>" */
static bool designation(const char **s)
{
	const char *p = *s;

	if (*p == '<') {
		for (p++; isalnum((unsigned char)*p) || *p == '+' || *p == '-'; p++)
			;
		if (*p != '>')
			return false;
		*s = p + 1;
		return true;
	}
	for (; isalpha((unsigned char)*p); p++)
		;
	if (p - *s < 3)
		return false;
	*s = p;
	return true;
}

/* Mm.w.d, Jn or n, and the time, 02:00 where none is written */
static bool date(const char **s, struct bh_zone_date *ret)
{
	*ret = (struct bh_zone_date){ .kind = BH_ZONE_DAY, .time = 2 * 3600 };
	if (**s == 'M') {
		ret->kind = BH_ZONE_MONTH;
		(*s)++;
		if (!number(s, 12, &ret->month) || *(*s)++ != '.' || !number(s, 5, &ret->week) ||
		    *(*s)++ != '.' || !number(s, 6, &ret->day))
			return false;
		if (ret->month == 0 || ret->week == 0)
			return false;
	} else if (**s == 'J') {
		ret->kind = BH_ZONE_JULIAN;
		(*s)++;
		if (!number(s, 365, &ret->day) || ret->day == 0)
			return false;
	} else if (!number(s, 365, &ret->day)) {
		return false;
	}
	if (**s != '/')
		return true;
	(*s)++;
	return duration(s, 167, &ret->time);
}

static bool rule(const char *s, struct bh_zone_rule *ret)
{
	int32_t west;

	*ret = (struct bh_zone_rule){ .given = *s != '\0' };
	if (!ret->given)
		return true;
	/* POSIX counts to the west. */
	if (!designation(&s) || !duration(&s, 24, &west))
		return false;
	ret->std_offset = -west;
	if (*s == '\0')
		return true;
	ret->dst = true;
	ret->dst_offset = ret->std_offset + 3600;
	if (!designation(&s))
		return false;
	if (*s != ',') {
		if (!duration(&s, 24, &west))
			return false;
		ret->dst_offset = -west;
	}
	return *s++ == ',' && date(&s, &ret->begin) && *s++ == ',' && date(&s, &ret->end) &&
	       *s == '\0';
}

/* Seconds since 1970 on a clock that reads local time. */
static int64_t date_in_year(const struct bh_zone_date *d, int64_t year)
{
	int64_t first = bh_days_of_date(year, 1, 1), day = first + d->day;
	unsigned weekday, mday;

	if (d->kind == BH_ZONE_JULIAN) {
		day -= !(is_leap(year) && d->day >= 60);
	} else if (d->kind == BH_ZONE_MONTH) {
		first = bh_days_of_date(year, d->month, 1);
		weekday = (bh_weekday_of_days(first) + 1) % 7;
		mday = (d->day + 7 - weekday) % 7 + 7 * (d->week - 1);
		while (mday >= bh_days_of_month(year, d->month))
			mday -= 7;
		day = first + mday;
	}
	return day * DAY + d->time;
}

static int32_t rule_offset(const struct bh_zone_rule *r, int64_t t, int64_t *ret_until)
{
	int64_t year, last = INT64_MIN;
	unsigned month, day;
	bool in_dst = false;

	*ret_until = INT64_MAX;
	if (!r->dst || t > TIME_MAX || t < -TIME_MAX)
		return r->std_offset;
	bh_date_of_days(floor_div(t, DAY), &year, &month, &day);
	/* The last change that was, the first that will be. A time may lie a week outside of its day. */
	for (int64_t y = year - 2; y <= year + 2; y++) {
		int64_t end = date_in_year(&r->end, y) - r->dst_offset;
		int64_t begin = date_in_year(&r->begin, y) - r->std_offset;

		if (end <= t && end >= last) {
			in_dst = false;
			last = end;
		}
		/* Where a year's end is the next year's beginning it never ends. */
		if (begin <= t && begin >= last) {
			in_dst = true;
			last = begin;
		}
		if (end > t)
			*ret_until = BH_MIN(*ret_until, end);
		if (begin > t)
			*ret_until = BH_MIN(*ret_until, begin);
	}
	return in_dst ? r->dst_offset : r->std_offset;
}

/* ---- the file ---- */

struct counts {
	uint32_t isut, isstd, leap, time, type, chars;
};

static uint32_t be32(const uint8_t *p)
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static int64_t be64(const uint8_t *p)
{
	return (int64_t)((uint64_t)be32(p) << 32 | be32(p + 4));
}

/* The header at @at; its tables must fit. @ret_end: behind them. */
static int header(const struct bh_zone *z, size_t size, size_t at, size_t time_len,
		  struct counts *ret, size_t *ret_end)
{
	const uint8_t *p = z->data + at;
	uint64_t len;

	if (size < at || size - at < HEADER || memcmp(p, "TZif", 4) != 0 || p[4] < '2')
		return -EPROTO;
	*ret = (struct counts){ be32(p + 20), be32(p + 24), be32(p + 28),
				be32(p + 32), be32(p + 36), be32(p + 40) };
	/* Less than 2^36 each. */
	len = ret->time * ((uint64_t)time_len + 1) + ret->type * (uint64_t)TYPE_LEN + ret->chars +
	      ret->leap * ((uint64_t)time_len + 4) + ret->isstd + ret->isut;
	if (len > size - at - HEADER)
		return -EPROTO;
	*ret_end = at + HEADER + (size_t)len;
	return 0;
}

static int32_t type_offset(const struct bh_zone *z, size_t type)
{
	return (int32_t)be32(z->data + z->types + type * TYPE_LEN);
}

static int64_t time_at(const struct bh_zone *z, size_t i)
{
	return be64(z->data + z->times + i * 8);
}

static int tables_check(const struct bh_zone *z)
{
	for (size_t i = 0; i < z->n_times; i++) {
		if (z->data[z->indexes + i] >= z->n_types ||
		    (i > 0 && time_at(z, i) <= time_at(z, i - 1)))
			return -EPROTO;
	}
	for (size_t i = 0; i < z->n_types; i++) {
		int32_t o = type_offset(z, i);

		if (o < OFFSET_MIN || o > OFFSET_MAX)
			return -EPROTO;
	}
	return 0;
}

static int footer(struct bh_zone *z, size_t size, size_t at)
{
	const uint8_t *end;
	char text[128];
	size_t n;

	if (size <= at || z->data[at] != '\n')
		return -EPROTO;
	at++;
	end = memchr(z->data + at, '\n', size - at);
	if (!end)
		return -EPROTO;
	n = (size_t)(end - (z->data + at));
	if (n >= sizeof(text) || memchr(z->data + at, '\0', n))
		return -EPROTO;
	memcpy(text, z->data + at, n);
	text[n] = '\0';
	return rule(text, &z->rule) ? 0 : -EPROTO;
}

static int zone_parse(struct bh_zone *z, size_t size)
{
	struct counts c;
	size_t at, end;
	int r;

	r = header(z, size, 0, 4, &c, &at);
	if (r < 0)
		return r;
	r = header(z, size, at, 8, &c, &end);
	if (r < 0)
		return r;
	/* With leap seconds in the table its times are not UNIX times. */
	if (c.type == 0 || c.type > 256 || c.leap > 0)
		return -EPROTO;
	z->n_times = c.time;
	z->n_types = c.type;
	z->times = at + HEADER;
	z->indexes = z->times + z->n_times * 8;
	z->types = z->indexes + z->n_times;
	r = tables_check(z);
	return r < 0 ? r : footer(z, size, end);
}

int bh_zone_read(const void *data, size_t size, struct bh_zone *ret)
{
	if (size > sizeof(ret->data))
		return -E2BIG;
	memcpy(ret->data, data, size);
	return zone_parse(ret, size);
}

bool bh_zone_is_name(const char *s)
{
	size_t n = strnlen(s, BH_ZONE_NAME_MAX + 1);

	if (n == 0 || n > BH_ZONE_NAME_MAX || s[0] == '/' || s[n - 1] == '/')
		return false;
	for (size_t i = 0; i < n; i++) {
		bool word = (s[i] >= 'a' && s[i] <= 'z') || (s[i] >= 'A' && s[i] <= 'Z') ||
			    (s[i] >= '0' && s[i] <= '9') || strchr("_-+", s[i]);

		if (!word && (s[i] != '/' || s[i + 1] == '/'))
			return false;
	}
	return true;
}

int bh_zone_load(const char *folder, const char *name, struct bh_zone *ret)
{
	bh_autoclose int fd = -1;
	char path[PATH_MAX];
	struct stat st;
	size_t len = 0;
	int n;

	if (!bh_zone_is_name(name))
		return -EINVAL;
	n = snprintf(path, sizeof(path), "%s/%s", folder ? folder : BH_ZONE_FOLDER, name);
	if (n < 0 || (size_t)n >= sizeof(path))
		return -ENAMETOOLONG;
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (fd < 0)
		return -errno;
	if (fstat(fd, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode))
		return -EINVAL;
	if (st.st_size > (off_t)sizeof(ret->data))
		return -E2BIG;
	while (len < sizeof(ret->data)) {
		ssize_t got = read(fd, ret->data + len, sizeof(ret->data) - len);

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return -errno;
		if (got == 0)
			break;
		len += (size_t)got;
	}
	return zone_parse(ret, len);
}

int32_t bh_zone_offset(const struct bh_zone *z, int64_t t, int64_t *ret_until)
{
	size_t lo = 0, hi = z->n_times;
	int64_t until = INT64_MAX;
	int32_t offset;

	/* lo: how many changes have been. */
	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (time_at(z, mid) <= t)
			lo = mid + 1;
		else
			hi = mid;
	}
	if (lo == z->n_times && z->rule.given) {
		offset = rule_offset(&z->rule, t, &until);
	} else {
		if (lo < z->n_times)
			until = time_at(z, lo);
		offset = type_offset(z, lo == 0 ? 0 : z->data[z->indexes + lo - 1]);
	}
	if (ret_until)
		*ret_until = until;
	return offset;
}
