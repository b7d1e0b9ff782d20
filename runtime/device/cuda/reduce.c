// SPDX-License-Identifier: Apache-2.0
// reduce - launching a program that ends in reductions. The tile is cut into boxes of whole, equal
// cells (the short last cells of an axis make boxes of their own), and each box is one launch: its
// axes are the cells', then the elements' inside a cell.
#include <string.h>

#include "device/cuda/layout.h"

enum {
    LONGEST_BODY = 512,
    MOST_UNROLL = 16,
    TURNED_ROWS = 4,         // rows that a warp takes at once, so that a block has 32 side by side
    STAGE_BYTES = 40 << 10,  // of shared memory, for all tiles of a block
    FEW_CELLS = 16,          // fewer per multiprocessor: a block takes one, not a warp
};

// One pass over the tile: at most WF_CUDA_REDUCERS reducers.
typedef struct pass {
    const wf_reduce_launch *launch;
    const wf_reducer *reducer;
    int nreducer, nfield;
    bool has_arg;
    wf_cuda_nest nest;
    wf_cuda_reduction reduction;
} pass;

static int nread(const pass *p) { return p->launch->map.program->ninput; }

// The operand of field F of reducer K, and its place and strides.
static const wf_operand *field_of(const pass *p, int field)
{
    for (int k = 0; k < p->nreducer; k++) {
        int n = wf_cuda_fields(p->reducer[k].op);
        if (field < n) return &p->reducer[k].field[field];
        field -= n;
    }
    return NULL;
}

// Adds an axis: COUNT steps, each of CELLS cells and ELEMENTS elements of the tile's axis A.
static void add_axis(pass *p, int a, int64_t count, int64_t cells, int64_t elements)
{
    const wf_launch *map = &p->launch->map;
    const wf_program *program = map->program;
    int64_t *stride = p->nest.stride[p->nest.ndim];

    wf_cuda_nest_add(&p->nest, count);
    for (int v = 0; v < program->ninstr; v++)
        if (wf_cuda_reads(&program->instr[v]))
            stride[program->instr[v].index] = elements * map->in[program->instr[v].index].stride[a];
    for (int f = 0; f < p->nfield; f++) stride[nread(p) + f] = cells * field_of(p, f)->stride[a];
    if (p->has_arg && p->launch->reduced[a])
        stride[p->nest.nop - 1] = elements * p->launch->position_stride[a];
}

static void move_place(wf_cuda_place *place, int64_t distance)
{
    if (place->data) place->data += distance;
    else place->origin += distance;
}

// Moves the box's first element CELLS cells and ELEMENTS elements along the tile's axis A.
static void move_origin(pass *p, int a, int64_t cells, int64_t elements)
{
    const wf_launch *map = &p->launch->map;

    for (int i = 0; i < nread(p); i++)
        move_place(&p->nest.place[i], elements * map->in[i].stride[a]);
    for (int f = 0; f < p->nfield; f++)
        move_place(&p->nest.place[nread(p) + f], cells * field_of(p, f)->stride[a]);
    if (p->has_arg)
        move_place(&p->nest.place[p->nest.nop - 1], elements * p->launch->position_stride[a]);
}

static void reset_origin(pass *p)
{
    const wf_launch *map = &p->launch->map;

    for (int i = 0; i < nread(p); i++)
        p->nest.place[i] = (wf_cuda_place){ map->program->input[i].counter ? NULL : map->in[i].data,
                                            map->in[i].origin };
    for (int f = 0; f < p->nfield; f++)
        p->nest.place[nread(p) + f] = (wf_cuda_place){ field_of(p, f)->data, 0 };
    if (p->has_arg) p->nest.place[p->nest.nop - 1] = (wf_cuda_place){ NULL, p->launch->position };
}

// The box of whole cells, or where REST says so of the short last ones.
static void load_box(pass *p, const bool *rest)
{
    const wf_reduce_launch *launch = p->launch;
    const int64_t *count = launch->map.count, *cell = launch->cell;
    wf_cuda_nest *nest = &p->nest;

    reset_origin(p);
    nest->ndim = 0;
    for (int a = 0; a < launch->map.ndim; a++) {
        if (!launch->reduced[a]) add_axis(p, a, count[a], 1, 1);
        else if (!rest[a]) add_axis(p, a, count[a] / cell[a], 1, cell[a]);
        else move_origin(p, a, count[a] / cell[a], count[a] - count[a] % cell[a]);
    }
    wf_cuda_nest_drop_ones(nest, 0, nest->ndim);
    wf_cuda_nest_sort(nest, 0, nest->ndim, 0);
    wf_cuda_nest_merge(nest, 0, nest->ndim);
    if (nest->ndim == 0) wf_cuda_nest_add(nest, 1);
    int kept = nest->ndim;
    for (int a = 0; a < launch->map.ndim; a++)
        if (launch->reduced[a]) add_axis(p, a, rest[a] ? count[a] % cell[a] : cell[a], 0, 1);
    wf_cuda_nest_drop_ones(nest, kept, nest->ndim);
    wf_cuda_nest_merge(nest, kept, nest->ndim);
    if (nest->ndim == kept) wf_cuda_nest_add(nest, 1);
    p->reduction.nkept = kept;
}

static int64_t size_of(const wf_cuda_nest *nest, int first, int end)
{
    int64_t size = 1;
    for (int a = first; a < end; a++) size *= nest->count[a];
    return size;
}

static int width_for(int64_t length)
{
    int width = 2;
    while (width < length && width < WF_LANES) width *= 2;
    return width;
}

// --- rows of which some input is turned ---

static int dtype_read(const wf_program *p, int op)
{
    return p->input[op].counter ? 0 : p->input[op].dtype;
}

// Whether the neighbours of input OP lie along AXIS, not along the elements of a row.
static bool is_turned(const pass *p, int op, int axis)
{
    int dtype = dtype_read(p->launch->map.program, op);
    int64_t step = p->nest.stride[p->nest.ndim - 1][op];

    return dtype && step != 0 && step != wf_cuda_item(dtype) &&
           p->nest.stride[axis][op] == wf_cuda_item(dtype);
}

// A kept axis along which some input's neighbours lie, long enough for a block; -1: none.
static int turned_axis(const pass *p)
{
    const wf_cuda_nest *nest = &p->nest;

    if (!p->launch->inner || p->reduction.combines || nest->count[nest->ndim - 1] < WF_LANES)
        return -1;
    for (int op = 0; op < nread(p); op++)
        for (int a = 0; a < p->reduction.nkept; a++)
            if (nest->count[a] >= WF_CUDA_WARPS && is_turned(p, op, a)) return a;
    return -1;
}

// Lets all inputs turned along the last kept axis through shared memory for which there is room.
static void stage_inputs(pass *p)
{
    const wf_program *program = p->launch->map.program;
    int rows = p->reduction.layout.unroll * WF_CUDA_WARPS, used = 0;

    for (int op = 0; op < nread(p); op++) {
        int bytes = 2 * WF_LANES * (rows + 1) * wf_cuda_item(program->input[op].dtype);
        if (!is_turned(p, op, p->reduction.nkept - 1) || used + bytes > STAGE_BYTES) continue;
        p->reduction.layout.reach[op] = WF_CUDA_STAGED;
        used += bytes;
    }
}

static bool has_moments(const pass *p)
{
    for (int k = 0; k < p->nreducer; k++)
        if (wf_cuda_fields(p->reducer[k].op) == 3) return true;
    return false;
}

// Elements that a thread takes between two joins.
static int held_by(const wf_cuda_reduction *r)
{
    if (r->combines) return 4;
    if (!r->inner) return WF_MOMENT_ROWS;
    return r->width < WF_LANES ? r->width : WF_STRIP / WF_LANES;
}

static void set_layout(pass *p, int processors, int64_t cells, int64_t length)
{
    const wf_program *program = p->launch->map.program;
    wf_cuda_reduction *r = &p->reduction;
    wf_cuda_layout *l = &r->layout;
    int weight = wf_cuda_weight(program) + 4 * p->nreducer, turned = turned_axis(p);

    r->inner = p->launch->inner;
    r->turned = turned >= 0;
    if (r->turned) wf_cuda_nest_move(&p->nest, turned, r->nkept - 1);
    r->width = r->inner && !r->combines ? width_for(length) : WF_LANES;
    r->team = r->inner && !r->turned && !r->combines && length > WF_STRIP &&
              cells < (int64_t)processors * FEW_CELLS;
    r->whole = held_by(r) * weight <= LONGEST_BODY;
    l->ndim = p->nest.ndim;
    l->wide = wf_cuda_is_wide(&p->nest, cells) || wf_cuda_is_wide(&p->nest, length);
    l->tiled = false;
    l->vector = 1;
    l->unroll = 1;
    while (l->unroll < MOST_UNROLL && 2 * l->unroll <= held_by(r) &&
           2 * l->unroll * weight <= LONGEST_BODY)
        l->unroll *= 2;
    // A warp that keeps all elements of a piece has registers for one row only.
    if (r->turned) l->unroll = has_moments(p) ? 1 : TURNED_ROWS;
    for (int op = 0; op < p->nest.nop; op++)
        wf_cuda_layout_reach(l, &p->nest, op, op < nread(p) ? dtype_read(program, op) : 0);
    if (r->turned) stage_inputs(p);
}

static uint64_t hash_of(const pass *p)
{
    const wf_cuda_reduction *r = &p->reduction;
    uint64_t hash = wf_cuda_layout_hash(&r->layout, p->nest.nop);

    hash = wf_cuda_mix(hash, (uint64_t)r->nkept << 32 | (uint64_t)r->width << 8 |
                                 (uint64_t)r->team << 4 | (uint64_t)r->turned << 3 |
                                 (uint64_t)r->combines << 2 | (uint64_t)r->inner << 1 | r->whole);
    for (int k = 0; k < r->nreducer; k++)
        hash = wf_cuda_mix(hash, (uint64_t)r->reducer[k].op << 32 |
                                     (uint64_t)r->reducer[k].dtype << 16 |
                                     (uint64_t)r->reducer[k].output);
    return hash;
}

static weft_status make_kernel(weft_device *device, wf_cuda_key key, const pass *p, CUfunction *out)
{
    wf_cuda_source source;

    WF_CUDA_TRY(wf_cuda_reduce_source(p->launch->map.program, &p->reduction, &source));
    weft_status st = wf_cuda_kernel_make(device, key, source.text.data, source.name, out);
    wf_cuda_source_fini(&source);
    return st;
}

static weft_status launch_box(weft_stream *stream, pass *p)
{
    const wf_launch *map = &p->launch->map;
    const wf_cuda_nest *nest = &p->nest;
    int kept = p->reduction.nkept;
    int64_t cells = size_of(nest, 0, kept), length = size_of(nest, kept, nest->ndim);
    wf_cuda_pack pack;
    CUfunction function;

    if (p->launch->inner && !p->reduction.combines && length > WF_CUDA_LONGEST_ROW)
        return wf_cuda_host->fail(WEFT_UNSUPPORTED, "cuda: a cell may have %d elements, not %lld",
                                  WF_CUDA_LONGEST_ROW, (long long)length);
    set_layout(p, stream->device->processors, cells, length);
    const wf_cuda_reduction *r = &p->reduction;
    bool wide = r->layout.wide;
    int64_t rows = nest->count[kept - 1], of_block = r->layout.unroll * WF_CUDA_WARPS;
    int64_t down = (rows - 1) / of_block + 1, blocks = cells / rows * down;
    if (!r->turned) {
        of_block = !r->inner || r->width < WF_LANES ? WF_CUDA_THREADS : r->team ? 1 : WF_CUDA_WARPS;
        blocks = (cells - 1) / of_block + 1;
    }
    wf_cuda_pack_init(&pack, stream->device);
    wf_cuda_pack_params(&pack, map->program, map->param);
    wf_cuda_pack_word(&pack, (uint64_t)(r->turned ? blocks : cells));
    wf_cuda_pack_word(&pack, (uint64_t)length);
    if (r->turned) {
        wf_cuda_pack_word(&pack, (uint64_t)rows);
        wf_cuda_pack_divider(&pack, down, wide);
    }
    for (int a = kept - 1 - r->turned; a > 0; a--)
        wf_cuda_pack_divider(&pack, nest->count[a], wide);
    for (int a = nest->ndim - 1; a > kept; a--) wf_cuda_pack_divider(&pack, nest->count[a], wide);
    for (int op = 0; op < nest->nop; op++)
        wf_cuda_pack_operand(&pack, nest, &p->reduction.layout, op);
    if (!wf_cuda_pack_fits(&pack)) return wf_cuda_too_long(&pack);
    wf_cuda_key key = { map->program->hash, hash_of(p) };
    if (!wf_cuda_kernel_find(stream->device, key, &function))
        WF_CUDA_TRY(make_kernel(stream->device, key, p, &function));
    return wf_cuda_kernel_start(stream, function, wf_cuda_blocks(stream->device, blocks),
                                pack.word);
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

static weft_status run_pass(weft_stream *stream, pass *p)
{
    const wf_reduce_launch *launch = p->launch;
    bool rest[WEFT_MAX_NDIM] = { false };

    p->nfield = 0;
    p->has_arg = false;
    p->reduction.nreducer = p->nreducer;
    for (int k = 0; k < p->nreducer; k++) {
        const wf_reducer *r = &p->reducer[k];
        if (!wf_cuda_is_reducible(r->op, r->dtype))
            return wf_cuda_host->fail(WEFT_UNSUPPORTED, "cuda: no reduction %d of dtype %d", r->op,
                                      r->dtype);
        p->reduction.reducer[k].op = r->op;
        p->reduction.reducer[k].dtype = r->dtype;
        p->reduction.reducer[k].output = r->output;
        p->nfield += wf_cuda_fields(r->op);
        p->has_arg = p->has_arg || (wf_cuda_is_arg(r->op) && !p->reduction.combines);
    }
    p->nest.nop = nread(p) + p->nfield + p->has_arg;
    for (int a = 0; a < launch->map.ndim; a++)
        rest[a] = launch->reduced[a] && launch->map.count[a] < launch->cell[a];
    do {
        load_box(p, rest);
        WF_CUDA_TRY(launch_box(stream, p));
    } while (next_box(launch, rest));
    return WEFT_OK;
}

weft_status wf_cuda_launch_reduce(weft_stream *stream, const wf_reduce_launch *launch)
{
    pass p;

    for (int a = 0; a < launch->map.ndim; a++) {
        if (launch->map.count[a] == 0) return WEFT_OK;
        if (launch->reduced[a] && launch->cell[a] < 1)
            return wf_cuda_host->fail(WEFT_INVALID,
                                      "cuda: a reduced axis needs a cell of at least 1");
    }
    p.launch = launch;
    p.reduction.combines = false;
    for (int k = 0; k < launch->nreducer; k += WF_CUDA_REDUCERS) {
        int left = launch->nreducer - k;
        p.reducer = launch->reducer + k;
        p.nreducer = left < WF_CUDA_REDUCERS ? left : WF_CUDA_REDUCERS;
        WF_CUDA_TRY(run_pass(stream, &p));
    }
    return WEFT_OK;
}

// Fields of partial results as a program that loads them.
typedef struct field_program {
    wf_program program;
    wf_instr instr[WF_REDUCE_MAX_FIELDS];
    wf_program_input input[WF_REDUCE_MAX_FIELDS];
    wf_program_output output;
    wf_operand in[WF_REDUCE_MAX_FIELDS];
    wf_reducer reducer;
} field_program;

static int field_dtype(int op, weft_dtype dtype, int field)
{
    if (wf_cuda_is_arg(op)) return field == 1 ? WEFT_INT64 : dtype;
    if (wf_cuda_fields(op) == 1 || field == 1) return dtype;
    return dtype == WEFT_COMPLEX64 ? WEFT_FLOAT32 : dtype == WEFT_COMPLEX128 ? WEFT_FLOAT64 : dtype;
}

static void load_fields(field_program *f, const weft_combine *c)
{
    int n = wf_cuda_fields(c->op);

    *f = (field_program){ .output = { 0, (uint8_t)c->dtype } };
    f->reducer = (wf_reducer){ .op = (uint8_t)c->op, .dtype = (uint8_t)c->dtype };
    for (int i = 0; i < n; i++) {
        uint8_t dtype = (uint8_t)field_dtype(c->op, c->dtype, i);
        f->input[i].dtype = dtype;
        f->instr[i] = (wf_instr){
            .kind = WF_INSTR_LOAD, .dtype = dtype, .result = dtype, .index = (int16_t)i
        };
        f->in[i].data = (void *)c->in[i];
        f->reducer.field[i].data = c->out[i];
        memcpy(f->in[i].stride, c->in_stride[i], sizeof f->in[i].stride);
        memcpy(f->reducer.field[i].stride, c->out_stride[i], sizeof f->in[i].stride);
    }
    f->program = (wf_program){ .ninstr = n,
                               .ninput = n,
                               .noutput = 1,
                               .instr = f->instr,
                               .input = f->input,
                               .output = &f->output,
                               .hash = wf_cuda_mix((uint64_t)c->op << 8 | (uint64_t)c->dtype, n) };
}

// Few cells, or partial results of one cell side by side: a warp to a cell; else a thread.
static bool wants_warps(const weft_stream *stream, const weft_combine *c)
{
    int last = c->ndim - 1;
    int64_t cells = 1;

    for (int a = 0; a < c->ndim; a++) cells *= (c->count[a] + c->cell[a] - 1) / c->cell[a];
    while (last > 0 && c->count[last] == 1) last--;
    bool side_by_side = last < 0 || c->cell[last] > 1;
    return side_by_side || cells < (int64_t)stream->device->processors * 2 * WF_CUDA_THREADS;
}

weft_status wf_cuda_combine(weft_stream *stream, const weft_combine *c)
{
    wf_reduce_launch launch = { .map = { .ndim = c->ndim }, .nreducer = 1 };
    field_program f;
    pass p;

    if (!wf_cuda_is_reducible(c->op, c->dtype))
        return wf_cuda_host->fail(WEFT_UNSUPPORTED, "cuda: no reduction %d of dtype %d", c->op,
                                  (int)c->dtype);
    load_fields(&f, c);
    launch.map.program = &f.program;
    launch.map.in = f.in;
    launch.reducer = &f.reducer;
    for (int a = 0; a < c->ndim; a++) {
        if (c->count[a] == 0) return WEFT_OK;
        launch.map.count[a] = c->count[a];
        launch.cell[a] = c->cell[a];
        launch.reduced[a] = c->cell[a] > 1;
    }
    launch.inner = wants_warps(stream, c);
    p.launch = &launch;
    p.reducer = &f.reducer;
    p.nreducer = 1;
    p.reduction.combines = true;
    return run_pass(stream, &p);
}
