/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * common/clock.h - time: milliseconds on the monotonic clock inside, wall clock only for output
 *
 * Thread-safety: no state.
 */
#ifndef BH_COMMON_CLOCK_H
#define BH_COMMON_CLOCK_H

#include <stdint.h>
#include <time.h>

typedef int64_t bh_msec_t;

static inline bh_msec_t bh_clock_now(void)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_MONOTONIC, &ts);
	return (bh_msec_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

/* Microseconds since the epoch, for records. */
static inline int64_t bh_clock_wall_us(void)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_REALTIME, &ts);
	return (int64_t)ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}

#define BH_TIME_STRLEN 32
/* RFC 3339 in UTC with microseconds: "2026-01-02T03:04:05.678901Z". @buf: BH_TIME_STRLEN bytes. */
const char *bh_clock_format(int64_t wall_us, char *buf);

#endif
