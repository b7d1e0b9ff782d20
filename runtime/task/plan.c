// SPDX-License-Identifier: Apache-2.0
// plan - life of a plan.
#include "task/plan.h"

void wf_plan_retain(wf_plan *plan) { __atomic_add_fetch(&plan->refs, 1, __ATOMIC_RELAXED); }

void wf_plan_release(wf_plan *plan)
{
    if (!plan || __atomic_sub_fetch(&plan->refs, 1, __ATOMIC_ACQ_REL) > 0) return;
    for (int v = 0; v < plan->nvalue; v++) {
        wf_grid_fini(&plan->value[v].grid);
        wf_free(plan->value[v].reader);
    }
    for (int l = 0; l < plan->nlayer; l++) wf_layer_fini(&plan->layer[l]);
    wf_free(plan->value);
    wf_free(plan->layer);
    wf_free(plan->root);
    wf_free(plan->root_layer);
    wf_free(plan->derived);
    wf_free(plan->key);
    wf_free(plan);
}

void wf_plan_derive(const wf_plan *plan, wf_scalar *param)
{
    for (int k = 0; k < plan->nderived; k++) {
        const wf_derived *d = &plan->derived[k];
        uint64_t a = param[d->a].u, b = d->b < 0 ? (uint64_t)d->number : param[d->b].u;
        param[plan->nparam + k] = (wf_scalar){ .u = d->op == WF_OP_ADD        ? a + b
                                                    : d->op == WF_OP_SUBTRACT ? a - b
                                                                              : a * b };
    }
}
