// SPDX-License-Identifier: Apache-2.0
// hash - two independent lanes of folded multiplications over 32-byte stripes, then the tail, then
// the length.
#include "base/hash.h"

#define K1 0xA0761D6478BD642Fu
#define K2 0xE7037ED1A0B428DBu
#define K3 0x8EBC6AF09C88C6E3u

// A word in little-endian order, so that files and peers agree.
static uint64_t read_u64(const unsigned char *p)
{
    uint64_t value;
    memcpy(&value, p, 8);
#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    value = __builtin_bswap64(value);
#endif
    return value;
}

static uint64_t read_tail(const unsigned char *p, size_t n)
{
    uint64_t value = 0;
    for (size_t i = 0; i < n; i++) value |= (uint64_t)p[i] << (8 * i);
    return value;
}

uint64_t wf_hash_bytes(uint64_t seed, const void *bytes, size_t n)
{
    const unsigned char *p = bytes;
    uint64_t a = seed ^ K1, b = seed + K2;
    size_t left = n;

    for (; left >= 32; left -= 32, p += 32) {
        a = wf_hash_fold(read_u64(p) ^ a, read_u64(p + 8) ^ K2);
        b = wf_hash_fold(read_u64(p + 16) ^ b, read_u64(p + 24) ^ K3);
    }
    for (; left >= 8; left -= 8, p += 8) a = wf_hash_u64(a, read_u64(p));
    if (left) b = wf_hash_u64(b, read_tail(p, left));
    return wf_hash_fold(wf_hash_u64(a, b) ^ K3, (uint64_t)n ^ K1);
}
