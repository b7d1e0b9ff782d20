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

// The link that OP is when the chain's value is its argument number ARG (both arguments: 2).
static wf_link_op find_link_op(wf_op op, int arg)
{
    switch (op) {
    case WF_OP_ADD: return arg < 2 ? WF_LINK_ADD : WF_LINK_NONE;
    case WF_OP_SUBTRACT:
        return arg == 0 ? WF_LINK_SUBTRACT : arg == 1 ? WF_LINK_SUBTRACT_FROM : WF_LINK_NONE;
    case WF_OP_MULTIPLY: return arg < 2 ? WF_LINK_MULTIPLY : WF_LINK_SQUARE;
    case WF_OP_DIVIDE:
        return arg == 0 ? WF_LINK_DIVIDE : arg == 1 ? WF_LINK_DIVIDE_INTO : WF_LINK_NONE;
    case WF_OP_SQUARE: return WF_LINK_SQUARE;
    case WF_OP_NEGATIVE: return WF_LINK_NEGATE;
    case WF_OP_ABS: return WF_LINK_ABS;
    case WF_OP_SQRT: return WF_LINK_SQRT;
    case WF_OP_EXP: return WF_LINK_EXP;
    default: return WF_LINK_NONE;
    }
}

// A chain in the making: VALUE goes through it, ASIDE waits (-1: none). Up to SURE links, of which
// SURE_LAST is the last step, nothing waits: there it may end.
typedef struct chain {
    weft_dtype dtype;
    int value, aside, nlink, sure, nstep, sure_steps;
    int16_t step[WF_CHAIN_LINKS];
    wf_eval_link *link;
} chain;

static bool is_link(const wf_eval_step *step, weft_dtype dtype)
{
    const wf_instr *instr = &step->instr;
    return instr->kind == WF_INSTR_MAP && instr->dtype == dtype && instr->result == dtype &&
           find_link_op((wf_op)instr->op, 0) != WF_LINK_NONE;
}

static bool has_two_args(const wf_eval_step *step)
{
    return wf_op_arity((wf_op)step->instr.op) == 2;
}

// Adds STEP acting on the chain's value; false where it cannot. ALONE: that value exists nowhere but
// in the chain, and STEP must be its only reader.
static bool add_link(const wf_eval *eval, chain *c, int step, bool alone, const int16_t *uses)
{
    const wf_eval_step *s = &eval->step[step];
    const int16_t *arg = s->instr.arg;
    bool two = has_two_args(s), twice = two && arg[0] == arg[1] && arg[0] == c->value;
    int at = arg[0] == c->value ? 0 : 1, other = two && !twice ? arg[1 - at] : -1;

    if (c->nlink == WF_CHAIN_LINKS || (at == 1 && (!two || arg[1] != c->value))) return false;
    if (alone && uses[c->value] != (twice ? 2 : 1)) return false;
    wf_link_op op = find_link_op((wf_op)s->instr.op, alone && twice ? 2 : at);
    if (twice && !alone) other = c->value;  // still in memory
    if (op == WF_LINK_NONE) return false;
    wf_link_from from = WF_LINK_MEMORY;
    if (other >= 0 && other == c->aside) {
        from = WF_LINK_ASIDE;
        c->aside = other = -1;
    } else if (other >= 0 && eval->is_fixed[other]) {
        from = WF_LINK_FIXED;
    }
    c->link[c->nlink++] = (wf_eval_link){ op, from, (int16_t)other };
    c->step[c->nstep++] = (int16_t)step;
    c->value = s->value;
    if (c->aside < 0) {
        c->sure = c->nlink;
        c->sure_steps = c->nstep;
    }
    return true;
}

// The argument of STEP that changes with the elements, where a branch can begin.
static int first_value(const wf_eval *eval, const wf_eval_step *step)
{
    return step->instr.arg[eval->is_fixed[step->instr.arg[0]] && has_two_args(step) ? 1 : 0];
}

// Sets the value aside and begins another branch with STEP, which does not read it.
static bool set_aside(const wf_eval *eval, chain *c, int step, const int16_t *uses)
{
    const int16_t *arg = eval->step[step].instr.arg;

    if (c->aside >= 0 || c->nlink + 3 > WF_CHAIN_LINKS || uses[c->value] != 1) return false;
    if (arg[0] == c->value || (has_two_args(&eval->step[step]) && arg[1] == c->value)) return false;
    int from = first_value(eval, &eval->step[step]);
    c->link[c->nlink++] = (wf_eval_link){ WF_LINK_SET_ASIDE, WF_LINK_MEMORY, (int16_t)from };
    c->aside = c->value;
    c->value = from;
    return add_link(eval, c, step, false, uses);
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
    wf_eval_step *first = &eval->step[i];
    int start = first_value(eval, first);
    chain c = { .dtype = (weft_dtype)first->instr.dtype,
                .value = start,
                .aside = -1,
                .link = &eval->link[eval->nlink] };

    if (!add_link(eval, &c, i, false, uses)) return i;
    for (int j = next_step(eval, i); j < eval->nstep; j = next_step(eval, j))
        if (!is_link(&eval->step[j], c.dtype) ||
            (!add_link(eval, &c, j, true, uses) && !set_aside(eval, &c, j, uses)))
            break;
    if (c.sure_steps == 1) return i;
    for (int s = 0; s < c.sure_steps - 1; s++) eval->step[c.step[s]].skipped = true;
    wf_eval_step *last = &eval->step[c.step[c.sure_steps - 1]];
    last->chain = eval->table->chain[c.dtype];
    last->chain_value = (int16_t)start;
    last->link = (int16_t)eval->nlink;
    last->nlink = (int16_t)c.sure;
    eval->nlink += c.sure;
    return c.step[c.sure_steps - 1];
}

static bool begins_chain(const wf_eval *eval, const wf_eval_step *step)
{
    weft_dtype dtype = (weft_dtype)step->instr.dtype;
    return !step->fixed && eval->table->chain[dtype] && is_link(step, dtype);
}

void wf_eval_find_chains(wf_eval *eval)
{
    int16_t uses[WF_EVAL_VALUES];
    int kept = 0;

    eval->nlink = 0;
    if (eval->max_n < SHORT_STRIP || eval->nstep < 2) return;
    count_uses(eval, uses);
    for (int i = 0; i < eval->nstep; i++)
        if (begins_chain(eval, &eval->step[i])) i = collect(eval, i, uses);
    for (int i = 0; i < eval->nstep; i++)
        if (!eval->step[i].skipped) eval->step[kept++] = eval->step[i];
    eval->nstep = kept;
}
