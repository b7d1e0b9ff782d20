// SPDX-License-Identifier: Apache-2.0
// source - writing map kernels. A thread takes a group of neighbours along the innermost axis, and
// some groups at once, so that enough loads are in flight:
//
//     for each of its groups: locate it, load what the program reads
//     for each group, for each neighbour: the program, one line per instruction; store the results
//
// What does not change from element to element (parameters, operands with one value, and what is
// computed from these alone) stands before the loop.
#include "device/cuda/source.h"

#include <stdio.h>
#include <string.h>

#include "device/cuda/module.h"

typedef struct writer {
    wf_cuda_text *text;
    const wf_program *p;
    const wf_cuda_layout *layout;
    bool uniform[WF_PROGRAM_MAX_INSTRS];
} writer;

#define ADD(...) wf_cuda_text_add(w->text, __VA_ARGS__)

static const char *const type_names[WEFT_NDTYPES] = {
    [WEFT_BOOL] = "b8",     [WEFT_INT8] = "i8",       [WEFT_INT16] = "i16",
    [WEFT_INT32] = "i32",   [WEFT_INT64] = "i64",     [WEFT_UINT8] = "u8",
    [WEFT_UINT16] = "u16",  [WEFT_UINT32] = "u32",    [WEFT_UINT64] = "u64",
    [WEFT_FLOAT16] = "f16", [WEFT_BFLOAT16] = "bf16", [WEFT_FLOAT32] = "f32",
    [WEFT_FLOAT64] = "f64", [WEFT_COMPLEX64] = "c64", [WEFT_COMPLEX128] = "c128",
};
static const int items[WEFT_NDTYPES] = {
#define ITEM(NAME, number, name, bytes, kind) [WEFT_##NAME] = bytes,
    WEFT_DTYPE_LIST(ITEM)
#undef ITEM
};
static const char kinds[WEFT_NDTYPES] = {
#define KIND(NAME, number, name, bytes, kind) [WEFT_##NAME] = kind,
    WEFT_DTYPE_LIST(KIND)
#undef KIND
};
static const char *const op_names[WF_OP_COUNT] = {
#define WEFT_OP(NAME, name, arity, types, cost, doc) [WF_OP_##NAME] = #name,
#include "weft/op.def"
};
static const uint8_t op_arity[WF_OP_COUNT] = {
#define WEFT_OP(NAME, name, arity, types, cost, doc) [WF_OP_##NAME] = arity,
#include "weft/op.def"
};
static const uint8_t op_cost[WF_OP_COUNT] = {
#define WEFT_OP(NAME, name, arity, types, cost, doc) [WF_OP_##NAME] = cost,
#include "weft/op.def"
};

const char *wf_cuda_type_name(int dtype) { return type_names[dtype]; }
int wf_cuda_item(int dtype) { return items[dtype]; }
char wf_cuda_kind(int dtype) { return kinds[dtype]; }

bool wf_cuda_reads(const wf_instr *instr)
{
    return instr->kind == WF_INSTR_LOAD || instr->kind == WF_INSTR_COUNTER;
}

int wf_cuda_arity(const wf_instr *instr)
{
    switch ((wf_instr_kind)instr->kind) {
    case WF_INSTR_LOAD:
    case WF_INSTR_PARAM:
    case WF_INSTR_COUNTER: return 0;
    case WF_INSTR_MAP: return op_arity[instr->op];
    default: return 1;
    }
}

static bool is_random(const wf_instr *instr)
{
    return instr->kind == WF_INSTR_UNIFORM || instr->kind == WF_INSTR_NORMAL ||
           instr->kind == WF_INSTR_INTEGERS;
}

int wf_cuda_weight(const wf_program *p)
{
    int weight = 0;

    for (int v = 0; v < p->ninstr; v++) {
        const wf_instr *instr = &p->instr[v];
        weight += instr->kind == WF_INSTR_MAP ? op_cost[instr->op] / 10 + 1 : 1;
        if (is_random(instr)) weight += 20;
    }
    return weight;
}

void wf_cuda_source_fini(wf_cuda_source *source) { wf_cuda_text_fini(&source->text); }

static const char *prefix_of(int dtype)
{
    switch (kinds[dtype]) {
    case 'b': return "bool";
    case 'f': return "float";
    case 'c': return "complex";
    default: return "int";
    }
}

// The instructions that have one value for all elements.
static void find_uniform(writer *w)
{
    for (int v = 0; v < w->p->ninstr; v++) {
        const wf_instr *instr = &w->p->instr[v];

        w->uniform[v] = !wf_cuda_reads(instr) || w->layout->reach[instr->index] == WF_CUDA_UNIFORM;
        for (int i = 0; i < wf_cuda_arity(instr); i++)
            w->uniform[v] = w->uniform[v] && w->uniform[instr->arg[i]];
    }
}

static void write_includes(const writer *w)
{
    bool needs[128] = { false }, random = false;

    for (int v = 0; v < w->p->ninstr; v++) {
        const wf_instr *instr = &w->p->instr[v];
        if (instr->kind == WF_INSTR_MAP && instr->op != WF_OP_WHERE)
            needs[(int)*prefix_of(instr->dtype)] = true;
        random = random || is_random(instr);
    }
    ADD("#include \"walk.cuh\"\n");
    if (needs['b'] || needs['i']) ADD("#include \"integer.cuh\"\n");
    if (needs['c']) ADD("#include \"complex.cuh\"\n");
    else if (needs['f']) ADD("#include \"float.cuh\"\n");
    if (random) ADD("#include \"random.cuh\"\n");
}

static bool is_inner(const writer *w, int axis) { return axis == w->layout->ndim - 1; }

// Whether the stride of OP along AXIS is an argument.
static bool has_stride(const writer *w, int op, int axis)
{
    int reach = w->layout->reach[op];
    bool known = is_inner(w, axis) && (reach == WF_CUDA_VECTOR || reach == WF_CUDA_UNIT);
    return (w->layout->walks[op] >> axis & 1) && !known;
}

static int operand_dtype(const wf_program *p, int op)
{
    return op < p->ninput ? p->input[op].dtype : p->output[op - p->ninput].dtype;
}

static bool is_counter(const wf_program *p, int op)
{
    return op < p->ninput && p->input[op].counter;
}

// "in0", "out1"
static const char *operand_name(const wf_program *p, int op, char *out)
{
    bool in = op < p->ninput;
    snprintf(out, 16, "%s%d", in ? "in" : "out", in ? op : op - p->ninput);
    return out;
}

static void write_arguments(const writer *w)
{
    const char *axis = w->layout->wide ? "axis64" : "axis32";
    int nop = w->p->ninput + w->p->noutput;
    char name[16];

    ADD("struct arguments {\n");
    if (w->p->nparam > 0) ADD("    scalar param[%d];\n", w->p->nparam);
    ADD("    i64 groups, inner;  // threads' shares; elements of the innermost axis\n");
    if (w->layout->ndim > 1) ADD("    %s row;  // its groups\n", axis);
    for (int a = w->layout->ndim - 2; a > 0; a--) ADD("    %s axis%d;\n", axis, a);
    for (int op = 0; op < nop; op++) {
        operand_name(w->p, op, name);
        if (is_counter(w->p, op)) ADD("    i64 %s", name);
        else ADD("    char *%s", name);
        ADD(";");
        for (int a = 0; a < w->layout->ndim; a++)
            if (has_stride(w, op, a)) ADD(" i64 %s_%d;", name, a);
        ADD("\n");
    }
    ADD("};\n\n");
}

// How far OP is from its first element at coordinates c0, c1, ..
static void write_distance(const writer *w, int op)
{
    const wf_cuda_layout *l = w->layout;
    int inner = l->ndim - 1;
    bool counter = is_counter(w->p, op), first = true;
    char name[16];

    operand_name(w->p, op, name);
    ADD("    at.%s =", name);
    if (counter) ADD(" A.%s", name), first = false;
    for (int a = 0; a < l->ndim; a++) {
        if (!(l->walks[op] >> a & 1)) continue;
        ADD(first ? " " : " + ");
        if (has_stride(w, op, a)) ADD("distance(c%d, A.%s_%d)", a, name, a);
        else if (counter) ADD("c%d", inner);
        else ADD("(i64)c%d * %d", inner, items[operand_dtype(w->p, op)]);
        first = false;
    }
    ADD(";\n");
}

static void write_place(const writer *w)
{
    const wf_cuda_layout *l = w->layout;
    int nop = w->p->ninput + w->p->noutput, inner = l->ndim - 1;
    char name[16];

    ADD("typedef %s number;\n\n", l->wide ? "i64" : "i32");
    ADD("// Where a group begins: elements of the axis left from there on; bytes from each operand's "
        "first element, counters' values.\n");
    ADD("struct place {\n    i64 left");
    for (int op = 0; op < nop; op++)
        if (l->reach[op] != WF_CUDA_UNIFORM) ADD(", %s", operand_name(w->p, op, name));
    ADD(";\n};\n\nWF_DEVICE place locate(const arguments &A, number group)\n{\n    place at;\n");
    if (l->ndim == 1) ADD("    const number c0 = group * V;\n");
    else
        ADD("    const number r%d = quotient(group, A.row), c%d = rest(group, r%d, A.row) * V;\n",
            inner - 1, inner, inner - 1);
    for (int a = inner - 1; a > 0; a--)
        ADD("    const number r%d = quotient(r%d, A.axis%d), c%d = rest(r%d, r%d, A.axis%d);\n",
            a - 1, a, a, a, a, a - 1, a);
    if (inner > 0) ADD("    const number c0 = r0;\n");
    ADD("    at.left = group < A.groups ? A.inner - c%d : 0;\n", inner);
    for (int op = 0; op < nop; op++)
        if (l->reach[op] != WF_CUDA_UNIFORM) write_distance(w, op);
    ADD("    return at;\n}\n\n");
}

// The step of a counter from neighbour to neighbour.
static const char *counter_step(const writer *w, int op, char *out)
{
    switch (w->layout->reach[op]) {
    case WF_CUDA_VECTOR: return "1";
    case WF_CUDA_STRIDED: snprintf(out, 32, "A.in%d_%d", op, w->layout->ndim - 1); return out;
    default: return "0";
    }
}

static void write_random(const writer *w, int v, const char *counter, const char *step)
{
    static const char *const names[] = { [WF_INSTR_UNIFORM] = "uniform",
                                         [WF_INSTR_NORMAL] = "normal",
                                         [WF_INSTR_INTEGERS] = "integers" };
    const wf_instr *instr = &w->p->instr[v];

    ADD("random_%s(r%d%s, %s, %s", names[instr->kind], v, w->uniform[v] ? "" : "[u]", counter,
        step);
    for (int i = 0; i < (instr->kind == WF_INSTR_INTEGERS ? 4 : 2); i++)
        ADD(", A.param[%d].word[0]", instr->index + i);
    ADD(");\n");
}

static void write_map(const writer *w, const wf_instr *instr)
{
    int n = op_arity[instr->op];

    if (instr->op == WF_OP_WHERE) ADD("pick(");
    else ADD("%s_%s(", prefix_of(instr->dtype), op_names[instr->op]);
    for (int i = 0; i < n; i++) ADD("%sv%d", i ? ", " : "", instr->arg[i]);
    ADD(");\n");
}

// Instruction V as one line.
static void write_value(const writer *w, int v, const char *indent)
{
    const wf_instr *instr = &w->p->instr[v];
    bool uniform = w->uniform[v];
    char step[32];

    if (is_random(instr) && uniform) {
        snprintf(step, sizeof step, "v%d", instr->arg[0]);
        ADD("%spack<%s, 1> r%d;\n%s", indent, type_names[instr->dtype], v, indent);
        write_random(w, v, step, "0");
    }
    ADD("%sconst %s v%d = ", indent, type_names[instr->result], v);
    switch ((wf_instr_kind)instr->kind) {
    case WF_INSTR_LOAD:
        if (uniform)
            ADD("value_of(*(const %s *)A.in%d);\n", type_names[w->p->input[instr->index].dtype],
                instr->index);
        else ADD("value_of(x%d[u].at[e]);\n", instr->index);
        break;
    case WF_INSTR_PARAM:
        ADD("param<%s>(A.param[%d]);\n", type_names[instr->dtype], instr->index);
        break;
    case WF_INSTR_COUNTER:
        if (uniform) ADD("A.in%d;\n", instr->index);
        else ADD("at[u].in%d + e * %s;\n", instr->index, counter_step(w, instr->index, step));
        break;
    case WF_INSTR_UNIFORM:
    case WF_INSTR_NORMAL:
    case WF_INSTR_INTEGERS: ADD("r%d%s;\n", v, uniform ? ".at[0]" : "[u].at[e]"); break;
    case WF_INSTR_MAP: write_map(w, instr); break;
    case WF_INSTR_CAST: ADD("cast<%s>(v%d);\n", type_names[instr->dtype], instr->arg[0]); break;
    case WF_INSTR_ROUND16: ADD("round_%s(v%d);\n", type_names[instr->from], instr->arg[0]); break;
    }
}

// Whether some instruction that is not uniform loads input OP.
static bool is_loaded(const writer *w, int op)
{
    for (int v = 0; v < w->p->ninstr; v++)
        if (w->p->instr[v].kind == WF_INSTR_LOAD && w->p->instr[v].index == op)
            return !w->uniform[v];
    return false;
}

static void write_buffers(const writer *w)
{
    ADD("        place at[U];\n");
    for (int op = 0; op < w->p->ninput; op++)
        if (is_loaded(w, op))
            ADD("        pack<%s, V> x%d[U];\n", type_names[w->p->input[op].dtype], op);
    for (int v = 0; v < w->p->ninstr; v++)
        if (is_random(&w->p->instr[v]) && !w->uniform[v])
            ADD("        pack<%s, V> r%d[U];\n", type_names[w->p->instr[v].dtype], v);
}

static void write_load(const writer *w, int op)
{
    ADD("            ");
    switch (w->layout->reach[op]) {
    case WF_CUDA_FIXED: ADD("load_fixed(x%d[u], A.in%d + at[u].in%d, ", op, op, op); break;
    case WF_CUDA_VECTOR: ADD("load_vector(x%d[u], A.in%d + at[u].in%d, ", op, op, op); break;
    case WF_CUDA_UNIT:
        ADD("load_strided(x%d[u], A.in%d + at[u].in%d, %d, ", op, op, op,
            items[w->p->input[op].dtype]);
        break;
    default:
        ADD("load_strided(x%d[u], A.in%d + at[u].in%d, A.in%d_%d, ", op, op, op, op,
            w->layout->ndim - 1);
    }
    ADD("at[u].left);\n");
}

static void write_loads(const writer *w)
{
    char counter[32], step[32];

    ADD("#pragma unroll\n        for (int u = 0; u < U; u++) {\n");
    ADD("            at[u] = locate(A, (number)(first + u * WF_THREADS));\n");
    for (int op = 0; op < w->p->ninput; op++)
        if (is_loaded(w, op)) write_load(w, op);
    for (int v = 0; v < w->p->ninstr; v++) {
        const wf_instr *instr = &w->p->instr[v];
        if (!is_random(instr) || w->uniform[v]) continue;
        int op = w->p->instr[instr->arg[0]].index;
        snprintf(counter, sizeof counter, "at[u].in%d", op);
        ADD("            ");
        write_random(w, v, counter, counter_step(w, op, step));
    }
    ADD("        }\n");
}

static void write_store(const writer *w, int i)
{
    int op = w->p->ninput + i;

    ADD("            ");
    switch (w->layout->reach[op]) {
    case WF_CUDA_VECTOR: ADD("store_vector(y%d, A.out%d + at[u].out%d, ", i, i, i); break;
    case WF_CUDA_UNIT:
        ADD("store_strided(y%d, A.out%d + at[u].out%d, %d, ", i, i, i,
            items[w->p->output[i].dtype]);
        break;
    case WF_CUDA_STRIDED:
        ADD("store_strided(y%d, A.out%d + at[u].out%d, A.out%d_%d, ", i, i, i, i,
            w->layout->ndim - 1);
        break;
    case WF_CUDA_FIXED: ADD("store_strided(y%d, A.out%d + at[u].out%d, 0, ", i, i, i); break;
    default: ADD("store_strided(y%d, A.out%d, 0, ", i, i);
    }
    ADD("at[u].left);\n");
}

static void write_stores(const writer *w)
{
    const wf_program *p = w->p;

    ADD("#pragma unroll\n        for (int u = 0; u < U; u++) {\n");
    for (int i = 0; i < p->noutput; i++)
        ADD("            pack<%s, V> y%d;\n", type_names[p->output[i].dtype], i);
    ADD("#pragma unroll\n            for (int e = 0; e < V; e++) {\n");
    for (int v = 0; v < p->ninstr; v++)
        if (!w->uniform[v]) write_value(w, v, "                ");
    for (int i = 0; i < p->noutput; i++)
        ADD("                y%d.at[e] = stored_as<%s>(v%d);\n", i, type_names[p->output[i].dtype],
            p->output[i].value);
    ADD("            }\n");
    for (int i = 0; i < p->noutput; i++) write_store(w, i);
    ADD("        }\n");
}

// "map_multiply_add": the first operations of the program.
static void name_kernel(const wf_program *p, const char *start, char *out, size_t room)
{
    size_t used = (size_t)snprintf(out, room, "%s", start);
    int ops = 0;

    for (int v = 0; v < p->ninstr && ops < 4; v++) {
        if (p->instr[v].kind != WF_INSTR_MAP) continue;
        const char *name = op_names[p->instr[v].op];
        if (used + strlen(name) + 2 > room) return;
        used += (size_t)snprintf(out + used, room - used, "_%s", name);
        ops++;
    }
}

static void write_kernel(const writer *w, const char *name)
{
    ADD("WF_KERNEL(%s, arguments)\n{\n", name);
    for (int v = 0; v < w->p->ninstr; v++)
        if (w->uniform[v]) write_value(w, v, "    ");
    ADD("    const i64 stride = (i64)gridDim.x * (WF_THREADS * U);\n");
    ADD("    for (i64 first = (i64)blockIdx.x * (WF_THREADS * U) + threadIdx.x; first < A.groups;\n"
        "         first += stride) {\n");
    write_buffers(w);
    write_loads(w);
    write_stores(w);
    ADD("    }\n}\n");
}

static weft_status finish(wf_cuda_source *out)
{
    if (!out->text.failed) return WEFT_OK;
    wf_cuda_source_fini(out);
    return WEFT_NO_MEMORY;
}

weft_status wf_cuda_map_source(const wf_program *program, const wf_cuda_layout *layout,
                               wf_cuda_source *out)
{
    writer state = { .text = &out->text, .p = program, .layout = layout }, *w = &state;

    *out = (wf_cuda_source){ 0 };
    name_kernel(program, "map", out->name, sizeof out->name);
    find_uniform(w);
    write_includes(w);
    ADD("\nenum { V = %d, U = %d };  // neighbours taken at once; such groups in flight\n\n",
        layout->vector, layout->unroll);
    write_arguments(w);
    write_place(w);
    write_kernel(w, out->name);
    return finish(out);
}
