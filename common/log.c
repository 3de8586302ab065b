// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * common/log.c - the operator's log: one write(2) to stderr a line
 *
 * A message may quote what somebody else wrote, so control characters are replaced: a line stays a line.
 */
#include "common/log.h"

#include "common/clock.h"
#include "common/util.h"

#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "common/banned.h"

#define LINE_SIZE 2048

static const char *const level_names[] = {
	[BH_LOG_ERROR] = "error", [BH_LOG_WARNING] = "warning", [BH_LOG_NOTICE] = "notice",
	[BH_LOG_INFO] = "info",   [BH_LOG_DEBUG] = "debug",
};

static const char *log_ident = "bulkhead";
static bool log_journal;
static atomic_uint log_max = BH_LOG_NOTICE;
static pthread_mutex_t limit_lock = PTHREAD_MUTEX_INITIALIZER;

/* systemd names the device and inode of the stream it made; stderr may since lead elsewhere. */
static bool stderr_is_journal(void)
{
	const char *s = getenv("JOURNAL_STREAM");
	char here[64];
	struct stat st;

	if (!s || fstat(STDERR_FILENO, &st) < 0)
		return false;
	(void)snprintf(here, sizeof(here), "%ju:%ju", (uintmax_t)st.st_dev, (uintmax_t)st.st_ino);
	return strcmp(s, here) == 0;
}

void bh_log_init(const char *ident, enum bh_log_level max)
{
	int saved = errno;

	log_ident = ident;
	log_journal = stderr_is_journal();
	bh_log_set_level(max);
	errno = saved;
}

void bh_log_set_level(enum bh_log_level max)
{
	atomic_store_explicit(&log_max, max, memory_order_relaxed);
}

enum bh_log_level bh_log_level_get(void)
{
	return (enum bh_log_level)atomic_load_explicit(&log_max, memory_order_relaxed);
}

int bh_log_level_parse(const char *s, enum bh_log_level *ret)
{
	for (unsigned i = BH_LOG_ERROR; i < BH_ARRAY_SIZE(level_names); i++) {
		if (bh_streq(s, level_names[i])) {
			*ret = (enum bh_log_level)i;
			return 0;
		}
	}
	return -EINVAL;
}

static void log_line(enum bh_log_level level, uint64_t swallowed, const char *fmt, va_list ap)
    bh_printf(3, 0);
static void log_line(enum bh_log_level level, uint64_t swallowed, const char *fmt, va_list ap)
{
	char line[LINE_SIZE], note[64];
	size_t len, note_len = 0;
	int saved = errno, n;

	if (log_journal)
		n = snprintf(line, sizeof(line) / 2, "<%u>%s: ", (unsigned)level, log_ident);
	else
		n = snprintf(line, sizeof(line) / 2, "%s: %s: ", log_ident, level_names[level]);
	len = n < 0 ? 0 : BH_MIN((size_t)n, sizeof(line) / 2 - 1);

	if (swallowed > 0) {
		n = snprintf(note, sizeof(note), " (%ju more like this were not shown)",
			     (uintmax_t)swallowed);
		note_len = n < 0 ? 0 : BH_MIN((size_t)n, sizeof(note) - 1);
	}

	errno = saved; /* for %m */
	n = vsnprintf(line + len, sizeof(line) - len - note_len - 1, fmt, ap);
	if (n > 0)
		len += BH_MIN((size_t)n, sizeof(line) - len - note_len - 2);
	memcpy(line + len, note, note_len);
	len += note_len;

	for (size_t i = 0; i < len; i++) {
		unsigned char c = (unsigned char)line[i];

		if (c < 0x20 || c == 0x7f)
			line[i] = c == '\t' || c == '\n' ? ' ' : '?';
	}
	line[len++] = '\n';
	if (write(STDERR_FILENO, line, len) < 0) {
		/* There is nobody left to tell. */
	}
	errno = saved;
}

static bool shown(enum bh_log_level level)
{
	return level >= BH_LOG_ERROR && level <= BH_LOG_DEBUG && level <= bh_log_level_get();
}

void bh_log_msg(enum bh_log_level level, const char *fmt, ...)
{
	va_list ap;

	if (!shown(level))
		return;
	va_start(ap, fmt);
	log_line(level, 0, fmt, ap);
	va_end(ap);
}

/* Takes a token; false if there is none and the line is to be swallowed. */
static bool limit_pass(struct bh_log_limit *lim, uint64_t *ret_swallowed)
{
	int64_t now = bh_clock_now(), more;
	bool pass = false;

	(void)pthread_mutex_lock(&limit_lock);
	if (lim->last_ms == 0)
		lim->last_ms = now;
	if (lim->interval_ms > 0 && now > lim->last_ms) {
		more = (now - lim->last_ms) / lim->interval_ms;
		lim->last_ms += more * lim->interval_ms;
		if (more > (int64_t)(lim->burst - BH_MIN(lim->burst, lim->tokens)))
			lim->tokens = lim->burst;
		else
			lim->tokens += (unsigned)more;
	}
	if (lim->tokens > 0) {
		lim->tokens--;
		*ret_swallowed = lim->swallowed;
		lim->swallowed = 0;
		pass = true;
	} else {
		lim->swallowed++;
	}
	(void)pthread_mutex_unlock(&limit_lock);
	return pass;
}

void bh_log_limited(struct bh_log_limit *lim, enum bh_log_level level, const char *fmt, ...)
{
	uint64_t swallowed = 0;
	va_list ap;

	if (!shown(level) || !limit_pass(lim, &swallowed))
		return;
	va_start(ap, fmt);
	log_line(level, swallowed, fmt, ap);
	va_end(ap);
}
