// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * common/clock.c - a moment as text
 */
#include "common/clock.h"

#include <stdio.h>

#include "common/banned.h"

const char *bh_clock_format(int64_t wall_us, char *buf)
{
	int64_t s = wall_us / 1000000, us = wall_us % 1000000;
	struct tm tm;
	time_t t;
	int n;

	if (us < 0) {
		us += 1000000;
		s--;
	}
	t = (time_t)s;
	if (!gmtime_r(&t, &tm)) {
		buf[0] = '\0';
		return buf;
	}
	n = snprintf(buf, BH_TIME_STRLEN, "%04lld-%02d-%02dT%02d:%02d:%02d.%06lldZ",
		     (long long)tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday, tm.tm_hour, tm.tm_min,
		     tm.tm_sec, (long long)us);
	if (n < 0 || n >= BH_TIME_STRLEN)
		buf[0] = '\0';
	return buf;
}
