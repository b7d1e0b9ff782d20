// SPDX-License-Identifier: Apache-2.0
// source_reduce - writing kernels of programs that end in reductions, out of the reducers of
// kernels/cuda/reduce.cuh. Rows: a warp takes a cell, piece after piece; what the
// pieces give is kept in one lane each, and joined by 32. Columns: a thread takes a cell, element
// after element. Either way some elements are loaded at once before the program looks at the first.
// Turned rows: a block takes rows that are neighbours where some input's elements are.
#include <stdio.h>

#include "device/cuda/module.h"
#include "device/cuda/writer.h"

typedef struct reduce_writer {
    wf_cuda_writer base;
    const wf_cuda_reduction *r;
} reduce_writer;

bool wf_cuda_is_arg(int op) { return op >= WF_REDUCE_ARGMIN && op <= WF_REDUCE_NANARGMAX; }

static bool is_moments(int op) { return op == WF_REDUCE_MOMENTS || op == WF_REDUCE_NANMOMENTS; }

int wf_cuda_fields(int op) { return wf_cuda_is_arg(op) ? 2 : is_moments(op) ? 3 : 1; }

bool wf_cuda_is_reducible(int op, int dtype)
{
    char kind = dtype > 0 && dtype < WEFT_NDTYPES ? wf_cuda_kind(dtype) : 0;
    bool half = dtype == WEFT_FLOAT16 || dtype == WEFT_BFLOAT16;

    if (!kind || half) return false;
    switch (op) {
    case WF_REDUCE_SUM:
    case WF_REDUCE_PROD: return true;
    case WF_REDUCE_FMIN:
    case WF_REDUCE_FMAX: return kind == 'f';
    case WF_REDUCE_ANY:
    case WF_REDUCE_ALL: return kind == 'b';
    case WF_REDUCE_MOMENTS:
    case WF_REDUCE_NANMOMENTS: return kind == 'f' || kind == 'c';
    default: return op >= 0 && op < WF_REDUCE_COUNT_ && kind != 'c';
    }
}

static const char *const op_names[WF_REDUCE_COUNT_] = {
    "sum", "prod",   "min",    "max",       "fmin",      "fmax",    "any",
    "all", "argmin", "argmax", "nanargmin", "nanargmax", "moments", "nanmoments",
};

static const char *word(bool b) { return b ? "true" : "false"; }

// Rows so short that a thread takes one.
static bool is_short(const wf_cuda_reduction *r)
{
    return r->inner && r->width < WF_LANES && !r->combines;
}

// "typedef simple<f32, by_sum> reducer0;"
static void write_reducer(const wf_cuda_writer *w, const wf_cuda_reduction *r, int k)
{
    static const char *const by[WF_REDUCE_COUNT_] = {
        [WF_REDUCE_SUM] = "sum", [WF_REDUCE_PROD] = "prod", [WF_REDUCE_MIN] = "min",
        [WF_REDUCE_MAX] = "max", [WF_REDUCE_FMIN] = "fmin", [WF_REDUCE_FMAX] = "fmax",
        [WF_REDUCE_ANY] = "max", [WF_REDUCE_ALL] = "min",
    };
    int op = r->reducer[k].op;
    const char *type = wf_cuda_type_name(r->reducer[k].dtype);
    bool skip =
        op == WF_REDUCE_NANARGMIN || op == WF_REDUCE_NANARGMAX || op == WF_REDUCE_NANMOMENTS;
    bool largest = op == WF_REDUCE_ARGMAX || op == WF_REDUCE_NANARGMAX;

    if (by[op] && is_short(r)) ADD("typedef simple_short<%s, by_%s, HELD>", type, by[op]);
    else if (by[op]) ADD("typedef simple<%s, by_%s>", type, by[op]);
    else if (is_moments(op))
        ADD("typedef moments<%s, %s, %s, HELD>", type, word(skip), word(is_short(r)));
    else ADD("typedef arg<%s, %s, %s>", type, word(largest), word(skip));
    ADD(" reducer%d;  // %s\n", k, op_names[op]);
}

static void write_constants(const wf_cuda_writer *w, const wf_cuda_reduction *r)
{
    ADD("#include \"reduce.cuh\"\n\n"
        "// Elements loaded together; elements that a thread takes between two joins.\n"
        "enum { V = 1, U = %d, ",
        r->layout.unroll);
    if (is_short(r)) ADD("HELD = %d };\n", r->width);
    else ADD("HELD = %s };\n", r->inner ? "SHARE" : "MOMENT_ROWS");
    if (r->turned)
        ADD("enum { WARPS = WF_THREADS / LANES, ROWS = WARPS * U };  // rows of a block\n");
    ADD("\n");
    for (int k = 0; k < r->nreducer; k++) write_reducer(w, r, k);
}

static void write_arguments(const wf_cuda_writer *w, const wf_cuda_reduction *r)
{
    const char *axis = r->layout.wide ? "axis64" : "axis32";

    ADD("\nstruct arguments {\n");
    wf_cuda_write_params(w);
    if (r->turned)
        ADD("    i64 blocks, length, rows;  // elements of a row; rows side by side\n"
            "    %s down;  // blocks of these\n",
            axis);
    else ADD("    i64 cells, length;  // length: elements of each\n");
    for (int a = r->nkept - 1 - r->turned; a > 0; a--) ADD("    %s axis%d;\n", axis, a);
    for (int a = r->layout.ndim - 1; a > r->nkept; a--) ADD("    %s axis%d;\n", axis, a);
    wf_cuda_write_operands(w);
    ADD("};\n\ntypedef %s number;\n\n", r->layout.wide ? "i64" : "i32");
}

// Whether operand OP has a place of its own in every cell: inputs that move, positions.
static bool is_placed(const wf_cuda_writer *w, int op)
{
    return op == w->position || (op < w->p->ninput && w->layout->reach[op] != WF_CUDA_UNIFORM);
}

static bool is_counter(const wf_cuda_writer *w, int op)
{
    return op == w->position || w->p->input[op].counter;
}

// The distances of a structure's members along axes FIRST..END-1.
static void write_members(const wf_cuda_writer *w, const char *what, const char *from, bool fields,
                          int first, int end)
{
    char name[16], start[32];

    for (int op = fields ? w->p->ninput : 0; op < w->nop; op++) {
        bool wanted = fields ? op != w->position : is_placed(w, op);
        if (!wanted || (from[0] && op == w->position)) continue;
        wf_cuda_operand_name(w, op, name);
        snprintf(start, sizeof start, "%s%s", from[0] ? from : "A.", name);
        ADD("    %s.%s = ", what, name);
        wf_cuda_write_distance(w, op, from[0] || (!fields && is_counter(w, op)) ? start : "", first,
                               end);
        ADD(";\n");
    }
}

// The kept coordinates of a cell, by its number or by its place in a block's rows.
static const char *cell_parameters(const wf_cuda_reduction *r)
{
    return r->turned ? "number block, int row_of_block" : "number cell";
}

static void write_kept_coordinates(const wf_cuda_writer *w, const wf_cuda_reduction *r)
{
    int last = r->nkept - 1;

    if (!r->turned) wf_cuda_write_coordinates(w, "cell", 0, r->nkept);
    else if (last == 0) ADD("    const number c0 = block * ROWS + row_of_block;\n");
    else {
        ADD("    const number plane = quotient(block, A.down);\n"
            "    const number c%d = rest(block, plane, A.down) * ROWS + row_of_block;\n",
            last);
        wf_cuda_write_coordinates(w, "plane", 0, last);
    }
}

static void write_places(const wf_cuda_writer *w, const wf_cuda_reduction *r)
{
    char name[16];
    int ndim = r->layout.ndim;

    ADD("// How far operands have moved from their first elements; counters' values.\n"
        "struct place {\n    i64 left;\n");
    for (int op = 0; op < w->nop; op++)
        if (is_placed(w, op)) ADD("    i64 %s;\n", wf_cuda_operand_name(w, op, name));
    ADD("};\n\nWF_DEVICE place first_of(const arguments &A, %s)\n{\n    place at;\n",
        cell_parameters(r));
    write_kept_coordinates(w, r);
    if (r->turned) ADD("    at.left = c%d < A.rows;\n", r->nkept - 1);
    write_members(w, "at", "", false, 0, r->nkept);
    ADD("    return at;\n}\n\n// Element I of the cell that begins at CELL; LEFT of 0: there is none.\n");
    ADD("WF_DEVICE place locate(const arguments &A, const place &cell, number i, int left)\n{\n"
        "    place at;\n    at.left = left;\n");
    wf_cuda_write_coordinates(w, "i", r->nkept, ndim);
    write_members(w, "at", "cell.", false, r->nkept, ndim);
    ADD("    return at;\n}\n\n");
}

static void write_positions(const wf_cuda_writer *w, const wf_cuda_reduction *r)
{
    if (w->position < 0) return;
    ADD("// Element I of a cell as a position in the array.\n"
        "WF_DEVICE i64 position_of(const arguments &A, const place &cell, i64 element)\n{\n"
        "    const number i = (number)element;\n    if (element < 0) return -1;\n");
    wf_cuda_write_coordinates(w, "i", r->nkept, r->layout.ndim);
    ADD("    return ");
    wf_cuda_write_distance(w, w->position, "cell.position", r->nkept, r->layout.ndim);
    ADD(";\n}\n\n");
}

// Where the fields of a cell go, and the call that writes them.
static void write_fields(const wf_cuda_writer *w, const wf_cuda_reduction *r)
{
    char name[16];
    int op = w->p->ninput;

    ADD("WF_DEVICE void write_results(const arguments &A, %s, const place &at", cell_parameters(r));
    for (int k = 0; k < r->nreducer; k++) ADD(", reducer%d::partial p%d", k, k);
    ADD(")\n{\n");
    write_kept_coordinates(w, r);
    for (int k = 0; k < r->nreducer; k++) {
        if (w->position >= 0 && wf_cuda_is_arg(r->reducer[k].op))
            ADD("    p%d.position = position_of(A, at, p%d.position);\n", k, k);
        ADD("    reducer%d::write(p%d", k, k);
        for (int f = 0; f < wf_cuda_fields(r->reducer[k].op); f++, op++) {
            ADD(", A.%s + (", wf_cuda_operand_name(w, op, name));
            wf_cuda_write_distance(w, op, "", 0, r->nkept);
            ADD(")");
        }
        ADD(");\n");
    }
    ADD("}\n\n");
}

// Hands the program's value for reducer NUMBER to it, the K-th of its piece or group. WHOSE: "[u]"
// where a thread has several rows.
static void write_take(const wf_cuda_writer *w, const wf_cuda_reduction *r, int number,
                       const char *whose, const char *k)
{
    const wf_program_output *output = &w->p->output[r->reducer[number].output];
    bool half = output->dtype == WEFT_FLOAT16 || output->dtype == WEFT_BFLOAT16;

    ADD("                    reducer%d::take(s%d%s, first, %s, cast<reducer%d::value>(", number,
        number, whose, k, number);
    if (half) ADD("round_%s(v%d)", wf_cuda_type_name(output->dtype), output->value);
    else ADD("v%d", output->value);
    ADD("), i);\n");
}

// The elements of one piece or group: U of them are located and loaded, then the program and the
// reducers take them. FIRST: what makes one the first of all.
static void write_taking(const wf_cuda_writer *w, const wf_cuda_reduction *r)
{
    bool lanes = r->inner && !is_short(r);
    const char *step = lanes ? " * LANES" : "", *lane = lanes ? "lane + " : "";

    ADD("#pragma unroll%s\n            for (int k = 0; k < HELD; k += U) {\n",
        r->whole ? "" : " 1");
    ADD("                if (k%s >= n) break;\n", step);
    wf_cuda_write_buffers(w, "                ");
    ADD("#pragma unroll\n                for (int u = 0; u < U; u++) {\n");
    ADD("                    const int j = %s(k + u)%s;\n", lane, step);
    ADD("                    at[u] = locate(A, cell, start + j, j < n);\n");
    wf_cuda_write_loads(w, "                    ");
    ADD("                }\n");
    wf_cuda_write_random_rows(w, "                ");
    ADD("#pragma unroll\n                for (int u = 0; u < U; u++) {\n");
    ADD("                    if (at[u].left <= 0) continue;\n                    const int e = 0;\n");
    ADD("                    const bool first = k + u == 0%s;\n", lanes ? "" : " && start == 0");
    ADD("                    const i64 i = start + %s(k + u)%s;\n", lane, step);
    wf_cuda_write_values(w, "                    ");
    for (int k = 0; k < r->nreducer; k++) write_take(w, r, k, "", "k + u");
    ADD("                }\n            }\n");
}

static void write_call_of_results(const wf_cuda_writer *w, const wf_cuda_reduction *r)
{
    ADD("write_results(A, (number)number_of_cell, cell");
    for (int k = 0; k < r->nreducer; k++) ADD(", p%d", k);
    ADD(");\n");
}

// What a warp does with piece number `piece` of its cell, up to its result.
static void write_piece(const wf_cuda_writer *w, const wf_cuda_reduction *r)
{
    ADD("            const number start = (number)piece * PIECE;\n"
        "            const i64 left = A.length - start;\n"
        "            const int n = left < PIECE ? (int)left : PIECE;\n");
    for (int k = 0; k < r->nreducer; k++) ADD("            reducer%d::seen s%d;\n", k, k);
    write_taking(w, r);
}

static void write_row_results(const wf_cuda_writer *w, const wf_cuda_reduction *r)
{
    for (int k = 0; k < r->nreducer; k++)
        ADD("        const reducer%d::partial p%d = row_joined(row%d, pieces, lane);\n", k, k, k);
    ADD("        if (lane == 0) ");
    write_call_of_results(w, r);
    ADD("    }\n}\n");
}

static void write_rows(const wf_cuda_writer *w, const wf_cuda_reduction *r, const char *name)
{
    ADD("WF_KERNEL_MEETING(%s, arguments)\n{\n", name);
    wf_cuda_write_uniform(w);
    wf_cuda_write_rooms(w);
    ADD("    const int lane = threadIdx.x %% LANES, pieces = (int)((A.length + PIECE - 1) / PIECE);\n"
        "    const i64 stride = (i64)gridDim.x * (WF_THREADS / LANES);\n"
        "    const i64 of_warp = ((i64)blockIdx.x * WF_THREADS + threadIdx.x) / LANES;\n"
        "    for (i64 number_of_cell = of_warp; number_of_cell < A.cells;\n"
        "         number_of_cell += stride) {\n"
        "        const place cell = first_of(A, (number)number_of_cell);\n");
    for (int k = 0; k < r->nreducer; k++) ADD("        row<reducer%d> row%d;\n", k, k);
    ADD("        for (int piece = 0; piece < pieces; piece++) {\n");
    write_piece(w, r);
    for (int k = 0; k < r->nreducer; k++)
        ADD("            add_piece(row%d, reducer%d::piece(s%d, n, lane), piece, pieces, lane);\n",
            k, k, k);
    ADD("        }\n");
    write_row_results(w, r);
}

// Few cells: the warps of a block share one, each taking pieces; the first joins what they give.
static void write_team_rows(const wf_cuda_writer *w, const wf_cuda_reduction *r, const char *name)
{
    ADD("WF_KERNEL_MEETING(%s, arguments)\n{\n", name);
    wf_cuda_write_uniform(w);
    wf_cuda_write_rooms(w);
    ADD("    const int lane = threadIdx.x %% LANES, warp = threadIdx.x / LANES;\n"
        "    const int pieces = (int)((A.length + PIECE - 1) / PIECE);\n");
    for (int k = 0; k < r->nreducer; k++)
        ADD("    WF_SHARED reducer%d::partial part%d[LANES];\n", k, k);
    ADD("    for (i64 number_of_cell = blockIdx.x; number_of_cell < A.cells;\n"
        "         number_of_cell += gridDim.x) {\n"
        "        const place cell = first_of(A, (number)number_of_cell);\n");
    for (int k = 0; k < r->nreducer; k++) ADD("        row<reducer%d> row%d;\n", k, k);
    ADD("        for (int chunk = 0; chunk < pieces; chunk += LANES) {\n"
        "        const int held = pieces - chunk < LANES ? pieces - chunk : LANES;\n"
        "        for (int piece = chunk + warp; piece < chunk + held; piece += WF_THREADS / LANES) {\n");
    write_piece(w, r);
    for (int k = 0; k < r->nreducer; k++)
        ADD("            const reducer%d::partial p%d = reducer%d::piece(s%d, n, lane);\n"
            "            if (lane == 0) part%d[piece - chunk] = p%d;\n",
            k, k, k, k, k, k);
    ADD("        }\n        __syncthreads();\n");
    for (int k = 0; k < r->nreducer; k++)
        ADD("        if (warp == 0) add_chunk(row%d, part%d, held, chunk / LANES, lane);\n", k, k);
    ADD("        __syncthreads();  // the parts are read\n        }\n"
        "        if (warp > 0) continue;\n");
    write_row_results(w, r);
}

static bool is_staged(const wf_cuda_writer *w, int op)
{
    return w->layout->reach[op] == WF_CUDA_STAGED && wf_cuda_is_loaded(w, op);
}

// 32 elements of every row of the block at once: inputs that are turned are read along the rows'
// axis into the tile that is not being looked up, then looked up along the elements.
static void write_stages(const wf_cuda_writer *w)
{
    ADD("#pragma unroll\n                for (int h = 0; h < U; h++) {\n"
        "                    const int column = threadIdx.x / ROWS + h * (WF_THREADS / ROWS);\n"
        "                    const int j = k * LANES + column;\n"
        "                    const place from = locate(A, along, start + j, along.left && j < n);\n");
    for (int op = 0; op < w->p->ninput; op++) {
        const char *type = wf_cuda_type_name(w->p->input[op].dtype);
        if (is_staged(w, op))
            ADD("                    tile%d[k %% 2][column][threadIdx.x %% ROWS] =\n"
                "                        from.left > 0 ? *(const %s *)(A.in%d + from.in%d) : %s();\n",
                op, type, op, op, type);
    }
    ADD("                }\n                __syncthreads();\n"
        "#pragma unroll\n                for (int u = 0; u < U; u++) {\n");
    for (int op = 0; op < w->p->ninput; op++)
        if (is_staged(w, op))
            ADD("                    x%d[u].at[0] = tile%d[k %% 2][lane][warp + u * WARPS];\n", op,
                op);
    ADD("                }\n");
}

static void write_turned_taking(const wf_cuda_writer *w, const wf_cuda_reduction *r)
{
    ADD("#pragma unroll%s\n            for (int k = 0; k < SHARE; k++) {\n"
        "                if (k * LANES >= n) break;\n",
        r->whole ? "" : " 1");
    wf_cuda_write_buffers(w, "                ");
    ADD("                const i64 i = start + lane + k * LANES;\n"
        "#pragma unroll\n                for (int u = 0; u < U; u++) {\n"
        "                    at[u] = locate(A, cell[u], (number)i, cell[u].left && lane + k * LANES < n);\n");
    wf_cuda_write_loads(w, "                    ");
    ADD("                }\n");
    write_stages(w);
    ADD("#pragma unroll\n                for (int u = 0; u < U; u++) {\n"
        "                    if (at[u].left <= 0) continue;\n"
        "                    const int e = 0;\n                    const bool first = k == 0;\n");
    wf_cuda_write_values(w, "                    ");
    for (int k = 0; k < r->nreducer; k++) write_take(w, r, k, "[u]", "k");
    ADD("                }\n            }\n");
}

static void write_turned_rows(const wf_cuda_writer *w, const wf_cuda_reduction *r, const char *name)
{
    ADD("WF_KERNEL_MEETING(%s, arguments)\n{\n", name);
    wf_cuda_write_uniform(w);
    ADD("    const int lane = threadIdx.x %% LANES, warp = threadIdx.x / LANES;\n"
        "    const int pieces = (int)((A.length + PIECE - 1) / PIECE);\n");
    for (int op = 0; op < w->p->ninput; op++)
        if (is_staged(w, op))
            ADD("    WF_SHARED %s tile%d[2][LANES][ROWS + 1];\n",
                wf_cuda_type_name(w->p->input[op].dtype), op);
    ADD("    for (i64 b = blockIdx.x; b < A.blocks; b += gridDim.x) {\n"
        "        const number block = (number)b;\n        place cell[U];\n"
        "        const place along = first_of(A, block, threadIdx.x %% ROWS);\n"
        "#pragma unroll\n        for (int u = 0; u < U; u++) cell[u] = first_of(A, block, warp + u * "
        "WARPS);\n");
    for (int k = 0; k < r->nreducer; k++) ADD("        row<reducer%d> row%d[U];\n", k, k);
    ADD("        for (int piece = 0; piece < pieces; piece++) {\n"
        "            const number start = (number)piece * PIECE;\n"
        "            const i64 left = A.length - start;\n"
        "            const int n = left < PIECE ? (int)left : PIECE;\n");
    for (int k = 0; k < r->nreducer; k++) ADD("            reducer%d::seen s%d[U];\n", k, k);
    write_turned_taking(w, r);
    ADD("#pragma unroll\n            for (int u = 0; u < U; u++) {\n");
    for (int k = 0; k < r->nreducer; k++)
        ADD("                add_piece(row%d[u], reducer%d::piece(s%d[u], n, lane), piece, pieces, "
            "lane);\n",
            k, k, k);
    ADD("            }\n            __syncthreads();  // both tiles are read\n        }\n"
        "#pragma unroll\n        for (int u = 0; u < U; u++) {\n");
    for (int k = 0; k < r->nreducer; k++)
        ADD("            const reducer%d::partial p%d = row_joined(row%d[u], pieces, lane);\n", k,
            k, k);
    ADD("            if (cell[u].left && lane == 0)\n"
        "                write_results(A, block, warp + u * WARPS, cell[u]");
    for (int k = 0; k < r->nreducer; k++) ADD(", p%d", k);
    ADD(");\n        }\n    }\n}\n");
}

static void write_columns(const wf_cuda_writer *w, const wf_cuda_reduction *r, const char *name)
{
    ADD("WF_KERNEL(%s, arguments)\n{\n", name);
    wf_cuda_write_uniform(w);
    ADD("    const i64 stride = (i64)gridDim.x * WF_THREADS;\n"
        "    for (i64 number_of_cell = (i64)blockIdx.x * WF_THREADS + threadIdx.x;\n"
        "         number_of_cell < A.cells; number_of_cell += stride) {\n"
        "        const place cell = first_of(A, (number)number_of_cell);\n");
    for (int k = 0; k < r->nreducer; k++) ADD("        reducer%d::seen s%d;\n", k, k);
    ADD("        for (number start = 0; start < A.length; start += HELD) {\n"
        "            const int n = A.length - start < HELD ? (int)(A.length - start) : HELD;\n");
    write_taking(w, r);
    for (int k = 0; k < r->nreducer; k++) ADD("            reducer%d::group(s%d, n);\n", k, k);
    ADD("        }\n");
    for (int k = 0; k < r->nreducer; k++)
        ADD("        const reducer%d::partial p%d = reducer%d::column(s%d);\n", k, k, k, k);
    ADD("        ");
    write_call_of_results(w, r);
    ADD("    }\n}\n");
}

// The partial result that the program's values are.
static void write_partial(const wf_cuda_writer *w, const char *indent)
{
    wf_cuda_write_values(w, indent);
    ADD("%sconst reducer0::partial q = reducer0::of(", indent);
    for (int v = 0; v < w->p->ninstr; v++) ADD("%sv%d", v ? ", " : "", v);
    ADD(");\n");
}

static void write_partial_loads(const wf_cuda_writer *w, const char *step, const char *lane)
{
    wf_cuda_write_buffers(w, "            ");
    ADD("#pragma unroll\n            for (int u = 0; u < U; u++) {\n"
        "                const number i = start + u%s%s;\n"
        "                at[u] = locate(A, cell, i, i < A.length);\n",
        step, lane);
    wf_cuda_write_loads(w, "                ");
    ADD("            }\n#pragma unroll\n            for (int u = 0; u < U; u++) {\n");
}

// A warp to a cell: its lanes load side by side, and all of them add one after another.
static void write_combining_rows(const wf_cuda_writer *w, const char *name)
{
    ADD("WF_KERNEL_MEETING(%s, arguments)\n{\n", name);
    wf_cuda_write_uniform(w);
    ADD("    const int lane = threadIdx.x %% LANES;\n"
        "    const i64 stride = (i64)gridDim.x * (WF_THREADS / LANES);\n"
        "    const i64 of_warp = ((i64)blockIdx.x * WF_THREADS + threadIdx.x) / LANES;\n"
        "    for (i64 number_of_cell = of_warp; number_of_cell < A.cells; number_of_cell += stride) {\n"
        "        const place cell = first_of(A, (number)number_of_cell);\n"
        "        reducer0::partial p0;\n"
        "        for (number start = 0; start < A.length; start += U * LANES) {\n");
    write_partial_loads(w, " * LANES", " + lane");
    ADD("                const i64 left = A.length - start - u * LANES;\n"
        "                if (left <= 0) break;\n                const int e = 0;\n");
    write_partial(w, "                ");
    ADD("                p0 = joined_in_order<reducer0>(p0, q, left < LANES ? (int)left : LANES,\n"
        "                                               start == 0 && u == 0);\n"
        "            }\n        }\n        if (lane == 0) write_results(A, (number)number_of_cell, "
        "cell, p0);\n    }\n}\n");
}

static void write_combining_columns(const wf_cuda_writer *w, const char *name)
{
    ADD("WF_KERNEL(%s, arguments)\n{\n", name);
    wf_cuda_write_uniform(w);
    ADD("    const i64 stride = (i64)gridDim.x * WF_THREADS;\n"
        "    for (i64 number_of_cell = (i64)blockIdx.x * WF_THREADS + threadIdx.x;\n"
        "         number_of_cell < A.cells; number_of_cell += stride) {\n"
        "        const place cell = first_of(A, (number)number_of_cell);\n"
        "        reducer0::partial p0;\n"
        "        for (number start = 0; start < A.length; start += U) {\n");
    write_partial_loads(w, "", "");
    ADD("                if (at[u].left <= 0) break;\n                const int e = 0;\n");
    write_partial(w, "                ");
    ADD("                p0 = start == 0 && u == 0 ? q : reducer0::join(p0, q);\n"
        "            }\n        }\n        write_results(A, (number)number_of_cell, cell, p0);\n"
        "    }\n}\n");
}

static void write_kernel(const wf_cuda_writer *w, const wf_cuda_reduction *r, const char *name)
{
    if (r->combines && r->inner) write_combining_rows(w, name);
    else if (r->combines) write_combining_columns(w, name);
    else if (r->turned) write_turned_rows(w, r, name);
    else if (r->team) write_team_rows(w, r, name);
    else if (r->inner && !is_short(r)) write_rows(w, r, name);
    else write_columns(w, r, name);
}

static const char *form_name(const wf_cuda_reduction *r)
{
    if (r->turned) return "turned";
    if (r->team) return "team";
    return is_short(r) ? "short_rows" : r->inner ? "rows" : "cols";
}

weft_status wf_cuda_reduce_source(const wf_program *program, const wf_cuda_reduction *r,
                                  wf_cuda_source *out)
{
    wf_cuda_writer state, *w = &state;
    int nfield = 0;
    bool args = false;
    char start[32];

    for (int k = 0; k < r->nreducer; k++) {
        nfield += wf_cuda_fields(r->reducer[k].op);
        args = args || (wf_cuda_is_arg(r->reducer[k].op) && !r->combines);
    }
    *out = (wf_cuda_source){ 0 };
    snprintf(start, sizeof start, "%s%s_%s", r->combines ? "combine_" : "",
             op_names[r->reducer[0].op], form_name(r));
    wf_cuda_name_kernel(program, start, out);
    wf_cuda_writer_init(w, &out->text, program, &r->layout, nfield, args);
    w->in_rows =
        r->inner && !is_short(r) && !r->turned && !r->combines && r->layout.ndim == r->nkept + 1;
    wf_cuda_write_includes(w);
    write_constants(w, r);
    write_arguments(w, r);
    write_places(w, r);
    write_positions(w, r);
    write_fields(w, r);
    write_kernel(w, r, out->name);
    return wf_cuda_finish_source(out);
}
