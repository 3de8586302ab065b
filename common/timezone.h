/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * common/timezone.h - what the clock on the wall reads, anywhere, at any time
 *
 * Reads the system's time zone database (TZif files, RFC 9636): the 64-bit table of what has been, and behind its end
 * the rule of the footer. Nothing here touches the process's own zone (no setenv, no tzset), and several zones can be
 * looked at at once. Also the calendar, for those who read and write times.
 *
 * Thread-safety: no state; a zone may be read by any thread.
 */
#ifndef BH_COMMON_TIMEZONE_H
#define BH_COMMON_TIMEZONE_H

#include "common/cleanup.h"
#include "common/limits.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define BH_ZONE_FOLDER "/usr/share/zoneinfo"

/* Day of a year at which a clock is changed. */
struct bh_zone_date {
	enum bh_zone_date_kind {
		BH_ZONE_MONTH = 1, /* M: the n-th of a weekday in a month */
		BH_ZONE_JULIAN,    /* J: 1 to 365, 29 February is not counted */
		BH_ZONE_DAY,       /* 0 to 365, 29 February is counted */
	} kind;
	unsigned month, week,
	    day;      /* week 5: the last; day: of the week (0: Sunday), or of the year */
	int32_t time; /* seconds of that day; may lie outside of it */
};

/* What holds after the last entry of the table. */
struct bh_zone_rule {
	bool given, dst;
	int32_t std_offset, dst_offset; /* seconds east of Greenwich */
	struct bh_zone_date begin, end; /* of the time that is not standard */
};

/* Lies where the caller wants it, a local mostly: nothing is allocated, so nothing can fail for lack of memory. */
struct bh_zone {
	uint8_t data[BH_ZONE_FILE_MAX];
	size_t times, indexes, types; /* offsets of the tables in it */
	size_t n_times, n_types;
	struct bh_zone_rule rule;
};

/* Words of letters, digits, "_", "-" and "+" with single slashes between them: no dot, so no way up. */
bool bh_zone_is_name(const char *s);

/**
 * bh_zone_load() - Read a zone of the database
 * @folder:	The database; NULL: the system's
 * @name:	"Europe/Vienna"; may come from anybody: it cannot lead out of the folder
 *
 * A few microseconds. Return: 0; -EINVAL (no name of a zone), -ENOENT and others of open(2)/read(2), -EPROTO (no
 * TZif file of version 2 or later, damaged, or one that counts leap seconds), -E2BIG
 */
int bh_zone_load(const char *folder, const char *name, struct bh_zone *ret) bh_must_check;
/* The same from memory; @data need not be trusted. */
int bh_zone_read(const void *data, size_t size, struct bh_zone *ret) bh_must_check;

/*
 * Seconds east of Greenwich at the UNIX time @t. @ret_until: up to which moment they certainly are (exclusive);
 * INT64_MAX: for ever; may be NULL.
 */
int32_t bh_zone_offset(const struct bh_zone *z, int64_t t, int64_t *ret_until);

/* Days since 1 January 1970 of a day of the (proleptic) Gregorian calendar; months and days from 1. */
int64_t bh_days_of_date(int64_t year, unsigned month, unsigned day);
void bh_date_of_days(int64_t days, int64_t *ret_year, unsigned *ret_month, unsigned *ret_day);
unsigned bh_days_of_month(int64_t year, unsigned month);
/* 0: Monday ... 6: Sunday. */
unsigned bh_weekday_of_days(int64_t days);

#endif
