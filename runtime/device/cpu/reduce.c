// SPDX-License-Identifier: Apache-2.0
// reduce - a tile whose program ends in reductions: it is cut into boxes of whole, equal cells, and
// each box is reduced by rows or by columns. Cells never see each other, so results depend on them
// alone and not on the tile.
#include "device/cpu/reduce.h"

#include <string.h>

static const char *const op_names[WF_REDUCE_COUNT_] = {
    "sum", "prod",   "min",    "max",       "nanmin",    "nanmax",  "any",
    "all", "argmin", "argmax", "nanargmin", "nanargmax", "moments", "moments without NaN",
};

static bool is_arg(wf_reduce_op op) { return op >= WF_REDUCE_ARGMIN && op <= WF_REDUCE_NANARGMAX; }

static bool is_moments(wf_reduce_op op)
{
    return op == WF_REDUCE_MOMENTS || op == WF_REDUCE_NANMOMENTS;
}

static void set_fields(wf_cell_reducer *r, weft_dtype dtype)
{
    r->item = (int)wf_dtype_size(dtype);
    r->nfield = r->arg ? 2 : r->moments ? 3 : 1;
    r->size[0] = r->moments ? (int)wf_dtype_size(wf_dtype_real(dtype)) : r->item;
    r->size[1] = r->arg ? (int)sizeof(int64_t) : r->item;
    r->size[2] = r->size[0];
}

static weft_status add_reducer(wf_cells *cells, const wf_reducer *spec)
{
    wf_cell_reducer *r = &cells->reducer[cells->nreducer];
    weft_dtype dtype = (weft_dtype)spec->dtype;

    if (spec->op >= WF_REDUCE_COUNT_ || !wf_dtype_is_valid(dtype) ||
        !cells->table->reduce[spec->op][dtype].rows)
        return wf_fail(WEFT_UNSUPPORTED, "cpu: %s is not defined for %s",
                       spec->op < WF_REDUCE_COUNT_ ? op_names[spec->op] : "this reduction",
                       wf_dtype_name(dtype));
    r->kernel = cells->table->reduce[spec->op][dtype];
    r->arg = is_arg((wf_reduce_op)spec->op);
    r->moments = is_moments((wf_reduce_op)spec->op);
    set_fields(r, dtype);
    r->field = spec->field;
    r->sink = wf_eval_hand(&cells->eval, spec->output, dtype);
    if (r->arg) cells->has_arg = true;
    for (int f = 0; f < r->nfield; f++) r->op[f] = cells->nest.nop++;
    cells->nreducer++;
    return WEFT_OK;
}

// Adds an axis to the nest: COUNT steps, each of CELLS cells and ELEMENTS elements of the tile's
// axis A.
static void add_axis(wf_cells *cells, int a, int64_t count, int64_t ncells, int64_t elements)
{
    const wf_reduce_launch *launch = cells->launch;
    int64_t *stride = cells->nest.stride[cells->nest.ndim];

    for (int i = 0; i < launch->map.program->ninput; i++)
        stride[i] = elements * launch->map.in[i].stride[a];
    for (int k = 0; k < cells->nreducer; k++)
        for (int f = 0; f < cells->reducer[k].nfield; f++)
            stride[cells->reducer[k].op[f]] = ncells * cells->reducer[k].field[f].stride[a];
    stride[cells->position_op] =
        cells->has_arg && launch->reduced[a] ? elements * launch->position_stride[a] : 0;
    cells->nest.count[cells->nest.ndim++] = count;
}

// Moves the box's origin ELEMENTS and CELLS along the tile's axis A.
static void move_origin(wf_cells *cells, int a, int64_t ncells, int64_t elements)
{
    const wf_reduce_launch *launch = cells->launch;
    const wf_program *p = launch->map.program;

    for (int i = 0; i < p->ninput; i++) {
        if (p->input[i].counter) cells->eval.origin[i] += elements * launch->map.in[i].stride[a];
        else cells->eval.data[i] += elements * launch->map.in[i].stride[a];
    }
    for (int k = 0; k < cells->nreducer; k++)
        for (int f = 0; f < cells->reducer[k].nfield; f++)
            cells->reducer[k].cell[f] += ncells * cells->reducer[k].field[f].stride[a];
    cells->position += elements * launch->position_stride[a];
}

static void reset_origin(wf_cells *cells)
{
    const wf_launch *map = &cells->launch->map;

    for (int i = 0; i < map->program->ninput; i++) {
        cells->eval.data[i] = map->in[i].data;
        cells->eval.origin[i] = map->in[i].origin;
    }
    for (int k = 0; k < cells->nreducer; k++)
        for (int f = 0; f < cells->reducer[k].nfield; f++)
            cells->reducer[k].cell[f] = cells->reducer[k].field[f].data;
    cells->position = cells->launch->position;
}

// The box of whole cells, or where REST says so of the short last ones.
static void load_box(wf_cells *cells, const bool *rest)
{
    const wf_reduce_launch *launch = cells->launch;
    const int64_t *count = launch->map.count, *cell = launch->cell;

    reset_origin(cells);
    cells->nest.ndim = 0;
    for (int a = 0; a < launch->map.ndim; a++) {
        if (!launch->reduced[a]) add_axis(cells, a, count[a], 1, 1);
        else if (!rest[a]) add_axis(cells, a, count[a] / cell[a], 1, cell[a]);
        else move_origin(cells, a, count[a] / cell[a], count[a] - count[a] % cell[a]);
    }
    cells->nkept = cells->nest.ndim;
    for (int a = 0; a < launch->map.ndim; a++)
        if (launch->reduced[a]) add_axis(cells, a, rest[a] ? count[a] % cell[a] : cell[a], 0, 1);
    wf_nest_drop_ones(&cells->nest, cells->nkept, cells->nest.ndim);
    wf_nest_merge(&cells->nest, cells->nkept, cells->nest.ndim);
    cells->nkept = wf_nest_drop_ones(&cells->nest, 0, cells->nkept);
    wf_nest_sort(&cells->nest, 0, cells->nkept, 0);
    cells->nkept = wf_nest_merge(&cells->nest, 0, cells->nkept);
}

// The next choice of whole cells and rests; false after the last.
static bool next_box(const wf_reduce_launch *launch, bool *rest)
{
    for (int a = 0; a < launch->map.ndim; a++) {
        if (!launch->reduced[a] || launch->map.count[a] < launch->cell[a] ||
            launch->map.count[a] % launch->cell[a] == 0)
            continue;
        rest[a] = !rest[a];
        if (rest[a]) return true;
    }
    return false;
}

static weft_status run_pass(wf_cells *cells, const wf_reducer *reducer, int n)
{
    const wf_reduce_launch *launch = cells->launch;
    bool rest[WEFT_MAX_NDIM] = { false };

    cells->nreducer = 0;
    cells->has_arg = false;
    cells->nest.nop = launch->map.program->ninput;
    wf_eval_init(&cells->eval, cells->table, launch->map.program, launch->map.in,
                 launch->map.param);
    for (int k = 0; k < n; k++) WF_TRY(add_reducer(cells, &reducer[k]));
    cells->position_op = cells->nest.nop++;
    for (int a = 0; a < launch->map.ndim; a++)
        rest[a] = launch->reduced[a] && launch->map.count[a] < launch->cell[a];
    do {
        load_box(cells, rest);
        WF_TRY(launch->inner ? wf_cells_reduce_rows(cells) : wf_cells_reduce_cols(cells));
    } while (next_box(launch, rest));
    return WEFT_OK;
}

weft_status wf_reduce_run(const wf_kernel_table *table, const wf_reduce_launch *launch)
{
    wf_cells cells;

    for (int a = 0; a < launch->map.ndim; a++) {
        if (launch->map.count[a] == 0) return WEFT_OK;
        if (launch->reduced[a] && launch->cell[a] < 1)
            return wf_fail(WEFT_INVALID,
                           "cpu: a reduced axis needs a cell of at least 1, got %" PRId64,
                           launch->cell[a]);
    }
    cells.table = table;
    cells.launch = launch;
    for (int k = 0; k < launch->nreducer; k += WF_NEST_REDUCERS) {
        int n = launch->nreducer - k < WF_NEST_REDUCERS ? launch->nreducer - k : WF_NEST_REDUCERS;
        WF_TRY(run_pass(&cells, launch->reducer + k, n));
    }
    wf_scratch_trim();
    return WEFT_OK;
}

bool wf_cells_are_loads(const wf_cells *cells, int *ops)
{
    for (int k = 0; k < cells->nreducer; k++)
        if (!wf_eval_is_load(&cells->eval, cells->reducer[k].sink, &ops[k])) return false;
    return true;
}

void wf_cells_place_parts(wf_cells *cells, wf_layout *l)
{
    for (int k = 0; k < cells->nreducer; k++)
        for (int f = 0; f < cells->reducer[k].nfield; f++) {
            wf_cell_reducer *r = &cells->reducer[k];
            r->acc[f] = wf_layout_take(l, WF_STRIP * r->size[f]);
            r->part[f] = wf_layout_take(l, WF_STRIP * r->size[f]);
        }
}

void wf_cells_write(const wf_cells *cells, const wf_cell_reducer *r, const wf_place *place,
                    int first, int end, int64_t start, int64_t n, char *const *parts)
{
    for (int f = 0; f < r->nfield; f++) {
        char *to = r->cell[f] + place->at[r->op[f]];
        if (n == 1 && start == 0) {
            memcpy(to, parts[f], (size_t)r->size[f]);
            continue;
        }
        wf_walk walk;
        wf_walk_init(&walk, &cells->nest, first, end, r->op[f], r->size[f]);
        wf_walk_scatter(&walk, cells->table, r->size[f], to, start, n, parts[f]);
    }
}
