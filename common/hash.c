// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * common/hash.c - SipHash-2-4 with a random key for this process
 *
 * Source: J.-P. Aumasson, D. J. Bernstein, "SipHash: a fast short-input PRF", 2012, section 2.
 */
#include "common/hash.h"

#include "common/log.h"

#include <endian.h>
#include <pthread.h>
#include <string.h>
#include <sys/random.h>

#include "common/banned.h"

static inline uint64_t rotl(uint64_t x, unsigned n)
{
	return x << n | x >> (64 - n);
}

static inline void sip_round(uint64_t v[4])
{
	v[0] += v[1];
	v[2] += v[3];
	v[1] = rotl(v[1], 13) ^ v[0];
	v[3] = rotl(v[3], 16) ^ v[2];
	v[0] = rotl(v[0], 32);
	v[2] += v[1];
	v[0] += v[3];
	v[1] = rotl(v[1], 17) ^ v[2];
	v[3] = rotl(v[3], 21) ^ v[0];
	v[2] = rotl(v[2], 32);
}

static inline void sip_word(uint64_t v[4], uint64_t m)
{
	v[3] ^= m;
	sip_round(v);
	sip_round(v);
	v[0] ^= m;
}

uint64_t bh_siphash(const void *data, size_t size, const struct bh_hash_key *key)
{
	uint64_t v[4] = {
		key->k[0] ^ UINT64_C(0x736f6d6570736575), /* "somepseudorandomlygeneratedbytes" */
		key->k[1] ^ UINT64_C(0x646f72616e646f6d),
		key->k[0] ^ UINT64_C(0x6c7967656e657261),
		key->k[1] ^ UINT64_C(0x7465646279746573),
	};
	const uint8_t *p = data;
	uint64_t m = 0;
	size_t left;

	for (left = size; left >= 8; left -= 8, p += 8) {
		memcpy(&m, p, 8);
		sip_word(v, le64toh(m));
	}
	m = (uint64_t)(size & 0xff) << 56;
	for (size_t i = 0; i < left; i++)
		m |= (uint64_t)p[i] << (8 * i);
	sip_word(v, m);

	v[2] ^= 0xff;
	for (unsigned i = 0; i < 4; i++)
		sip_round(v);
	return v[0] ^ v[1] ^ v[2] ^ v[3];
}

static struct bh_hash_key process_key;
static pthread_once_t process_key_once = PTHREAD_ONCE_INIT;

static void make_process_key(void)
{
	ssize_t n;

	do {
		n = getrandom(&process_key, sizeof(process_key), 0);
	} while (n < 0 && errno == EINTR);
	if (n != (ssize_t)sizeof(process_key)) {
		bh_error("the kernel gives no random bytes for hash keys: %s",
			 n < 0 ? strerrordesc_np(errno) : "short read");
		abort();
	}
}

const struct bh_hash_key *bh_hash_key(void)
{
	(void)pthread_once(&process_key_once, make_process_key);
	return &process_key;
}
