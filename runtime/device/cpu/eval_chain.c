// SPDX-License-Identifier: Apache-2.0
// eval_chain - finds runs of cheap steps, each the only reader of the one before, and makes one
// step of each run. The last step stays and does it all: operands are still where they were, for
// what would have taken their buffers is no longer written.
#include <string.h>

#include "array/dtype.h"
#include "device/cpu/eval.h"

#define SHORT_STRIP 64  // not worth a chain

// How often each value is read.
static void count_uses(const wf_eval *eval, int16_t *uses)
{
    memset(uses, 0, (size_t)eval->nvalue * sizeof *uses);
    for (int i = 0; i < eval->nstep; i++) {
        const wf_instr *instr = &eval->step[i].instr;
        int nargs = instr->kind == WF_INSTR_MAP ? wf_op_arity((wf_op)instr->op) : 1;
        for (int a = 0; a < nargs; a++)
            if (instr->arg[a] >= 0) uses[instr->arg[a]]++;
    }
    for (int i = 0; i < eval->nsink; i++) uses[eval->sink[i].value]++;
}

static bool is_link(const wf_eval_step *step)
{
    const wf_instr *instr = &step->instr;
    return !step->fixed && instr->kind == WF_INSTR_MAP && instr->result == instr->dtype &&
           wf_chain_find_op((wf_op)instr->op, 0) != WF_CHAIN_NONE;
}

// Sets LINK to STEP acting on VALUE; false where it cannot. ALONE: VALUE exists nowhere but in the
// chain.
static bool make_link(const wf_eval *eval, const wf_eval_step *step, int value, bool alone,
                      wf_eval_link *link)
{
    const wf_instr *instr = &step->instr;
    int arity = wf_op_arity((wf_op)instr->op), arg = instr->arg[0] == value ? 0 : 1;

    if (arg == 1 && (arity < 2 || instr->arg[1] != value)) return false;
    if (alone && arity == 2 && instr->arg[0] == instr->arg[1]) arg = 2;
    link->op = wf_chain_find_op((wf_op)instr->op, arg);
    link->value = arity == 1 || arg == 2 ? -1 : instr->arg[1 - arg];
    link->fixed = link->value >= 0 && eval->is_fixed[link->value];
    return link->op != WF_CHAIN_NONE;
}

// The next step after I that runs for each strip; nstep: none.
static int next_step(const wf_eval *eval, int i)
{
    for (i++; i < eval->nstep && eval->step[i].fixed;) i++;
    return i;
}

// Collects the chain that begins with step I; returns its last step, and drops the others when
// there are any.
static int collect(wf_eval *eval, int i, const int16_t *uses)
{
    wf_eval_step *first = &eval->step[i], *last = first;
    wf_eval_link *link = &eval->link[eval->nlink];
    int value = first->instr.arg[eval->is_fixed[first->instr.arg[0]] ? 1 : 0], n = 1;

    if (!make_link(eval, first, value, false, &link[0])) return i;
    for (int j = next_step(eval, i); j < eval->nstep && n < WF_CHAIN_LINKS;
         j = next_step(eval, j)) {
        wf_eval_step *step = &eval->step[j];
        bool twice = step->instr.arg[0] == last->value && step->instr.arg[1] == last->value &&
                     step->instr.arg[0] >= 0 && wf_op_arity((wf_op)step->instr.op) == 2;
        if (!is_link(step) || step->instr.dtype != first->instr.dtype ||
            uses[last->value] != (twice ? 2 : 1))
            break;
        if (!make_link(eval, step, last->value, true, &link[n])) break;
        last->skipped = true;
        last = step;
        i = j;
        n++;
    }
    if (n == 1) return i;
    last->chain = wf_chain_find(eval->table, (weft_dtype)first->instr.dtype);
    last->chain_value = (int16_t)value;
    last->link = (int16_t)eval->nlink;
    last->nlink = (int16_t)n;
    eval->nlink += n;
    return i;
}

void wf_eval_find_chains(wf_eval *eval)
{
    int16_t uses[WF_EVAL_VALUES];
    int kept = 0;

    eval->nlink = 0;
    if (eval->max_n < SHORT_STRIP || eval->nstep < 2) return;
    count_uses(eval, uses);
    for (int i = 0; i < eval->nstep; i++)
        if (is_link(&eval->step[i]) &&
            wf_chain_find(eval->table, (weft_dtype)eval->step[i].instr.dtype))
            i = collect(eval, i, uses);
    for (int i = 0; i < eval->nstep; i++)
        if (!eval->step[i].skipped) eval->step[kept++] = eval->step[i];
    eval->nstep = kept;
}
