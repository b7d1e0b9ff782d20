// SPDX-License-Identifier: Apache-2.0
// writer - operands, places, loads and values as text.
#include "device/cuda/writer.h"

#include <stdio.h>
#include <string.h>

#include "device/cuda/module.h"

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

static bool is_random(const wf_instr *instr)
{
    return instr->kind == WF_INSTR_UNIFORM || instr->kind == WF_INSTR_NORMAL ||
           instr->kind == WF_INSTR_INTEGERS;
}

static int arity(const wf_instr *instr)
{
    if (wf_cuda_reads(instr) || instr->kind == WF_INSTR_PARAM) return 0;
    return instr->kind == WF_INSTR_MAP ? op_arity[instr->op] : 1;
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

void wf_cuda_writer_init(wf_cuda_writer *w, wf_cuda_text *text, const wf_program *p,
                         const wf_cuda_layout *layout, int nwritten, bool positions)
{
    *w = (wf_cuda_writer){ .text = text, .p = p, .layout = layout, .position = -1 };
    w->nop = p->ninput + nwritten;
    if (positions) w->position = w->nop++;
    for (int v = 0; v < p->ninstr; v++) {
        const wf_instr *instr = &p->instr[v];
        w->uniform[v] = !wf_cuda_reads(instr) || layout->reach[instr->index] == WF_CUDA_UNIFORM;
        for (int i = 0; i < arity(instr); i++)
            w->uniform[v] = w->uniform[v] && w->uniform[instr->arg[i]];
    }
}

static const char *prefix_of(int dtype)
{
    switch (kinds[dtype]) {
    case 'b': return "bool";
    case 'f': return "float";
    case 'c': return "complex";
    default: return "int";
    }
}

void wf_cuda_write_includes(const wf_cuda_writer *w)
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

// --- operands and places ---

static bool is_counter(const wf_cuda_writer *w, int op)
{
    return op == w->position || (op < w->p->ninput && w->p->input[op].counter);
}

const char *wf_cuda_operand_name(const wf_cuda_writer *w, int op, char out[16])
{
    bool in = op < w->p->ninput;

    if (op == w->position) snprintf(out, 16, "position");
    else snprintf(out, 16, "%s%d", in ? "in" : "out", in ? op : op - w->p->ninput);
    return out;
}

static bool is_inner(const wf_cuda_writer *w, int axis) { return axis == w->layout->ndim - 1; }

// Whether the stride of OP along AXIS is an argument.
static bool has_stride(const wf_cuda_writer *w, int op, int axis)
{
    int reach = w->layout->reach[op];
    bool known = is_inner(w, axis) && (reach == WF_CUDA_VECTOR || reach == WF_CUDA_UNIT);
    return (w->layout->walks[op] >> axis & 1) && !known;
}

// Bytes from neighbour to neighbour; 1 for counters.
static int unit_of(const wf_cuda_writer *w, int op)
{
    const wf_program *p = w->p;
    if (is_counter(w, op)) return 1;
    return items[op < p->ninput ? p->input[op].dtype : p->output[op - p->ninput].dtype];
}

bool wf_cuda_next_seed(const wf_program *p, int *v)
{
    for (++*v; *v < p->ninstr; ++*v) {
        bool first = is_random(&p->instr[*v]);
        for (int u = 0; u < *v; u++)
            if (is_random(&p->instr[u]) && p->instr[u].index == p->instr[*v].index) first = false;
        if (first) return true;
    }
    return false;
}

void wf_cuda_write_params(const wf_cuda_writer *w)
{
    if (w->p->nparam > 0) ADD("    scalar param[%d];\n", w->p->nparam);
    for (int v = -1; wf_cuda_next_seed(w->p, &v);)
        ADD("    round_keys keys%d;  // of the seed param[%d]\n", w->p->instr[v].index,
            w->p->instr[v].index);
}

void wf_cuda_write_operands(const wf_cuda_writer *w)
{
    char name[16];

    for (int op = 0; op < w->nop; op++) {
        wf_cuda_operand_name(w, op, name);
        ADD("    %s%s;", is_counter(w, op) ? "i64 " : "char *", name);
        for (int a = 0; a < w->layout->ndim; a++)
            if (has_stride(w, op, a)) ADD(" i64 %s_%d;", name, a);
        ADD("\n");
    }
}

void wf_cuda_write_coordinates(const wf_cuda_writer *w, const char *from, int first, int end)
{
    char name[16];

    snprintf(name, sizeof name, "%s", from);
    for (int a = end - 1; a > first; a--) {
        ADD("    const number q%d = quotient(%s, A.axis%d), c%d = rest(%s, q%d, A.axis%d);\n", a,
            name, a, a, name, a, a);
        snprintf(name, sizeof name, "q%d", a);
    }
    ADD("    const number c%d = %s;\n", first, name);
}

void wf_cuda_write_distance(const wf_cuda_writer *w, int op, const char *start, int first, int end)
{
    bool some = *start;
    char name[16];

    wf_cuda_operand_name(w, op, name);
    ADD("%s", start);
    for (int a = first; a < end; a++) {
        if (!(w->layout->walks[op] >> a & 1)) continue;
        ADD(some ? " + " : "");
        if (has_stride(w, op, a)) ADD("distance(c%d, A.%s_%d)", a, name, a);
        else ADD("(i64)c%d * %d", a, unit_of(w, op));
        some = true;
    }
    if (!some) ADD("0");
}

// --- loads and stores ---

// The step of a counter from neighbour to neighbour.
static const char *counter_step(const wf_cuda_writer *w, int op, char out[32])
{
    switch (w->layout->reach[op]) {
    case WF_CUDA_VECTOR: return "1";
    case WF_CUDA_STRIDED: snprintf(out, 32, "A.in%d_%d", op, w->layout->ndim - 1); return out;
    default: return "0";
    }
}

static const char *const random_names[] = {
    [WF_INSTR_UNIFORM] = "uniform", [WF_INSTR_NORMAL] = "normal", [WF_INSTR_INTEGERS] = "integers"
};

// The seed's keys, seed, stream and what else the generator takes.
static void write_random_params(const wf_cuda_writer *w, const wf_instr *instr)
{
    ADD(", A.keys%d", instr->index);
    for (int i = 0; i < (instr->kind == WF_INSTR_INTEGERS ? 4 : 2); i++)
        ADD(", A.param[%d].word[0]", instr->index + i);
}

static void write_random(const wf_cuda_writer *w, int v, const char *counter, const char *step)
{
    const wf_instr *instr = &w->p->instr[v];

    ADD("random_%s(r%d%s, %s, %s", random_names[instr->kind], v, w->uniform[v] ? "" : "[u]",
        counter, step);
    write_random_params(w, instr);
    ADD(");\n");
}

// Whether the random numbers of instruction V are made by whole warps: of a block of words each number
// is wanted by another lane.
static bool is_of_warps(const wf_cuda_writer *w, int v)
{
    const wf_instr *instr = &w->p->instr[v];

    if (!w->in_rows || !is_random(instr) || w->uniform[v] || instr->kind == WF_INSTR_INTEGERS)
        return false;
    return w->layout->reach[w->p->instr[instr->arg[0]].index] == WF_CUDA_VECTOR &&
           w->layout->unroll % (16 / items[instr->dtype]) == 0;
}

void wf_cuda_write_rooms(const wf_cuda_writer *w)
{
    for (int v = 0; v < w->p->ninstr; v++) {
        int dtype = w->p->instr[v].dtype;
        if (is_of_warps(w, v))
            ADD("    WF_SHARED pack<%s, %d> room%d[WF_THREADS];\n", type_names[dtype],
                16 / items[dtype], v);
    }
}

void wf_cuda_write_random_rows(const wf_cuda_writer *w, const char *indent)
{
    for (int v = 0; v < w->p->ninstr; v++) {
        const wf_instr *instr = &w->p->instr[v];
        if (!is_of_warps(w, v)) continue;
        ADD("%srandom_row<%s>(r%d, at[0].in%d - lane", indent, random_names[instr->kind], v,
            w->p->instr[instr->arg[0]].index);
        write_random_params(w, instr);
        ADD(", room%d, lane);\n", v);
    }
}

bool wf_cuda_is_loaded(const wf_cuda_writer *w, int op)
{
    for (int v = 0; v < w->p->ninstr; v++)
        if (w->p->instr[v].kind == WF_INSTR_LOAD && w->p->instr[v].index == op)
            return !w->uniform[v];
    return false;
}

void wf_cuda_write_buffers(const wf_cuda_writer *w, const char *indent)
{
    ADD("%splace at[U];\n", indent);
    for (int op = 0; op < w->p->ninput; op++)
        if (wf_cuda_is_loaded(w, op))
            ADD("%spack<%s, V> x%d[U];\n", indent, type_names[w->p->input[op].dtype], op);
    for (int v = 0; v < w->p->ninstr; v++)
        if (is_random(&w->p->instr[v]) && !w->uniform[v])
            ADD("%spack<%s, V> r%d[U];\n", indent, type_names[w->p->instr[v].dtype], v);
}

// How OP's group is reached: "load_strided(x3[u], A.in3 + at[u].in3, A.in3_1"
static void write_reached(const wf_cuda_writer *w, int op, bool load, const char *buffer)
{
    const char *way = load ? "load" : "store";
    char name[16];

    wf_cuda_operand_name(w, op, name);
    switch (w->layout->reach[op]) {
    case WF_CUDA_FIXED:
        if (load) ADD("load_fixed(%s, A.%s + at[u].%s", buffer, name, name);
        else ADD("store_strided(%s, A.%s + at[u].%s, 0", buffer, name, name);
        break;
    case WF_CUDA_VECTOR: ADD("%s_vector(%s, A.%s + at[u].%s", way, buffer, name, name); break;
    case WF_CUDA_UNIT:
        ADD("%s_strided(%s, A.%s + at[u].%s, %d", way, buffer, name, name, unit_of(w, op));
        break;
    case WF_CUDA_STRIDED:
        ADD("%s_strided(%s, A.%s + at[u].%s, A.%s_%d", way, buffer, name, name, name,
            w->layout->ndim - 1);
        break;
    default: ADD("store_strided(%s, A.%s, 0", buffer, name);
    }
}

static void write_group(const wf_cuda_writer *w, bool load, bool whole, const char *indent)
{
    int ninput = w->p->ninput;
    char buffer[16];

    for (int op = load ? 0 : ninput; op < (load ? ninput : w->nop); op++) {
        bool one = load && w->layout->reach[op] == WF_CUDA_FIXED;
        if (load && (!wf_cuda_is_loaded(w, op) || w->layout->reach[op] == WF_CUDA_STAGED)) continue;
        snprintf(buffer, sizeof buffer, load ? "x%d[u]" : "y%d", load ? op : op - ninput);
        ADD("%s    ", indent);
        write_reached(w, op, load, buffer);
        ADD(whole || one ? ");\n" : ", at[u].left);\n");
    }
}

void wf_cuda_write_groups(const wf_cuda_writer *w, bool load, const char *indent)
{
    bool some = !load;

    for (int op = 0; op < w->p->ninput; op++)
        some = some || (wf_cuda_is_loaded(w, op) && w->layout->reach[op] != WF_CUDA_STAGED);
    if (!some) return;
    ADD("%sif (at[u].left >= V) {\n", indent);
    write_group(w, load, true, indent);
    if (w->layout->vector > 1) {
        ADD("%s} else {\n", indent);
        write_group(w, load, false, indent);
    }
    ADD("%s}\n", indent);
}

void wf_cuda_write_loads(const wf_cuda_writer *w, const char *indent)
{
    char counter[32], step[32];

    wf_cuda_write_groups(w, true, indent);
    for (int v = 0; v < w->p->ninstr; v++) {
        const wf_instr *instr = &w->p->instr[v];
        if (!is_random(instr) || w->uniform[v] || is_of_warps(w, v)) continue;
        int op = w->p->instr[instr->arg[0]].index;
        snprintf(counter, sizeof counter, "at[u].in%d", op);
        ADD("%s", indent);
        write_random(w, v, counter, counter_step(w, op, step));
    }
}

// --- values ---

static void write_map(const wf_cuda_writer *w, const wf_instr *instr)
{
    if (instr->op == WF_OP_WHERE) ADD("pick(");
    else ADD("%s_%s(", prefix_of(instr->dtype), op_names[instr->op]);
    for (int i = 0; i < op_arity[instr->op]; i++) ADD("%sv%d", i ? ", " : "", instr->arg[i]);
    ADD(")");
}

// What instruction V computes.
static void write_expression(const wf_cuda_writer *w, int v)
{
    const wf_instr *instr = &w->p->instr[v];
    bool uniform = w->uniform[v];
    int i = instr->index;
    char step[32];

    switch ((wf_instr_kind)instr->kind) {
    case WF_INSTR_LOAD:
        if (uniform) ADD("value_of(*(const %s *)A.in%d)", type_names[w->p->input[i].dtype], i);
        else ADD("value_of(x%d[u].at[e])", i);
        break;
    case WF_INSTR_PARAM: ADD("param<%s>(A.param[%d])", type_names[instr->dtype], i); break;
    case WF_INSTR_COUNTER:
        if (uniform) ADD("A.in%d", i);
        else ADD("at[u].in%d + e * %s", i, counter_step(w, i, step));
        break;
    case WF_INSTR_UNIFORM:
    case WF_INSTR_NORMAL:
    case WF_INSTR_INTEGERS: ADD("r%d%s", v, uniform ? ".at[0]" : "[u].at[e]"); break;
    case WF_INSTR_MAP: write_map(w, instr); break;
    case WF_INSTR_CAST: ADD("cast<%s>(v%d)", type_names[instr->dtype], instr->arg[0]); break;
    case WF_INSTR_ROUND16: ADD("round_%s(v%d)", type_names[instr->from], instr->arg[0]); break;
    }
}

static void write_value(const wf_cuda_writer *w, int v, const char *indent)
{
    const wf_instr *instr = &w->p->instr[v];
    char counter[16];

    if (is_random(instr) && w->uniform[v]) {
        snprintf(counter, sizeof counter, "v%d", instr->arg[0]);
        ADD("%spack<%s, 1> r%d;\n%s", indent, type_names[instr->dtype], v, indent);
        write_random(w, v, counter, "0");
    }
    ADD("%sconst %s v%d = ", indent, type_names[instr->result], v);
    write_expression(w, v);
    ADD(";\n");
}

void wf_cuda_write_uniform(const wf_cuda_writer *w)
{
    for (int v = 0; v < w->p->ninstr; v++)
        if (w->uniform[v]) write_value(w, v, "    ");
}

void wf_cuda_write_values(const wf_cuda_writer *w, const char *indent)
{
    for (int v = 0; v < w->p->ninstr; v++)
        if (!w->uniform[v]) write_value(w, v, indent);
}

// --- the whole ---

void wf_cuda_name_kernel(const wf_program *p, const char *start, wf_cuda_source *out)
{
    size_t room = sizeof out->name, used = (size_t)snprintf(out->name, room, "%s", start);
    int ops = 0;

    for (int v = 0; v < p->ninstr && ops < 4; v++) {
        if (p->instr[v].kind != WF_INSTR_MAP) continue;
        const char *name = op_names[p->instr[v].op];
        if (used + strlen(name) + 2 > room) return;
        used += (size_t)snprintf(out->name + used, room - used, "_%s", name);
        ops++;
    }
}

weft_status wf_cuda_finish_source(wf_cuda_source *out)
{
    if (!out->text.failed) return WEFT_OK;
    wf_cuda_source_fini(out);
    return WEFT_NO_MEMORY;
}
