// SPDX-License-Identifier: Apache-2.0
// task_reduce - reducing a tile cell by cell. Where a slab of whole cells lies in one part and in one block of every operand, the device evaluates
// and reduces it in one go. A cell that straddles an edge is evaluated piece by piece into scratch and reduced from there: the same elements in the
// same canonical order, so the bits do not depend on where blocks end.
#include <string.h>

#include "exec/run.h"

enum { SCRATCH = 2 << 20 };

static void bind_fields(wf_task *t, const wf_box *box, wf_reducer *reducer)
{
    const wf_layer *l = t->layer;
    int field = 0;
    for (int k = 0; k < l->nreducer; k++) {
        reducer[k] = (wf_reducer){ .op = l->reducer[k].op,
                                   .dtype = l->reducer[k].dtype,
                                   .output = l->reducer[k].output };
        for (int f = 0; f < l->reducer[k].nfield; f++, field++) {
            const wf_value *v = &t->run->plan->value[l->write[field]];
            wf_box cells;
            wf_grid_box(&v->grid, t->number, &cells);
            wf_operand *op = &reducer[k].field[f];
            wf_contiguous_strides(box->ndim, cells.count, (int64_t)wf_dtype_size(v->dtype),
                                  op->stride);
            char *data = t->out_data[field];
            for (int a = 0; a < box->ndim; a++)
                data += (box->start[a] - t->box.start[a]) / l->cell[a] * op->stride[a];
            op->data = data;
        }
    }
}

// Positions of elements among the reduced ones, for the arg forms: C order over the reduced axes of the whole array.
static void set_positions(const wf_layer *l, const wf_box *box, wf_reduce_launch *r)
{
    int64_t run = 1;
    for (int a = box->ndim - 1; a >= 0; a--) {
        if (!l->reduced[a]) continue;
        r->position_stride[a] = run;
        r->position += run * box->start[a];
        run *= l->shape.dim[a];
    }
}

static weft_status launch_reduce(wf_task *t, const wf_box *box, const wf_program *program,
                                 const wf_operand *in, const wf_scalar *param)
{
    wf_reducer reducer[16];
    wf_reduce_launch r = {
        .map = { .program = program, .ndim = box->ndim, .in = in, .param = param },
        .inner = t->layer->inner,
        .nreducer = t->layer->nreducer,
        .reducer = reducer
    };
    memcpy(r.map.count, box->count, sizeof r.map.count);
    memcpy(r.reduced, t->layer->reduced, sizeof r.reduced);
    memcpy(r.cell, t->layer->cell, sizeof r.cell);
    set_positions(t->layer, box, &r);
    bind_fields(t, box, reducer);
    if (!t->worker->dev->ops->launch_reduce) return wf_task_device_error(t, WEFT_UNSUPPORTED);
    return wf_task_device_error(t, t->worker->dev->ops->launch_reduce(t->worker->stream, &r));
}

static weft_status reduce_direct(wf_task *t, const wf_layer_part *part, const wf_box *box)
{
    wf_operand in[WF_PROGRAM_MAX_INPUTS];
    wf_scalar param[WF_PROGRAM_MAX_INSTRS];
    WF_TRY(wf_task_bind(t, part, box, in, param));
    return launch_reduce(t, box, part->program, in, param);
}

// Evaluates the pieces of BOX that lie in PART into the outputs' scratch.
static weft_status evaluate(wf_task *t, const wf_layer_part *part, const wf_box *whole, wf_box box,
                            char *const *buffer)
{
    for (;;) {
        int axis = -1;
        int64_t at;
        for (int i = 0; i < part->program->ninput; i++)
            if (part->input[i].read >= 0 && wf_task_split(t, part->input[i].read, &box, &axis, &at))
                break;
        wf_box low = box;
        if (axis >= 0) low.count[axis] = at - box.start[axis];
        wf_operand in[WF_PROGRAM_MAX_INPUTS], out[WF_PROGRAM_MAX_OUTPUTS];
        wf_scalar param[WF_PROGRAM_MAX_INSTRS];
        if (axis >= 0) {
            WF_TRY(evaluate(t, part, whole, low, buffer));
        } else {
            WF_TRY(wf_task_bind(t, part, &box, in, param));
            for (int k = 0; k < part->program->noutput; k++) {
                memset(&out[k], 0, sizeof out[k]);
                wf_contiguous_strides(
                    box.ndim, whole->count,
                    (int64_t)wf_dtype_size((weft_dtype)part->program->output[k].dtype),
                    out[k].stride);
                char *data = buffer[k];
                for (int a = 0; a < box.ndim; a++)
                    data += (box.start[a] - whole->start[a]) * out[k].stride[a];
                out[k].data = data;
            }
            wf_launch l = {
                .program = part->program, .ndim = box.ndim, .in = in, .out = out, .param = param
            };
            memcpy(l.count, box.count, sizeof l.count);
            return wf_task_launch(t, &l);
        }
        box.start[axis] = at;
        box.count[axis] -= low.count[axis];
    }
}

// A program that only loads its N operands, in the dtypes of PROGRAM's outputs.
static weft_status identity_program(const wf_program *program, wf_program **out)
{
    wf_program_builder *b;
    WF_TRY(wf_program_builder_create(&b));
    for (int k = 0; k < program->noutput; k++) {
        weft_dtype d = (weft_dtype)program->output[k].dtype;
        int operand = wf_program_add_input(b, false, d);
        int value = operand < 0 ? -1 : wf_program_load(b, operand);
        weft_status st = value < 0 ? wf_last_status() : wf_program_store(b, value, d);
        if (st != WEFT_OK) {
            wf_program_builder_destroy(b);
            return st;
        }
    }
    return wf_program_build(b, out);
}

static int64_t output_bytes(const wf_program *program)
{
    int64_t n = 0;
    for (int k = 0; k < program->noutput; k++)
        n += (int64_t)wf_dtype_size((weft_dtype)program->output[k].dtype);
    return n;
}

weft_status wf_task_evaluate(wf_task *t, const wf_box *box, char *const *buffer)
{
    const wf_layer *l = t->layer;
    if (wf_layer_is_plain_load(l)) {
        int64_t stride[WEFT_MAX_NDIM];
        weft_dtype d = (weft_dtype)l->part[0].program->output[0].dtype;
        wf_contiguous_strides(box->ndim, box->count, (int64_t)wf_dtype_size(d), stride);
        return wf_task_gather(t, l->part[0].input[0].read, box, buffer[0], stride);
    }
    for (int p = 0; p < l->npart; p++) {
        wf_box piece;
        if (wf_box_intersect(box, &l->part[p].box, &piece))
            WF_TRY(evaluate(t, &l->part[p], box, piece, buffer));
    }
    return WEFT_OK;
}

static weft_status reduce_scratch(wf_task *t, const wf_box *box)
{
    const wf_program *program = t->layer->part[0].program;
    char *buffer[WF_PROGRAM_MAX_OUTPUTS];
    int64_t n = wf_box_size(box);
    void *memory;
    WF_TRY(wf_task_scratch(t, n * output_bytes(program) + 64 * program->noutput, &memory));
    char *at = memory;
    for (int k = 0; k < program->noutput; k++) {
        buffer[k] = at;
        at +=
            (n * (int64_t)wf_dtype_size((weft_dtype)program->output[k].dtype) + 63) & ~(int64_t)63;
    }
    WF_TRY(wf_task_evaluate(t, box, buffer));
    wf_program *identity;
    WF_TRY(identity_program(program, &identity));
    wf_operand in[WF_PROGRAM_MAX_INPUTS] = { { 0 } };
    for (int k = 0; k < program->noutput; k++) {
        in[k].data = buffer[k];
        wf_contiguous_strides(box->ndim, box->count,
                              (int64_t)wf_dtype_size((weft_dtype)program->output[k].dtype),
                              in[k].stride);
    }
    weft_status st = launch_reduce(t, box, identity, in, NULL);
    wf_program_destroy(identity);
    return st;
}

// The first place where BOX leaves a part or a block, along any axis. *part is the one that holds BOX's first element.
static bool find_edge(const wf_task *t, const wf_box *box, const wf_layer_part **part, int *axis,
                      int64_t *at)
{
    const wf_layer *l = t->layer;
    for (int p = 0; p < l->npart; p++) {
        wf_box in;
        const wf_box *pb = &l->part[p].box;
        wf_box first = *box;
        for (int a = 0; a < box->ndim; a++) first.count[a] = 1;
        if (!wf_box_intersect(&first, pb, &in)) continue;
        *part = &l->part[p];
        for (int a = 0; a < box->ndim; a++) {
            if (pb->start[a] + pb->count[a] >= box->start[a] + box->count[a]) continue;
            *axis = a;
            *at = pb->start[a] + pb->count[a];
            return true;
        }
        for (int i = 0; i < l->part[p].program->ninput; i++)
            if (l->part[p].input[i].read >= 0 &&
                wf_task_split(t, l->part[p].input[i].read, box, axis, at))
                return true;
        return false;
    }
    *part = &l->part[0];
    return false;
}

// Halves a box that is too large for scratch: kept axes anywhere, reduced axes between cells.
static bool halve(const wf_layer *l, const wf_box *box, int64_t most, int *axis, int64_t *at)
{
    if (wf_box_size(box) <= most) return false;
    for (int a = 0; a < box->ndim; a++) {
        int64_t cells = (box->count[a] + l->cell[a] - 1) / l->cell[a];
        if (cells < 2) continue;
        *axis = a;
        *at = box->start[a] + cells / 2 * l->cell[a];
        return true;
    }
    return false;
}

static weft_status reduce_box(wf_task *t, wf_box box, bool straddles)
{
    const wf_layer *l = t->layer;
    int64_t most = SCRATCH / output_bytes(l->part[0].program);
    for (;;) {
        const wf_layer_part *part;
        int axis = -1;
        int64_t at;
        if (!straddles) {
            if (!find_edge(t, &box, &part, &axis, &at)) return reduce_direct(t, part, &box);
            // Cut before the cell that holds the edge; when the edge is in the first cell, that cell alone goes through scratch.
            int64_t cell = l->cell[axis], offset = (at - box.start[axis]) / cell * cell;
            if (offset == 0) {
                wf_box slab = box;
                slab.count[axis] = cell < box.count[axis] ? cell : box.count[axis];
                WF_TRY(reduce_box(t, slab, true));
                box.start[axis] += slab.count[axis];
                box.count[axis] -= slab.count[axis];
                if (box.count[axis] == 0) return WEFT_OK;
                continue;
            }
            at = box.start[axis] + offset;
        } else if (!halve(l, &box, most, &axis, &at)) {
            return reduce_scratch(t, &box);
        }
        wf_box low = box;
        low.count[axis] = at - box.start[axis];
        WF_TRY(reduce_box(t, low, straddles));
        box.start[axis] = at;
        box.count[axis] -= low.count[axis];
    }
}

weft_status wf_task_reduce(wf_task *t)
{
    return wf_box_size(&t->box) == 0 ? WEFT_OK : reduce_box(t, t->box, false);
}

// Partial results of several fields: gathered side by side, then combined cell by cell.
weft_status wf_task_combine(wf_task *t)
{
    const wf_layer *l = t->layer;
    int nfield = l->nread;
    weft_combine c = { .op = l->op, .dtype = l->dtype, .ndim = t->box.ndim, .nfield = nfield };
    int64_t n = wf_box_size(&t->box);
    void *memory;
    memcpy(c.count, t->box.count, sizeof c.count);
    memcpy(c.cell, l->cell, sizeof c.cell);
    WF_TRY(wf_task_scratch(t, n * 16 * nfield + 64 * nfield, &memory));
    char *at = memory;
    for (int f = 0; f < nfield; f++) {
        int64_t item = (int64_t)wf_dtype_size(t->run->plan->value[l->read[f].value].dtype);
        wf_contiguous_strides(c.ndim, t->box.count, item, c.in_stride[f]);
        WF_TRY(wf_task_gather(t, f, &t->box, at, c.in_stride[f]));
        c.in[f] = at;
        at += (n * item + 63) & ~(int64_t)63;
        wf_box cells;
        wf_grid_box(&t->run->plan->value[l->write[f]].grid, t->number, &cells);
        wf_contiguous_strides(c.ndim, cells.count, item, c.out_stride[f]);
        c.out[f] = t->out_data[f];
    }
    if (!t->worker->dev->ops->combine) return wf_task_device_error(t, WEFT_UNSUPPORTED);
    return wf_task_device_error(t, t->worker->dev->ops->combine(t->worker->stream, &c));
}
