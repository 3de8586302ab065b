/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * common/log.h - the operator's log: stderr, one line each
 *
 * Libraries (common, policy, dataplane/classifier) return errors and do not log; who decides, logs.
 * Levels: error = what was asked could not be done; warning = it was, and something is wrong (the line
 * ends in what is done instead); notice = a change of state; info; debug. When stderr is a journal
 * stream ($JOURNAL_STREAM) each line begins with the syslog priority, "<4>". Addresses and payload of
 * users' traffic belong to the violation log and never here above debug.
 *
 * All functions keep errno. What traffic can trigger is logged through bh_log_limited().
 *
 * Thread-safety: any thread; one write(2) a line.
 */
#ifndef BH_COMMON_LOG_H
#define BH_COMMON_LOG_H

#include "common/cleanup.h"
#include "common/err.h"

#include <stdint.h>

enum bh_log_level {
	BH_LOG_ERROR = 3,
	BH_LOG_WARNING = 4,
	BH_LOG_NOTICE = 5,
	BH_LOG_INFO = 6,
	BH_LOG_DEBUG = 7,
};

/* @ident: program name shown on every line; borrowed for the life of the process. */
void bh_log_init(const char *ident, enum bh_log_level max);
void bh_log_set_level(enum bh_log_level max);
enum bh_log_level bh_log_level_get(void);
/* "error", "warning", "notice", "info", "debug"; -EINVAL if unknown. */
int bh_log_level_parse(const char *s, enum bh_log_level *ret) bh_must_check;

void bh_log_msg(enum bh_log_level level, const char *fmt, ...) bh_printf(2, 3);

#define bh_error(...)   bh_log_msg(BH_LOG_ERROR, __VA_ARGS__)
#define bh_warning(...) bh_log_msg(BH_LOG_WARNING, __VA_ARGS__)
#define bh_notice(...)  bh_log_msg(BH_LOG_NOTICE, __VA_ARGS__)
#define bh_info(...)    bh_log_msg(BH_LOG_INFO, __VA_ARGS__)
#define bh_debug(...)   bh_log_msg(BH_LOG_DEBUG, __VA_ARGS__)

/* Token bucket of one call site: @burst lines at once, one more every @interval_ms. */
struct bh_log_limit {
	int64_t interval_ms;
	unsigned burst;
	unsigned tokens;
	int64_t last_ms;
	uint64_t swallowed; /* since the last line that came through; reported by that line */
};
#define BH_LOG_LIMIT_INIT                                    \
	{                                                    \
		.interval_ms = 1000, .burst = 5, .tokens = 5 \
	}
void bh_log_limited(struct bh_log_limit *lim, enum bh_log_level level, const char *fmt, ...)
    bh_printf(3, 4);

#endif
