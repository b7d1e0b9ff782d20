// SPDX-License-Identifier: Apache-2.0
// program - building: value numbering as instructions are added; then one walk from the outputs
// that drops what nobody needs and puts each instruction shortly before its first use; then
// registers.
//
// Order of a built program: first every *uniform* instruction (parameters, and what is computed
// from parameters alone), then the rest. A uniform value is the same for each element, so its
// register is never given to another value: a device may fill the uniform registers once per
// launch, or once per strip, as it likes. The rest is in depth-first order, of two arguments the
// one that needs more registers first (Sethi and Ullman, 1970), because registers are strips that
// should stay in L1.
//
// Registers: a value lives from its instruction to its last use; stored values live to the end,
// uniform ones throughout. A MAP may take over the register of an argument that dies there if both
// elements have the same size, which kernel.h allows; no other instruction writes over its
// argument. Every instruction gets a register.
#include "array/program.h"

#include <string.h>

#include "array/dtype.h"
#include "array/op.h"
#include "base/hash.h"
#include "base/text.h"

// Of the hash table of instructions: a power of two, twice the most instructions.
#define TABLE_SIZE 512

struct wf_program_builder {
    int ninstr, ninput, noutput, nparam;
    wf_instr instr[WF_PROGRAM_MAX_INSTRS];
    wf_program_input input[WF_PROGRAM_MAX_INPUTS];
    wf_program_output output[WF_PROGRAM_MAX_OUTPUTS];
    int16_t table[TABLE_SIZE];  // instruction + 1; 0: free
};

_Static_assert(sizeof(wf_instr) == 14,
               "wf_instr is compared and hashed as bytes: it must have no padding");
_Static_assert(TABLE_SIZE >= 2 * WF_PROGRAM_MAX_INSTRS, "the table must never fill");

weft_status wf_program_builder_create(wf_program_builder **out)
{
    wf_program_builder *b = wf_alloc(sizeof *b);
    if (!b) return WEFT_NO_MEMORY;
    *out = b;
    return WEFT_OK;
}

void wf_program_builder_destroy(wf_program_builder *builder) { wf_free(builder); }

int wf_program_add_input(wf_program_builder *b, bool counter, weft_dtype dtype)
{
    if (b->ninput == WF_PROGRAM_MAX_INPUTS) {
        wf_fail(WEFT_OVERFLOW, "program: more than %d operands", WF_PROGRAM_MAX_INPUTS);
        return -1;
    }
    b->input[b->ninput] =
        (wf_program_input){ .counter = counter, .dtype = (uint8_t)(counter ? WEFT_INT64 : dtype) };
    return b->ninput++;
}

int wf_program_add_param(wf_program_builder *b)
{
    if (b->nparam == INT16_MAX) {
        wf_fail(WEFT_OVERFLOW, "program: more than %d parameters", INT16_MAX);
        return -1;
    }
    return b->nparam++;
}

int wf_program_counts(const wf_program_builder *b, int *ninput, int *noutput)
{
    if (ninput) *ninput = b->ninput;
    if (noutput) *noutput = b->noutput;
    return b->ninstr;
}

weft_dtype wf_program_value_dtype(const wf_program_builder *b, int value)
{
    WF_ASSERT(value >= 0 && value < b->ninstr);
    return (weft_dtype)b->instr[value].result;
}

static int instr_args(const wf_instr *instr)
{
    switch ((wf_instr_kind)instr->kind) {
    case WF_INSTR_LOAD:
    case WF_INSTR_PARAM:
    case WF_INSTR_COUNTER: return 0;
    case WF_INSTR_MAP: return wf_op_arity((wf_op)instr->op);
    default: return 1;
    }
}

// Of real numbers a+b is b+a to the bit. Not of complex ones: with fma the products of a*b and b*a
// round differently.
static bool commutes(const wf_instr *instr)
{
    if (instr->kind != WF_INSTR_MAP || wf_dtype_kind((weft_dtype)instr->dtype) == 'c') return false;
    switch ((wf_op)instr->op) {
    case WF_OP_ADD:
    case WF_OP_MULTIPLY:
    case WF_OP_EQUAL:
    case WF_OP_NOT_EQUAL:
    case WF_OP_LOGICAL_AND:
    case WF_OP_LOGICAL_OR:
    case WF_OP_LOGICAL_XOR:
    case WF_OP_BITWISE_AND:
    case WF_OP_BITWISE_OR:
    case WF_OP_BITWISE_XOR: return true;
    default: return false;
    }
}

static wf_instr make_instr(wf_instr_kind kind, weft_dtype dtype)
{
    return (wf_instr){ .kind = (uint8_t)kind,
                       .dtype = (uint8_t)dtype,
                       .result = (uint8_t)dtype,
                       .index = -1,
                       .arg = { -1, -1, -1 } };
}

// Puts the arguments of a commutative operation into one order, so that equal values and equal
// programs are seen as equal.
static void order_arguments(wf_instr *instr)
{
    if (!commutes(instr) || instr->arg[0] <= instr->arg[1]) return;
    int16_t first = instr->arg[0];
    instr->arg[0] = instr->arg[1];
    instr->arg[1] = first;
}

// Adds INSTR, or finds the equal one that is there. Returns its number, -1 when there is no room.
static int add_instr(wf_program_builder *b, wf_instr instr)
{
    order_arguments(&instr);
    size_t slot = wf_hash_bytes(0, &instr, sizeof instr) % TABLE_SIZE;
    for (; b->table[slot]; slot = (slot + 1) % TABLE_SIZE)
        if (memcmp(&b->instr[b->table[slot] - 1], &instr, sizeof instr) == 0)
            return b->table[slot] - 1;

    if (b->ninstr == WF_PROGRAM_MAX_INSTRS) {
        wf_fail(WEFT_OVERFLOW, "program: more than %d instructions", WF_PROGRAM_MAX_INSTRS);
        return -1;
    }
    b->instr[b->ninstr] = instr;
    b->table[slot] = (int16_t)(b->ninstr + 1);
    return b->ninstr++;
}

int wf_program_load(wf_program_builder *b, int operand)
{
    WF_ASSERT(operand >= 0 && operand < b->ninput);
    const wf_program_input *in = &b->input[operand];
    wf_instr instr = make_instr(in->counter ? WF_INSTR_COUNTER : WF_INSTR_LOAD,
                                wf_dtype_compute((weft_dtype)in->dtype));

    instr.index = (int16_t)operand;
    return add_instr(b, instr);
}

int wf_program_param(wf_program_builder *b, int param, weft_dtype dtype)
{
    WF_ASSERT(param >= 0 && param < b->nparam);
    wf_instr instr = make_instr(WF_INSTR_PARAM, wf_dtype_compute(dtype));

    instr.index = (int16_t)param;
    int value = add_instr(b, instr);
    return value >= 0 && wf_dtype_is_half(dtype) ? wf_program_cast(b, value, dtype) : value;
}

int wf_program_random(wf_program_builder *b, wf_instr_kind kind, weft_dtype dtype,
                      int counter_value, int first_param)
{
    WF_ASSERT(kind == WF_INSTR_UNIFORM || kind == WF_INSTR_NORMAL || kind == WF_INSTR_INTEGERS);
    WF_ASSERT(counter_value >= 0 && counter_value < b->ninstr &&
              b->instr[counter_value].kind == WF_INSTR_COUNTER);
    WF_ASSERT(first_param >= 0 && first_param + (kind == WF_INSTR_INTEGERS ? 4 : 2) <= b->nparam);
    wf_instr instr = make_instr(kind, dtype);

    instr.index = (int16_t)first_param;
    instr.arg[0] = (int16_t)counter_value;
    return add_instr(b, instr);
}

// The operations whose result, for arguments of 16-bit precision, has 16-bit precision again: they
// choose or change a sign, or round to an integer.
static bool keeps_precision(wf_op op)
{
    switch (op) {
    case WF_OP_MAXIMUM:
    case WF_OP_MINIMUM:
    case WF_OP_FMAX:
    case WF_OP_FMIN:
    case WF_OP_COPYSIGN:
    case WF_OP_ABS:
    case WF_OP_NEGATIVE:
    case WF_OP_SIGN:
    case WF_OP_FLOOR:
    case WF_OP_CEIL:
    case WF_OP_TRUNC:
    case WF_OP_ROUND:
    case WF_OP_WHERE: return true;
    default: return false;
    }
}

// Whether the float32 VALUE is known to be exact in the 16-bit format HALF.
static bool is_rounded(const wf_program_builder *b, int value, weft_dtype half)
{
    const wf_instr *instr = &b->instr[value];

    switch ((wf_instr_kind)instr->kind) {
    case WF_INSTR_LOAD: return b->input[instr->index].dtype == half;
    case WF_INSTR_ROUND16: return instr->from == half;
    case WF_INSTR_CAST:
        return wf_dtype_size((weft_dtype)b->instr[instr->arg[0]].result) ==
               1;  // bool and bytes fit in both
    case WF_INSTR_MAP:
        if (!keeps_precision((wf_op)instr->op)) return false;
        for (int i = instr->op == WF_OP_WHERE; i < instr_args(instr); i++)
            if (!is_rounded(b, instr->arg[i], half)) return false;
        return true;
    default: return false;
    }
}

static int add_round16(wf_program_builder *b, int value, weft_dtype half)
{
    if (value < 0 || is_rounded(b, value, half)) return value;
    wf_instr instr = make_instr(WF_INSTR_ROUND16, WEFT_FLOAT32);

    instr.from = (uint8_t)half;
    instr.arg[0] = (int16_t)value;
    return add_instr(b, instr);
}

int wf_program_cast(wf_program_builder *b, int value, weft_dtype to)
{
    weft_dtype target = wf_dtype_compute(to);

    if (wf_program_value_dtype(b, value) != target) {
        wf_instr instr = make_instr(WF_INSTR_CAST, target);
        instr.arg[0] = (int16_t)value;
        value = add_instr(b, instr);
    }
    return wf_dtype_is_half(to) ? add_round16(b, value, to) : value;
}

// The operations that return their argument as it is in some dtypes: no kernel runs for those.
static bool is_identity(wf_op op, weft_dtype dtype)
{
    char kind = wf_dtype_kind(dtype);

    switch (op) {
    case WF_OP_POSITIVE: return true;
    case WF_OP_CONJ:
    case WF_OP_REAL: return kind != 'c';
    case WF_OP_ABS: return kind == 'b' || kind == 'u';
    case WF_OP_FLOOR:
    case WF_OP_CEIL:
    case WF_OP_TRUNC:
    case WF_OP_ROUND: return kind == 'b' || kind == 'i' || kind == 'u';
    default: return false;
    }
}

int wf_program_map(wf_program_builder *b, wf_op op, weft_dtype dtype, const int *args)
{
    weft_dtype compute = wf_dtype_compute(dtype);
    wf_instr instr = make_instr(WF_INSTR_MAP, compute);

    for (int i = 0; i < wf_op_arity(op); i++) {
        weft_dtype want = op == WF_OP_WHERE && i == 0 ? WEFT_BOOL : compute;
        WF_ASSERT(wf_program_value_dtype(b, args[i]) == want);
        instr.arg[i] = (int16_t)args[i];
    }
    if (is_identity(op, compute)) return args[0];
    instr.op = (uint16_t)op;
    instr.result = (uint8_t)wf_op_result(op, compute);
    int value = add_instr(b, instr);
    bool half = wf_dtype_is_half(dtype) && instr.result == WEFT_FLOAT32;
    return half ? add_round16(b, value, dtype) : value;
}

weft_status wf_program_store(wf_program_builder *b, int value, weft_dtype storage)
{
    if (b->noutput == WF_PROGRAM_MAX_OUTPUTS)
        return wf_fail(WEFT_OVERFLOW, "program: more than %d outputs", WF_PROGRAM_MAX_OUTPUTS);
    WF_ASSERT(wf_program_value_dtype(b, value) == wf_dtype_compute(storage));
    const wf_instr *instr = &b->instr[value];
    if (instr->kind == WF_INSTR_ROUND16 && instr->from == storage)
        value = instr->arg[0];  // storing rounds
    b->output[b->noutput++] =
        (wf_program_output){ .value = (int16_t)value, .dtype = (uint8_t)storage };
    return WEFT_OK;
}

// The walk from the outputs. Arrays are indexed by the builder's numbers.
typedef struct walk {
    const wf_program_builder *b;
    bool needed[WF_PROGRAM_MAX_INSTRS], uniform[WF_PROGRAM_MAX_INSTRS];
    int16_t pressure[WF_PROGRAM_MAX_INSTRS];  // registers that computing it takes, about
    int16_t place[WF_PROGRAM_MAX_INSTRS];     // its new number; -1: not placed yet
    wf_instr out[WF_PROGRAM_MAX_INSTRS];
    int count;
} walk;

static void mark_needed(walk *w)
{
    for (int i = 0; i < w->b->noutput; i++) w->needed[w->b->output[i].value] = true;
    for (int v = w->b->ninstr - 1; v >= 0; v--)
        for (int i = 0; w->needed[v] && i < instr_args(&w->b->instr[v]); i++)
            w->needed[w->b->instr[v].arg[i]] = true;
}

static void measure(walk *w, int v)
{
    const wf_instr *instr = &w->b->instr[v];
    int n = instr_args(instr), most = 1;

    w->uniform[v] = n > 0 || instr->kind == WF_INSTR_PARAM;
    for (int i = 0; i < n; i++) {
        int arg = w->pressure[instr->arg[i]];
        most = arg > most ? arg : most + (arg == most && i > 0);
        w->uniform[v] = w->uniform[v] && w->uniform[instr->arg[i]];
    }
    w->pressure[v] = (int16_t)most;
}

static void emit(walk *w, int v)
{
    wf_instr instr = w->b->instr[v];

    for (int i = 0; i < instr_args(&instr); i++) instr.arg[i] = w->place[instr.arg[i]];
    order_arguments(&instr);
    w->out[w->count] = instr;
    w->place[v] = (int16_t)w->count++;
}

// Places V after its arguments, the hungriest first. The recursion is at most as deep as the
// program is long.
static void place(walk *w, int v)
{
    if (w->place[v] >= 0) return;
    const wf_instr *instr = &w->b->instr[v];
    int16_t order[3];
    int n = instr_args(instr);

    for (int i = 0; i < n; i++) {
        int j = i;
        for (; j > 0 && w->pressure[instr->arg[i]] > w->pressure[order[j - 1]]; j--)
            order[j] = order[j - 1];
        order[j] = instr->arg[i];
    }
    for (int i = 0; i < n; i++) place(w, order[i]);
    emit(w, v);
}

// Returns the number of uniform instructions, which come first.
static int order_instrs(walk *w)
{
    int nuniform;

    mark_needed(w);
    for (int v = 0; v < w->b->ninstr; v++) {
        measure(w, v);
        w->place[v] = -1;
        if (w->needed[v] && w->uniform[v]) emit(w, v);
    }
    nuniform = w->count;
    for (int i = 0; i < w->b->noutput; i++) place(w, w->b->output[i].value);
    return nuniform;
}

// LAST[v] is the last instruction that reads v; ninstr for stored and for uniform values.
static void find_last_uses(const wf_program *p, int nuniform, int16_t *last)
{
    for (int v = 0; v < p->ninstr; v++) {
        last[v] = (int16_t)(v < nuniform ? p->ninstr : v);
        for (int i = 0; i < instr_args(&p->instr[v]); i++) {
            int16_t *arg = &last[p->instr[v].arg[i]];
            if (*arg < v) *arg = (int16_t)v;
        }
    }
    for (int i = 0; i < p->noutput; i++) last[p->output[i].value] = (int16_t)p->ninstr;
}

// The register of an argument that dies at V and whose place V may take; -1 for none.
static int inherit_register(const wf_program *p, const int16_t *last, int v)
{
    const wf_instr *instr = &p->instr[v];

    if (instr->kind != WF_INSTR_MAP) return -1;
    for (int i = 0; i < instr_args(instr); i++) {
        const wf_instr *arg = &p->instr[instr->arg[i]];
        bool fits =
            wf_dtype_size((weft_dtype)arg->result) == wf_dtype_size((weft_dtype)instr->result);
        if (fits && last[instr->arg[i]] == v) return p->instr_register[instr->arg[i]];
    }
    return -1;
}

static void assign_registers(wf_program *p, int nuniform)
{
    int16_t last[WF_PROGRAM_MAX_INSTRS];
    bool taken[WF_PROGRAM_MAX_INSTRS] = { false };

    find_last_uses(p, nuniform, last);
    for (int v = 0; v < p->ninstr; v++) {
        const wf_instr *instr = &p->instr[v];
        int reg = inherit_register(p, last, v);

        if (reg < 0)
            for (reg = 0; taken[reg]; reg++) {}
        for (int i = 0; i < instr_args(instr); i++)
            if (last[instr->arg[i]] == v) taken[p->instr_register[instr->arg[i]]] = false;
        taken[reg] = last[v] > v;
        p->instr_register[v] = (int16_t)reg;
        if (reg >= p->nregister) p->nregister = reg + 1;
    }
}

static void hash_program(wf_program *p)
{
    uint64_t hash = wf_hash_u64(0, (uint64_t)p->ninstr << 32 | (uint64_t)p->nparam);

    hash = wf_hash_bytes(hash, p->instr, (size_t)p->ninstr * sizeof *p->instr);
    for (int i = 0; i < p->ninput; i++)
        hash = wf_hash_u64(hash, (uint64_t)p->input[i].counter << 8 | p->input[i].dtype);
    for (int i = 0; i < p->noutput; i++)
        hash = wf_hash_u64(hash, (uint64_t)(uint16_t)p->output[i].value << 8 | p->output[i].dtype);
    p->hash = wf_hash_u64(hash, (uint64_t)p->ninput << 32 | (uint64_t)p->noutput);
}

// One allocation holds the program and its arrays, sized for NINSTR instructions.
static wf_program *alloc_program(const wf_program_builder *b, int ninstr)
{
    size_t instrs = (size_t)ninstr * sizeof(wf_instr), registers = (size_t)ninstr * sizeof(int16_t);
    size_t inputs = (size_t)b->ninput * sizeof(wf_program_input),
           outputs = (size_t)b->noutput * sizeof(wf_program_output);
    wf_program *p = wf_alloc(sizeof *p + instrs + registers + outputs + inputs);

    if (!p) return NULL;
    char *tail = (char *)(p + 1);  // all of these are aligned to 2 bytes or fewer
    p->instr = (wf_instr *)tail;
    p->instr_register = (int16_t *)(tail + instrs);
    p->output = (wf_program_output *)(tail + instrs + registers);
    p->input = (wf_program_input *)(tail + instrs + registers + outputs);
    p->ninstr = ninstr, p->nparam = b->nparam, p->ninput = b->ninput, p->noutput = b->noutput;
    memcpy(p->input, b->input, inputs);
    memcpy(p->output, b->output, outputs);
    return p;
}

static weft_status build(const wf_program_builder *b, wf_program **out)
{
    walk w = { .b = b };
    int nuniform = order_instrs(&w);
    wf_program *p = alloc_program(b, w.count);

    if (!p) return WEFT_NO_MEMORY;
    memcpy(p->instr, w.out, (size_t)w.count * sizeof *w.out);
    for (int i = 0; i < p->noutput; i++) p->output[i].value = w.place[p->output[i].value];
    assign_registers(p, nuniform);
    hash_program(p);
    *out = p;
    return WEFT_OK;
}

weft_status wf_program_build(wf_program_builder *builder, wf_program **out)
{
    weft_status st = build(builder, out);
    wf_program_builder_destroy(builder);  // spent, on failure too
    return st;
}

void wf_program_destroy(wf_program *program) { wf_free(program); }

// "f64", "i32", "bool", "bf16"
static void add_type(wf_text *text, int dtype)
{
    weft_dtype d = (weft_dtype)dtype;

    if (d == WEFT_BOOL) wf_text_add(text, ".bool");
    else
        wf_text_add(text, ".%s%c%zu", d == WEFT_BFLOAT16 ? "b" : "", wf_dtype_kind(d),
                    8 * wf_dtype_size(d));
}

static const char *instr_name(const wf_instr *instr)
{
    switch ((wf_instr_kind)instr->kind) {
    case WF_INSTR_LOAD: return "load";
    case WF_INSTR_PARAM: return "param";
    case WF_INSTR_COUNTER: return "counter";
    case WF_INSTR_UNIFORM: return "uniform";
    case WF_INSTR_NORMAL: return "normal";
    case WF_INSTR_INTEGERS: return "integers";
    case WF_INSTR_MAP: return wf_op_name((wf_op)instr->op);
    case WF_INSTR_CAST: return "cast";
    case WF_INSTR_ROUND16: return "round16";
    }
    return "?";
}

static void print_instr(const wf_program *p, int v, wf_text *text)
{
    const wf_instr *instr = &p->instr[v];
    bool loads = instr->kind == WF_INSTR_LOAD || instr->kind == WF_INSTR_COUNTER;
    const char *separator = " ";

    wf_text_add(text, "%%%d = %s", v, instr_name(instr));
    add_type(text, instr->kind == WF_INSTR_ROUND16 ? instr->from : instr->dtype);
    for (int i = 0; i < instr_args(instr); i++, separator = ", ")
        wf_text_add(text, "%s%%%d", separator, instr->arg[i]);
    if (instr->index >= 0) wf_text_add(text, "%s%s%d", separator, loads ? "in" : "p", instr->index);
    wf_text_add(text, "\n");
}

void wf_program_print(const wf_program *p, struct wf_text *text)
{
    for (int v = 0; v < p->ninstr; v++) print_instr(p, v, text);
    for (int i = 0; i < p->noutput; i++) {
        wf_text_add(text, "store");
        add_type(text, p->output[i].dtype);
        wf_text_add(text, " out%d, %%%d\n", i, p->output[i].value);
    }
}
