// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * tests/fuzz/fuzz_packet.c - the headers of one packet
 *
 * The first byte says how much of the packet is missing, the rest is the packet.
 */
#include "dataplane/classifier/packet.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct bh_headers h;
	enum bh_headers_result r;
	uint32_t n;

	if (size < 1 || size > 70000)
		return 0;
	n = (uint32_t)size - 1;
	r = bh_headers_parse(data + 1, n, n + data[0], &h);
	if (r == BH_HEADERS_BAD)
		return 0;
	if ((r != BH_HEADERS_OK && r != BH_HEADERS_SHORT) || !h.src.family ||
	    h.src.family != h.dst.family || h.l4_start < data + 1 ||
	    h.l4_start + h.l4_len > data + size || h.payload < h.l4_start ||
	    h.payload + h.payload_len != h.l4_start + h.l4_len)
		abort();
	if (r == BH_HEADERS_OK)
		(void)bh_headers_checksum_ok(&h);
	return 0;
}
