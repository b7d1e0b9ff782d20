// SPDX-License-Identifier: Apache-2.0
// hash - 64-bit hashes of bytes and words, the same on every machine: keys of tables and caches,
// and checksums against accidents. Not against an attacker. Any thread may call.
#ifndef WF_BASE_HASH_H
#define WF_BASE_HASH_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

// The 128-bit product folded to 64 bits: each bit of the result depends on every bit of both words.
static inline uint64_t wf_hash_fold(uint64_t a, uint64_t b)
{
    __extension__ typedef unsigned __int128 wide;
    wide product = (wide)a * b;
    return (uint64_t)product ^ (uint64_t)(product >> 64);
}

// Mixes VALUE into HASH. Order matters: chain calls to hash a sequence.
static inline uint64_t wf_hash_u64(uint64_t hash, uint64_t value)
{
    return wf_hash_fold(hash ^ 0x9E3779B97F4A7C15u, value ^ 0xD1B54A32D192ED03u) +
           (value ^ (hash << 1 | hash >> 63));
}

// The hash of N bytes under SEED (for instance the hash so far). P may be NULL when N is 0.
uint64_t wf_hash_bytes(uint64_t seed, const void *p, size_t n);

static inline uint64_t wf_hash_text(uint64_t seed, const char *text)
{
    return wf_hash_bytes(seed, text, strlen(text));
}

#endif
