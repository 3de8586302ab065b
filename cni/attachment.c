// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * cni/attachment.c - one container on one network: its names, its lock, its record on disk
 */
#include "cni/attachment.h"

#include "common/buf.h"
#include "common/clock.h"
#include "common/file.h"
#include "common/hash.h"
#include "common/limits.h"
#include "common/util.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>

#include "common/banned.h"

#define BOOT_ID "/proc/sys/kernel/random/boot_id"

/* Not secret: every call must come to the same name. A chosen collision only makes the chooser's ADD fail. */
static const struct bh_hash_key name_key = { { 0x62756c6b68656164ULL, 0x617474616368656dULL } };

int bh_boot_id(char *buf, struct bh_err *err)
{
	bh_autofree char *text = NULL;
	size_t size;
	int r = bh_file_read(BOOT_ID, BH_BOOT_ID_SIZE - 1, &text, &size, err);

	if (r < 0)
		return r;
	text[strcspn(text, "\n")] = '\0';
	if (!text[0])
		return bh_err_set(err, -EINVAL, "'%s' is empty", BOOT_ID);
	(void)snprintf(buf, BH_BOOT_ID_SIZE, "%s", text);
	return 0;
}

static int make_names(struct bh_attachment *t, struct bh_err *err)
{
	static const char digits[] = "0123456789abcdefghijklmnopqrstuv";
	bh_cleanup(bh_buf_done) struct bh_buf b = BH_BUF_INIT;
	uint64_t h, rest;
	size_t i;

	bh_buf_add(&b, t->network, strlen(t->network) + 1);
	bh_buf_add(&b, t->id, strlen(t->id) + 1);
	bh_buf_puts(&b, t->ifname);
	if (bh_buf_failed(&b))
		return bh_err_set(err, -ENOMEM, "out of memory");
	h = bh_siphash(b.data, b.len, &name_key);
	(void)snprintf(t->hash, sizeof(t->hash), "%016" PRIx64, h);
	(void)snprintf(t->host_name, sizeof(t->host_name), BH_HOST_PREFIX "...........");
	for (i = strlen(BH_HOST_PREFIX), rest = h; t->host_name[i]; i++, rest >>= 5)
		t->host_name[i] = digits[rest & 31];
	(void)snprintf(t->alias, sizeof(t->alias), "bulkhead %s/%s/%.150s", t->network, t->ifname,
		       t->id);
	return 0;
}

int bh_attachment_init(struct bh_attachment *t, const char *run_dir, const char *network,
		       const char *id, const char *ifname, struct bh_err *err)
{
	int r;

	*t =
	    (struct bh_attachment){ .network = network, .id = id, .ifname = ifname, .lock_fd = -1 };
	r = bh_boot_id(t->boot, err);
	if (r == 0)
		r = make_names(t, err);
	if (r < 0)
		return r;
	if (asprintf(&t->folder, "%s/attachments", run_dir) < 0)
		t->folder = NULL;
	if (asprintf(&t->record_path, "%s/attachments/%s.json", run_dir, t->hash) < 0)
		t->record_path = NULL;
	if (asprintf(&t->lock_path, "%s/attachments/%s.lock", run_dir, t->hash) < 0)
		t->lock_path = NULL;
	if (asprintf(&t->tmp_path, "%s/attachments/.%s.tmp", run_dir, t->hash) < 0)
		t->tmp_path = NULL;
	if (!t->folder || !t->record_path || !t->lock_path || !t->tmp_path)
		return bh_err_set(err, -ENOMEM, "out of memory");
	return 0;
}

/* The file goes while the lock is held: who waits for it sees that and makes a new one. */
static void unlock(struct bh_attachment *t)
{
	if (t->lock_fd < 0)
		return;
	(void)unlink(t->lock_path);
	bh_closep(&t->lock_fd);
	t->lock_fd = -1;
}

void bh_attachment_done(struct bh_attachment *t)
{
	unlock(t);
	free(t->folder);
	free(t->record_path);
	free(t->lock_path);
	free(t->tmp_path);
	*t = (struct bh_attachment)BH_ATTACHMENT_INIT;
}

/* 1: locked. 0: somebody else has it, or had and removed it. */
static int try_lock(struct bh_attachment *t, struct bh_err *err)
{
	bh_autoclose int fd = -1;
	struct stat mine, there;

	fd = open(t->lock_path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0 || fstat(fd, &mine) < 0)
		return bh_err_set(err, -errno, "cannot open '%s': %s", t->lock_path,
				  strerrordesc_np(errno));
	if (flock(fd, LOCK_EX | LOCK_NB) < 0) {
		if (errno == EWOULDBLOCK)
			return 0;
		return bh_err_set(err, -errno, "cannot lock '%s': %s", t->lock_path,
				  strerrordesc_np(errno));
	}
	if (stat(t->lock_path, &there) < 0 || there.st_ino != mine.st_ino ||
	    there.st_dev != mine.st_dev)
		return 0;
	t->lock_fd = bh_take_fd(&fd);
	(void)unlink(t->tmp_path); /* left by a call that was killed while it wrote */
	return 1;
}

int bh_attachment_lock(struct bh_attachment *t, int64_t wait_ms, struct bh_err *err)
{
	bh_msec_t deadline = bh_clock_now() + wait_ms;
	int r = bh_mkdir_parents(t->folder, 0700, err);

	if (r < 0)
		return r;
	for (unsigned i = 0;; i++) {
		r = try_lock(t, err);
		if (r != 0)
			return r < 0 ? r : 0;
		/* A lock file that was removed meanwhile is no reason to give up. */
		if (i >= 3 && bh_clock_now() >= deadline)
			break;
		if (i >= 3)
			(void)nanosleep(&(struct timespec){ .tv_nsec = 5000000 }, NULL);
	}
	return bh_err_set(err, -EBUSY,
			  "another call for interface %s of container %.64s is at work", t->ifname,
			  t->id);
}

int bh_record_write(const struct bh_attachment *t, const json_t *record, struct bh_err *err)
{
	bh_autofree char *text = bh_json_text(record);
	bh_autoclose int fd = -1;
	int r = 0;

	if (!text)
		return bh_err_set(err, -ENOMEM, "out of memory");
	fd = open(t->tmp_path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return bh_err_set(err, -errno, "cannot write '%s': %s", t->tmp_path,
				  strerrordesc_np(errno));
	for (size_t done = 0, size = strlen(text); r == 0 && done < size;) {
		ssize_t n = write(fd, text + done, size - done);

		if (n > 0)
			done += (size_t)n;
		else if (n == 0 || errno != EINTR)
			r = n == 0 ? -EIO : -errno;
	}
	if (r == 0 && rename(t->tmp_path, t->record_path) < 0)
		r = -errno;
	if (r < 0) {
		(void)unlink(t->tmp_path);
		return bh_err_set(err, r, "cannot write '%s': %s", t->record_path,
				  strerrordesc_np(-r));
	}
	return 0;
}

int bh_record_read(const struct bh_attachment *t, json_t **ret, struct bh_err *err)
{
	const char *network, *id, *ifname;
	bh_autofree char *data = NULL;
	bh_autojson json_t *v = NULL;
	size_t size;
	int r = bh_file_read(t->record_path, BH_CNI_MSG_MAX, &data, &size, err);

	if (r < 0)
		return r;
	r = bh_json_load(data, size, BH_CNI_MSG_MAX, &v, err);
	if (r < 0)
		return bh_err_wrap(err, r == -ENOMEM ? r : -EINVAL, "'%s'", t->record_path);
	if (bh_json_str(v, "network", &network, err) < 0 || bh_json_str(v, "id", &id, err) < 0 ||
	    bh_json_str(v, "ifname", &ifname, err) < 0)
		return bh_err_wrap(err, -EINVAL, "'%s'", t->record_path);
	if (!bh_streq(network, t->network) || !bh_streq(id, t->id) || !bh_streq(ifname, t->ifname))
		return bh_err_set(err, -EPERM, "'%s' is the record of another attachment",
				  t->record_path);
	*ret = bh_take_ptr(&v);
	return 0;
}

int bh_record_remove(const struct bh_attachment *t, struct bh_err *err)
{
	if (unlink(t->record_path) < 0 && errno != ENOENT)
		return bh_err_set(err, -errno, "cannot remove '%s': %s", t->record_path,
				  strerrordesc_np(errno));
	return 0;
}

bool bh_record_fresh(const struct bh_attachment *t, const json_t *record)
{
	const char *boot;

	return bh_json_str(record, "boot", &boot, NULL) == 0 && bh_streq(boot, t->boot);
}

size_t bh_record_ips(const json_t *record, struct bh_addr *ret, size_t max)
{
	json_t *ips = json_object_get(record, "ips");
	size_t n = 0, i;
	json_t *v;

	json_array_foreach(ips, i, v) {
		const char *s = json_string_value(v);

		if (n < max && s && bh_addr_parse(s, &ret[n]) == 0)
			n++;
	}
	return n;
}
