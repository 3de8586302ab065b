/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * common/cleanup.h - ownership that the declaration shows
 *
 * A local that owns something says so with an attribute and is released when it goes out of scope:
 *
 *	bh_autofree char *name = strdup("web");
 *	bh_autoclose int fd = open(...);
 *	...
 *	*ret_fd = bh_take_fd(&fd);	(handed over: nothing is closed here)
 *
 * Every owning local is initialised where it is declared. Types bring their own attribute by
 * BH_DEFINE_CLEANUP next to their _free function.
 *
 * Thread-safety: none of this holds state.
 */
#ifndef BH_COMMON_CLEANUP_H
#define BH_COMMON_CLEANUP_H

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#define bh_must_check   __attribute__((__warn_unused_result__))
#define bh_cleanup(fn)  __attribute__((__cleanup__(fn)))
#define bh_printf(f, a) __attribute__((__format__(__printf__, f, a)))

static inline void bh_freep(void *p)
{
	free(*(void **)p);
}

/* Close that keeps errno, so that it can run on an error path. */
static inline void bh_closep(int *fd)
{
	if (*fd >= 0) {
		int saved = errno;

		(void)close(*fd);
		errno = saved;
	}
}

#define bh_autofree  bh_cleanup(bh_freep)
#define bh_autoclose bh_cleanup(bh_closep)

/* BH_DEFINE_CLEANUP(struct bh_x, bh_x_free) defines bh_x_freep() for bh_cleanup(bh_x_freep). */
#define BH_DEFINE_CLEANUP(type, func)        \
	static inline void func##p(type **p) \
	{                                    \
		if (*p)                      \
			func(*p);            \
	}                                    \
	struct bh_swallow_semicolon

/* Hand over: yields the value and leaves NULL (or -1) behind. */
#define bh_take_ptr(pp)                              \
	({                                           \
		__typeof__(*(pp)) bh_taken_ = *(pp); \
		*(pp) = NULL;                        \
		bh_taken_;                           \
	})

static inline int bh_take_fd(int *fd)
{
	int taken = *fd;

	*fd = -1;
	return taken;
}

#endif
