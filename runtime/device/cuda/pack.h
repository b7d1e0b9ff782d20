// SPDX-License-Identifier: Apache-2.0
// pack - a kernel's argument being filled, in words of 8 bytes, in the order that source.h states.
// Lives on the stack of a launch; nothing allocates.
#ifndef WF_CUDA_PACK_H
#define WF_CUDA_PACK_H

#include <string.h>

#include "device/cuda/nest.h"

// 32,764 bytes is what kernels may take since CUDA 12.1; 4,096 before.
#define WF_CUDA_WORDS 4080
#define WF_CUDA_WORDS_BEFORE 512

typedef struct wf_cuda_pack {
    int used;
    int most;  // beyond it words are counted, not kept
    uint64_t word[WF_CUDA_WORDS];
} wf_cuda_pack;

static inline void wf_cuda_pack_word(wf_cuda_pack *pack, uint64_t word)
{
    if (pack->used < pack->most) pack->word[pack->used] = word;
    pack->used++;
}

static inline bool wf_cuda_pack_fits(const wf_cuda_pack *pack) { return pack->used <= pack->most; }

// Parameters, then the round keys of the seeds among them.
void wf_cuda_pack_params(wf_cuda_pack *pack, const wf_program *program, const wf_scalar *param);
// The divider by COUNT: axis32 or axis64 of walk.cuh.
void wf_cuda_pack_divider(wf_cuda_pack *pack, int64_t count, bool wide);

static inline uint64_t wf_cuda_mix(uint64_t hash, uint64_t word)
{
    hash = (hash ^ word) * 0x9e3779b97f4a7c15u;
    return hash ^ hash >> 29;
}

#endif
