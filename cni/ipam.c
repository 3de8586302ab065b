// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * cni/ipam.c - giving out addresses
 *
 * A set of ranges is walked as a ring, from behind the last address given out round to it again. Excluded
 * prefixes are stepped over as a whole, so a walk costs as many steps as addresses are in use, whatever the
 * size of the range.
 */
#include "cni/ipam.h"

#include "common/buf.h"
#include "common/file.h"
#include "common/util.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>

#include "common/banned.h"

#define HOLDER_MAX 4096U

/* One visit to a network's folder. */
struct store {
	const struct bh_attachment *t;
	const struct bh_ranges *ranges;
	int dir;
	int lock;
	char tmp[32];
	bool only_look; /* nothing is taken */
};

static void store_done(struct store *s)
{
	if (s->dir >= 0 && s->tmp[0])
		(void)unlinkat(s->dir, s->tmp, 0);
	bh_closep(&s->lock);
	bh_closep(&s->dir);
}

/* @make: the folder too; otherwise -ENOENT if it is missing. */
static int store_open(struct store *s, const char *run_dir, bool make, struct bh_err *err)
{
	bh_autofree char *path = NULL;
	int r;

	if (asprintf(&path, "%s/addresses/%s", run_dir, s->t->network) < 0)
		return bh_err_set(err, -ENOMEM, "out of memory");
	if (make) {
		r = bh_mkdir_parents(path, 0700, err);
		if (r < 0)
			return r;
	}
	s->dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (s->dir < 0)
		return bh_err_set(err, -errno, "cannot open '%s': %s", path,
				  strerrordesc_np(errno));
	s->lock = openat(s->dir, ".lock", O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (s->lock < 0)
		return bh_err_set(err, -errno, "cannot open '%s/.lock': %s", path,
				  strerrordesc_np(errno));
	while (flock(s->lock, LOCK_EX) < 0)
		if (errno != EINTR)
			return bh_err_set(err, -errno, "cannot lock '%s': %s", path,
					  strerrordesc_np(errno));
	return 0;
}

static int put_file(int dir, const char *name, const char *text, struct bh_err *err)
{
	size_t size = strlen(text);
	bh_autoclose int fd = -1;
	ssize_t n = -1;

	fd = openat(dir, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd >= 0)
		n = write(fd, text, size);
	if (n < 0)
		return bh_err_set(err, -errno, "cannot write the address file '%s': %s", name,
				  strerrordesc_np(errno));
	if ((size_t)n != size)
		return bh_err_set(err, -EIO, "the address file '%s' took %zd of %zu bytes", name, n,
				  size);
	return 0;
}

enum holder { HOLDER_NONE, HOLDER_SELF, HOLDER_STALE, HOLDER_OTHER };

/* Whose the address is. What cannot be read is somebody's. */
static enum holder holder_of(const struct store *s, const char *name)
{
	bh_autoclose int fd = openat(s->dir, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	bh_autofree char *data = NULL;
	bh_autojson json_t *v = NULL;
	const char *boot, *id, *ifname;
	size_t size;

	if (fd < 0)
		return errno == ENOENT ? HOLDER_NONE : HOLDER_OTHER;
	if (bh_fd_read(fd, HOLDER_MAX, &data, &size) < 0 ||
	    bh_json_load(data, size, HOLDER_MAX, &v, NULL) < 0 ||
	    bh_json_str(v, "boot", &boot, NULL) < 0 || bh_json_str(v, "id", &id, NULL) < 0 ||
	    bh_json_str(v, "ifname", &ifname, NULL) < 0)
		return HOLDER_OTHER;
	if (!bh_streq(boot, s->t->boot))
		return HOLDER_STALE;
	if (bh_streq(id, s->t->id) && bh_streq(ifname, s->t->ifname))
		return HOLDER_SELF;
	return HOLDER_OTHER;
}

/* 1: taken. 0: it is somebody else's. */
static int take_one(const struct store *s, const struct bh_addr *a, struct bh_err *err)
{
	char name[BH_ADDR_STRLEN];

	(void)bh_addr_format(a, name);
	if (s->only_look) {
		enum holder h = holder_of(s, name);

		return h == HOLDER_NONE || h == HOLDER_STALE;
	}
	if (linkat(s->dir, s->tmp, s->dir, name, 0) == 0)
		return 1;
	if (errno != EEXIST)
		return bh_err_set(err, -errno, "cannot take the address %s: %s", name,
				  strerrordesc_np(errno));
	if (holder_of(s, name) == HOLDER_OTHER)
		return 0;
	/* Of an earlier boot, or of an ADD for this attachment that was killed. The folder is locked. */
	if (renameat(s->dir, s->tmp, s->dir, name) < 0 ||
	    linkat(s->dir, name, s->dir, s->tmp, 0) < 0)
		return bh_err_set(err, -errno, "cannot take the address %s over: %s", name,
				  strerrordesc_np(errno));
	return 1;
}

/* The prefix that excludes @a, or NULL. */
static const struct bh_prefix *excluded(const struct bh_ranges *r, const struct bh_addr *a)
{
	for (size_t i = 0; i < r->n_exclude; i++)
		if (bh_prefix_contains(&r->exclude[i], a))
			return &r->exclude[i];
	return NULL;
}

/* The first free address from @lo to @hi. 1: taken, in *@ret. 0: none. */
static int walk(const struct store *s, const struct bh_addr *lo, const struct bh_addr *hi,
		struct bh_addr *ret, struct bh_err *err)
{
	struct bh_addr a = *lo, low;

	while (bh_addr_cmp(&a, hi) <= 0) {
		const struct bh_prefix *p = excluded(s->ranges, &a);

		if (p) {
			bh_prefix_range(p, &low, &a);
		} else {
			int r = take_one(s, &a, err);

			if (r != 0) {
				*ret = a;
				return r;
			}
		}
		if (!bh_addr_next(&a, &a))
			return 0;
	}
	return 0;
}

/* Where the search begins: behind the last address given out, or at the start. */
static size_t start_of(const struct store *s, const struct bh_range_set *set, const char *last_name,
		       struct bh_addr *ret)
{
	bh_autoclose int fd = openat(s->dir, last_name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	bh_autofree char *text = NULL;
	struct bh_addr last;
	size_t size;

	*ret = set->r[0].lo;
	if (fd < 0 || bh_fd_read(fd, BH_ADDR_STRLEN, &text, &size) < 0 ||
	    bh_addr_parse(text, &last) < 0)
		return 0;
	for (size_t i = 0; i < set->n; i++) {
		if (!bh_range_holds(&set->r[i], &last))
			continue;
		if (bh_addr_next(&last, ret) && bh_range_holds(&set->r[i], ret))
			return i;
		i = (i + 1) % set->n;
		*ret = set->r[i].lo;
		return i;
	}
	return 0;
}

static int take_of_set(const struct store *s, size_t idx, struct bh_addr *ret, struct bh_err *err)
{
	const struct bh_range_set *set = &s->ranges->sets[idx];
	char last_name[24], text[BH_ADDR_STRLEN];
	struct bh_addr start, lo, hi;
	size_t first;
	int r = 0;

	if (set->want.family) {
		r = take_one(s, &set->want, err);
		if (r == 0)
			return bh_err_set(err, -EADDRINUSE, "the requested address %s is taken",
					  bh_addr_format(&set->want, text));
		*ret = set->want;
		return r < 0 ? r : 0;
	}
	(void)snprintf(last_name, sizeof(last_name), ".last%zu", idx);
	first = start_of(s, set, last_name, &start);
	/* The ring, with the range it starts in visited twice: its end first, its beginning last. */
	for (size_t k = 0; r == 0 && k <= set->n; k++) {
		const struct bh_range *range = &set->r[(first + k) % set->n];

		lo = k == 0 ? start : range->lo;
		hi = range->hi;
		if (k == set->n && !bh_addr_prev(&start, &hi))
			break;
		r = walk(s, &lo, &hi, ret, err);
	}
	if (r < 0)
		return r;
	if (r == 0)
		return bh_err_set(err, -ENOSPC,
				  "no address of %s set of ranges %zu (%s...) is free",
				  s->t->network, idx + 1, bh_addr_format(&set->r[0].lo, text));
	if (!s->only_look)
		(void)put_file(s->dir, last_name, bh_addr_format(ret, text),
			       NULL); /* only a hint */
	return 0;
}

static void drop(const struct store *s, const struct bh_addr *ips, size_t n)
{
	char name[BH_ADDR_STRLEN];

	for (size_t i = 0; i < n; i++)
		if (holder_of(s, bh_addr_format(&ips[i], name)) == HOLDER_SELF)
			(void)unlinkat(s->dir, name, 0);
}

/* The text of an address file, under its first name. */
static int put_holder(struct store *s, struct bh_err *err)
{
	bh_autojson json_t *o = json_pack("{s:s, s:s, s:s, s:s}", "boot", s->t->boot, "network",
					  s->t->network, "id", s->t->id, "ifname", s->t->ifname);
	bh_autofree char *text = o ? bh_json_text(o) : NULL;

	if (!text)
		return bh_err_set(err, -ENOMEM, "out of memory");
	if (strlen(text) > HOLDER_MAX)
		return bh_err_set(err, -E2BIG, "the container id is too long");
	(void)snprintf(s->tmp, sizeof(s->tmp), ".%s.tmp", s->t->hash);
	/* A killed call may have left it, as another name of a file that must not be emptied. */
	(void)unlinkat(s->dir, s->tmp, 0);
	return put_file(s->dir, s->tmp, text, err);
}

int bh_ipam_take(const char *run_dir, const struct bh_attachment *t, const struct bh_ranges *ranges,
		 struct bh_addr *ret, struct bh_err *err)
{
	bh_cleanup(store_done) struct store s = { .t = t, .ranges = ranges, .dir = -1, .lock = -1 };
	int r = store_open(&s, run_dir, true, err);

	if (r == 0)
		r = put_holder(&s, err);
	for (size_t i = 0; r == 0 && i < ranges->n; i++) {
		r = take_of_set(&s, i, &ret[i], err);
		if (r < 0)
			drop(&s, ret, i);
	}
	return r;
}

int bh_ipam_free_left(const char *run_dir, const struct bh_attachment *t,
		      const struct bh_ranges *ranges, struct bh_err *err)
{
	bh_cleanup(store_done) struct store s = {
		.t = t, .ranges = ranges, .dir = -1, .lock = -1, .only_look = true
	};
	struct bh_addr a;
	int r = store_open(&s, run_dir, false, err);

	if (r == -ENOENT)
		return 0; /* nothing was given out yet */
	for (size_t i = 0; r == 0 && i < ranges->n; i++)
		r = take_of_set(&s, i, &a, err);
	return r;
}

/* Every file of the folder that names this attachment. */
static int drop_all(const struct store *s, struct bh_err *err)
{
	bh_autoclose int fd = openat(s->dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *d = fd >= 0 ? fdopendir(fd) : NULL;
	const struct dirent *de;

	if (!d)
		return bh_err_set(err, -errno, "cannot read the folder of addresses: %s",
				  strerrordesc_np(errno));
	(void)bh_take_fd(&fd);
	// cppcheck-suppress readdirCalled
	while ((de = readdir(d)))
		if (de->d_name[0] != '.' && holder_of(s, de->d_name) == HOLDER_SELF)
			(void)unlinkat(s->dir, de->d_name, 0);
	(void)closedir(d);
	return 0;
}

int bh_ipam_release(const char *run_dir, const struct bh_attachment *t, const struct bh_addr *ips,
		    size_t n_ips, struct bh_err *err)
{
	bh_cleanup(store_done) struct store s = { .t = t, .dir = -1, .lock = -1 };
	int r = store_open(&s, run_dir, false, err);

	if (r == -ENOENT)
		return 0;
	if (r < 0)
		return r;
	(void)snprintf(s.tmp, sizeof(s.tmp), ".%s.tmp",
		       t->hash); /* left by a call that was killed */
	if (!ips)
		return drop_all(&s, err);
	drop(&s, ips, n_ips);
	return 0;
}

int bh_ipam_held(const char *run_dir, const struct bh_attachment *t, const struct bh_addr *ip,
		 struct bh_err *err)
{
	bh_cleanup(store_done) struct store s = { .t = t, .dir = -1, .lock = -1 };
	char name[BH_ADDR_STRLEN];
	int r = store_open(&s, run_dir, false, err);

	if (r < 0)
		return r;
	if (holder_of(&s, bh_addr_format(ip, name)) != HOLDER_SELF)
		return bh_err_set(err, -ENOENT,
				  "the address %s is no longer held for this container", name);
	return 0;
}
