/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * common/err.h - an error a person can act on
 *
 * Functions return 0 or a negative errno; the words travel in a struct bh_err that belongs to the
 * caller, usually on its stack, and is the last parameter. It may be NULL. It holds a fixed buffer,
 * so that running out of memory can be reported too, and nothing needs to be freed.
 *
 *	return bh_err_set(err, -EINVAL, "port %u is not in 1-65535", port);	at the origin
 *	return bh_err_wrap(err, r, "ingress rule %zu", i);			on the way up
 *
 * reads "ingress rule 2: port 70000 is not in 1-65535". No capital, no full stop.
 *
 * One meaning per errno: EINVAL malformed, E2BIG over a limit of common/limits.h, ENOENT no such
 * thing, EEXIST already there, EPROTO the peer broke the protocol, ESTALE somebody else changed our
 * state, EBUSY try again, ENOTSUP this kernel cannot, EACCES not allowed, ENOMEM.
 *
 * Thread-safety: a struct bh_err belongs to one thread; the functions hold no state.
 */
#ifndef BH_COMMON_ERR_H
#define BH_COMMON_ERR_H

#include "common/cleanup.h"

#define BH_ERR_MSG_SIZE 512

struct bh_err {
	int code;                  /* the negative errno that was returned; 0: nothing set */
	char msg[BH_ERR_MSG_SIZE]; /* NUL-terminated, cut with "..." where too long */
};

/**
 * bh_err_set() - Say what went wrong, at the place where it did
 * @err:	Filled; may be NULL
 * @code:	Negative errno
 *
 * Return: @code
 */
int bh_err_set(struct bh_err *err, int code, const char *fmt, ...) bh_printf(3, 4);

/**
 * bh_err_wrap() - Put what the caller was doing in front of the message
 * @err:	Message so far; if it is empty, the text of the errno @r stands in. May be NULL
 * @r:		Negative errno that is passed on
 *
 * Return: @r
 */
int bh_err_wrap(struct bh_err *err, int r, const char *fmt, ...) bh_printf(3, 4);

/* The message, or the text of @r where none was set. Never NULL; valid until @err changes. */
const char *bh_err_text(const struct bh_err *err, int r);

#endif
