// SPDX-License-Identifier: Apache-2.0
// eval_plan - what is decided once per launch: how operands are reached, which values are fixed,
// which instruction writes straight to memory, and where the strip buffers lie.
//
// Strip buffers are laid out one after another, each PAD bytes further than its size asks: strips
// of 4096 bytes at distances of 4096 would put element i of every operand into the same cache set,
// and make loads wait for stores to other buffers whose addresses share their low 12 bits.
#include <string.h>

#include "array/dtype.h"
#include "device/cpu/eval.h"

#define PAD 128
#define STREAM_BYTES ((int64_t)2 << 20)  // of one output: more than a core keeps
#define BAND_BYTES ((int64_t)1 << 20)    // of one operand: more than a core keeps
#define MAX_PANELS 8  // transposed operands brought in by panels; more would not stay in L2

static const wf_instr *instr_at(const wf_eval *eval, int value)
{
    int n = eval->program->ninstr;
    return value < n ? &eval->program->instr[value] : &eval->extra[value - n];
}

void wf_eval_init(wf_eval *eval, const wf_kernel_table *table, const wf_program *program,
                  const wf_operand *in, const wf_scalar *param)
{
    eval->table = table;
    eval->program = program;
    eval->param = param;
    eval->nvalue = program->ninstr;
    eval->nextra = eval->nsink = 0;
    eval->rows_first = false;
    eval->band_axis = -1;
    for (int i = 0; i < program->ninput; i++) {
        eval->data[i] = in[i].data;
        eval->origin[i] = in[i].origin;
    }
}

void wf_eval_store(wf_eval *eval, int output, int op, void *data)
{
    const wf_program_output *out = &eval->program->output[output];
    wf_eval_sink *sink = &eval->sink[eval->nsink++];

    sink->value = out->value;
    sink->op = (int16_t)op;
    sink->dtype = out->dtype;
    sink->data = data;
}

// Adds an instruction on VALUE after the program's, or finds the equal one; returns its number.
static int add_extra(wf_eval *eval, wf_instr_kind kind, weft_dtype dtype, weft_dtype from,
                     int value)
{
    wf_instr instr = { .kind = (uint8_t)kind,
                       .dtype = (uint8_t)dtype,
                       .result = (uint8_t)dtype,
                       .from = (uint8_t)from,
                       .index = -1,
                       .arg = { (int16_t)value, -1, -1 } };

    for (int i = 0; i < eval->nextra; i++)
        if (memcmp(&eval->extra[i], &instr, sizeof instr) == 0) return eval->program->ninstr + i;
    eval->extra[eval->nextra++] = instr;
    return eval->nvalue++;
}

int wf_eval_hand(wf_eval *eval, int output, weft_dtype dtype)
{
    const wf_program_output *out = &eval->program->output[output];
    const wf_instr *maker = &eval->program->instr[out->value];
    int value = out->value;

    // Storing would have rounded.
    if (wf_dtype_is_half((weft_dtype)out->dtype) &&
        !(maker->kind == WF_INSTR_LOAD && eval->program->input[maker->index].dtype == out->dtype))
        value = add_extra(eval, WF_INSTR_ROUND16, WEFT_FLOAT32, (weft_dtype)out->dtype, value);
    if (maker->result != dtype) value = add_extra(eval, WF_INSTR_CAST, dtype, 0, value);
    for (int i = 0; i < eval->nsink; i++)
        if (eval->sink[i].value == value) return i;
    eval->sink[eval->nsink] =
        (wf_eval_sink){ .value = (int16_t)value, .op = -1, .dtype = (uint8_t)dtype };
    return eval->nsink++;
}

bool wf_eval_is_load(const wf_eval *eval, int sink, int *op)
{
    const wf_instr *maker = instr_at(eval, eval->sink[sink].value);

    if (maker->kind != WF_INSTR_LOAD || eval->program->input[maker->index].dtype != maker->result)
        return false;
    *op = maker->index;
    return true;
}

static bool is_fixed_op(const wf_nest *nest, int op)
{
    for (int a = 0; a < nest->ndim; a++)
        if (nest->stride[a][op] != 0) return false;
    return true;
}

static int64_t distance(int64_t stride) { return stride < 0 ? -stride : stride; }

// Whether OP is reached along the innermost axis in leaps while it is contiguous along AXIS.
static bool is_transposed(const wf_nest *nest, int op, int axis, int64_t item)
{
    int last = nest->ndim - 1;
    return nest->stride[axis][op] == item && distance(nest->stride[last][op]) > item &&
           nest->count[axis] >= 4 && nest->count[last] >= 16;
}

int wf_eval_find_panel_axis(const wf_eval *eval, const wf_nest *nest, int from, int end)
{
    for (int op = 0; op < eval->program->ninput; op++) {
        const wf_program_input *in = &eval->program->input[op];
        if (in->counter) continue;
        for (int axis = from; axis < end; axis++)
            if (is_transposed(nest, op, axis, (int64_t)wf_dtype_size((weft_dtype)in->dtype)))
                return axis;
    }
    return -1;
}

// Whether the rows of OP are far apart, and so many that they come from memory.
static bool is_banded(const wf_eval *eval, int op, int64_t item)
{
    const wf_nest *nest = eval->nest;
    int axis = eval->band_axis;
    return axis >= 0 && nest->count[axis] >= WF_BAND_ROWS &&
           distance(nest->stride[axis][op]) > eval->flat * item &&
           wf_nest_size(nest, 0, nest->ndim) * item >= BAND_BYTES;
}

static void plan_load(wf_eval *eval, int value, const wf_instr *instr)
{
    wf_eval_load *load = &eval->load[eval->nload++];
    const wf_nest *nest = eval->nest;
    int op = instr->index;
    weft_dtype dtype = (weft_dtype)eval->program->input[op].dtype;

    load->value = (int16_t)value;
    load->op = (int16_t)op;
    load->item = (uint8_t)wf_dtype_size(dtype);
    load->widen = wf_dtype_is_half(dtype) ? eval->table->cast[dtype][WEFT_FLOAT32] : NULL;
    load->fixed = is_fixed_op(nest, op);
    load->seen = NULL;
    load->seen_n = 0;
    wf_walk_init(&load->walk, nest, eval->first, nest->ndim, op, load->item);
    load->direct =
        load->walk.kind == WF_WALK_LINEAR && load->walk.step == load->item && !load->fixed;
    if (load->direct && is_banded(eval, op, load->item)) {
        load->direct = false;
        load->walk.kind = WF_WALK_BAND;
    }
    if (!load->direct && eval->panel_axis >= 0 && eval->npanel < MAX_PANELS &&
        load->walk.kind == WF_WALK_LINEAR &&
        is_transposed(nest, op, eval->panel_axis, load->item)) {
        load->walk.kind = WF_WALK_PANEL;
        eval->npanel++;
    }
}

static weft_status no_kernel(const wf_eval *eval, const wf_instr *instr)
{
    if (instr->kind == WF_INSTR_MAP)
        return wf_fail(WEFT_UNSUPPORTED, "cpu: %s is not defined for %s",
                       wf_op_name((wf_op)instr->op), wf_dtype_name((weft_dtype)instr->dtype));
    return wf_fail(WEFT_UNSUPPORTED, "cpu: no kernel of set %s makes %s (instruction kind %d)",
                   eval->table->name, wf_dtype_name((weft_dtype)instr->result), instr->kind);
}

// Whether a random step with this counter can run without looking at its counters one by one.
static bool is_simple_counter(const wf_walk *walk)
{
    return walk->kind == WF_WALK_LINEAR && (walk->step == 0 || walk->step == 1);
}

static weft_status plan_random(wf_eval *eval, wf_eval_step *step)
{
    const wf_instr *instr = &step->instr;
    int op = instr_at(eval, instr->arg[0])->index;

    if (instr->kind == WF_INSTR_INTEGERS) step->integers = eval->table->random_integers;
    else if (instr->kind == WF_INSTR_UNIFORM)
        step->random = eval->table->random_uniform[instr->dtype];
    else step->random = eval->table->random_normal[instr->dtype];
    if (!step->random) return no_kernel(eval, instr);
    step->op = (int16_t)op;
    step->walk = &eval->counter_walk[op];
    step->origin = eval->origin[op];
    if (!is_simple_counter(step->walk)) eval->counts = true;
    return WEFT_OK;
}

static int args_of(const wf_instr *instr)
{
    return instr->kind == WF_INSTR_MAP ? wf_op_arity((wf_op)instr->op) : 1;
}

static weft_status plan_step(wf_eval *eval, int value)
{
    const wf_instr *instr = instr_at(eval, value);
    wf_eval_step *step = &eval->step[eval->nstep++];

    step->instr = *instr;
    step->value = (int16_t)value;
    step->sink = -1;
    step->fixed = eval->is_fixed[value];
    step->skipped = false;
    step->chain = NULL;
    step->walk = NULL;
    switch ((wf_instr_kind)instr->kind) {
    case WF_INSTR_COUNTER:
        step->op = instr->index;
        step->walk = &eval->counter_walk[instr->index];
        step->origin = eval->origin[instr->index];
        return WEFT_OK;
    case WF_INSTR_MAP:
        step->map = eval->table->map[instr->op][instr->dtype];
        for (int i = args_of(instr); i < 3; i++) step->instr.arg[i] = instr->arg[0];
        break;
    case WF_INSTR_CAST:
        step->cast = eval->table->cast[instr_at(eval, instr->arg[0])->result][instr->dtype];
        break;
    case WF_INSTR_ROUND16: step->cast = eval->table->round16[instr->from]; break;
    case WF_INSTR_UNIFORM:
    case WF_INSTR_NORMAL:
    case WF_INSTR_INTEGERS: return plan_random(eval, step);
    default: return WEFT_OK;  // PARAM: filled when bound
    }
    return step->map ? WEFT_OK : no_kernel(eval, instr);
}

// Whether VALUE is the same for every element: its arguments have been judged before it.
static bool is_fixed(const wf_eval *eval, int value)
{
    const wf_instr *instr = instr_at(eval, value);

    switch ((wf_instr_kind)instr->kind) {
    case WF_INSTR_PARAM: return true;
    case WF_INSTR_LOAD:
    case WF_INSTR_COUNTER: return is_fixed_op(eval->nest, instr->index);
    case WF_INSTR_UNIFORM:
    case WF_INSTR_NORMAL:
    case WF_INSTR_INTEGERS: return false;
    default:
        for (int i = 0; i < args_of(instr); i++)
            if (!eval->is_fixed[instr->arg[i]]) return false;
        return true;
    }
}

// The counters whose values themselves are used, not only as positions of random numbers.
static void find_used_counters(const wf_eval *eval, bool *used)
{
    memset(used, 0, (size_t)eval->nvalue);
    for (int v = 0; v < eval->nvalue; v++) {
        const wf_instr *instr = instr_at(eval, v);
        if (instr->kind != WF_INSTR_MAP && instr->kind != WF_INSTR_CAST &&
            instr->kind != WF_INSTR_ROUND16)
            continue;
        for (int i = 0; i < args_of(instr); i++) used[instr->arg[i]] = true;
    }
    for (int i = 0; i < eval->nsink; i++) used[eval->sink[i].value] = true;
}

static weft_status plan_values(wf_eval *eval)
{
    bool used[WF_EVAL_VALUES], counters = false;

    for (int op = 0; op < eval->program->ninput; op++) {
        if (!eval->program->input[op].counter) continue;
        wf_walk_init(&eval->counter_walk[op], eval->nest, eval->first, eval->nest->ndim, op, 1);
        counters = true;
    }
    if (counters) find_used_counters(eval, used);
    for (int v = 0; v < eval->nvalue; v++) {
        const wf_instr *instr = instr_at(eval, v);
        int item = (int)wf_dtype_size((weft_dtype)instr->result);

        if (item > eval->reg_item) eval->reg_item = item;
        eval->is_fixed[v] = is_fixed(eval, v);
        if (instr->kind == WF_INSTR_LOAD) plan_load(eval, v, instr);
        else if (instr->kind != WF_INSTR_COUNTER || used[v]) WF_TRY(plan_step(eval, v));
    }
    return WEFT_OK;
}

// The last instruction that reads where operand OP lies in memory.
static int last_direct_use(const wf_eval *eval, int op)
{
    int value = -1, last = -1;

    for (int i = 0; i < eval->nload; i++)
        if (eval->load[i].op == op && eval->load[i].direct && !eval->load[i].widen)
            value = eval->load[i].value;
    if (value < 0) return -1;
    for (int v = 0; v < eval->nvalue; v++) {
        const wf_instr *instr = instr_at(eval, v);
        if (instr->kind != WF_INSTR_MAP && instr->kind != WF_INSTR_CAST &&
            instr->kind != WF_INSTR_ROUND16)
            continue;
        for (int i = 0; i < args_of(instr); i++)
            if (instr->arg[i] == value) last = v;
    }
    for (int i = 0; i < eval->nsink; i++)
        if (eval->sink[i].value == value) last = WF_EVAL_VALUES;
    return last;
}

// An output may take the place of an input (the same memory, walked alike): it must not be written
// before the input's last use, and at that use only by a MAP, which may write over its operand.
static bool is_read_after(const wf_eval *eval, const wf_eval_sink *sink)
{
    int safe = instr_at(eval, sink->value)->kind == WF_INSTR_MAP ? sink->value : sink->value - 1;

    for (int op = 0; op < eval->program->ninput; op++)
        if (!eval->program->input[op].counter && eval->data[op] == sink->data &&
            last_direct_use(eval, op) > safe)
            return true;
    return false;
}

static void plan_sink(wf_eval *eval, int number)
{
    wf_eval_sink *sink = &eval->sink[number];
    const wf_instr *maker = instr_at(eval, sink->value);
    bool half = wf_dtype_is_half((weft_dtype)sink->dtype);

    sink->item = (uint8_t)wf_dtype_size((weft_dtype)sink->dtype);
    sink->narrow =
        half && maker->result == WEFT_FLOAT32 ? eval->table->cast[WEFT_FLOAT32][sink->dtype] : NULL;
    sink->contiguous = true;
    sink->dest = NULL;
    if (sink->op >= 0) {
        wf_walk_init(&sink->walk, eval->nest, eval->first, eval->nest->ndim, sink->op, sink->item);
        sink->contiguous = sink->walk.kind == WF_WALK_LINEAR && sink->walk.step == sink->item;
    }
    sink->streamed = sink->op >= 0 && sink->contiguous &&
                     wf_nest_size(eval->nest, 0, eval->nest->ndim) * sink->item >= STREAM_BYTES;
    if (sink->streamed) eval->streams = true;
    sink->is_load = maker->kind == WF_INSTR_LOAD;
    if (sink->is_load) eval->stores_load = true;
    if (sink->narrow || sink->streamed || !sink->contiguous ||
        (sink->op >= 0 && is_read_after(eval, sink)))
        return;
    for (int i = 0; i < eval->nstep; i++) {
        wf_eval_step *step = &eval->step[i];
        if (step->value != sink->value || step->fixed || step->sink >= 0) continue;
        step->sink = (int16_t)number;
    }
}

weft_status wf_eval_plan(wf_eval *eval, const wf_nest *nest, int first, int64_t max_n,
                         int panel_axis)
{
    eval->nest = nest;
    eval->first = first;
    eval->flat = wf_nest_size(nest, first, nest->ndim);
    eval->max_n = max_n;
    eval->panel_axis = panel_axis;
    eval->nload = eval->nstep = eval->npanel = 0;
    eval->counts = eval->stores_load = eval->streams = false;
    eval->reg_item = 1;
    WF_TRY(plan_values(eval));
    for (int i = 0; i < eval->nsink; i++) plan_sink(eval, i);
    wf_eval_find_chains(eval);
    return WEFT_OK;
}

// Memory being shared out; BASE is NULL while only the size is wanted.
typedef struct layout {
    char *base;
    size_t used;
} layout;

static char *take(layout *l, int64_t bytes)
{
    char *p = l->base ? l->base + l->used : NULL;
    l->used += (size_t)(bytes + 63) / 64 * 64 + PAD;
    return p;
}

static void place_load(const wf_eval *eval, wf_eval_load *load, layout *l)
{
    int64_t n = eval->max_n;

    if (load->walk.kind == WF_WALK_PANEL)
        load->raw = take(l, WF_PANEL_ROWS * wf_eval_pitch(eval, load));
    else if (load->walk.kind == WF_WALK_BAND)
        load->raw = take(l, WF_BAND_ROWS * wf_eval_pitch(eval, load));
    else if (!load->direct) load->raw = take(l, (n + WF_WALK_PERIOD) * load->item);
    if (load->widen) load->wide = take(l, (n + WF_WALK_PERIOD) * 4);
}

// Lays out every buffer. A program's register is one buffer, whoever uses it, but fixed values have
// buffers of their own: the program knows nothing of operands that are broadcast along every axis.
static void place_buffers(wf_eval *eval, layout *l)
{
    bool placed[WF_PROGRAM_MAX_INSTRS];
    char *reg[WF_PROGRAM_MAX_INSTRS];
    int64_t strip = eval->max_n * eval->reg_item;

    memset(placed, 0, (size_t)eval->program->nregister);
    for (int i = 0; i < eval->nload; i++) place_load(eval, &eval->load[i], l);
    for (int i = 0; i < eval->nstep; i++) {
        wf_eval_step *step = &eval->step[i];
        int number =
            step->value < eval->program->ninstr ? eval->program->instr_register[step->value] : -1;
        if (step->sink >= 0 && eval->sink[step->sink].op >= 0)
            continue;  // always written to its place
        if (step->fixed || number < 0) {
            step->out = take(l, strip);
            continue;
        }
        if (!placed[number]) reg[number] = take(l, strip);
        placed[number] = true;
        step->out = reg[number];
    }
    for (int i = 0; i < eval->nsink; i++)
        if (eval->sink[i].narrow) eval->sink[i].temp = take(l, eval->max_n * 2);
    if (eval->counts) eval->counter = (int64_t *)take(l, eval->max_n * 8);
}

size_t wf_eval_bytes(wf_eval *eval)
{
    layout l = { 0 };
    place_buffers(eval, &l);
    return l.used;
}

void wf_eval_bind(wf_eval *eval, char *memory)
{
    layout l = { .base = memory };
    place_buffers(eval, &l);
    wf_eval_run_fixed(eval);
}
