/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * tests/lib/golden.h - texts that a user reads, to the letter, as they were reviewed
 *
 * BH_REGEN=1 writes them anew: review the difference.
 *
 * Thread-safety: one thread.
 */
#ifndef BH_TESTS_LIB_GOLDEN_H
#define BH_TESTS_LIB_GOLDEN_H

#include "common/buf.h"

#include <stddef.h>

/* The text about @size bytes of @data, from a file that is called @name in texts. */
typedef void golden_make(const char *name, const char *data, size_t size, struct bh_buf *out);

/*
 * For each NAME.yaml in tests/golden/@folder what @make writes must be what is in NAME@suffix; for quiet-*.yaml, which
 * have no such file, nothing.
 */
void golden_folder(const char *folder, const char *suffix, golden_make *make);

#endif
