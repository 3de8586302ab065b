// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * dataplane/addrtable.c - address -> class, in memory that one writer and all workers share
 *
 * DOC: Theory of operation
 *
 * The memory file is a header and an array of slots. A slot is sixteen bytes of address and one 64-bit
 * word that says everything else: family, class, local. The word is stored last, with release order, so a
 * reader that sees it (acquire) sees the address as well; a word of 0 is an empty slot and ends a search.
 * Changing a class is one store of the word. The writer may die at any instruction: either the word is
 * there and the slot is whole, or it is not and the slot is empty.
 *
 * The file's size is sealed, so that a reader can never meet a hole; it is sealed against new writable
 * mappings too, so that who receives the descriptor can read and no more. A reader copies the header's
 * fields once and never looks at them again.
 */
#include "dataplane/addrtable.h"

#include <fcntl.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/stat.h>

#include "common/hash.h"
#include "common/util.h"

#include "common/banned.h"

#ifndef F_SEAL_FUTURE_WRITE
#define F_SEAL_FUTURE_WRITE 0x0010
#endif

#define TABLE_MAGIC   UINT64_C(0x3154414b4c554842) /* "BHULKAT1" */
#define TABLE_VERSION 1U
#define SLOTS_MIN     16U
#define SLOTS_MAX     (1U << 26)

#define WORD_CLASS  UINT64_C(0x00000000ffffffff)
#define WORD_LOCAL  (UINT64_C(1) << 32)
#define WORD_FAMILY 40 /* shift */

struct slot {
	uint8_t addr[16];
	_Atomic uint64_t word;
};

struct header {
	uint64_t magic;
	uint32_t version;
	uint32_t slot_size;
	uint32_t n_slots;
	_Atomic uint32_t used;
	struct bh_hash_key key;
	uint8_t pad[24];
};

_Static_assert(sizeof(struct slot) == 24, "slots have a fixed layout");
_Static_assert(sizeof(struct header) == 64, "the header has a fixed layout");
_Static_assert(ATOMIC_LLONG_LOCK_FREE == 2, "shared between processes: must be lock-free");

struct bh_addrtable {
	struct header *head;
	struct slot *slots;
	size_t size;
	uint32_t n_slots;
	struct bh_hash_key key;
	int fd; /* -1: a reader's view */
};

static struct bh_addrtable *view_new(void *mem, size_t size, uint32_t n_slots)
{
	struct bh_addrtable *t = calloc(1, sizeof(*t));

	if (!t)
		return NULL;
	t->head = mem;
	t->slots = (struct slot *)(void *)((char *)mem + sizeof(struct header));
	t->size = size;
	t->n_slots = n_slots;
	t->fd = -1;
	return t;
}

int bh_addrtable_new(size_t capacity, struct bh_addrtable **ret, struct bh_err *err)
{
	const int seals = F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_FUTURE_WRITE | F_SEAL_SEAL;
	bh_autoclose int fd = -1;
	uint32_t n_slots = SLOTS_MIN;
	struct bh_addrtable *t;
	size_t size;
	void *mem;

	if (capacity > SLOTS_MAX / 2)
		return bh_err_set(err, -E2BIG, "address table for %zu addresses: at most %u",
				  capacity, SLOTS_MAX / 2);
	while (n_slots < 2 * capacity)
		n_slots *= 2;
	size = sizeof(struct header) + n_slots * sizeof(struct slot);

	fd = memfd_create("bulkhead-addrs", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (fd < 0)
		return bh_err_set(err, -errno, "address table: memfd_create: %m");
	if (ftruncate(fd, (off_t)size) < 0)
		return bh_err_set(err, -errno, "address table of %zu bytes: %m", size);
	mem = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (mem == MAP_FAILED)
		return bh_err_set(err, -errno, "address table of %zu bytes: mmap: %m", size);
	t = view_new(mem, size, n_slots);
	if (!t) {
		(void)munmap(mem, size);
		return bh_err_set(err, -ENOMEM, "address table: out of memory");
	}
	if (getrandom(&t->key, sizeof(t->key), 0) != (ssize_t)sizeof(t->key) ||
	    fcntl(fd, F_ADD_SEALS, seals) < 0) {
		int r = bh_err_set(err, -errno, "address table: sealing: %m");

		bh_addrtable_free(t);
		return r;
	}
	t->head->key = t->key;
	t->head->n_slots = n_slots;
	t->head->slot_size = sizeof(struct slot);
	t->head->version = TABLE_VERSION;
	t->head->magic = TABLE_MAGIC;
	t->fd = bh_take_fd(&fd);
	*ret = t;
	return 0;
}

int bh_addrtable_fd(const struct bh_addrtable *t)
{
	return t->fd;
}

int bh_addrtable_map(int fd, struct bh_addrtable **ret, struct bh_err *err)
{
	struct bh_addrtable *t;
	struct header h;
	struct stat st;
	uint64_t size;
	void *mem;
	int seals;

	/* Without these seals the file could shrink under us: reading it would be a SIGBUS. */
	seals = fcntl(fd, F_GET_SEALS);
	if (seals < 0 || (seals & (F_SEAL_GROW | F_SEAL_SHRINK)) != (F_SEAL_GROW | F_SEAL_SHRINK))
		return bh_err_set(err, -EPROTO, "address table: not a memory file of sealed size");
	if (fstat(fd, &st) < 0)
		return bh_err_set(err, -errno, "address table: fstat: %m");
	size = (uint64_t)st.st_size;
	if (size < sizeof(h) || size > sizeof(h) + (uint64_t)SLOTS_MAX * sizeof(struct slot))
		return bh_err_set(err, -EPROTO, "address table: %llu bytes are no table",
				  (unsigned long long)size);
	mem = mmap(NULL, size, PROT_READ, MAP_SHARED, fd, 0);
	if (mem == MAP_FAILED)
		return bh_err_set(err, -errno, "address table: mmap: %m");
	memcpy(&h, mem, sizeof(h));
	if (h.magic != TABLE_MAGIC || h.version != TABLE_VERSION ||
	    h.slot_size != sizeof(struct slot) || h.n_slots < SLOTS_MIN || h.n_slots > SLOTS_MAX ||
	    (h.n_slots & (h.n_slots - 1)) ||
	    size != sizeof(h) + (uint64_t)h.n_slots * sizeof(struct slot)) {
		(void)munmap(mem, size);
		return bh_err_set(err, -EPROTO,
				  "address table: the header is not one of version %u",
				  TABLE_VERSION);
	}
	t = view_new(mem, size, h.n_slots);
	if (!t) {
		(void)munmap(mem, size);
		return bh_err_set(err, -ENOMEM, "address table: out of memory");
	}
	t->key = h.key;
	*ret = t;
	return 0;
}

struct bh_addrtable *bh_addrtable_free(struct bh_addrtable *t)
{
	if (!t)
		return NULL;
	(void)munmap(t->head, t->size);
	if (t->fd >= 0)
		(void)close(t->fd);
	free(t);
	return NULL;
}

static uint32_t first_slot(const struct bh_addrtable *t, const struct bh_addr *a)
{
	uint8_t key[17];

	memcpy(key, a->bytes, 16);
	key[16] = a->family;
	return (uint32_t)bh_siphash(key, sizeof(key), &t->key) & (t->n_slots - 1);
}

/* The slot of @a (*@ret_word: its word), else the empty slot where the search ended (word 0), else NULL. */
static struct slot *find(const struct bh_addrtable *t, const struct bh_addr *a, uint64_t *ret_word)
{
	uint32_t i = first_slot(t, a);

	for (uint32_t n = 0; n < t->n_slots; n++, i = (i + 1) & (t->n_slots - 1)) {
		struct slot *s = &t->slots[i];
		uint64_t w = atomic_load_explicit(&s->word, memory_order_acquire);

		if (w == 0 ||
		    (w >> WORD_FAMILY == a->family && memcmp(s->addr, a->bytes, 16) == 0)) {
			*ret_word = w;
			return s;
		}
	}
	return NULL;
}

int bh_addrtable_set(struct bh_addrtable *t, const struct bh_addr *a, uint32_t cls, bool local)
{
	uint64_t old, word = (uint64_t)a->family << WORD_FAMILY | (local ? WORD_LOCAL : 0) | cls;
	struct slot *s;

	if (t->fd < 0 || cls == 0 || (a->family != 4 && a->family != 6))
		return -EINVAL;
	s = find(t, a, &old);
	if (!s)
		return -ENOSPC;
	if (old == 0) {
		uint32_t used = atomic_load_explicit(&t->head->used, memory_order_relaxed);

		/* Counted first: a writer that dies here has one slot less, never one too many. */
		if (used >= t->n_slots / 4 * 3)
			return -ENOSPC;
		atomic_store_explicit(&t->head->used, used + 1, memory_order_relaxed);
		memcpy(s->addr, a->bytes, 16);
	}
	atomic_store_explicit(&s->word, word, memory_order_release);
	return 0;
}

void bh_addrtable_remove(struct bh_addrtable *t, const struct bh_addr *a)
{
	uint64_t old;
	struct slot *s;

	if (t->fd < 0 || (a->family != 4 && a->family != 6))
		return;
	s = find(t, a, &old);
	if (s && old != 0)
		atomic_store_explicit(&s->word, (uint64_t)a->family << WORD_FAMILY,
				      memory_order_release);
}

uint32_t bh_addrtable_get(const struct bh_addrtable *t, const struct bh_addr *a, bool *ret_local)
{
	uint64_t word = 0;

	if ((a->family != 4 && a->family != 6) || !find(t, a, &word))
		word = 0;
	if (ret_local)
		*ret_local = word & WORD_LOCAL;
	return (uint32_t)(word & WORD_CLASS);
}

size_t bh_addrtable_used(const struct bh_addrtable *t)
{
	return atomic_load_explicit(&t->head->used, memory_order_relaxed);
}
