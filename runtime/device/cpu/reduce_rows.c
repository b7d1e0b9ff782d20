// SPDX-License-Identifier: Apache-2.0
// reduce_rows - cells whose reduced elements are one row in C order, wherever their axes lie. Three
// ways to the same bits: direct, where the row is contiguous in memory and nothing is computed;
// batched, several short rows evaluated as one strip; and pieced, a long row evaluated WF_STRIP
// elements at a time, whose results are combined as kernel.h says: as a carry stack, where entry l
// stands for 2**l pieces.
#include <string.h>

#include "device/cpu/reduce.h"

#define SHORT_ROW 64    // a shorter innermost axis is taken together with the next ones
#define BATCHED 256     // elements of a cell up to which several make one strip
#define FIELD_BYTES 16  // room for one field of a partial result

static bool has_linear_positions(const wf_cells *cells)
{
    const wf_nest *nest = &cells->nest;
    int reduced = nest->ndim - cells->nkept;
    return !cells->has_arg || reduced == 0 ||
           (reduced == 1 && nest->stride[nest->ndim - 1][cells->position_op] == 1);
}

static bool is_direct(const wf_cells *cells, int64_t length, const int *ops)
{
    const wf_nest *nest = &cells->nest;

    if (nest->ndim - cells->nkept > 1 || !has_linear_positions(cells)) return false;
    for (int k = 0; k < cells->nreducer; k++) {
        if (length > 1 && nest->stride[nest->ndim - 1][ops[k]] != cells->reducer[k].item)
            return false;
        // Each reducer reads for itself: the second should find the row in cache.
        if (cells->nreducer > 1 && length * cells->reducer[k].item > WF_REDUCE_BLOCK) return false;
    }
    return true;
}

static weft_status reduce_direct(wf_cells *cells, int64_t length, const int *ops)
{
    static const int64_t none[WF_NEST_OPS];
    const wf_nest *nest = &cells->nest;
    int axis = cells->nkept > 0 ? cells->nkept - 1 : 0;
    const int64_t *step = cells->nkept > 0 ? nest->stride[axis] : none;
    int64_t rows = cells->nkept > 0 ? nest->count[axis] : 1, block = WF_STRIP;
    wf_layout size = { 0 }, memory = { 0 };
    wf_place place;

    wf_cells_place_parts(cells, &size);
    WF_TRY(wf_scratch_get(size.used, &memory.base));
    wf_cells_place_parts(cells, &memory);
    if (cells->nreducer > 1 && length * 16 * WF_STRIP > WF_REDUCE_BLOCK)
        block = WF_REDUCE_BLOCK / (length * 16) + 1;
    wf_place_init(&place, nest);
    do {
        for (int64_t r = 0; r < rows; r += block)
            for (int k = 0; k < cells->nreducer; k++) {
                wf_cell_reducer *red = &cells->reducer[k];
                int64_t n = rows - r < block ? rows - r : block, pos = cells->position_op;
                red->kernel.rows(n, length,
                                 cells->eval.data[ops[k]] + place.at[ops[k]] + r * step[ops[k]],
                                 step[ops[k]], cells->position + place.at[pos] + r * step[pos],
                                 step[pos], (void **)red->acc);
                wf_cells_write(cells, red, &place, axis, cells->nkept, r, n, red->acc);
            }
    } while (wf_place_next(&place, nest, 0, axis));
    return WEFT_OK;
}

// Reduces N elements at IN, the cell's elements from I on, to one partial result. For the arg forms
// positions are found by runs: CELL is the cell's first position, WALK leads through its positions.
static void reduce_piece(const wf_cell_reducer *r, const wf_walk *walk, int64_t cell, int64_t i,
                         int64_t n, const char *in, void *const *out, void *const *spare)
{
    if (!r->arg) {
        r->kernel.rows(1, n, in, 0, 0, 0, out);
        return;
    }
    for (int64_t done = 0, run; done < n; done += run) {
        int64_t offset, step;
        void *const *to = done == 0 ? out : spare;
        run = wf_walk_run(walk, i + done, n - done, &offset, &step);
        if (step == 1 || run == 1)
            r->kernel.rows(1, run, in + done * r->item, 0, cell + offset, 0, to);
        else r->kernel.cols(run, 1, in + done * r->item, r->item, cell + offset, step, to);
        if (done > 0) r->kernel.combine(1, out, (const void *const *)spare);
    }
}

// Several cells in one strip.
typedef struct batch {
    wf_cells *cells;
    int first;             // flat axes FIRST..: kept ones, then all the reduced ones
    int64_t length;        // elements of a cell
    bool linear;           // positions go up in equal steps from cell to cell, by 1 inside
    wf_walk kept, inside;  // positions
} batch;

static void reduce_batch(const batch *b, wf_cell_reducer *r, const wf_place *place,
                         int64_t first_cell, int64_t n)
{
    const wf_cells *cells = b->cells;
    const char *in = cells->eval.sink[r->sink].result;
    int64_t position = cells->position + place->at[cells->position_op];

    if (!r->arg || b->linear) {
        r->kernel.rows(n, b->length, in, b->length * r->item, position + first_cell * b->kept.step,
                       b->kept.step, (void **)r->acc);
        return;
    }
    for (int64_t c = 0; c < n; c++) {
        int64_t offset, step;
        void *out[2] = { r->acc[0] + c * r->size[0], r->acc[1] + c * r->size[1] };
        wf_walk_run(&b->kept, first_cell + c, 1, &offset, &step);
        reduce_piece(r, &b->inside, position + offset, 0, b->length, in + c * b->length * r->item,
                     out, (void **)r->part);
    }
}

static weft_status reduce_batched(wf_cells *cells, int64_t length)
{
    const wf_nest *nest = &cells->nest;
    wf_eval *eval = &cells->eval;
    batch b = { .cells = cells, .first = cells->nkept, .length = length };
    int64_t ncells = 1, batch_cells = WF_STRIP / length;
    wf_layout size = { 0 }, memory = { 0 };
    wf_place place;

    while (b.first > 0 && ncells < batch_cells) ncells *= nest->count[--b.first];
    if (batch_cells > ncells) batch_cells = ncells;
    wf_walk_init(&b.kept, nest, b.first, cells->nkept, cells->position_op, 0);
    wf_walk_init(&b.inside, nest, cells->nkept, nest->ndim, cells->position_op, 1);
    b.linear = b.kept.kind == WF_WALK_LINEAR && has_linear_positions(cells);
    WF_TRY(wf_eval_plan(eval, nest, b.first, batch_cells * length, -1));
    wf_cells_place_parts(cells, &size);
    WF_TRY(wf_scratch_get(size.used + wf_eval_bytes(eval), &memory.base));
    wf_cells_place_parts(cells, &memory);
    wf_eval_bind(eval, memory.base + memory.used);
    wf_place_init(&place, nest);
    do {
        for (int64_t c = 0; c < ncells; c += batch_cells) {
            int64_t n = ncells - c < batch_cells ? ncells - c : batch_cells;
            wf_eval_run(eval, &place, c * length, n * length);
            for (int k = 0; k < cells->nreducer; k++) {
                reduce_batch(&b, &cells->reducer[k], &place, c, n);
                wf_cells_write(cells, &cells->reducer[k], &place, b.first, cells->nkept, c, n,
                               cells->reducer[k].acc);
            }
        }
    } while (wf_place_next(&place, nest, 0, b.first));
    return WEFT_OK;
}

// Long cells, GROUP of them side by side: more than one where operands are transposed, so that what
// a panel brings in is used.
typedef struct pieces {
    wf_cells *cells;
    int64_t length, flat;  // elements of a cell; of its flat axes
    int64_t group;
    int levels;      // of the carry stacks
    wf_walk inside;  // positions
    char *stack[WF_NEST_REDUCERS];
    char *piece
        [WF_EVAL_SINKS];  // evaluated elements of a piece that is put together from several strips
} pieces;

static void place_pieces(pieces *p, wf_layout *l)
{
    wf_cells_place_parts(p->cells, l);
    for (int k = 0; k < p->cells->nreducer; k++)
        p->stack[k] = wf_layout_take(l, p->levels * p->group * WF_REDUCE_MAX_FIELDS * FIELD_BYTES);
    for (int i = 0; i < p->cells->eval.nsink; i++)
        p->piece[i] = wf_layout_take(l, p->group * WF_STRIP * p->cells->eval.sink[i].item);
}

// The entry of LEVEL in the stack of cell G.
static void find_entry(const pieces *p, int k, int64_t g, int level, void **out)
{
    char *entry = p->stack[k] + (level * p->group + g) * WF_REDUCE_MAX_FIELDS * FIELD_BYTES;
    for (int f = 0; f < WF_REDUCE_MAX_FIELDS; f++) out[f] = entry + f * FIELD_BYTES;
}

// Adds the partial result PART of piece NUMBER.
static void push_piece(const pieces *p, int k, int64_t g, int64_t number, void *const *part)
{
    const wf_cell_reducer *r = &p->cells->reducer[k];
    void *entry[WF_REDUCE_MAX_FIELDS], *carried[WF_REDUCE_MAX_FIELDS];
    int level = 0;

    memcpy(carried, part, sizeof carried);
    for (find_entry(p, k, g, 0, entry); number & 1; number >>= 1) {
        r->kernel.combine(1, entry, (const void *const *)carried);
        memcpy(carried, entry, sizeof carried);
        find_entry(p, k, g, ++level, entry);
    }
    for (int f = 0; f < r->nfield; f++) memcpy(entry[f], carried[f], (size_t)r->size[f]);
}

// Folds the stack of cell G, which holds COUNT pieces, into *OUT: the most recent entry first.
static void fold_stack(const pieces *p, int k, int64_t g, int64_t count, void **out)
{
    const wf_cell_reducer *r = &p->cells->reducer[k];
    int level = __builtin_ctzll((uint64_t)count);

    find_entry(p, k, g, level, out);
    for (level++; count >> level; level++) {
        void *entry[WF_REDUCE_MAX_FIELDS];
        if (!(count >> level & 1)) continue;
        find_entry(p, k, g, level, entry);
        r->kernel.combine(1, entry, (const void *const *)out);
        memcpy(out, entry, sizeof entry);
    }
}

// Piece NUMBER of cell G, N elements, has been evaluated: WHOLE as one strip, else into its buffer.
static void absorb_piece(const pieces *p, const wf_place *place, int64_t g, int64_t number,
                         int64_t n, bool whole)
{
    const wf_cells *cells = p->cells;
    int64_t position = cells->position + place->at[cells->position_op];

    // The walking place has moved along reduced axes; positions inside the cell are counted from
    // its first element.
    for (int a = cells->nkept; a < cells->nest.ndim && cells->has_arg; a++)
        position -= place->coord[a] * cells->nest.stride[a][cells->position_op];
    for (int k = 0; k < cells->nreducer; k++) {
        const wf_cell_reducer *r = &cells->reducer[k];
        const char *in =
            whole ? cells->eval.sink[r->sink].result : p->piece[r->sink] + g * WF_STRIP * r->item;
        reduce_piece(r, &p->inside, position, number * WF_STRIP, n, in, (void **)r->part,
                     (void **)r->acc);
        push_piece(p, k, g, number, (void **)r->part);
    }
}

// Evaluates elements of one strip for all cells of a group; PLACE is at the first cell, and is
// again afterwards.
static void run_strip(const pieces *p, wf_place *place, int64_t cells_here, int64_t start,
                      int64_t n, int64_t done)
{
    wf_cells *cells = p->cells;
    wf_eval *eval = &cells->eval;
    int axis = cells->nkept - 1;
    int64_t number = done / WF_STRIP, filled = done % WF_STRIP;
    int64_t length =
        p->length - number * WF_STRIP < WF_STRIP ? p->length - number * WF_STRIP : WF_STRIP;
    bool whole = n == length;

    for (int64_t g = 0; g < cells_here; g++) {
        for (int i = 0; i < eval->nsink; i++)
            eval->sink[i].dest =
                whole ? NULL : p->piece[i] + (g * WF_STRIP + filled) * eval->sink[i].item;
        wf_eval_run(eval, place, start, n);
        if (filled + n == length) absorb_piece(p, place, g, number, length, whole);
        if (cells_here == 1) return;
        wf_place_step(place, &cells->nest, axis, 1);
    }
    wf_place_step(place, &cells->nest, axis, -cells_here);
}

static void reduce_group(const pieces *p, const wf_place *first_cell, int64_t cells_here)
{
    wf_cells *cells = p->cells;
    const wf_nest *nest = &cells->nest;
    int axis = cells->nkept - 1;
    wf_place place;

    wf_place_copy(&place, first_cell, nest);
    for (int64_t done = 0, start = 0, n; done < p->length; done += n) {
        int64_t left = WF_STRIP - done % WF_STRIP;
        n = p->flat - start < left ? p->flat - start : left;
        run_strip(p, &place, cells_here, start, n, done);
        start += n;
        if (start < p->flat) continue;
        start = 0;
        wf_place_next(&place, nest, cells->nkept, cells->eval.first);
    }
    for (int64_t g = 0; g < cells_here; g++) {
        for (int k = 0; k < cells->nreducer; k++) {
            void *out[WF_REDUCE_MAX_FIELDS];
            fold_stack(p, k, g, (p->length + WF_STRIP - 1) / WF_STRIP, out);
            wf_cells_write(cells, &cells->reducer[k], &place, 0, 0, 0, 1, (char **)out);
        }
        if (cells_here > 1) wf_place_step(&place, nest, axis, 1);
    }
}

static void reduce_groups(const pieces *p)
{
    const wf_nest *nest = &p->cells->nest;
    int end = p->group > 1 ? p->cells->nkept - 1 : p->cells->nkept;
    int64_t side = p->group > 1 ? nest->count[end] : 1;
    wf_place place, corner;

    wf_place_init(&place, nest);
    do {
        wf_place_copy(&corner, &place, nest);
        for (int64_t g = 0; g < side; g += p->group) {
            int64_t n = side - g < p->group ? side - g : p->group;
            reduce_group(p, &corner, n);
            if (p->group > 1) wf_place_step(&corner, nest, end, n);
        }
    } while (wf_place_next(&place, nest, 0, end));
}

static weft_status reduce_pieced(wf_cells *cells, int64_t length)
{
    wf_nest *nest = &cells->nest;
    wf_eval *eval = &cells->eval;
    pieces p = { .cells = cells, .length = length, .group = 1 };
    int first = nest->ndim - 1, panel = -1;
    wf_layout size = { 0 }, memory = { 0 };

    p.flat = nest->count[first];
    while (first > cells->nkept && p.flat < SHORT_ROW) p.flat *= nest->count[--first];
    if (first == nest->ndim - 1) panel = wf_eval_find_panel_axis(eval, nest, 0, cells->nkept);
    if (panel >= 0) {
        wf_nest_move(nest, panel, cells->nkept - 1);
        panel = cells->nkept - 1;
    }
    WF_TRY(wf_eval_plan(eval, nest, first, p.flat < WF_STRIP ? p.flat : WF_STRIP, panel));
    if (eval->npanel > 0) p.group = WF_PANEL_ROWS;
    for (int64_t n = (length + WF_STRIP - 1) / WF_STRIP; n > 0; n >>= 1) p.levels++;
    wf_walk_init(&p.inside, nest, cells->nkept, nest->ndim, cells->position_op, 1);
    place_pieces(&p, &size);
    WF_TRY(wf_scratch_get(size.used + wf_eval_bytes(eval), &memory.base));
    place_pieces(&p, &memory);
    wf_eval_bind(eval, memory.base + memory.used);
    reduce_groups(&p);
    return WEFT_OK;
}

weft_status wf_cells_reduce_rows(wf_cells *cells)
{
    int64_t length = wf_nest_size(&cells->nest, cells->nkept, cells->nest.ndim);
    int ops[WF_NEST_REDUCERS];

    if (wf_cells_are_loads(cells, ops) && is_direct(cells, length, ops))
        return reduce_direct(cells, length, ops);
    return length <= BATCHED ? reduce_batched(cells, length) : reduce_pieced(cells, length);
}
