# SPDX-License-Identifier: Apache-2.0
# embed - writes OUT, a C header that holds the text of FILES (a list joined by "|") under their names: for kernels that are compiled at run
# time. usage: cmake -DFILES=A|B -DOUT=FILE -P embed.cmake
string(REPLACE "|" ";" FILES "${FILES}")
set(texts "")
set(names "")
set(pointers "")
set(count 0)
foreach(file IN LISTS FILES)
  get_filename_component(name ${file} NAME)
  file(READ ${file} hex HEX)
  string(REGEX REPLACE "([0-9a-f][0-9a-f])" "0x\\1," bytes "${hex}")
  string(APPEND texts "// ${name}\nstatic const char wf_cuda_text_${count}[] = { ${bytes}0 };\n")
  string(APPEND names "    \"${name}\",\n")
  string(APPEND pointers "    wf_cuda_text_${count},\n")
  math(EXPR count "${count} + 1")
endforeach()
file(WRITE ${OUT}.new "// Made from kernels/cuda by include/cmake/embed.cmake.\nenum { WF_CUDA_NHEADER = ${count} };\n${texts}"
  "static const char *const wf_cuda_header_name[] = {\n${names}};\nstatic const char *const wf_cuda_header_text[] = {\n${pointers}};\n")
file(RENAME ${OUT}.new ${OUT})
