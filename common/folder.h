/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * common/folder.h - the files of a folder and of all folders below it
 *
 * Names that begin with a dot are left out (editors' files, and the folders that a ConfigMap's links lead to). A symbolic
 * link leads to a file only: one to a folder may lead round in circles.
 *
 * Thread-safety: no state.
 */
#ifndef BH_COMMON_FOLDER_H
#define BH_COMMON_FOLDER_H

#include "common/cleanup.h"

#include <stdbool.h>

/* What to do with what is found. The first value other than 0 that a function returns ends the walk. */
struct bh_folder_visitor {
	/* By its name, the path before it included: is this file of interest? */
	bool (*wants)(const char *path);
	int (*file)(void *arg, const char *path);
	/* A folder, or an entry whose name is wanted. @error: -errno, or -E2BIG beyond BH_FOLDER_DEPTH_MAX folders. */
	int (*unreadable)(void *arg, const char *path, int error);
	void *arg;
};

/*
 * Visits what lies below a folder, sorted by bytes; anything else at @path is a file, whether there is one or not and
 * whatever its name. Return: 0, -ENOMEM, or what a function of @v returned
 */
int bh_folder_walk(const char *path, const struct bh_folder_visitor *v) bh_must_check;

#endif
