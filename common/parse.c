// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * common/parse.c - strict text to number or MAC, and the nearest word
 */
#include "common/parse.h"

#include "common/util.h"

#include <stdbool.h>
#include <string.h>

#include "common/banned.h"

/* Words and candidates longer than this have no nearest: the table below stays on the stack. */
#define WORD_MAX 64

/* Leading digits of @s; *ret_end is the first byte that is none. */
static int digits(const char *s, uint64_t max, uint64_t *ret, const char **ret_end)
{
	bool over = false;
	uint64_t v = 0;
	const char *p;

	for (p = s; *p >= '0' && *p <= '9'; p++) {
		if (__builtin_mul_overflow(v, UINT64_C(10), &v) ||
		    __builtin_add_overflow(v, (uint64_t)(*p - '0'), &v))
			over = true;
	}
	if (p == s)
		return -EINVAL;
	*ret_end = p;
	if (over || v > max)
		return -ERANGE;
	*ret = v;
	return 0;
}

int bh_parse_u64(const char *s, uint64_t max, uint64_t *ret)
{
	const char *end = s;
	uint64_t v = 0;
	int r;

	if (!s)
		return -EINVAL;
	r = digits(s, max, &v, &end);
	if (r == -EINVAL || *end != '\0')
		return -EINVAL;
	if (r < 0)
		return r;
	*ret = v;
	return 0;
}

int bh_parse_duration(const char *s, int64_t *ret_ms)
{
	static const struct {
		const char *unit;
		int64_t ms;
	} units[] = { { "ms", 1 }, { "s", 1000 }, { "m", 60000 }, { "h", 3600000 } };
	const char *end = s;
	uint64_t v = 0;
	int64_t ms;
	int r;

	if (!s)
		return -EINVAL;
	r = digits(s, INT64_MAX, &v, &end);
	if (r == -EINVAL)
		return r;
	for (size_t i = 0; i < BH_ARRAY_SIZE(units); i++) {
		if (strcmp(end, units[i].unit) != 0)
			continue;
		if (r < 0 || __builtin_mul_overflow((int64_t)v, units[i].ms, &ms))
			return -ERANGE;
		*ret_ms = ms;
		return 0;
	}
	return -EINVAL;
}

static int hex(char ch)
{
	if (ch >= '0' && ch <= '9')
		return ch - '0';
	if (ch >= 'a' && ch <= 'f')
		return ch - 'a' + 10;
	if (ch >= 'A' && ch <= 'F')
		return ch - 'A' + 10;
	return -1;
}

int bh_parse_mac(const char *s, uint8_t *ret)
{
	uint8_t mac[6];

	for (size_t i = 0; i < sizeof(mac); i++, s += 3) {
		int hi = hex(s[0]), lo = hi < 0 ? -1 : hex(s[1]);

		if (lo < 0 || s[2] != (i + 1 < sizeof(mac) ? ':' : '\0'))
			return -EINVAL;
		mac[i] = (uint8_t)(hi << 4 | lo);
	}
	memcpy(ret, mac, sizeof(mac));
	return 0;
}

/* Edits (insert, delete, replace, swap of neighbours) that lead from @a to @b. */
static unsigned edits(const char *a, size_t n_a, const char *b, size_t n_b)
{
	unsigned rows[3][WORD_MAX + 1];
	unsigned *before = rows[0], *prev = rows[1], *cur = rows[2], *t;

	for (size_t j = 0; j <= n_b; j++)
		prev[j] = (unsigned)j;
	for (size_t i = 1; i <= n_a; i++) {
		cur[0] = (unsigned)i;
		for (size_t j = 1; j <= n_b; j++) {
			unsigned d = prev[j - 1] + (a[i - 1] != b[j - 1]);

			d = BH_MIN(d, prev[j] + 1);
			d = BH_MIN(d, cur[j - 1] + 1);
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
				d = BH_MIN(d, before[j - 2] + 1);
			cur[j] = d;
		}
		t = before;
		before = prev;
		prev = cur;
		cur = t;
	}
	return prev[n_b];
}

const char *bh_nearest(const char *word, const char *const *candidates, size_t n)
{
	size_t len = strnlen(word, WORD_MAX + 1);
	const char *best = NULL;
	unsigned best_d = 3;

	if (len > WORD_MAX)
		return NULL;
	for (size_t i = 0; i < n; i++) {
		size_t n_c = candidates[i] ? strnlen(candidates[i], WORD_MAX + 1) : WORD_MAX + 1;
		unsigned d;

		if (n_c > WORD_MAX)
			continue;
		d = edits(word, len, candidates[i], n_c);
		if (d < best_d && d < len) {
			best = candidates[i];
			best_d = d;
		}
	}
	return best;
}
