// SPDX-License-Identifier: Apache-2.0
// dtype - sizes, names and promotion of element types.
#ifndef WF_ARRAY_DTYPE_H
#define WF_ARRAY_DTYPE_H

#include "base/error.h"

// Bytes of one element; 0 for a number that is no dtype.
size_t wf_dtype_size(weft_dtype dtype);
const char *wf_dtype_name(weft_dtype dtype);  // "float32"; "?" for none
char wf_dtype_kind(weft_dtype dtype);         // 'b' 'i' 'u' 'f' 'c'; 0 for none
bool wf_dtype_is_valid(weft_dtype dtype);
static inline bool wf_dtype_is_half(weft_dtype d)
{
    return d == WEFT_FLOAT16 || d == WEFT_BFLOAT16;
}

// Finds a dtype by its name; also NumPy's short codes "f4", "<f8", "?", "i8", "u1", "c16", "bool_", "float", "int", "complex".
// Fails with WEFT_INVALID naming TEXT.
weft_status wf_dtype_parse(const char *text, weft_dtype *out);

// NumPy's promotion table (NEP 50) for two arrays; never fails for valid dtypes. bfloat16 with float16 gives float32;
// bfloat16 with an integer follows float16's row except that 8-bit integers give bfloat16.
weft_dtype wf_dtype_promote(weft_dtype a, weft_dtype b);
weft_dtype wf_dtype_real(weft_dtype d);  // complex64 -> float32, complex128 -> float64, else itself
weft_dtype wf_dtype_complex(weft_dtype d);  // float32/16 bit -> complex64, else complex128
weft_dtype wf_dtype_float(
    weft_dtype
        d);  // NumPy: bool,int8,uint8 -> float16; (u)int16 -> float32; other ints -> float64; else itself
weft_dtype wf_dtype_compute(weft_dtype d);  // 16-bit floats -> float32, else itself

// Whether FROM converts to TO without losing value or kind (NumPy casting="safe").
bool wf_dtype_can_cast(weft_dtype from, weft_dtype to);

#endif
