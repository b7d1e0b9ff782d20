// SPDX-License-Identifier: Apache-2.0
// map - launching a program over a tile: its axes are brought into the fewest, the layout is read
// off them, and the kernel for both is found, or made when it is met for the first time.
#include <string.h>

#include "device/cuda/layout.h"
#include "device/cuda/module.h"
#include "device/cuda/pack.h"
#include "device/cuda/source.h"

static void load_nest(wf_cuda_nest *nest, const wf_launch *launch)
{
    const wf_program *p = launch->program;

    nest->ndim = 0;
    nest->nop = p->ninput + p->noutput;
    for (int op = 0; op < nest->nop; op++) {
        const wf_operand *o = op < p->ninput ? &launch->in[op] : &launch->out[op - p->ninput];
        bool counter = op < p->ninput && p->input[op].counter;
        nest->place[op] = (wf_cuda_place){ counter ? NULL : o->data, o->origin };
    }
    for (int a = 0; a < launch->ndim; a++) {
        wf_cuda_nest_add(nest, launch->count[a]);
        for (int v = 0; v < p->ninstr; v++)  // inputs that nothing reads keep no axis apart
            if (wf_cuda_reads(&p->instr[v]))
                nest->stride[a][p->instr[v].index] = launch->in[p->instr[v].index].stride[a];
        for (int i = 0; i < p->noutput; i++)
            nest->stride[a][p->ninput + i] = launch->out[i].stride[a];
    }
    wf_cuda_nest_drop_ones(nest, 0, nest->ndim);
    wf_cuda_nest_flip(nest, 0, nest->ndim, p->ninput);
    wf_cuda_nest_sort(nest, 0, nest->ndim, p->ninput);
    wf_cuda_nest_merge(nest, 0, nest->ndim);
    if (nest->ndim == 0) wf_cuda_nest_add(nest, 1);
}

static bool is_empty(const wf_launch *launch)
{
    for (int a = 0; a < launch->ndim; a++)
        if (launch->count[a] == 0) return true;
    return launch->program->noutput == 0;
}

// What threads are given: groups of VECTOR elements, or tiles. In one row, rows, in all.
typedef struct share {
    int64_t across, down, all;
} share;

static int64_t parts(int64_t n, int64_t of) { return (n - 1) / of + 1; }

static share share_of(const wf_cuda_nest *nest, const wf_cuda_layout *layout)
{
    int inner = nest->ndim - 1, outer = layout->tiled ? inner - 1 : inner;
    share s = { parts(nest->count[inner], layout->vector * (layout->tiled ? 32 : 1)), 1, 0 };

    if (layout->tiled) s.down = parts(nest->count[outer], layout->unroll * WF_CUDA_WARPS);
    s.all = s.across * s.down;
    for (int a = 0; a < outer; a++) s.all *= nest->count[a];
    return s;
}

static void pack_arguments(wf_cuda_pack *pack, const wf_launch *launch, const wf_cuda_nest *nest,
                           const wf_cuda_layout *layout, share share)
{
    int inner = nest->ndim - 1, outer = layout->tiled ? inner - 1 : inner;

    wf_cuda_pack_params(pack, launch->program, launch->param);
    wf_cuda_pack_word(pack, (uint64_t)share.all);
    wf_cuda_pack_word(pack, (uint64_t)nest->count[inner]);
    if (layout->tiled) wf_cuda_pack_word(pack, (uint64_t)nest->count[outer]);
    if (inner > 0) wf_cuda_pack_divider(pack, share.across, layout->wide);
    if (layout->tiled) wf_cuda_pack_divider(pack, share.down, layout->wide);
    for (int a = outer - 1; a > 0; a--) wf_cuda_pack_divider(pack, nest->count[a], layout->wide);
    for (int op = 0; op < nest->nop; op++) wf_cuda_pack_operand(pack, nest, layout, op);
}

static weft_status make_kernel(weft_device *device, wf_cuda_key key, const wf_program *program,
                               const wf_cuda_layout *layout, CUfunction *out)
{
    wf_cuda_source source;

    WF_CUDA_TRY(wf_cuda_map_source(program, layout, &source));
    weft_status st = wf_cuda_kernel_make(device, key, source.text.data, source.name, out);
    wf_cuda_source_fini(&source);
    return st;
}

weft_status wf_cuda_launch(weft_stream *stream, const wf_launch *launch)
{
    weft_device *device = stream->device;
    wf_cuda_nest nest;
    wf_cuda_layout layout;
    wf_cuda_pack pack;
    CUfunction function;

    if (is_empty(launch)) return WEFT_OK;
    wf_cuda_pack_init(&pack, device);
    load_nest(&nest, launch);
    wf_cuda_layout_of_map(&layout, &nest, launch->program);
    share share = share_of(&nest, &layout);
    pack_arguments(&pack, launch, &nest, &layout, share);
    if (!wf_cuda_pack_fits(&pack)) return wf_cuda_too_long(&pack);
    wf_cuda_key key = { launch->program->hash, wf_cuda_layout_hash(&layout, nest.nop) };
    if (!wf_cuda_kernel_find(device, key, &function))
        WF_CUDA_TRY(make_kernel(device, key, launch->program, &layout, &function));
    int64_t blocks =
        layout.tiled ? share.all : parts(share.all, (int64_t)WF_CUDA_THREADS * layout.unroll);
    return wf_cuda_kernel_start(stream, function, wf_cuda_blocks(device, blocks), pack.word);
}
