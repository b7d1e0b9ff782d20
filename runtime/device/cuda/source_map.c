// SPDX-License-Identifier: Apache-2.0
// source_map - writing map kernels. A thread takes a group of neighbours along the innermost axis, and
// some groups at once, so that enough loads are in flight:
//
//     for each of its groups: locate it, load what the program reads
//     for each group, for each neighbour: the program, one line per instruction; store the results
//
// What does not change from element to element (parameters, operands with one value, and what is
// computed from these alone) stands before the loop.
#include <stdio.h>

#include "device/cuda/module.h"
#include "device/cuda/writer.h"

static void write_arguments(const wf_cuda_writer *w)
{
    const char *axis = w->layout->wide ? "axis64" : "axis32";

    ADD("struct arguments {\n");
    if (w->p->nparam > 0) ADD("    scalar param[%d];\n", w->p->nparam);
    ADD("    i64 groups, inner;  // threads' shares; elements of the innermost axis\n");
    if (w->layout->ndim > 1) ADD("    %s row;  // its groups\n", axis);
    for (int a = w->layout->ndim - 2; a > 0; a--) ADD("    %s axis%d;\n", axis, a);
    wf_cuda_write_operands(w);
    ADD("};\n\n");
}

static void write_place(const wf_cuda_writer *w)
{
    const wf_cuda_layout *l = w->layout;
    int inner = l->ndim - 1;
    char name[16], start[20];

    ADD("typedef %s number;\n\n", l->wide ? "i64" : "i32");
    ADD("// Where a group begins: the elements of the axis from there on; bytes from each operand's "
        "first element, counters' values.\nstruct place {\n    i64 left");
    for (int op = 0; op < w->nop; op++)
        if (l->reach[op] != WF_CUDA_UNIFORM) ADD(", %s", wf_cuda_operand_name(w, op, name));
    ADD(";\n};\n\nWF_DEVICE place locate(const arguments &A, number group)\n{\n    place at;\n");
    if (inner == 0) ADD("    const number c0 = group * V;\n");
    else {
        ADD("    const number row = quotient(group, A.row), c%d = rest(group, row, A.row) * V;\n",
            inner);
        wf_cuda_write_coordinates(w, "row", 0, inner);
    }
    ADD("    at.left = group < A.groups ? A.inner - c%d : 0;\n", inner);
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
    ADD("            at[u] = locate(A, (number)(first + u * WF_THREADS));\n");
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

static void write_kernel(const wf_cuda_writer *w, const char *name)
{
    ADD("WF_KERNEL(%s, arguments)\n{\n", name);
    wf_cuda_write_uniform(w);
    ADD("    const i64 stride = (i64)gridDim.x * (WF_THREADS * U);\n");
    ADD("    for (i64 first = (i64)blockIdx.x * (WF_THREADS * U) + threadIdx.x; first < A.groups;\n"
        "         first += stride) {\n");
    wf_cuda_write_buffers(w, "        ");
    write_loads(w);
    write_stores(w);
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
    ADD("\nenum { V = %d, U = %d };  // neighbours taken at once; such groups in flight\n\n",
        layout->vector, layout->unroll);
    write_arguments(w);
    write_place(w);
    write_kernel(w, out->name);
    return wf_cuda_finish_source(out);
}
