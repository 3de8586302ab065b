/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * tests/lib/oom.c - memory that runs out where a test wants it
 */
#include "tests/lib/oom.h"

#include "common/cleanup.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

void *__real_malloc(size_t size);
void *__real_calloc(size_t n, size_t size);
void *__real_realloc(void *p, size_t size);
void __real_free(void *p);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_realloc(void *p, size_t size);
void *__wrap_reallocarray(void *p, size_t n, size_t size);
char *__wrap_strdup(const char *s);
char *__wrap_strndup(const char *s, size_t n);
void __wrap_free(void *p);
int __wrap_vasprintf(char **ret, const char *fmt, va_list ap) bh_printf(2, 0);
int __wrap___vasprintf_chk(char **ret, int flag, const char *fmt, va_list ap) bh_printf(3, 0);
int __wrap_asprintf(char **ret, const char *fmt, ...) bh_printf(2, 3);
int __wrap___asprintf_chk(char **ret, int flag, const char *fmt, ...) bh_printf(3, 4);

static long countdown; /* 0: none fails; else the one that brings it to 0 */
static bool for_good;  /* and all after it */
static bool failed;
static long live; /* blocks that were not freed */

static bool fails(void)
{
	if (failed && for_good)
		return true;
	if (countdown == 0 || --countdown > 0)
		return false;
	failed = true;
	return true;
}

static void *counted(void *p)
{
	live += p != NULL;
	return p;
}

void *__wrap_malloc(size_t size)
{
	return fails() ? NULL : counted(__real_malloc(size));
}

void *__wrap_calloc(size_t n, size_t size)
{
	return fails() ? NULL : counted(__real_calloc(n, size));
}

void *__wrap_realloc(void *p, size_t size)
{
	void *q = fails() ? NULL : __real_realloc(p, size);

	live += q && !p;
	return q;
}

void *__wrap_reallocarray(void *p, size_t n, size_t size)
{
	return __wrap_realloc(p, n * size);
}

char *__wrap_strndup(const char *s, size_t n)
{
	size_t len = strnlen(s, n);
	char *copy = __wrap_malloc(len + 1);

	if (copy) {
		memcpy(copy, s, len);
		copy[len] = '\0';
	}
	return copy;
}

char *__wrap_strdup(const char *s)
{
	return __wrap_strndup(s, strlen(s));
}

void __wrap_free(void *p)
{
	live -= p != NULL;
	__real_free(p);
}

int __wrap_vasprintf(char **ret, const char *fmt, va_list ap)
{
	char buf[4096];
	int n = vsnprintf(buf, sizeof(buf), fmt, ap);

	assert_in_range(n, 0, sizeof(buf) - 1);
	*ret = __wrap_strdup(buf);
	return *ret ? n : -1;
}

int __wrap___vasprintf_chk(char **ret, int flag, const char *fmt, va_list ap)
{
	(void)flag;
	return __wrap_vasprintf(ret, fmt, ap);
}

int __wrap_asprintf(char **ret, const char *fmt, ...)
{
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = __wrap_vasprintf(ret, fmt, ap);
	va_end(ap);
	return n;
}

int __wrap___asprintf_chk(char **ret, int flag, const char *fmt, ...)
{
	va_list ap;
	int n;

	(void)flag;
	va_start(ap, fmt);
	n = __wrap_vasprintf(ret, fmt, ap);
	va_end(ap);
	return n;
}

void oom_fail_at(long n)
{
	for_good = false;
	countdown = n;
	if (n > 0)
		failed = false;
}

bool oom_failed(void)
{
	return failed;
}

void oom_everywhere(int (*what)(void *arg), void *arg, int want, long least)
{
	long n = 1;
	int r;

	for (unsigned pass = 0; pass < 2; pass++) {
		for_good = pass == 1;
		for (n = 1;; n++) {
			long before = live;

			failed = false;
			countdown = n;
			r = what(arg);
			countdown = 0;
			if (!failed)
				break;
			failed = false;
			if (r != -ENOMEM || live != before)
				fail_msg("allocation %ld%s: %d, %ld blocks left over", n,
					 for_good ? " and all after it" : "", r, live - before);
		}
		assert_int_equal(r, want);
	}
	assert_true(n > least);
	print_message("# %ld allocations\n", n - 1);
}
