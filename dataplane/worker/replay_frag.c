// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * dataplane/worker/replay_frag.c - fragments into packets
 *
 * A packet being put together is a buffer of the largest possible size and a bitmap of its 8-byte units that
 * are there. The header comes from the part at offset 0, the length from the last part. Sources: RFC 791,
 * RFC 8200 section 4.5, RFC 5722 (overlaps).
 */
#include "dataplane/worker/replay_frag.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/ip.h>
#include <netinet/ip6.h>
#include <stdlib.h>
#include <string.h>

#include "common/util.h"

#include "common/banned.h"

#define QUEUES      64U
#define TIMEOUT_MS  30000
#define PAYLOAD_MAX 65536U
#define UNITS       (PAYLOAD_MAX / 8)
#define HEADER_MAX  512U

struct key {
	uint8_t src[16], dst[16];
	uint32_t id;
	uint8_t family, proto; /* IPv6: protocol is not part of the key */
	uint8_t pad[2];
};

struct queue {
	struct key key;
	bool used, dead; /* dead: overlap; swallows what still comes */
	bh_msec_t since;
	uint32_t total; /* payload bytes; 0: last part not seen */
	uint32_t have;  /* units */
	uint32_t header_len;
	uint32_t
	    next_at; /* IPv6: where in the header the next-header field of the fragment's predecessor is */
	uint8_t next; /* what follows the fragment header */
	uint8_t header[HEADER_MAX];
	uint8_t payload[PAYLOAD_MAX];
	uint64_t map[UNITS / 64];
};

struct bh_frag {
	struct bh_frag_stats stats;
	uint8_t out[HEADER_MAX + PAYLOAD_MAX];
	struct queue queues[QUEUES];
};

struct part {
	struct key key;
	const uint8_t *header, *data;
	uint32_t header_len, len, offset;
	bool more;
	uint32_t next_at;
	uint8_t next;
};

int bh_frag_new(struct bh_frag **ret)
{
	*ret = calloc(1, sizeof(**ret));
	return *ret ? 0 : -ENOMEM;
}

struct bh_frag *bh_frag_free(struct bh_frag *f)
{
	free(f);
	return NULL;
}

/* Return: 1 a part, 0 a whole packet, -EINVAL. */
static int parse4(const uint8_t *data, size_t len, struct part *ret)
{
	uint32_t header_len = (data[0] & 15U) * 4U;
	uint16_t frag = (uint16_t)(data[6] << 8 | data[7]);

	if (header_len < 20 || header_len > len)
		return -EINVAL;
	if (!(frag & (IP_MF | IP_OFFMASK)))
		return 0;
	*ret = (struct part){
		.key = { .family = 4, .proto = data[9], .id = (uint32_t)(data[4] << 8 | data[5]) },
		.header = data,
		.header_len = header_len,
		.data = data + header_len,
		.len = (uint32_t)len - header_len,
		.offset = (frag & IP_OFFMASK) * 8U,
		.more = frag & IP_MF
	};
	memcpy(ret->key.src, data + 12, 4);
	memcpy(ret->key.dst, data + 16, 4);
	return 1;
}

static int parse6(const uint8_t *data, size_t len, struct part *ret)
{
	uint32_t at = sizeof(struct ip6_hdr), next_at = 6;
	uint8_t next = data[6];

	/* Only these stand before a fragment header. */
	while (next == IPPROTO_HOPOPTS || next == IPPROTO_ROUTING || next == IPPROTO_DSTOPTS) {
		if (at + 8 > len || at + (data[at + 1] + 1U) * 8 > len)
			return -EINVAL;
		next = data[at];
		next_at = at;
		at += (data[at + 1] + 1U) * 8;
	}
	if (next != IPPROTO_FRAGMENT)
		return 0;
	if (at + sizeof(struct ip6_frag) > len || at > HEADER_MAX)
		return -EINVAL;
	*ret = (struct part){ .key = { .family = 6 },
			      .header = data,
			      .header_len = at,
			      .data = data + at + sizeof(struct ip6_frag),
			      .len = (uint32_t)len - at - (uint32_t)sizeof(struct ip6_frag),
			      .offset = (uint32_t)(data[at + 2] << 8 | (data[at + 3] & 0xf8)),
			      .more = data[at + 3] & 1,
			      .next_at = next_at,
			      .next = data[at] };
	memcpy(ret->key.src, data + 8, 16);
	memcpy(ret->key.dst, data + 24, 16);
	memcpy(&ret->key.id, data + at + 4, 4);
	return 1;
}

static struct queue *find(struct bh_frag *f, const struct key *key, bh_msec_t now)
{
	struct queue *oldest = &f->queues[0];

	for (size_t i = 0; i < QUEUES; i++) {
		struct queue *q = &f->queues[i];

		if (q->used && now - q->since > TIMEOUT_MS) {
			f->stats.dropped += !q->dead;
			q->used = false;
		}
		if (q->used && memcmp(&q->key, key, sizeof(*key)) == 0)
			return q;
		if (!q->used)
			oldest = q;
		else if (oldest->used && q->since < oldest->since)
			oldest = q;
	}
	if (oldest->used)
		f->stats.dropped += !oldest->dead;
	oldest->used = true;
	oldest->dead = false;
	oldest->key = *key;
	oldest->since = now;
	oldest->total = 0;
	oldest->have = 0;
	oldest->header_len = 0;
	memset(oldest->map, 0, sizeof(oldest->map));
	return oldest;
}

static bool unit(const struct queue *q, uint32_t i)
{
	return q->map[i / 64] >> (i % 64) & 1;
}

/* Return: false if the packet is spoilt. */
static bool add(struct queue *q, const struct part *p)
{
	uint32_t end = p->offset + p->len, first = p->offset / 8, n = (p->len + 7) / 8, there = 0;

	if (p->len == 0 || end > PAYLOAD_MAX - 1 || (p->more && p->len % 8))
		return false;
	if (!p->more && q->total && q->total != end)
		return false;
	if (q->total && end > q->total)
		return false;
	for (uint32_t i = first; i < first + n; i++)
		there += unit(q, i);
	if (there == n && memcmp(q->payload + p->offset, p->data, p->len) == 0)
		return true; /* once more, just the same */
	if (there)
		return false;
	if (!p->more) {
		/* Nothing may stand behind the end. */
		for (uint32_t i = first + n; i < UNITS; i++)
			if (unit(q, i))
				return false;
		q->total = end;
	}
	memcpy(q->payload + p->offset, p->data, p->len);
	for (uint32_t i = first; i < first + n; i++)
		q->map[i / 64] |= UINT64_C(1) << (i % 64);
	q->have += n;
	if (p->offset == 0) {
		q->header_len = p->header_len;
		q->next_at = p->next_at;
		q->next = p->next;
		memcpy(q->header, p->header, p->header_len);
	}
	return true;
}

static uint16_t header_checksum(const uint8_t *h, uint32_t len)
{
	uint32_t sum = 0;

	for (uint32_t i = 0; i < len; i += 2)
		sum += (uint32_t)(h[i] << 8 | h[i + 1]);
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)~sum;
}

static size_t assemble(struct bh_frag *f, struct queue *q)
{
	uint32_t total = q->header_len + q->total;

	memcpy(f->out, q->header, q->header_len);
	memcpy(f->out + q->header_len, q->payload, q->total);
	if (q->key.family == 4) {
		uint16_t sum;

		f->out[2] = (uint8_t)(total >> 8);
		f->out[3] = (uint8_t)total;
		f->out[6] = 0;
		f->out[7] = 0;
		f->out[10] = 0;
		f->out[11] = 0;
		sum = header_checksum(f->out, q->header_len);
		f->out[10] = (uint8_t)(sum >> 8);
		f->out[11] = (uint8_t)sum;
	} else {
		uint32_t payload = total - (uint32_t)sizeof(struct ip6_hdr);

		f->out[4] = (uint8_t)(payload >> 8);
		f->out[5] = (uint8_t)payload;
		f->out[q->next_at] = q->next;
	}
	q->used = false;
	f->stats.rebuilt++;
	return total;
}

int bh_frag_packet(struct bh_frag *f, const uint8_t *data, size_t len, bh_msec_t now,
		   const uint8_t **ret_data, size_t *ret_len)
{
	struct queue *q;
	struct part p;
	int r;

	if (len < 20 || (data[0] >> 4 == 6 && len < sizeof(struct ip6_hdr)))
		return -EINVAL;
	r = data[0] >> 4 == 6 ? parse6(data, len, &p) : parse4(data, len, &p);
	if (r < 0)
		return r;
	*ret_data = data;
	*ret_len = len;
	if (r == 0)
		return 1;
	f->stats.parts++;
	q = find(f, &p.key, now);
	if (q->dead)
		return 0;
	if (!add(q, &p)) {
		q->dead = true;
		f->stats.dropped++;
		return 0;
	}
	if (!q->total || q->have != (q->total + 7) / 8 || !q->header_len)
		return 0;
	if (q->header_len + q->total > 65535U + (q->key.family == 6 ? sizeof(struct ip6_hdr) : 0)) {
		q->dead = true;
		f->stats.dropped++;
		return 0;
	}
	*ret_len = assemble(f, q);
	*ret_data = f->out;
	return 1;
}

void bh_frag_stats_get(const struct bh_frag *f, struct bh_frag_stats *ret)
{
	*ret = f->stats;
}
