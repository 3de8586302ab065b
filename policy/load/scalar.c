/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * policy/load/scalar.c - what a plain (unquoted) YAML scalar is
 *
 * The order of the rules was found by asking a real API server (tests/conformance/validation.yaml, ids
 * scalar-*): words first, then integers in any base, then floats; what is neither is a string. Dates and
 * sexagesimal numbers of YAML 1.1 are strings there, and so here.
 */
#include "policy/load/scalar.h"

#include "common/util.h"

#include <string.h>

#include "common/banned.h"

/* Digits of a number without its underscores; a longer one is no number that anybody means. */
#define NUMBER_MAX 512

static bool word(const char *s, const char *const *words, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (strcmp(s, words[i]) == 0)
			return true;
	return false;
}

static bool resolve_word(const char *s, struct bh_scalar *ret)
{
	static const char *const nulls[] = { "", "~", "null", "Null", "NULL" };
	static const char *const yes[] = { "y",    "Y",    "yes", "Yes", "YES", "true",
					   "True", "TRUE", "on",  "On",  "ON" };
	static const char *const no[] = { "n",     "N",     "no",  "No",  "NO", "false",
					  "False", "FALSE", "off", "Off", "OFF" };
	static const char *const plus[] = { ".inf", ".Inf", ".INF", "+.inf", "+.Inf", "+.INF" };
	static const char *const minus[] = { "-.inf", "-.Inf", "-.INF" };
	static const char *const nan[] = { ".nan", ".NaN", ".NAN" };

	if (*s && !strchr("~nNyYtTfFoO.+-", *s))
		return false;
	if (word(s, nulls, BH_ARRAY_SIZE(nulls)))
		*ret = (struct bh_scalar){ .type = BH_YAML_NULL };
	else if (word(s, yes, BH_ARRAY_SIZE(yes)))
		*ret = (struct bh_scalar){ .type = BH_YAML_BOOL, .boolean = true };
	else if (word(s, no, BH_ARRAY_SIZE(no)))
		*ret = (struct bh_scalar){ .type = BH_YAML_BOOL, .boolean = false };
	else if (word(s, plus, BH_ARRAY_SIZE(plus)))
		*ret = (struct bh_scalar){ .type = BH_YAML_FLOAT, .real = __builtin_inf() };
	else if (word(s, minus, BH_ARRAY_SIZE(minus)))
		*ret = (struct bh_scalar){ .type = BH_YAML_FLOAT, .real = -__builtin_inf() };
	else if (word(s, nan, BH_ARRAY_SIZE(nan)))
		*ret = (struct bh_scalar){ .type = BH_YAML_FLOAT, .real = __builtin_nan("") };
	else
		return false;
	return true;
}

static unsigned digit(char c)
{
	if (c >= '0' && c <= '9')
		return (unsigned)(c - '0');
	if (c >= 'a' && c <= 'f')
		return (unsigned)(c - 'a') + 10;
	if (c >= 'A' && c <= 'F')
		return (unsigned)(c - 'A') + 10;
	return 16;
}

/* Sign, prefix (0x, 0o, 0b, or a leading 0 for octal), digits. */
static bool resolve_int(const char *s, struct bh_scalar *ret)
{
	bool minus = *s == '-', octal = false;
	unsigned base = 10;
	uint64_t v = 0;

	if (*s == '-' || *s == '+')
		s++;
	if (s[0] == '0' && s[1] != '\0') {
		switch (s[1]) {
		case 'x':
		case 'X':
			base = 16;
			s += 2;
			break;
		case 'o':
		case 'O':
			base = 8;
			s += 2;
			break;
		case 'b':
		case 'B':
			base = 2;
			s += 2;
			break;
		default:
			base = 8;
			octal = true;
			s++;
			break;
		}
	}
	if (*s == '\0')
		return false;
	for (const char *p = s; *p; p++) {
		unsigned d = digit(*p);

		if (d >= base || __builtin_mul_overflow(v, (uint64_t)base, &v) ||
		    __builtin_add_overflow(v, (uint64_t)d, &v))
			return false;
	}
	*ret = (struct bh_scalar){ .type = BH_YAML_INT };
	if (minus) {
		if (v > (uint64_t)INT64_MAX + 1)
			return false;
		ret->integer = v > INT64_MAX ? INT64_MIN : -(int64_t)v;
	} else {
		ret->integer = v > INT64_MAX ? INT64_MAX : (int64_t)v;
	}
	ret->octal = octal && v > 7; /* 007 is seven either way */
	return true;
}

/* [-+]? (.digits | digits[.digits?]) ([eE][-+]?digits)?, and finite. */
static bool resolve_float(const char *s, struct bh_scalar *ret)
{
	bool minus = *s == '-', exp_minus = false;
	int shift = 0, exp = 0;
	size_t digits = 0;
	double v = 0;

	if (*s == '-' || *s == '+')
		s++;
	for (; *s >= '0' && *s <= '9'; s++, digits++)
		v = v * 10 + (*s - '0');
	if (*s == '.') {
		size_t whole = digits;

		for (s++; *s >= '0' && *s <= '9'; s++, digits++, shift++)
			v = v * 10 + (*s - '0');
		if (whole == 0 && shift == 0)
			return false;
	}
	if (digits == 0)
		return false;
	if (*s == 'e' || *s == 'E') {
		s++;
		exp_minus = *s == '-';
		if (*s == '-' || *s == '+')
			s++;
		if (*s < '0' || *s > '9')
			return false;
		for (; *s >= '0' && *s <= '9'; s++)
			exp = BH_MIN(exp * 10 + (*s - '0'), 100000);
	}
	if (*s != '\0')
		return false;
	exp = (exp_minus ? -exp : exp) - shift;
	for (; exp > 0 && v != 0 && !__builtin_isinf(v); exp--)
		v *= 10;
	if (exp < 0) {
		double by = 1;

		for (; exp < 0 && !__builtin_isinf(by); exp++)
			by *= 10;
		v /= by;
	}
	if (__builtin_isinf(v) || __builtin_isnan(v))
		return false;
	*ret = (struct bh_scalar){ .type = BH_YAML_FLOAT, .real = minus ? -v : v };
	return true;
}

struct bh_scalar bh_scalar_resolve(const char *text, size_t len)
{
	struct bh_scalar ret = { .type = BH_YAML_STRING };
	char number[NUMBER_MAX];
	size_t n = 0;

	if (memchr(text, '\0', len) || resolve_word(text, &ret))
		return ret;
	if (*text == '.') { /* underscores do not count here */
		(void)resolve_float(text, &ret);
		return ret;
	}
	if (*text != '+' && *text != '-' && (*text < '0' || *text > '9'))
		return ret;
	for (const char *p = text; *p; p++) {
		if (*p == '_')
			continue;
		if (n == sizeof(number) - 1)
			return ret;
		number[n++] = *p;
	}
	number[n] = '\0';
	if (!resolve_int(number, &ret))
		(void)resolve_float(number, &ret);
	return ret;
}

const char *bh_yaml_type_name(enum bh_yaml_type t)
{
	switch (t) {
	case BH_YAML_NULL:
		return "nothing (null)";
	case BH_YAML_BOOL:
		return "a boolean";
	case BH_YAML_INT:
	case BH_YAML_FLOAT:
		return "a number";
	case BH_YAML_STRING:
		return "a string";
	case BH_YAML_LIST:
		return "a list";
	case BH_YAML_MAP:
		return "a map";
	case BH_YAML_INVALID:
		break;
	}
	return "nothing";
}
