// SPDX-License-Identifier: Apache-2.0
// op - what program.c asks of the dtype rules beyond program.h.
#ifndef WF_ARRAY_OP_H
#define WF_ARRAY_OP_H

#include "kernel.h"

// The dtype of what OP makes when computed in DTYPE: bool for comparisons, the real dtype for ABS
// of complex, else DTYPE.
weft_dtype wf_op_result(wf_op op, weft_dtype dtype);

#endif
