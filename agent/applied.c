// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * agent/applied.c - STATEDIR: the applied manifests and the last good set, on disk
 */
#include "agent/applied.h"

#include <ctype.h>
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "agent/jsonw.h"
#include "common/file.h"
#include "common/limits.h"
#include "common/log.h"
#include "common/parse.h"
#include "common/util.h"

#include "common/banned.h"

#define STAGE          ".stage"
#define COMMIT         ".commit"
#define REMOVED        ".removed" /* ends the name of an empty file that stands for a removal */
#define FSYNC_EACH_MAX 32U
#define LASTGOOD_MAGIC "bulkhead last-good 1\n"
#define LASTGOOD_MAX   (1024U * 1024 * 1024)

static bool ends_with(const char *s, const char *end)
{
	size_t ns = strlen(s), ne = strlen(end);

	return ns >= ne && strcmp(s + ns - ne, end) == 0;
}

static int open_dir(const char *dir, const char *name, int *ret, struct bh_err *err)
{
	bh_autofree char *path = NULL;

	if (asprintf(&path, "%s%s%s", dir, name ? "/" : "", name ? name : "") < 0)
		return bh_err_set(err, -ENOMEM, "out of memory");
	*ret = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	if (*ret < 0)
		return bh_err_set(err, -errno, "cannot open '%s': %s", path,
				  strerrordesc_np(errno));
	return 0;
}

/* Calls @fn with each name in the folder that is not "." or "..". */
static int each_name(int dirfd, int (*fn)(int dirfd, const char *name, void *arg), void *arg)
{
	int fd = fcntl(dirfd, F_DUPFD_CLOEXEC, 3), r = 0;
	DIR *d = fd >= 0 ? fdopendir(fd) : NULL;
	struct dirent *e;

	if (!d) {
		r = -errno;
		if (fd >= 0)
			(void)close(fd);
		return r;
	}
	rewinddir(d);
	// cppcheck-suppress readdirCalled
	while (r == 0 && (e = readdir(d)))
		if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0)
			r = fn(dirfd, e->d_name, arg);
	(void)closedir(d);
	return r;
}

static int unlink_name(int dirfd, const char *name, void *arg)
{
	return unlinkat(dirfd, name, 0) < 0 && errno != ENOENT ? -errno : 0;
}

static int remove_folder(int dirfd, const char *name)
{
	bh_autoclose int fd = openat(dirfd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	int r;

	if (fd < 0)
		return errno == ENOENT ? 0 : -errno;
	r = each_name(fd, unlink_name, NULL);
	if (r == 0 && unlinkat(dirfd, name, AT_REMOVEDIR) < 0)
		r = -errno;
	return r;
}

/* ---- a change ---- */

static int write_one(int dirfd, const char *name, const char *text, size_t size, bool sync)
{
	bh_autoclose int fd =
	    openat(dirfd, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);

	if (fd < 0)
		return -errno;
	while (size > 0) {
		ssize_t n = write(fd, text, size);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? -errno : -EIO;
		text += n;
		size -= (size_t)n;
	}
	return sync && fsync(fd) < 0 ? -errno : 0;
}

static int stage_file(int fd, const struct bh_applied_file *f, bool sync)
{
	const char *slash = strrchr(f->path, '/');
	bh_autofree char *name = NULL;

	if (asprintf(&name, "%s%s", slash ? slash + 1 : f->path, f->text ? "" : REMOVED) < 0)
		return -ENOMEM;
	return write_one(fd, name, f->text ? f->text : "", f->text ? f->size : 0, sync);
}

int bh_applied_stage(const char *dir, const struct bh_applied_file *files, size_t n,
		     struct bh_err *err)
{
	bh_autoclose int dirfd = -1, fd = -1;
	bool each = n <= FSYNC_EACH_MAX;
	int r = open_dir(dir, NULL, &dirfd, err);

	if (r < 0)
		return r;
	r = remove_folder(dirfd, STAGE);
	if (r == 0 && mkdirat(dirfd, STAGE, 0700) < 0)
		r = -errno;
	if (r < 0)
		return bh_err_set(err, r, "cannot make '%s/" STAGE "': %s", dir,
				  strerrordesc_np(-r));
	r = open_dir(dir, STAGE, &fd, err);
	if (r < 0)
		return r;
	for (size_t i = 0; r == 0 && i < n; i++)
		r = stage_file(fd, &files[i], each);
	if (r == 0 && (each ? fsync(fd) : syncfs(fd)) < 0)
		r = -errno;
	if (r < 0) {
		(void)remove_folder(dirfd, STAGE);
		return bh_err_set(err, r, "cannot write to '%s': %s", dir, strerrordesc_np(-r));
	}
	return 0;
}

static int move_file(int fd, const char *name, void *arg)
{
	int to = *(int *)arg;

	if (ends_with(name, REMOVED)) {
		bh_autofree char *target = strndup(name, strlen(name) - strlen(REMOVED));

		if (!target)
			return -ENOMEM;
		if (unlinkat(to, target, 0) < 0 && errno != ENOENT)
			return -errno;
		return unlinkat(fd, name, 0) < 0 ? -errno : 0;
	}
	return renameat(fd, name, to, name) < 0 ? -errno : 0;
}

static int finish(const char *dir, int dirfd, struct bh_err *err)
{
	bh_autoclose int fd =
	    openat(dirfd, COMMIT, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	int r;

	if (fd < 0 && errno == ENOENT)
		return 0;
	r = fd < 0 ? -errno : each_name(fd, move_file, &dirfd);
	if (r == 0 && unlinkat(dirfd, COMMIT, AT_REMOVEDIR) < 0)
		r = -errno;
	/* Not synced: what is undone by a power cut stands in the folder again, and is done again. */
	if (r < 0)
		return bh_err_set(err, r, "cannot finish the change in '%s/" COMMIT "': %s", dir,
				  strerrordesc_np(-r));
	return 0;
}

int bh_applied_commit(const char *dir, struct bh_err *err)
{
	bh_autoclose int dirfd = -1;
	struct bh_err later = { 0 };
	int r = open_dir(dir, NULL, &dirfd, err);

	if (r == 0)
		r = finish(dir, dirfd, err);
	if (r < 0)
		return r;
	if (renameat(dirfd, STAGE, dirfd, COMMIT) < 0 || fsync(dirfd) < 0)
		return bh_err_set(err, -errno, "cannot commit the change in '%s': %s", dir,
				  strerrordesc_np(errno));
	/* From here on it counts. What is in the way now is finished by the next change or the next start. */
	if (finish(dir, dirfd, &later) < 0)
		bh_warning("%s; it is tried again", later.msg);
	return 0;
}

void bh_applied_abort(const char *dir)
{
	bh_autoclose int dirfd = -1;

	if (open_dir(dir, NULL, &dirfd, NULL) == 0)
		(void)remove_folder(dirfd, STAGE);
}

/* ---- reading ---- */

static int is_manifest(const struct dirent *d)
{
	return d->d_name[0] != '.' && ends_with(d->d_name, ".yaml");
}

int bh_applied_load(const char *dir, struct bh_manifests *ret, struct bh_err *err)
{
	bh_autoclose int dirfd = -1;
	struct dirent **list = NULL;
	int n, r = bh_mkdir_parents(dir, 0700, err);

	if (r == 0)
		r = open_dir(dir, NULL, &dirfd, err);
	if (r == 0)
		r = finish(dir, dirfd, err);
	if (r < 0)
		return r;
	(void)remove_folder(dirfd, STAGE);
	n = scandir(dir, &list, is_manifest, alphasort);
	if (n < 0)
		return bh_err_set(err, -errno, "cannot read '%s': %s", dir, strerrordesc_np(errno));
	for (int i = 0; i < n; i++) {
		bh_autofree char *path = NULL;
		struct bh_manifest *m;

		if (r == 0 && asprintf(&path, "%s/%s", dir, list[i]->d_name) < 0)
			r = -ENOMEM;
		if (r == 0)
			r = bh_manifest_read(path, true, &m);
		if (r == 0)
			r = bh_manifests_add(ret, m);
		free(list[i]);
	}
	free(list);
	return r < 0 ? bh_err_set(err, r, "cannot read '%s': %s", dir, strerrordesc_np(-r)) : 0;
}

/* What is no letter, digit, '-' or '.' becomes %xx: names never escape from the folder or run together. */
static void add_name(struct bh_buf *b, const char *s)
{
	for (; *s; s++) {
		unsigned char c = (unsigned char)*s;

		if (isascii(c) && (isalnum(c) || c == '-' || (c == '.' && b->len > 0)))
			bh_buf_putc(b, (char)c);
		else
			bh_buf_printf(b, "%%%02x", (unsigned)c);
	}
}

char *bh_applied_path(const char *dir, enum bh_kind kind, const char *ns, const char *name)
{
	bh_cleanup(bh_buf_done) struct bh_buf b = BH_BUF_INIT;

	bh_buf_printf(&b, "%s/", dir);
	for (const char *k = bh_kind_name(kind); *k; k++)
		bh_buf_putc(&b, (char)tolower((unsigned char)*k));
	bh_buf_putc(&b, '_');
	add_name(&b, bh_kind_has_ns(kind) ? ns : "");
	bh_buf_putc(&b, '_');
	add_name(&b, name);
	bh_buf_puts(&b, ".yaml");
	return bh_buf_take(&b);
}

/* ---- the last good set ---- */

/*
 * Not synced: every change would wait for the disk once more. That an agent is killed does no harm, and after a
 * power cut the folder itself is there as a rule. A torn copy is seen to be one.
 */
static int replace_file(const char *path, const char *data, size_t size, struct bh_err *err)
{
	bh_autofree char *tmp = NULL;
	int r;

	if (asprintf(&tmp, "%s.new", path) < 0)
		return bh_err_set(err, -ENOMEM, "out of memory");
	if (unlink(tmp) < 0 && errno != ENOENT)
		return bh_err_set(err, -errno, "cannot remove '%s': %s", tmp,
				  strerrordesc_np(errno));
	r = write_one(AT_FDCWD, tmp, data, size, false);
	if (r == 0 && rename(tmp, path) < 0)
		r = -errno;
	if (r < 0) {
		(void)unlink(tmp);
		return bh_err_set(err, r, "cannot write '%s': %s", path, strerrordesc_np(-r));
	}
	return 0;
}

int bh_lastgood_write(const char *path, const struct bh_manifests *files, struct bh_err *err)
{
	bh_cleanup(bh_buf_done) struct bh_buf b = BH_BUF_INIT;

	/* Not YAML: the texts may be written in any way that YAML has, and must come back as they were. */
	bh_buf_puts(&b, LASTGOOD_MAGIC);
	for (size_t i = 0; i < files->n; i++) {
		const struct bh_manifest *m = files->items[i];

		bh_buf_printf(&b, "%s %zu %zu\n%s\n", m->applied ? "applied" : "folder",
			      strlen(m->path), m->size, m->path);
		bh_buf_add(&b, m->text, m->size);
		bh_buf_putc(&b, '\n');
	}
	if (bh_buf_failed(&b))
		return bh_err_set(err, -ENOMEM, "out of memory");
	return replace_file(path, b.data, b.len, err);
}

/* A number and the character behind it. */
static bool take_number(const char **p, const char *end, char stop, size_t *ret)
{
	const char *at = memchr(*p, stop, (size_t)(end - *p));
	char digits[24];
	uint64_t v;

	if (!at || (size_t)(at - *p) >= sizeof(digits))
		return false;
	memcpy(digits, *p, (size_t)(at - *p));
	digits[at - *p] = '\0';
	if (bh_parse_u64(digits, LASTGOOD_MAX, &v) < 0)
		return false;
	*ret = (size_t)v;
	*p = at + 1;
	return true;
}

static int take_manifest(const char **p, const char *end, struct bh_manifest **ret)
{
	static const char applied[] = "applied ", folder[] = "folder ";
	bh_autofree char *path = NULL;
	size_t path_len, size;
	bool is_applied;
	char *text;

	if ((size_t)(end - *p) > sizeof(applied) && memcmp(*p, applied, sizeof(applied) - 1) == 0)
		is_applied = true;
	else if ((size_t)(end - *p) > sizeof(folder) && memcmp(*p, folder, sizeof(folder) - 1) == 0)
		is_applied = false;
	else
		return -EPROTO;
	*p += is_applied ? sizeof(applied) - 1 : sizeof(folder) - 1;
	if (!take_number(p, end, ' ', &path_len) || !take_number(p, end, '\n', &size) ||
	    (size_t)(end - *p) < path_len + size + 2)
		return -EPROTO;
	path = strndup(*p, path_len);
	*p += path_len + 1;
	text = malloc(size + 1);
	if (!path || !text) {
		free(text);
		return -ENOMEM;
	}
	memcpy(text, *p, size);
	text[size] = '\0';
	*p += size + 1;
	return bh_manifest_new(path, text, size, is_applied, ret);
}

int bh_lastgood_read(const char *path, struct bh_manifests *ret_folder,
		     struct bh_manifests *ret_applied, struct bh_err *err)
{
	bh_autofree char *data = NULL;
	const char *p, *end;
	size_t size;
	int r = bh_file_read(path, LASTGOOD_MAX, &data, &size, err);

	if (r < 0)
		return r;
	p = data;
	end = data + size;
	if (size < strlen(LASTGOOD_MAGIC) || memcmp(p, LASTGOOD_MAGIC, strlen(LASTGOOD_MAGIC)) != 0)
		return bh_err_set(err, -EPROTO, "'%s' is not a saved set of this version", path);
	p += strlen(LASTGOOD_MAGIC);
	while (r == 0 && p < end) {
		struct bh_manifest *m = NULL;

		r = take_manifest(&p, end, &m);
		if (r == 0)
			r = bh_manifests_add(m->applied ? ret_applied : ret_folder, m);
	}
	return r < 0 ? bh_err_set(err, r, "'%s' is damaged", path) : 0;
}

/* ---- objects as manifests ---- */

static void print_addrs(const struct bh_addr *addrs, size_t n, struct bh_buf *out)
{
	bh_buf_puts(out, "\nspec:\n  addresses: [");
	for (size_t i = 0; i < n; i++) {
		bh_buf_puts(out, i > 0 ? ", " : "");
		bh_jsonw_addr(out, &addrs[i]);
	}
	bh_buf_puts(out, "]\n");
}

void bh_node_print(const struct bh_node *n, struct bh_buf *out)
{
	bh_buf_puts(out, "apiVersion: bulkhead.network/v1alpha1\nkind: Node\nmetadata:\n  name: ");
	bh_jsonw_str(out, n->name);
	bh_buf_puts(out, "\n  labels: ");
	bh_jsonw_labels(out, &n->labels);
	print_addrs(n->addrs, n->n_addrs, out);
}

void bh_namespace_print(const struct bh_namespace *n, struct bh_buf *out)
{
	bool first = true;

	bh_buf_puts(out, "apiVersion: v1\nkind: Namespace\nmetadata:\n  name: ");
	bh_jsonw_str(out, n->name);
	bh_buf_puts(out, "\n  labels: {");
	for (size_t i = 0; i < n->labels.n; i++) {
		/* The loader puts this one in. */
		if (strcmp(n->labels.items[i].key, "kubernetes.io/metadata.name") == 0)
			continue;
		bh_buf_puts(out, first ? "" : ", ");
		first = false;
		bh_jsonw_str(out, n->labels.items[i].key);
		bh_buf_puts(out, ": ");
		bh_jsonw_str(out, n->labels.items[i].value);
	}
	bh_buf_puts(out, "}\n");
}

void bh_endpoint_print(const struct bh_endpoint *e, struct bh_buf *out)
{
	char l4[8];

	bh_buf_puts(out,
		    "apiVersion: bulkhead.network/v1alpha1\nkind: Endpoint\nmetadata:\n  name: ");
	bh_jsonw_str(out, e->name);
	bh_buf_puts(out, "\n  namespace: ");
	bh_jsonw_str(out, e->ns);
	bh_buf_puts(out, "\n  labels: ");
	bh_jsonw_labels(out, &e->labels);
	print_addrs(e->addrs, e->n_addrs, out);
	if (e->node) {
		bh_buf_puts(out, "  node: ");
		bh_jsonw_str(out, e->node);
		bh_buf_puts(out, "\n");
	}
	for (size_t i = 0; i < e->n_ports; i++) {
		const char *name = bh_l4_name(e->ports[i].l4, l4);

		bh_buf_puts(out, i == 0 ? "  ports:\n" : "");
		bh_buf_puts(out, "  - {name: ");
		bh_jsonw_str(out, e->ports[i].name);
		bh_buf_printf(out, ", port: %u, protocol: ", e->ports[i].port);
		for (; *name; name++)
			bh_buf_putc(out, (char)toupper((unsigned char)*name));
		bh_buf_puts(out, "}\n");
	}
}
