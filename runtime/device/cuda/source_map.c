// SPDX-License-Identifier: Apache-2.0
// source_map - writing map kernels. A thread takes a group of neighbours along the innermost axis,
// and some groups at once, so that enough loads are in flight:
//
//     for each of its groups: locate it, load what the program reads
//     for each group, for each neighbour: the program, one line per instruction; store the results
//
// What does not change from element to element (parameters, operands with one value, and what is
// computed from these alone) stands before the loop.
//
// Where a block takes a tile, its warps take rows: what rows of a stencil share is then read once.
// Inputs whose neighbours lie along the other axis of the tile come through shared memory, read
// along that axis by lanes and looked up along the innermost one.
#include <stdio.h>

#include "device/cuda/module.h"
#include "device/cuda/writer.h"

// The axes that are divided by more than their extents: of which a thread takes a group, a block a
// tile.
static int outer_axes(const wf_cuda_layout *l) { return l->tiled ? l->ndim - 2 : l->ndim - 1; }

static void write_arguments(const wf_cuda_writer *w)
{
    const wf_cuda_layout *l = w->layout;
    const char *axis = l->wide ? "axis64" : "axis32";

    ADD("struct arguments {\n");
    wf_cuda_write_params(w);
    if (l->tiled)
        ADD("    i64 tiles, inner, rows;  // extents of the tiles' two axes\n"
            "    %s across, down;  // tiles in a row, rows of tiles\n",
            axis);
    else ADD("    i64 groups, inner;  // threads' shares; elements of the innermost axis\n");
    if (!l->tiled && l->ndim > 1) ADD("    %s row;  // its groups\n", axis);
    for (int a = outer_axes(l) - 1; a > 0; a--) ADD("    %s axis%d;\n", axis, a);
    wf_cuda_write_operands(w);
    ADD("};\n\n");
}

// The coordinates of a group, and how many elements of its row are left from there on.
static void write_group_coordinates(const wf_cuda_writer *w)
{
    int inner = w->layout->ndim - 1;

    ADD("WF_DEVICE place locate(const arguments &A, number group)\n{\n    place at;\n");
    if (inner == 0) ADD("    const number c0 = group * V;\n");
    else {
        ADD("    const number row = quotient(group, A.row), c%d = rest(group, row, A.row) * V;\n",
            inner);
        wf_cuda_write_coordinates(w, "row", 0, inner);
    }
    ADD("    at.left = group < A.groups ? A.inner - c%d : 0;\n", inner);
}

static void write_tile_coordinates(const wf_cuda_writer *w)
{
    int inner = w->layout->ndim - 1, rows = inner - 1;

    ADD("WF_DEVICE place locate(const arguments &A, number tile, int row, int column)\n{\n"
        "    place at;\n"
        "    const number q = quotient(tile, A.across);\n"
        "    const number c%d = rest(tile, q, A.across) * (32 * V) + column;\n",
        inner);
    if (rows == 0) ADD("    const number c0 = q * ROWS + row;\n");
    else {
        ADD("    const number plane = quotient(q, A.down), c%d = rest(q, plane, A.down) * ROWS + "
            "row;\n",
            rows);
        wf_cuda_write_coordinates(w, "plane", 0, rows);
    }
    ADD("    at.left = c%d < A.rows ? A.inner - c%d : 0;\n", rows, inner);
}

static void write_place(const wf_cuda_writer *w)
{
    const wf_cuda_layout *l = w->layout;
    char name[16], start[20];

    ADD("typedef %s number;\n\n", l->wide ? "i64" : "i32");
    ADD("// Where a group begins: the elements of the axis from there on; bytes from each operand's "
        "first element, counters' values.\nstruct place {\n    i64 left");
    for (int op = 0; op < w->nop; op++)
        if (l->reach[op] != WF_CUDA_UNIFORM) ADD(", %s", wf_cuda_operand_name(w, op, name));
    ADD(";\n};\n\n");
    if (l->tiled) write_tile_coordinates(w);
    else write_group_coordinates(w);
    for (int op = 0; op < w->nop; op++) {
        bool counter = op < w->p->ninput && w->p->input[op].counter;
        if (l->reach[op] == WF_CUDA_UNIFORM) continue;
        wf_cuda_operand_name(w, op, name);
        snprintf(start, sizeof start, "A.%s", name);
        ADD("    at.%s = ", name);
        wf_cuda_write_distance(w, op, counter ? start : "", 0, l->ndim);
        ADD(";\n");
    }
    ADD("    return at;\n}\n\n");
}

static void write_loads(const wf_cuda_writer *w)
{
    ADD("#pragma unroll\n        for (int u = 0; u < U; u++) {\n");
    if (w->layout->tiled)
        ADD("            at[u] = locate(A, (number)tile, warp + u * WARPS, lane * V);\n");
    else ADD("            at[u] = locate(A, (number)(first + u * WF_THREADS));\n");
    ADD("            if (at[u].left <= 0) break;\n");
    wf_cuda_write_loads(w, "            ");
    ADD("        }\n");
}

static void write_stores(const wf_cuda_writer *w)
{
    const wf_program_output *output = w->p->output;

    ADD("#pragma unroll\n        for (int u = 0; u < U; u++) {\n");
    ADD("            if (at[u].left <= 0) break;\n");
    for (int i = 0; i < w->p->noutput; i++)
        ADD("            pack<%s, V> y%d;\n", wf_cuda_type_name(output[i].dtype), i);
    ADD("#pragma unroll\n            for (int e = 0; e < V; e++) {\n");
    wf_cuda_write_values(w, "                ");
    for (int i = 0; i < w->p->noutput; i++)
        ADD("                y%d.at[e] = stored_as<%s>(v%d);\n", i,
            wf_cuda_type_name(output[i].dtype), output[i].value);
    ADD("            }\n");
    wf_cuda_write_groups(w, false, "            ");
    ADD("        }\n");
}

static bool is_staged(const wf_cuda_writer *w, int op)
{
    return op < w->p->ninput && w->layout->reach[op] == WF_CUDA_STAGED && wf_cuda_is_loaded(w, op);
}

static bool has_staged(const wf_cuda_writer *w)
{
    for (int op = 0; op < w->p->ninput; op++)
        if (is_staged(w, op)) return true;
    return false;
}

static void write_stages(const wf_cuda_writer *w)
{
    ADD("#pragma unroll\n        for (int k = 0; k < U; k++) {\n"
        "            const int column = warp + k * WARPS;\n"
        "            const place from = locate(A, (number)tile, lane, column);\n");
    for (int op = 0; op < w->p->ninput; op++) {
        const char *type = wf_cuda_type_name(w->p->input[op].dtype);
        if (is_staged(w, op))
            ADD("            tile%d[column][lane] = from.left > 0 ? *(const %s *)(A.in%d + "
                "from.in%d) : %s();\n",
                op, type, op, op, type);
    }
    ADD("        }\n        __syncthreads();\n"
        "#pragma unroll\n        for (int u = 0; u < U; u++) {\n");
    for (int op = 0; op < w->p->ninput; op++)
        if (is_staged(w, op))
            ADD("            x%d[u].at[0] = tile%d[lane][warp + u * WARPS];\n", op, op);
    ADD("        }\n");
}

static void write_tile_loop(const wf_cuda_writer *w)
{
    ADD("    const int lane = threadIdx.x %% 32, warp = threadIdx.x / 32;\n");
    for (int op = 0; op < w->p->ninput; op++)
        if (is_staged(w, op))
            ADD("    WF_SHARED %s tile%d[32][33];\n", wf_cuda_type_name(w->p->input[op].dtype), op);
    ADD("    for (i64 tile = blockIdx.x; tile < A.tiles; tile += gridDim.x) {\n");
}

static void write_kernel(const wf_cuda_writer *w, const char *name)
{
    bool staged = has_staged(w);

    ADD("WF_KERNEL%s(%s, arguments)\n{\n", staged ? "_MEETING" : "", name);
    wf_cuda_write_uniform(w);
    if (w->layout->tiled) write_tile_loop(w);
    else
        ADD("    const i64 stride = (i64)gridDim.x * (WF_THREADS * U);\n"
            "    for (i64 first = (i64)blockIdx.x * (WF_THREADS * U) + threadIdx.x; first < A.groups;\n"
            "         first += stride) {\n");
    wf_cuda_write_buffers(w, "        ");
    write_loads(w);
    if (staged) write_stages(w);
    write_stores(w);
    if (staged) ADD("        __syncthreads();  // the tiles are read\n");
    ADD("    }\n}\n");
}

weft_status wf_cuda_map_source(const wf_program *program, const wf_cuda_layout *layout,
                               wf_cuda_source *out)
{
    wf_cuda_writer state, *w = &state;

    *out = (wf_cuda_source){ 0 };
    wf_cuda_name_kernel(program, "map", out);
    wf_cuda_writer_init(w, &out->text, program, layout, program->noutput, false);
    wf_cuda_write_includes(w);
    ADD("\nenum { V = %d, U = %d };  // neighbours taken at once; such groups in flight\n",
        layout->vector, layout->unroll);
    if (layout->tiled) ADD("enum { WARPS = WF_THREADS / 32, ROWS = WARPS * U };  // of a tile\n");
    ADD("\n");
    write_arguments(w);
    write_place(w);
    write_kernel(w, out->name);
    return wf_cuda_finish_source(out);
}
