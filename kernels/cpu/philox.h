// SPDX-License-Identifier: Apache-2.0
// philox - Philox 4x32-10 (Salmon, Moraes, Dror and Shaw, SC'11): four 32-bit words from a 128-bit
// counter and a 64-bit key.
#ifndef WF_CPU_PHILOX_H
#define WF_CPU_PHILOX_H

#include <stdint.h>

#define WF_PHILOX_ROUNDS 10
#define WF_PHILOX_M0 0xd2511f53u
#define WF_PHILOX_M1 0xcd9e8d57u
#define WF_PHILOX_W0 0x9e3779b9u
#define WF_PHILOX_W1 0xbb67ae85u

// Replaces the counter C by the four words. The vector form in random.inc is this, lane by lane.
static inline void wf_philox(uint32_t c[4], uint32_t k0, uint32_t k1)
{
    for (int r = 0; r < WF_PHILOX_ROUNDS; r++) {
        const uint64_t p0 = (uint64_t)WF_PHILOX_M0 * c[0], p1 = (uint64_t)WF_PHILOX_M1 * c[2];
        c[0] = (uint32_t)(p1 >> 32) ^ c[1] ^ k0;
        c[1] = (uint32_t)p1;
        c[2] = (uint32_t)(p0 >> 32) ^ c[3] ^ k1;
        c[3] = (uint32_t)p0;
        k0 += WF_PHILOX_W0;
        k1 += WF_PHILOX_W1;
    }
}

#endif
