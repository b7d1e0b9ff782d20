# SPDX-License-Identifier: Apache-2.0
# discover - writes the ctest entries of one GoogleTest program: one per TEST, and one per TEST_P or typed suite with all
# its instances together, so that thousands of parameters do not mean thousands of processes.
# Input: PROGRAM, OUT, LABELS, ROOM, TIMEOUT, ENV (comma-separated NAME=VALUE).
execute_process(COMMAND ${PROGRAM} --gtest_list_tests OUTPUT_VARIABLE listing RESULT_VARIABLE failed)
if(failed)
  message(FATAL_ERROR "${PROGRAM} --gtest_list_tests failed: ${failed}")
endif()
string(REPLACE ";" "_" listing "${listing}")
string(REPLACE "\n" ";" lines "${listing}")
string(REPLACE "," ";" env "${ENV}")

set(suite "")
set(filters "")
foreach(line IN LISTS lines)
  string(REGEX REPLACE " *#.*" "" line "${line}")  # "# GetParam() = ..."
  if(line MATCHES "^[^ ].*\\.$")
    set(suite "${line}")
  elseif(line MATCHES "^  (.+)")
    set(name "${CMAKE_MATCH_1}")
    if(suite MATCHES "/" AND NOT name MATCHES "/")  # typed suite: one entry for all its types
      string(REGEX REPLACE "/[^/]*\\.$" "/*." wide "${suite}")
      list(APPEND filters "${wide}${name}")
    else()
      string(REGEX REPLACE "/.*" "/*" name "${name}")
      list(APPEND filters "${suite}${name}")
    endif()
  endif()
endforeach()
list(REMOVE_DUPLICATES filters)

set(labels ${LABELS} ${ROOM})
list(REMOVE_DUPLICATES labels)
set(text "")
foreach(filter IN LISTS filters)
  string(REPLACE "/*" "" shown "${filter}")
  # Only a test that is alone in its entry can be called skipped: among several, a failure must not hide behind a skip.
  set(skip "")
  if(NOT filter MATCHES "/\\*")
    set(skip "SKIP_REGULAR_EXPRESSION [==[\\[  SKIPPED \\]]==]")
  endif()
  string(APPEND text "add_test([==[${ROOM}.${shown}]==] [==[${PROGRAM}]==] [==[--gtest_filter=${filter}]==])\n"
    "set_tests_properties([==[${ROOM}.${shown}]==] PROPERTIES LABELS [==[${labels}]==] TIMEOUT ${TIMEOUT} "
    "${skip} ENVIRONMENT [==[${env}]==])\n")
endforeach()
file(WRITE ${OUT} "${text}")
