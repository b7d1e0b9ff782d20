// SPDX-License-Identifier: Apache-2.0
// map - running a program over a tile: the axes are put in order, then strips are evaluated one
// after another. Where operands are transposed, WF_PANEL_ROWS rows of one strip's columns come
// before the next columns, so that each of their cache lines is used while it is near.
#include <stdatomic.h>

#include "array/dtype.h"
#include "device/cpu/cpu.h"
#include "device/cpu/eval.h"
#include "device/cpu/scratch.h"

#define SHORT_ROW 64  // shorter rows are taken several at a time, as one flat range

static void load_nest(wf_nest *nest, const wf_launch *launch)
{
    const wf_program *p = launch->program;

    nest->ndim = launch->ndim;
    nest->nop = p->ninput + p->noutput;
    for (int a = 0; a < launch->ndim; a++) {
        nest->count[a] = launch->count[a];
        for (int i = 0; i < p->ninput; i++) nest->stride[a][i] = launch->in[i].stride[a];
        for (int i = 0; i < p->noutput; i++)
            nest->stride[a][p->ninput + i] = launch->out[i].stride[a];
    }
}

// A launch whose first elements may have moved, because axes that the first output walks backward
// are turned round.
typedef struct tile {
    wf_nest nest;
    char *in[WF_PROGRAM_MAX_INPUTS], *out[WF_PROGRAM_MAX_OUTPUTS];
    int64_t origin[WF_PROGRAM_MAX_INPUTS];
} tile;

static void flip_axis(tile *t, const wf_program *p, int axis)
{
    int64_t *stride = t->nest.stride[axis], steps = t->nest.count[axis] - 1;

    for (int i = 0; i < p->ninput; i++) {
        if (p->input[i].counter) t->origin[i] += steps * stride[i];
        else t->in[i] += steps * stride[i];
    }
    for (int i = 0; i < p->noutput; i++) t->out[i] += steps * stride[p->ninput + i];
    for (int op = 0; op < t->nest.nop; op++) stride[op] = -stride[op];
}

static void load_tile(tile *t, const wf_launch *launch)
{
    const wf_program *p = launch->program;

    load_nest(&t->nest, launch);
    for (int i = 0; i < p->ninput; i++) {
        t->in[i] = launch->in[i].data;
        t->origin[i] = launch->in[i].origin;
    }
    for (int i = 0; i < p->noutput; i++) t->out[i] = launch->out[i].data;
    wf_nest_drop_ones(&t->nest, 0, t->nest.ndim);
    for (int a = 0; p->noutput > 0 && a < t->nest.ndim; a++)
        if (t->nest.stride[a][p->ninput] < 0) flip_axis(t, p, a);
    wf_nest_sort(&t->nest, 0, t->nest.ndim, p->noutput > 0 ? p->ninput : 0);
    wf_nest_merge(&t->nest, 0, t->nest.ndim);
}

// A program that only copies.
static bool is_copy(const wf_program *p)
{
    return p->ninstr == 1 && p->noutput == 1 && p->instr[0].kind == WF_INSTR_LOAD &&
           p->input[p->instr[0].index].dtype == p->output[0].dtype;
}

static void run_copy(const wf_kernel_table *table, tile *t, const wf_program *p)
{
    int op = p->instr[0].index;

    for (int a = 0; a < t->nest.ndim; a++) {
        int64_t in = t->nest.stride[a][op], out = t->nest.stride[a][p->ninput];
        t->nest.stride[a][0] = in;
        t->nest.stride[a][1] = out;
    }
    t->nest.nop = 2;
    wf_copy_run(table, &t->nest, (int64_t)wf_dtype_size((weft_dtype)p->output[0].dtype), t->in[op],
                t->out[0]);
}

static int flat_axes(const wf_nest *nest)
{
    int first = nest->ndim > 0 ? nest->ndim - 1 : 0;
    int64_t flat = wf_nest_size(nest, first, nest->ndim);

    while (first > 0 && flat < SHORT_ROW) flat *= nest->count[--first];
    return first;
}

// Strips of nearly equal length: a short one at the end would cost as much as a full one.
static int64_t strip_length(int64_t flat)
{
    int64_t strips = (flat + WF_STRIP - 1) / WF_STRIP, n = (flat + strips - 1) / strips;

    n = (n + 15) / 16 * 16;
    if (n > WF_STRIP) n = WF_STRIP;
    return n < flat ? n : flat;
}

static void run_strips(wf_eval *eval, int64_t flat)
{
    wf_place place;

    wf_place_init(&place, eval->nest);
    do {
        for (int64_t i = 0; i < flat; i += eval->max_n)
            wf_eval_run(eval, &place, i, flat - i < eval->max_n ? flat - i : eval->max_n);
    } while (wf_place_next(&place, eval->nest, 0, eval->first));
}

// The panel axis is the last but one.
static void run_panels(wf_eval *eval, int64_t flat)
{
    const wf_nest *nest = eval->nest;
    int axis = eval->panel_axis;
    wf_place place, row;

    wf_place_init(&place, nest);
    do {
        for (int64_t r = 0; r < nest->count[axis]; r += WF_PANEL_ROWS) {
            int64_t end =
                nest->count[axis] - r < WF_PANEL_ROWS ? nest->count[axis] : r + WF_PANEL_ROWS;
            for (int64_t i = 0; i < flat; i += eval->max_n) {
                wf_place_copy(&row, &place, nest);
                for (wf_place_step(&row, nest, axis, r); row.coord[axis] < end;
                     wf_place_step(&row, nest, axis, 1))
                    wf_eval_run(eval, &row, i, flat - i < eval->max_n ? flat - i : eval->max_n);
            }
        }
    } while (wf_place_next(&place, nest, 0, axis));
}

// Everything but the memory: EVAL planned over the tile.
static weft_status plan_tile(wf_eval *eval, tile *t, const wf_kernel_table *table,
                             const wf_launch *launch)
{
    const wf_program *p = launch->program;
    int first = flat_axes(&t->nest), panel = -1;

    wf_eval_init(eval, table, p, launch->in, launch->param);
    for (int i = 0; i < p->ninput; i++) {
        eval->data[i] = t->in[i];
        eval->origin[i] = t->origin[i];
    }
    for (int i = 0; i < p->noutput; i++) wf_eval_store(eval, i, p->ninput + i, t->out[i]);
    if (first > 0 && first == t->nest.ndim - 1)
        panel = wf_eval_find_panel_axis(eval, &t->nest, 0, first);
    if (panel >= 0) {
        wf_nest_move(&t->nest, panel, first - 1);
        panel = first - 1;
    }
    return wf_eval_plan(eval, &t->nest, first,
                        strip_length(wf_nest_size(&t->nest, first, t->nest.ndim)), panel);
}

static bool is_empty(const wf_launch *launch)
{
    for (int a = 0; a < launch->ndim; a++)
        if (launch->count[a] == 0) return true;
    return false;
}

weft_status wf_map_launch(const wf_kernel_table *table, const wf_launch *launch)
{
    wf_eval eval;
    tile t;
    char *memory;

    if (is_empty(launch) || launch->program->noutput == 0) return WEFT_OK;
    load_tile(&t, launch);
    if (is_copy(launch->program)) {
        run_copy(table, &t, launch->program);
        return WEFT_OK;
    }
    WF_TRY(plan_tile(&eval, &t, table, launch));
    WF_TRY(wf_scratch_get(wf_eval_bytes(&eval), &memory));
    wf_eval_bind(&eval, memory);
    int64_t flat = wf_nest_size(&t.nest, eval.first, t.nest.ndim);
    if (eval.npanel > 0) run_panels(&eval, flat);
    else run_strips(&eval, flat);
    if (eval.streams) atomic_thread_fence(memory_order_seq_cst);  // what put() asks for
    wf_scratch_trim();
    return WEFT_OK;
}

int64_t wf_map_scratch(const wf_kernel_table *table, const wf_launch *launch)
{
    wf_eval eval;
    tile t;

    if (is_empty(launch) || is_copy(launch->program)) return 0;
    load_tile(&t, launch);
    return plan_tile(&eval, &t, table, launch) == WEFT_OK ? (int64_t)wf_eval_bytes(&eval) : 0;
}
