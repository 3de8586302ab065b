/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * policy/when_weak.c - stands in for policy/when.c until that is there, and then goes
 */
#include "policy/pattern.h"
#include "policy/when.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

__attribute__((weak)) int bh_time_parse(const char *s, int64_t *ret)
{
	struct tm tm = { .tm_isdst = 0 };
	char buf[64];
	const char *end;

	if (bh_time_fault(s, buf, sizeof(buf)))
		return -EINVAL;
	end = strptime(s, "%Y-%m-%dT%H:%M:%S", &tm);
	if (!end)
		return -EINVAL;
	*ret = timegm(&tm);
	end += *end == '.' ? 1 + strspn(end + 1, "0123456789") : 0;
	if (*end == '+' || *end == '-') {
		int64_t by = ((end[1] - '0') * 10 + (end[2] - '0')) * 3600 +
			     ((end[4] - '0') * 10 + (end[5] - '0')) * 60;

		*ret -= *end == '+' ? by : -by;
	}
	return 0;
}

__attribute__((weak)) bool bh_zone_known(const char *zone)
{
	char path[128];

	(void)snprintf(path, sizeof(path), "/usr/share/zoneinfo/%s", zone);
	return access(path, R_OK) == 0;
}
