// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * cni/error.c - what a verb answers when it cannot do what it was asked
 */
#include "cni/error.h"

#include <stdarg.h>
#include <stdio.h>

#include <jansson.h>

enum bh_cni_code bh_cni_fail(struct bh_cni_error *e, enum bh_cni_code code, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(e->msg, sizeof(e->msg), fmt, ap);
	va_end(ap);
	return code;
}

enum bh_cni_code bh_cni_fail_err(struct bh_cni_error *e, enum bh_cni_code code,
				 const struct bh_err *err, int r, const char *what)
{
	return bh_cni_fail(e, code, "%s: %s", what, bh_err_text(err, r));
}

/*
 * A message may quote bytes of the input that are not UTF-8, which jansson refuses: each such byte is
 * shown as '?', so that the error never gets lost for the way it reads.
 */
static json_t *text(const char *s)
{
	json_t *v = json_string(s);
	char safe[BH_ERR_MSG_SIZE];
	size_t i;

	if (v)
		return v;
	for (i = 0; i + 1 < sizeof(safe) && s[i]; i++)
		safe[i] = s[i];
	safe[i] = '\0';
	for (i = 0; safe[i]; i++)
		if ((unsigned char)safe[i] >= 0x80)
			safe[i] = '?';
	return json_string(safe);
}

void bh_cni_error_print(const char *version, enum bh_cni_code code, const struct bh_cni_error *e)
{
	json_t *o = json_object();

	if (version)
		(void)json_object_set_new(o, "cniVersion", text(version));
	(void)json_object_set_new(o, "code", json_integer((int)code));
	(void)json_object_set_new(o, "msg", text(e->msg));
	if (e->details[0])
		(void)json_object_set_new(o, "details", text(e->details));
	if (!o || json_dumpf(o, stdout, JSON_INDENT(2)) < 0)
		(void)printf("{\"code\": %d, \"msg\": \"out of memory\"}", (int)code);
	(void)fputc('\n', stdout);
	(void)fflush(stdout);
	json_decref(o);
}
