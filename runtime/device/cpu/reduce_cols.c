// SPDX-License-Identifier: Apache-2.0
// reduce_cols - cells whose kept columns are reduced each by itself, element after element. Three
// ways to the same bits: direct, where nothing is computed and columns lie side by side in memory;
// wide, a strip of columns at a time, evaluated for one reduced element after another; and narrow,
// where the columns are too few for a strip and several reduced elements are evaluated together.
#include <string.h>

#include "device/cpu/reduce.h"

// Fewer contiguous columns are evaluated together with reduced elements, or with the next kept axis.
#define FEW_COLUMNS 64
#define NARROW_STRIP 4096  // elements evaluated before the columns kernel takes them

// Reduced elements ROW.. (ROWS of them) of N columns at IN are to be added to the partial results
// in r->acc. ROW is a multiple of WF_MOMENT_ROWS unless ROWS is 1. IN has room for one more row
// before it where ROWS > 1 and ROW > 0.
typedef struct rows_in {
    int64_t row, rows, n;
    char *in;
    int64_t row_bytes;
} rows_in;

static void absorb_moments(const wf_cell_reducer *r, const rows_in *x)
{
    for (int64_t i = 0; i < x->rows; i += WF_MOMENT_ROWS) {
        int64_t rows = x->rows - i < WF_MOMENT_ROWS ? x->rows - i : WF_MOMENT_ROWS;
        bool is_first = x->row + i == 0;
        r->kernel.cols(rows, x->n, x->in + i * x->row_bytes, x->row_bytes, 0, 0,
                       (void **)(is_first ? r->acc : r->part));
        if (!is_first) r->kernel.combine(x->n, (void **)r->acc, (const void *const *)r->part);
    }
}

// WALK leads through the positions of reduced elements, counted from the cell's first.
static void absorb_arg(const wf_cell_reducer *r, const rows_in *x, const wf_walk *walk)
{
    for (int64_t i = 0, run; i < x->rows; i += run) {
        int64_t offset, step;
        bool is_first = x->row + i == 0;
        run = wf_walk_run(walk, x->row + i, x->rows - i, &offset, &step);
        r->kernel.cols(run, x->n, x->in + i * x->row_bytes, x->row_bytes, offset, step,
                       (void **)(is_first ? r->acc : r->part));
        if (!is_first) r->kernel.combine(x->n, (void **)r->acc, (const void *const *)r->part);
    }
}

static void absorb_plain(const wf_cell_reducer *r, const rows_in *x)
{
    const void *one[] = { x->in, NULL, NULL };

    if (x->row == 0) {
        r->kernel.cols(x->rows, x->n, x->in, x->row_bytes, 0, 0, (void **)r->acc);
    } else if (x->rows == 1) {
        r->kernel.combine(x->n, (void **)r->acc, one);
    } else {  // the order goes on from what there is: that is the row before the first
        memcpy(x->in - x->row_bytes, r->acc[0], (size_t)(x->n * r->item));
        r->kernel.cols(x->rows + 1, x->n, x->in - x->row_bytes, x->row_bytes, 0, 0,
                       (void **)r->acc);
    }
}

static void absorb(const wf_cell_reducer *r, const rows_in *x, const wf_walk *positions)
{
    if (r->moments) absorb_moments(r, x);
    else if (r->arg) absorb_arg(r, x, positions);
    else absorb_plain(r, x);
}

// Writes the results of columns START..START+N-1 of the kept axes FIRST..END-1. Columns may lie in
// different cells: positions were counted from each cell's first element, and only now from the
// array's.
static void write_columns(const wf_cells *cells, wf_cell_reducer *r, const wf_place *place,
                          int first, int end, int64_t start, int64_t n)
{
    int64_t *position = (int64_t *)(void *)r->acc[1];
    wf_walk walk;

    if (r->arg) wf_walk_init(&walk, &cells->nest, first, end, cells->position_op, 0);
    for (int64_t i = 0, run; r->arg && i < n; i += run) {
        int64_t offset, step;
        run = wf_walk_run(&walk, start + i, n - i, &offset, &step);
        offset += cells->position + place->at[cells->position_op];
        for (int64_t c = 0; c < run; c++)
            if (position[i + c] >= 0) position[i + c] += offset + c * step;
    }
    wf_cells_write(cells, r, place, first, end, start, n, r->acc);
}

static bool is_direct(const wf_cells *cells, int64_t length, const int *ops)
{
    const wf_nest *nest = &cells->nest;

    if (nest->ndim - cells->nkept > 1 || cells->nkept == 0) return false;
    for (int k = 0; k < cells->nreducer; k++)
        if (nest->stride[cells->nkept - 1][ops[k]] != cells->reducer[k].item &&
            nest->count[cells->nkept - 1] > 1)
            return false;
    return cells->nreducer == 1 || length * 64 * 16 <= WF_REDUCE_BLOCK;
}

static weft_status reduce_direct(wf_cells *cells, int64_t length, const int *ops)
{
    static const int64_t none[WF_NEST_OPS];
    const wf_nest *nest = &cells->nest;
    int axis = cells->nkept - 1;
    const int64_t *row = length > 1 ? nest->stride[nest->ndim - 1] : none;
    int64_t cols = nest->count[axis], width = WF_STRIP;
    wf_layout size = { 0 }, memory = { 0 };
    wf_place place;

    wf_cells_place_parts(cells, &size);
    WF_TRY(wf_scratch_get(size.used, &memory.base));
    wf_cells_place_parts(cells, &memory);
    wf_place_init(&place, nest);
    do {
        for (int64_t c = 0; c < cols; c += width)
            for (int k = 0; k < cells->nreducer; k++) {
                wf_cell_reducer *r = &cells->reducer[k];
                int64_t n = cols - c < width ? cols - c : width, pos = cells->position_op;
                r->kernel.cols(length, n, cells->eval.data[ops[k]] + place.at[ops[k]] + c * r->item,
                               row[ops[k]], 0, row[pos], (void **)r->acc);
                write_columns(cells, r, &place, axis, cells->nkept, c, n);
            }
    } while (wf_place_next(&place, nest, 0, axis));
    return WEFT_OK;
}

// The nest as both evaluating ways want it: kept axes 0..outer-1, the reduced ones up to INNER, the
// kept ones whose columns are taken together.
typedef struct columns {
    wf_cells *cells;
    int outer, inner;
    int64_t length, ncols;
    int64_t chunk;  // reduced elements evaluated before they are absorbed
    wf_walk positions;
    // The sink's elements are put side by side in BUFFER: CHUNK rows, and one before them.
    bool gathered[WF_EVAL_SINKS];
    char *buffer[WF_EVAL_SINKS];
} columns;

static void place_columns(columns *c, int64_t width, wf_layout *l)
{
    wf_cells_place_parts(c->cells, l);
    for (int i = 0; i < c->cells->eval.nsink; i++) {
        int64_t row = width * c->cells->eval.sink[i].item;
        if (!c->gathered[i]) continue;
        char *taken =
            wf_layout_take(l, (c->chunk + 1) * row);  // NULL while only the size is asked for
        c->buffer[i] = taken ? taken + row : NULL;
    }
}

static weft_status get_memory(columns *c, int64_t width)
{
    wf_eval *eval = &c->cells->eval;
    wf_layout size = { 0 }, memory = { 0 };

    place_columns(c, width, &size);
    WF_TRY(wf_scratch_get(size.used + wf_eval_bytes(eval), &memory.base));
    place_columns(c, width, &memory);
    wf_eval_bind(eval, memory.base + memory.used);
    return WEFT_OK;
}

// Moves the reduced axes before the kept axes from OUTER on.
static void order_axes(columns *c, int outer)
{
    wf_cells *cells = c->cells;
    int reduced = cells->nest.ndim - cells->nkept;

    for (int i = 0; i < reduced; i++) wf_nest_move(&cells->nest, cells->nkept + i, outer + i);
    c->outer = outer;
    c->inner = outer + reduced;
    c->ncols = wf_nest_size(&cells->nest, c->inner, cells->nest.ndim);
    wf_walk_init(&c->positions, &cells->nest, c->outer, c->inner, cells->position_op, 1);
}

// Takes what has been evaluated of reduced elements ROW.., N columns.
static void absorb_all(const columns *c, int64_t row, int64_t rows, int64_t n)
{
    const wf_cells *cells = c->cells;

    for (int k = 0; k < cells->nreducer; k++) {
        const wf_cell_reducer *r = &cells->reducer[k];
        if (!c->gathered[r->sink]) continue;
        rows_in x = {
            .row = row, .rows = rows, .n = n, .in = c->buffer[r->sink], .row_bytes = n * r->item
        };
        absorb(r, &x, &c->positions);
    }
}

static void write_all(const columns *c, const wf_place *corner, int64_t start, int64_t n)
{
    for (int k = 0; k < c->cells->nreducer; k++)
        write_columns(c->cells, &c->cells->reducer[k], corner, c->inner, c->cells->nest.ndim, start,
                      n);
}

// One reduced element of N columns, of the reducers whose sinks are taken as they come.
static void absorb_row(const columns *c, int64_t row, int64_t n)
{
    for (int k = 0; k < c->cells->nreducer; k++) {
        const wf_cell_reducer *r = &c->cells->reducer[k];
        rows_in x = {
            .row = row, .rows = 1, .n = n, .in = (char *)c->cells->eval.sink[r->sink].result
        };
        if (!c->gathered[r->sink]) absorb_plain(r, &x);
    }
}

static void reduce_strip(const columns *c, const wf_place *corner, int64_t start, int64_t n)
{
    wf_eval *eval = &c->cells->eval;
    const wf_nest *nest = &c->cells->nest;
    wf_place place;

    wf_place_copy(&place, corner, nest);
    for (int64_t row = 0; row < c->length; row++) {
        int64_t held = row % c->chunk;
        for (int i = 0; i < eval->nsink; i++)
            eval->sink[i].dest =
                c->gathered[i] ? c->buffer[i] + held * n * eval->sink[i].item : NULL;
        wf_eval_run(eval, &place, start, n);
        absorb_row(c, row, n);
        if (held + 1 == c->chunk || row + 1 == c->length) absorb_all(c, row - held, held + 1, n);
        wf_place_next(&place, nest, c->outer, c->inner);
    }
    write_all(c, corner, start, n);
}

static weft_status reduce_wide(wf_cells *cells, int64_t length, int outer)
{
    wf_eval *eval = &cells->eval;
    wf_nest *nest = &cells->nest;
    columns c = { .cells = cells, .length = length, .chunk = WF_MOMENT_ROWS };
    int panel = -1;
    wf_place place;

    order_axes(&c, outer);
    if (c.inner == nest->ndim - 1 && c.inner > c.outer)
        panel = wf_eval_find_panel_axis(eval, nest, c.inner - 1, c.inner);
    eval->rows_first = true;
    eval->band_axis = c.inner > c.outer ? c.inner - 1 : -1;
    WF_TRY(wf_eval_plan(eval, nest, c.inner, c.ncols < WF_STRIP ? c.ncols : WF_STRIP, panel));
    for (int k = 0; k < cells->nreducer; k++)
        if (cells->reducer[k].moments || cells->reducer[k].arg)
            c.gathered[cells->reducer[k].sink] = true;
    WF_TRY(get_memory(&c, eval->max_n));
    wf_place_init(&place, nest);
    do {
        for (int64_t i = 0; i < c.ncols; i += eval->max_n)
            reduce_strip(&c, &place, i, c.ncols - i < eval->max_n ? c.ncols - i : eval->max_n);
    } while (wf_place_next(&place, nest, 0, outer));
    return WEFT_OK;
}

// Reduced elements and columns are one flat range.
static void reduce_flat(const columns *c, const wf_place *corner)
{
    wf_eval *eval = &c->cells->eval;

    for (int64_t row = 0, rows; row < c->length; row += rows) {
        rows = c->length - row < c->chunk ? c->length - row : c->chunk;
        for (int64_t i = 0, n; i < rows * c->ncols; i += n) {
            n = rows * c->ncols - i < eval->max_n ? rows * c->ncols - i : eval->max_n;
            for (int s = 0; s < eval->nsink; s++)
                eval->sink[s].dest = c->buffer[s] + i * eval->sink[s].item;
            wf_eval_run(eval, corner, row * c->ncols + i, n);
        }
        absorb_all(c, row, rows, c->ncols);
    }
    write_all(c, corner, 0, c->ncols);
}

static weft_status reduce_narrow(wf_cells *cells, int64_t length, int outer)
{
    wf_eval *eval = &cells->eval;
    wf_nest *nest = &cells->nest;
    columns c = { .cells = cells, .length = length };
    wf_place place;

    order_axes(&c, outer);
    c.chunk = NARROW_STRIP / c.ncols / WF_MOMENT_ROWS * WF_MOMENT_ROWS;
    if (c.chunk > length) c.chunk = length;
    WF_TRY(wf_eval_plan(eval, nest, outer,
                        length * c.ncols < WF_STRIP ? length * c.ncols : WF_STRIP, -1));
    for (int i = 0; i < eval->nsink; i++) c.gathered[i] = true;
    WF_TRY(get_memory(&c, c.ncols));
    wf_place_init(&place, nest);
    do reduce_flat(&c, &place);
    while (wf_place_next(&place, nest, 0, outer));
    return WEFT_OK;
}

weft_status wf_cells_reduce_cols(wf_cells *cells)
{
    const wf_nest *nest = &cells->nest;
    int nkept = cells->nkept, outer = nkept, ops[WF_NEST_REDUCERS];
    int64_t length = wf_nest_size(nest, nkept, nest->ndim), ncols = 1;
    int64_t side = nkept > 0 ? nest->count[nkept - 1] : 1;

    if (wf_cells_are_loads(cells, ops) && is_direct(cells, length, ops))
        return reduce_direct(cells, length, ops);
    while (outer > 0 && ncols < FEW_COLUMNS) ncols *= nest->count[--outer];
    if (ncols < FEW_COLUMNS) return reduce_narrow(cells, length, outer);
    if (side < FEW_COLUMNS && side * length >= WF_STRIP / 2)
        return reduce_narrow(cells, length, nkept - 1);
    return reduce_wide(cells, length, outer);
}
