// SPDX-License-Identifier: Apache-2.0
// eval - evaluating one strip: operands are brought to where kernels can read them, instructions
// run one after another over the whole strip, results go where they belong.
#include "device/cpu/eval.h"

#include <string.h>

#include "array/dtype.h"

static void widen(const wf_eval_load *load, int64_t n)
{
    if (load->widen) load->widen(n, load->wide, load->raw);
}

static char *held(const wf_eval_load *load) { return load->widen ? load->wide : load->raw; }

// Brings in a short pattern once, then repeats it to the end of the buffer.
static void fill_pattern(const wf_eval *eval, wf_eval_load *load, const char *base)
{
    int64_t period = load->walk.period, n = eval->max_n + WF_WALK_PERIOD;

    if (load->seen == base) return;
    wf_walk_gather(&load->walk, eval->table, load->item, base, 0, period, load->raw);
    for (int64_t have = period; have < n; have *= 2) {
        int64_t more = have < n - have ? have : n - have;
        memcpy(load->raw + have * load->item, load->raw, (size_t)(more * load->item));
    }
    for (int64_t i = 0; load->widen && i < n; i += WF_STRIP)
        load->widen(n - i < WF_STRIP ? n - i : WF_STRIP, load->wide + i * 4,
                    load->raw + i * load->item);
    load->seen = base;
}

// Asks for this row's share of the panel that will be wanted next: its lines are far apart, and no
// prefetcher sees the pattern.
static void ask_for_next_panel(const wf_eval *eval, const wf_eval_load *load, const char *corner,
                               int64_t inside, int64_t start, int64_t n)
{
    int64_t step = load->walk.step, first = n * inside / WF_PANEL_ROWS,
            end = n * (inside + 1) / WF_PANEL_ROWS;
    const char *next = corner + n * step;

    if (eval->rows_first) next = corner + WF_PANEL_ROWS * load->item;
    else if (start + n >= eval->flat) next = corner - start * step + WF_PANEL_ROWS * load->item;
    for (int64_t c = first; c < end; c++)
        for (int64_t b = 0; b < WF_PANEL_ROWS * load->item; b += 64)
            __builtin_prefetch(next + c * step + b, 0, 2);
}

// One row of a transposed operand; the rows around it were or are brought in with it.
static char *panel_row(const wf_eval *eval, wf_eval_load *load, const wf_place *place,
                       const char *p, int64_t start, int64_t n)
{
    int64_t row = place->coord[eval->panel_axis], inside = row % WF_PANEL_ROWS,
            pitch = wf_eval_pitch(eval, load);
    const char *corner = p - inside * load->item;
    char *held_row = load->raw + inside * pitch;

    if (load->seen != corner || load->seen_n != n) {
        int64_t left = eval->nest->count[eval->panel_axis] - (row - inside);
        int64_t rows = left < WF_PANEL_ROWS ? left : WF_PANEL_ROWS;
        eval->table->transpose[load->item](rows, n, load->raw, pitch, corner, load->walk.step);
        load->seen = corner;
        load->seen_n = n;
    }
    ask_for_next_panel(eval, load, corner, inside, start, n);
    if (!load->widen) return held_row;
    load->widen(n, load->wide, held_row);
    return load->wide;
}

// One row of an operand whose rows are far apart; its neighbours were or are brought in with it.
static char *band_row(const wf_eval *eval, wf_eval_load *load, const wf_place *place, const char *p,
                      int64_t n)
{
    int64_t step = eval->nest->stride[eval->band_axis][load->op];
    int64_t row = place->coord[eval->band_axis], inside = row % WF_BAND_ROWS;
    int64_t pitch = wf_eval_pitch(eval, load);
    const char *corner = p - inside * step;

    if (load->seen != corner || load->seen_n != n) {
        int64_t left = eval->nest->count[eval->band_axis] - (row - inside);
        eval->table->band(left < WF_BAND_ROWS ? left : WF_BAND_ROWS, n * load->item, load->raw,
                          pitch, corner, step);
        load->seen = corner;
        load->seen_n = n;
    }
    if (!load->widen) return load->raw + inside * pitch;
    load->widen(n, load->wide, load->raw + inside * pitch);
    return load->wide;
}

static char *run_load(wf_eval *eval, wf_eval_load *load, const wf_place *place, int64_t start,
                      int64_t n)
{
    char *base = eval->data[load->op] + place->at[load->op], *p = base + start * load->walk.step;

    if (load->direct) {
        load->here = p;
        if (!load->widen) return p;
        load->widen(n, load->wide, p);
        return load->wide;
    }
    switch (load->walk.kind) {
    case WF_WALK_PANEL: return panel_row(eval, load, place, p, start, n);
    case WF_WALK_BAND: return band_row(eval, load, place, p, n);
    case WF_WALK_PERIODIC:
        fill_pattern(eval, load, base);
        return held(load) + start % load->walk.period * (load->widen ? 4 : load->item);
    case WF_WALK_LINEAR:
        if (load->seen == p && load->seen_n >= n) break;
        eval->table->gather[load->item](n, load->raw, p, load->walk.step);
        load->seen = p;
        load->seen_n = n;
        widen(load, n);
        break;
    default:
        wf_walk_gather(&load->walk, eval->table, load->item, base, start, n, load->raw);
        widen(load, n);
    }
    return held(load);
}

static void make_random(const wf_eval *eval, const wf_eval_step *step, int64_t n, void *out,
                        int64_t first)
{
    const wf_scalar *param = &eval->param[step->instr.index];

    if (step->instr.kind == WF_INSTR_INTEGERS)
        step->integers(n, out, first, param[0].u, param[1].u, param[2].u, param[3].u);
    else step->random(n, out, first, param[0].u, param[1].u);
}

// Random numbers of consecutive elements are made together, so the counters are searched for runs.
static void run_random(const wf_eval *eval, const wf_eval_step *step, int64_t at, int64_t start,
                       int64_t n, char *out)
{
    const wf_walk *walk = step->walk;
    int64_t item = step->instr.result == WEFT_FLOAT32 ? 4 : 8;

    if (walk->kind == WF_WALK_LINEAR && walk->step == 1) {
        make_random(eval, step, n, out, step->origin + at + start);
        return;
    }
    if (walk->kind == WF_WALK_LINEAR && walk->step == 0) {
        make_random(eval, step, 1, out, step->origin + at);
        if (n > 1) wf_walk_fill(eval->table, (int)item, out, n - 1, out + item);
        return;
    }
    wf_walk_count(walk, step->origin + at, start, n, eval->counter);
    for (int64_t i = 0, run; i < n; i += run) {
        for (run = 1; i + run < n && eval->counter[i + run] == eval->counter[i] + run; run++)
            continue;
        make_random(eval, step, run, out + i * item, eval->counter[i]);
    }
}

static void run_chain(const wf_eval *eval, const wf_eval_step *step, int64_t n, char *out)
{
    wf_link link[WF_CHAIN_LINKS];

    for (int i = 0; i < step->nlink; i++) {
        const wf_eval_link *l = &eval->link[step->link + i];
        link[i] = (wf_link){ l->op, l->from, l->value >= 0 ? eval->value[l->value] : NULL };
    }
    step->chain(n, out, eval->value[step->chain_value], step->nlink, link);
}

static void run_step(wf_eval *eval, const wf_eval_step *step, const wf_place *place, int64_t start,
                     int64_t n)
{
    const wf_instr *instr = &step->instr;
    char *const *value = eval->value;
    char *out = step->out;

    if (step->sink >= 0 && eval->sink[step->sink].dest) out = eval->sink[step->sink].dest;
    switch (step->chain ? -1 : instr->kind) {
    case -1: run_chain(eval, step, n, out); break;
    case WF_INSTR_MAP: {
        const void *in[3] = { value[instr->arg[0]], value[instr->arg[1]], value[instr->arg[2]] };
        step->map(n, out, in);
        break;
    }
    case WF_INSTR_CAST:
    case WF_INSTR_ROUND16: step->cast(n, out, value[instr->arg[0]]); break;
    case WF_INSTR_COUNTER:
        wf_walk_count(step->walk, step->origin + place->at[step->op], start, n,
                      (int64_t *)(void *)out);
        break;
    default: run_random(eval, step, place->at[step->op], start, n, out);
    }
    eval->value[step->value] = out;
}

// Values that are the same for every element: computed for the longest strip, never again.
void wf_eval_run_fixed(wf_eval *eval)
{
    wf_place origin;
    int64_t n = eval->max_n;

    for (int i = 0; i < eval->nload; i++) {
        wf_eval_load *load = &eval->load[i];
        if (!load->fixed) continue;
        wf_walk_fill(eval->table, load->item, eval->data[load->op], n, load->raw);
        widen(load, n);
        eval->value[load->value] = held(load);
    }
    wf_place_init(&origin, eval->nest);
    for (int i = 0; i < eval->nstep; i++) {
        wf_eval_step *step = &eval->step[i];
        if (!step->fixed) continue;
        if (step->instr.kind == WF_INSTR_PARAM) {
            const wf_scalar *param = &eval->param[step->instr.index];
            wf_walk_fill(eval->table, (int)wf_dtype_size((weft_dtype)step->instr.result),
                         param->bytes, n, step->out);
            eval->value[step->value] = step->out;
        } else {
            run_step(eval, step, &origin, 0, n);
        }
    }
}

static void run_sink(const wf_eval *eval, wf_eval_sink *sink, const wf_place *place, int64_t start,
                     int64_t n)
{
    char *value = eval->value[sink->value];

    if (sink->narrow) {
        char *to = sink->dest && !sink->streamed ? sink->dest : sink->temp;
        sink->narrow(n, to, value);
        value = to;
    }
    if (sink->streamed) eval->table->put(n * sink->item, sink->dest, value);
    else if (sink->dest && value != sink->dest) memcpy(sink->dest, value, (size_t)(n * sink->item));
    if (!sink->contiguous)
        wf_walk_scatter(&sink->walk, eval->table, sink->item, sink->data + place->at[sink->op],
                        start, n, value);
    sink->result = sink->dest && !sink->streamed ? sink->dest : value;
}

void wf_eval_run(wf_eval *eval, const wf_place *place, int64_t start, int64_t n)
{
    for (int i = 0; i < eval->nsink; i++) {
        wf_eval_sink *sink = &eval->sink[i];
        if (sink->op >= 0 && sink->contiguous)
            sink->dest = sink->data + place->at[sink->op] + start * sink->item;
    }
    for (int i = 0; i < eval->nload; i++)
        if (!eval->load[i].fixed)
            eval->value[eval->load[i].value] = run_load(eval, &eval->load[i], place, start, n);
    for (int i = 0; i < eval->nstep; i++) {
        if (!eval->step[i].fixed) run_step(eval, &eval->step[i], place, start, n);
    }
    // Inputs first: another output may be about to take the place of one.
    for (int i = 0; eval->stores_load && i < eval->nsink; i++)
        if (eval->sink[i].is_load) run_sink(eval, &eval->sink[i], place, start, n);
    for (int i = 0; i < eval->nsink; i++)
        if (!eval->sink[i].is_load) run_sink(eval, &eval->sink[i], place, start, n);
}
