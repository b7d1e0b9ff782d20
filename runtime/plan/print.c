// SPDX-License-Identifier: Apache-2.0
// print - a plan as text, for weft_explain and weft eval --explain.
#include <string.h>

#include "plan/plan.h"

static void add_bytes(wf_text *out, double bytes)
{
    static const char *const unit[] = { "B", "KiB", "MiB", "GiB", "TiB", "PiB" };
    int u = 0;
    while (bytes >= 1024 && u < 5) {
        bytes /= 1024;
        u++;
    }
    wf_text_add(out, u == 0 ? "%.0f %s" : "%.1f %s", bytes, unit[u]);
}

static void add_grid(wf_text *out, const wf_grid *grid)
{
    wf_text_add(out, "(");
    for (int i = 0; i < grid->ndim; i++) {
        const wf_grid_axis *a = &grid->axis[i];
        if (a->cuts)
            wf_text_add(out, "%s%" PRId64 " in %" PRId64 " irregular", i ? ", " : "", a->dim,
                        a->nblock);
        else if (a->nblock > 1)
            wf_text_add(out, "%s%" PRId64 " by %" PRId64, i ? ", " : "", a->dim, a->extent);
        else wf_text_add(out, "%s%" PRId64, i ? ", " : "", a->dim);
    }
    wf_text_add(out, ")");
}

static void add_reads(const wf_plan *plan, const wf_layer *l, wf_text *out)
{
    for (int r = 0; r < l->nread; r++) {
        const wf_value *v = &plan->value[l->read[r].value];
        wf_text_add(out, "    reads  %%%d %s ", l->read[r].value, wf_dtype_name(v->dtype));
        add_grid(out, &v->grid);
        if (v->layer >= 0) wf_text_add(out, " from layer %d", v->layer);
        else wf_text_add(out, v->direct ? " in place" : " computed before");
        wf_text_add(out, "\n");
    }
}

static void add_layer(const wf_plan *plan, int number, bool programs, wf_text *out)
{
    const wf_layer *l = &plan->layer[number];
    wf_text_add(out, "  layer %d: %s", number, l->name);
    if (strcmp(l->name, wf_layer_kind_name(l->kind)) != 0)
        wf_text_add(out, " (%s)", wf_layer_kind_name(l->kind));
    if (l->label) wf_text_add(out, " \"%s\"", l->label);
    wf_text_add(out, ", %" PRId64 " task%s over ", l->ntask, l->ntask == 1 ? "" : "s");
    add_grid(out, &l->tasks);
    if (l->step_axis >= 0)
        wf_text_add(out, ", %" PRId64 " step%s", l->step.nblock, l->step.nblock == 1 ? "" : "s");
    wf_text_add(out, ", ");
    add_bytes(out, (double)l->task_bytes);
    wf_text_add(out, " a task\n");
    add_reads(plan, l, out);
    for (int k = 0; k < l->nwrite; k++) {
        const wf_value *v = &plan->value[l->write[k]];
        wf_text_add(out, "    writes %%%d %s ", l->write[k], wf_dtype_name(v->dtype));
        add_grid(out, &v->grid);
        wf_text_add(out, v->keep ? " (result)\n" : "\n");
    }
    for (int p = 0; p < l->npart && programs; p++) {
        wf_text_add(out, "    program%s\n", l->npart > 1 ? " of a part" : "");
        wf_program_print(l->part[p].program, out);
    }
}

static const struct {
    const char *name;
    unsigned bit;
} known[] = { { "share", WF_PASS_SHARE }, { "prune", WF_PASS_PRUNE }, { "fold", WF_PASS_FOLD },
              { "push", WF_PASS_PUSH },   { "fuse", WF_PASS_FUSE },   { "align", WF_PASS_ALIGN },
              { "group", WF_PASS_GROUP } };

static void add_disabled(unsigned disable, wf_text *out)
{
    if (!disable) return;
    wf_text_add(out, "  disabled:");
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (disable & known[i].bit) wf_text_add(out, " %s", known[i].name);
    wf_text_add(out, "\n");
}

void wf_plan_print(const wf_plan *plan, const wf_plan_options *opts, bool programs, wf_text *out)
{
    wf_text_add(out, "plan: %d layer%s, %" PRId64 " tasks, %d program%s\n", plan->nlayer,
                plan->nlayer == 1 ? "" : "s", plan->ntask, plan->nprogram,
                plan->nprogram == 1 ? "" : "s");
    for (int l = 0; l < plan->nlayer; l++) add_layer(plan, l, programs, out);
    wf_text_add(out, "  bound: ");
    add_bytes(out, (double)plan->task_bytes);
    wf_text_add(out, " for one task%s%s, %d at once, limit ", plan->bound_by ? " of " : "",
                plan->bound_by ? plan->bound_by : "", opts->slots);
    add_bytes(out, (double)opts->budget_all);
    wf_text_add(
        out,
        "\n  shapes: 500 by 64 is an axis of 500 in blocks of 64, 400 one of 400 in one block\n");
    add_disabled(opts->disable, out);
}

weft_status wf_pass_parse(const char *names, unsigned *out)
{
    unsigned bits = 0;
    while (names && *names) {
        size_t n = strcspn(names, ", ");
        unsigned bit = 0;
        for (size_t i = 0; i < sizeof known / sizeof *known; i++)
            if (strlen(known[i].name) == n && memcmp(known[i].name, names, n) == 0)
                bit = known[i].bit;
        if (n && !bit)
            return wf_fail(
                WEFT_INVALID,
                "disable: unknown pass '%.*s'; known: share prune fold push fuse align group",
                (int)n, names);
        bits |= bit;
        names += n + strspn(names + n, ", ");
    }
    *out = bits;
    return WEFT_OK;
}
