// SPDX-License-Identifier: Apache-2.0
// layout - choosing how many neighbours a thread takes, and packing what the text then declares.
#include "device/cuda/layout.h"

#include <string.h>

enum {
    ACCESS = 16,     // bytes of the widest load or store
    IN_FLIGHT = 48,  // bytes a thread should have asked for before it waits
    MOST_UNROLL = 4,
    LONGEST_BODY = 512,      // elementary operations written out in a loop's body, about
    BLOCKS_EACH = 16,        // blocks per multiprocessor, at most
    ROWS_OF_GROUPS = 4,      // an axis shorter than so many groups is taken element by element
    TILE_SIDE = 32,          // shorter axes are not tiled
    STAGE_BYTES = 40 << 10,  // of shared memory, for all tiles of a block
    NEAR_ROWS = 8,           // operands so many rows apart at most share what a tile reads
};

static int operand_dtype(const wf_program *p, int op)
{
    if (op >= p->ninput) return p->output[op - p->ninput].dtype;
    return p->input[op].counter ? 0 : p->input[op].dtype;
}

static bool is_unit(const wf_cuda_nest *nest, int op, int dtype)
{
    return dtype && nest->stride[nest->ndim - 1][op] == wf_cuda_item(dtype);
}

// Whether OP may be reached BYTES at a time, wherever a row begins.
static bool is_aligned(const wf_cuda_nest *nest, int op, int bytes)
{
    uint64_t bits = (uint64_t)(uintptr_t)nest->place[op].data;

    for (int a = 0; a < nest->ndim - 1; a++) bits |= (uint64_t)nest->stride[a][op];
    return (bits & (uint64_t)(bytes - 1)) == 0;
}

// Groups of N are worth it: what is written is aligned, and at least half of what is read.
static bool suits(const wf_cuda_nest *nest, const wf_program *p, int n)
{
    int64_t inner = nest->count[nest->ndim - 1];
    int read = 0, aligned = 0;

    if (inner < ROWS_OF_GROUPS * n && inner % n != 0) return false;
    for (int op = 0; op < nest->nop; op++) {
        int dtype = operand_dtype(p, op);
        if (!is_unit(nest, op, dtype)) continue;
        bool good = is_aligned(nest, op, n * wf_cuda_item(dtype));
        if (op >= p->ninput && !good) return false;
        read += op < p->ninput, aligned += op < p->ninput && good;
    }
    return 2 * aligned >= read;
}

static int vector_of(const wf_cuda_nest *nest, const wf_program *p)
{
    int widest = 0, weight = wf_cuda_weight(p);

    for (int op = 0; op < nest->nop; op++) {
        int dtype = operand_dtype(p, op);
        if (is_unit(nest, op, dtype) && wf_cuda_item(dtype) > widest) widest = wf_cuda_item(dtype);
    }
    int n = widest ? ACCESS / widest : 1;
    while (n > 1 && (n * weight > LONGEST_BODY || !suits(nest, p, n))) n /= 2;
    return n;
}

static int unroll_of(const wf_cuda_layout *layout, const wf_program *p)
{
    int bytes = 0, unroll = 1, body = layout->vector * wf_cuda_weight(p);

    for (int op = 0; op < p->ninput; op++)
        if (!p->input[op].counter && layout->reach[op] != WF_CUDA_UNIFORM)
            bytes += layout->vector * wf_cuda_item(p->input[op].dtype);
    // More rows to a tile share more.
    int enough = layout->tiled ? 2 * IN_FLIGHT : IN_FLIGHT;
    while (bytes > 0 && unroll < MOST_UNROLL && unroll * bytes < enough &&
           2 * unroll * body <= LONGEST_BODY)
        unroll *= 2;
    return unroll;
}

void wf_cuda_layout_reach(wf_cuda_layout *layout, const wf_cuda_nest *nest, int op, int dtype)
{
    int inner = nest->ndim - 1;
    int64_t step = nest->stride[inner][op];
    uint32_t walks = 0;
    wf_cuda_reach reach = WF_CUDA_STRIDED;

    for (int a = 0; a < nest->ndim; a++)
        if (nest->stride[a][op] != 0) walks |= 1u << a;
    if (walks == 0) reach = WF_CUDA_UNIFORM;
    else if (step == 0) reach = WF_CUDA_FIXED;
    else if (!dtype) reach = step == 1 ? WF_CUDA_VECTOR : WF_CUDA_STRIDED;
    else if (step == wf_cuda_item(dtype))
        reach = is_aligned(nest, op, layout->vector * (int)step) ? WF_CUDA_VECTOR : WF_CUDA_UNIT;
    layout->reach[op] = (uint8_t)reach;
    layout->walks[op] = walks;
}

// --- tiles ---

// Whether OP's neighbours lie along AXIS, not along the innermost one.
static bool is_turned(const wf_cuda_nest *nest, const wf_program *p, int op, int axis)
{
    int dtype = operand_dtype(p, op);
    int64_t step = nest->stride[nest->ndim - 1][op];

    return op < p->ninput && dtype && step != 0 && step != wf_cuda_item(dtype) &&
           nest->stride[axis][op] == wf_cuda_item(dtype);
}

// An axis along which some input's neighbours lie; -1: none.
static int turned_axis(const wf_cuda_nest *nest, const wf_program *p)
{
    if (nest->count[nest->ndim - 1] < TILE_SIDE) return -1;
    for (int op = 0; op < p->ninput; op++)
        for (int a = 0; a < nest->ndim - 1; a++)
            if (nest->count[a] >= TILE_SIDE && is_turned(nest, p, op, a)) return a;
    return -1;
}

// Whether A and B are one array, a few rows apart: neighbours of a stencil.
static bool are_near(const wf_cuda_nest *nest, int a, int b)
{
    int row = nest->ndim - 2;
    int64_t pitch = nest->stride[row][a], apart = nest->place[a].data - nest->place[b].data;

    for (int axis = 0; axis < nest->ndim; axis++)
        if (nest->stride[axis][a] != nest->stride[axis][b]) return false;
    if (pitch < 0) pitch = -pitch;
    if (apart < 0) apart = -apart;
    return 2 * apart > pitch && apart <= NEAR_ROWS * pitch;
}

static bool is_stencil(const wf_cuda_nest *nest, const wf_program *p)
{
    if (nest->ndim < 2 || nest->count[nest->ndim - 2] < TILE_SIDE) return false;
    for (int a = 0; a < p->ninput; a++)
        for (int b = 0; b < a; b++)
            if (operand_dtype(p, a) && operand_dtype(p, b) && are_near(nest, a, b)) return true;
    return false;
}

// Lets all turned inputs through shared memory for which there is room.
static void stage_inputs(wf_cuda_layout *layout, const wf_cuda_nest *nest, const wf_program *p)
{
    int used = 0, side = TILE_SIDE * (TILE_SIDE + 1);

    for (int op = 0; op < p->ninput; op++) {
        int bytes = side * wf_cuda_item(p->input[op].dtype);
        if (!is_turned(nest, p, op, nest->ndim - 2) || used + bytes > STAGE_BYTES) continue;
        layout->reach[op] = WF_CUDA_STAGED;
        used += bytes;
    }
}

void wf_cuda_layout_of_map(wf_cuda_layout *layout, wf_cuda_nest *nest, const wf_program *p)
{
    int64_t groups = 1;
    int turned = turned_axis(nest, p);

    for (int a = 0; a < nest->ndim; a++) groups *= nest->count[a];
    if (turned >= 0) wf_cuda_nest_move(nest, turned, nest->ndim - 2);
    layout->ndim = nest->ndim;
    layout->wide = wf_cuda_is_wide(nest, groups);
    layout->tiled = turned >= 0 || is_stencil(nest, p);
    layout->vector = turned >= 0 ? 1 : vector_of(nest, p);
    for (int op = 0; op < nest->nop; op++)
        wf_cuda_layout_reach(layout, nest, op, operand_dtype(p, op));
    layout->unroll = turned >= 0 ? TILE_SIDE / WF_CUDA_WARPS : unroll_of(layout, p);
    if (turned >= 0) stage_inputs(layout, nest, p);
}

bool wf_cuda_is_wide(const wf_cuda_nest *nest, int64_t groups)
{
    const int64_t most = (int64_t)1 << 30, farthest = INT32_MAX;
    bool wide = groups >= most;

    for (int a = 0; a < nest->ndim; a++) {
        wide = wide || nest->count[a] >= most;
        for (int op = 0; op < nest->nop; op++)
            wide = wide || nest->stride[a][op] > farthest || nest->stride[a][op] < -farthest;
    }
    return wide;
}

uint64_t wf_cuda_layout_hash(const wf_cuda_layout *layout, int nop)
{
    uint64_t hash = wf_cuda_mix(0, (uint64_t)layout->ndim << 1 | layout->wide);

    hash = wf_cuda_mix(hash, (uint64_t)layout->tiled << 16 | (uint64_t)layout->vector << 8 |
                                 (uint64_t)layout->unroll);
    for (int op = 0; op < nop; op++)
        hash = wf_cuda_mix(hash, (uint64_t)layout->reach[op] << 32 | layout->walks[op]);
    return hash;
}

static void pack_keys(wf_cuda_pack *pack, uint64_t seed)
{
    uint32_t k0 = (uint32_t)seed, k1 = (uint32_t)(seed >> 32);

    for (int round = 0; round < 10; round++, k0 += 0x9e3779b9u, k1 += 0xbb67ae85u)
        wf_cuda_pack_word(pack, (uint64_t)k1 << 32 | k0);
}

void wf_cuda_pack_params(wf_cuda_pack *pack, const wf_program *p, const wf_scalar *param)
{
    for (int i = 0; i < p->nparam; i++) {
        uint64_t word[2];
        memcpy(word, &param[i], sizeof word);
        wf_cuda_pack_word(pack, word[0]);
        wf_cuda_pack_word(pack, word[1]);
    }
    for (int v = -1; wf_cuda_next_seed(p, &v);) pack_keys(pack, param[p->instr[v].index].u);
}

void wf_cuda_pack_operand(wf_cuda_pack *pack, const wf_cuda_nest *nest,
                          const wf_cuda_layout *layout, int op)
{
    const wf_cuda_place *place = &nest->place[op];
    int reach = layout->reach[op];

    wf_cuda_pack_word(pack,
                      place->data ? (uint64_t)(uintptr_t)place->data : (uint64_t)place->origin);
    for (int a = 0; a < nest->ndim; a++) {
        bool known = a == nest->ndim - 1 && (reach == WF_CUDA_VECTOR || reach == WF_CUDA_UNIT);
        if ((layout->walks[op] >> a & 1) && !known)
            wf_cuda_pack_word(pack, (uint64_t)nest->stride[a][op]);
    }
}

// FACTOR = 2^W (2^SHIFT - COUNT) / COUNT + 1 with the least SHIFT for which 2^SHIFT >= COUNT.
void wf_cuda_pack_divider(wf_cuda_pack *pack, int64_t count, bool wide)
{
    uint64_t n = (uint64_t)count, shift = 0;

    while (((uint64_t)1 << shift) < n) shift++;
    unsigned __int128 left = ((unsigned __int128)1 << shift) - n;
    uint64_t factor = (uint64_t)((left << (wide ? 64 : 32)) / n) + 1;
    if (!wide) {
        wf_cuda_pack_word(pack, factor << 32 | n);
        wf_cuda_pack_word(pack, shift);
        return;
    }
    wf_cuda_pack_word(pack, n);
    wf_cuda_pack_word(pack, factor);
    wf_cuda_pack_word(pack, shift);
    wf_cuda_pack_word(pack, 0);
}

void wf_cuda_pack_init(wf_cuda_pack *pack, const weft_device *device)
{
    const wf_cuda_api *api = device->api;
    bool new_enough =
        api->driver_number >= 12010 && api->nvrtc_major * 1000 + api->nvrtc_minor * 10 >= 12010;

    pack->used = 0;
    pack->most = new_enough && device->capability >= 70 ? WF_CUDA_WORDS : WF_CUDA_WORDS_BEFORE;
}

weft_status wf_cuda_too_long(const wf_cuda_pack *pack)
{
    return wf_cuda_host->fail(WEFT_UNSUPPORTED,
                              "cuda: a kernel's arguments may have %d bytes, this one needs %d",
                              8 * pack->most, 8 * pack->used);
}

int64_t wf_cuda_blocks(const weft_device *device, int64_t needed)
{
    int64_t most = (int64_t)device->processors * BLOCKS_EACH;
    return needed < most ? needed : most;
}
