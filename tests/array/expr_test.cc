// SPDX-License-Identifier: Apache-2.0
// expr_test - the expression language: what parses to what, what does not and why, and the way back to text.
#include <gtest/gtest.h>

#include <clocale>
#include <cmath>
#include <set>
#include <string>
#include <vector>

extern "C" {
#include "array/expr.h"
}

namespace {

// A tree that frees itself.
struct Parsed {
    wf_expr *e = nullptr;
    weft_status status;
    explicit Parsed(const std::string &text, const char *where = nullptr)
        : status(wf_expr_parse(text.data(), static_cast<int64_t>(text.size()), where, &e)) {}
    ~Parsed() { wf_expr_destroy(e); }
    Parsed(const Parsed &) = delete;
    Parsed &operator=(const Parsed &) = delete;
};

std::string Take(wf_text *text) {
    char *data = wf_text_take(text);
    std::string s = data ? data : "";
    wf_free(data);
    return s;
}

std::string Print(const wf_expr *e, int32_t node = -1) {
    wf_text text = {};
    wf_expr_print(e, node, &text);
    return Take(&text);
}

// The tree as nested lists: (add a (multiply b 2)).
std::string Dump(const wf_expr *e, int32_t node) {
    if (node < 0) return "_";
    const wf_expr_node &n = e->node[node];
    std::string text = wf_expr_text(e, node), s;
    switch (n.kind) {
    case WF_EXPR_ATTR: s = "(." + text; break;
    case WF_EXPR_METHOD: s = "(." + text + "()"; break;
    case WF_EXPR_CALL: s = "(" + text + "()"; break;
    case WF_EXPR_KEYWORD: s = "(" + text + "="; break;
    case WF_EXPR_ASSIGN: s = "(set " + text; break;
    case WF_EXPR_UNARY:
    case WF_EXPR_BINARY: s = "(" + text; break;
    case WF_EXPR_TUPLE: s = "(tuple"; break;
    case WF_EXPR_LIST: s = "(list"; break;
    case WF_EXPR_INDEX: s = "(index"; break;
    case WF_EXPR_SLICE: s = "(slice"; break;
    default: return Print(e, node);
    }
    for (int32_t i = 0; i < n.nchild; i++) s += " " + Dump(e, wf_expr_child(e, node, i));
    return s + ")";
}

std::string Tree(const std::string &text) {
    Parsed p(text);
    if (p.status != WEFT_OK) return wf_last_error();
    std::string s;
    for (int32_t i = 0; i < p.e->nstatement; i++) s += (i ? " ; " : "") + Dump(p.e, p.e->statement[i]);
    return s;
}

// The sentence of the failure; says so if there is none or the output was touched.
std::string Error(const std::string &text, const char *where = nullptr) {
    Parsed p(text, where);
    if (p.status == WEFT_OK) return "accepted: " + Print(p.e);
    EXPECT_EQ(p.status, WEFT_INVALID);
    EXPECT_EQ(p.e, nullptr);
    return wf_last_error();
}

struct Pair {
    const char *text, *expected;
};

std::string Repeat(const std::string &s, int n) {
    std::string out;
    for (int i = 0; i < n; i++) out += s;
    return out;
}

TEST(Expr, OperatorsBindAsInPython) {
    static const Pair table[] = {
        {"a + b * c", "(add a (multiply b c))"},
        {"a - b - c", "(subtract (subtract a b) c)"},
        {"a ** b ** c", "(pow a (pow b c))"},
        {"-a ** 2", "(negative (pow a 2))"},
        {"2 ** -a", "(pow 2 (negative a))"},
        {"-2 ** 2", "(negative (pow 2 2))"},
        {"(-2) ** 2", "(pow -2 2)"},
        {"~a + b", "(add (bitwise_invert a) b)"},
        {"-a.T", "(negative (.T a))"},
        {"-a[0] ** b.T", "(negative (pow (index a 0) (.T b)))"},
        {"a / b // c % d @ e", "(matmul (remainder (floor_divide (divide a b) c) d) e)"},
        {"a << b + c >> d", "(bitwise_right_shift (bitwise_left_shift a (add b c)) d)"},
        {"a | b ^ c & d", "(bitwise_or a (bitwise_xor b (bitwise_and c d)))"},
        {"a & b == c", "(equal (bitwise_and a b) c)"},
        {"a | b < c + d", "(less (bitwise_or a b) (add c d))"},
        {"a << 1 & 3", "(bitwise_and (bitwise_left_shift a 1) 3)"},
        {"(a < b) < c", "(less (less a b) c)"},
        {"a <= b", "(less_equal a b)"},
        {"a >= b", "(greater_equal a b)"},
        {"a > b", "(greater a b)"},
        {"a != b", "(not_equal a b)"},
        {"+a", "(positive a)"},
        {"- - a", "(negative (negative a))"},
        {"a - -b", "(subtract a (negative b))"},
        {"a*-b**-c", "(multiply a (negative (pow b (negative c))))"},
        {"-a + b", "(add (negative a) b)"},
        {"a @ b.T * 2", "(multiply (matmul a (.T b)) 2)"},
    };
    for (const Pair &p : table) EXPECT_EQ(Tree(p.text), p.expected) << p.text;
}

TEST(Expr, ReadsCallsMethodsAndAttributes) {
    static const Pair table[] = {
        {"mean(sqrt(u**2 + v**2), axis=0)", "(mean() (sqrt() (add (pow u 2) (pow v 2))) (axis= 0))"},
        {"np.sqrt(x)", "(sqrt() x)"},
        {"numpy.pi", "pi"},
        {"xp.exp(x).sum(axis=(0, -1))", "(.sum() (exp() x) (axis= (tuple 0 -1)))"},
        {"np.random.normal((3, 4), seed=7)", "(random.normal() (tuple 3 4) (seed= 7))"},
        {"np.linalg.norm(x)", "(linalg.norm() x)"},
        {"random.normal(3)", "(.normal() random 3)"},
        {"x.T.real", "(.real (.T x))"},
        {"x.shape[0]", "(index (.shape x) 0)"},
        {"f()", "(f())"},
        {"f(a,)", "(f() a)"},
        {"pad(x, 1, mode='edge')", "(pad() x 1 (mode= 'edge'))"},
        {"f(a, b = c == d)", "(f() a (b= (equal c d)))"},
        {"concat([a, b], axis=0)", "(concat() (list a b) (axis= 0))"},
        {"x.astype('float32')", "(.astype() x 'float32')"},
        {"(a + b).mean()", "(.mean() (add a b))"},
        {"np", "np"},
        {"zeros(())", "(zeros() (tuple))"},
        {"f\\\n(a)", "(f() a)"},
        {"f(a,\n  # a comment ) here\n  b)", "(f() a b)"},
    };
    for (const Pair &p : table) EXPECT_EQ(Tree(p.text), p.expected) << p.text;
}

TEST(Expr, ReadsEveryFormOfIndex) {
    static const Pair table[] = {
        {"u[0]", "(index u 0)"},
        {"u[1:-1, ::2, ..., None, idx]", "(index u (slice 1 -1 _) (slice _ _ 2) ... None idx)"},
        {"u[:]", "(index u (slice _ _ _))"},
        {"u[::]", "(index u (slice _ _ _))"},
        {"u[a:]", "(index u (slice a _ _))"},
        {"u[:b]", "(index u (slice _ b _))"},
        {"u[a::c]", "(index u (slice a _ c))"},
        {"u[:b:c]", "(index u (slice _ b c))"},
        {"u[a:b:]", "(index u (slice a b _))"},
        {"u[n//2:, -1]", "(index u (slice (floor_divide n 2) _ _) -1)"},
        {"u[(1, 2)]", "(index u 1 2)"},
        {"u[(1, 2), 3]", "(index u (tuple 1 2) 3)"},
        {"u[(1, 2),]", "(index u (tuple 1 2))"},
        {"u[1,]", "(index u 1)"},
        {"u[()]", "(index u)"},
        {"u[[1, 2]]", "(index u (list 1 2))"},
        {"u[u > 0]", "(index u (greater u 0))"},
        {"u[0][1:]", "(index (index u 0) (slice 1 _ _))"},
        {"u[-1,0] + u[1,0]", "(add (index u -1 0) (index u 1 0))"},
        {"(a, b)[0]", "(index (tuple a b) 0)"},
        {"u[np.newaxis]", "(index u newaxis)"},
        {"u[v[1:2]:]", "(index u (slice (index v (slice 1 2 _)) _ _))"},
    };
    for (const Pair &p : table) EXPECT_EQ(Tree(p.text), p.expected) << p.text;
}

TEST(Expr, ReadsStatements) {
    static const Pair table[] = {
        {"m = mean(u); s = std(u)", "(set m (mean() u)) ; (set s (std() u))"},
        {"d = log(spot/strike) + rate\nresult = where(d > 0, spot - strike*exp(-rate), 0*vol)\n",
         "(set d (add (log() (divide spot strike)) rate)) ; (set result (where() (greater d 0) (subtract spot "
         "(multiply strike (exp() (negative rate)))) (multiply 0 vol)))"},
        {"\n\n  a ;; b ;\r\n c # the end", "a ; b ; c"},
        {"a, b", "(tuple a b)"},
        {"p = a,", "(set p (tuple a))"},
        {"x = x == y", "(set x (equal x y))"},
        {"(a\n + b)", "(add a b)"},
    };
    for (const Pair &p : table) EXPECT_EQ(Tree(p.text), p.expected) << p.text;
}

TEST(Expr, ReadsNumbers) {
    struct {
        const char *text;
        int kind;
        double value;
    } table[] = {
        {"0", WF_EXPR_INT, 0},          {"00", WF_EXPR_INT, 0},          {"1_000", WF_EXPR_INT, 1000},
        {"0xff", WF_EXPR_INT, 255},     {"0X_fF", WF_EXPR_INT, 255},     {"0o17", WF_EXPR_INT, 15},
        {"0b101", WF_EXPR_INT, 5},      {"-7", WF_EXPR_INT, -7},         {"1e-3", WF_EXPR_FLOAT, 1e-3},
        {"1.", WF_EXPR_FLOAT, 1},       {".5", WF_EXPR_FLOAT, .5},       {"1_0.2_5e+0_2", WF_EXPR_FLOAT, 1025},
        {"1E5", WF_EXPR_FLOAT, 1e5},    {"0.1", WF_EXPR_FLOAT, 0.1},     {"007.5", WF_EXPR_FLOAT, 7.5},
        {"2j", WF_EXPR_IMAG, 2},        {"1.5e1J", WF_EXPR_IMAG, 15},    {"-1.5", WF_EXPR_FLOAT, -1.5},
        {"1e999", WF_EXPR_FLOAT, HUGE_VAL}, {"5e-324", WF_EXPR_FLOAT, 5e-324}, {"--3", WF_EXPR_INT, 3},
        {"True", WF_EXPR_BOOL, 1},      {"False", WF_EXPR_BOOL, 0},      {"+4", WF_EXPR_INT, 4},
    };
    for (auto &row : table) {
        Parsed p(row.text);
        ASSERT_EQ(p.status, WEFT_OK) << row.text << ": " << wf_last_error();
        const wf_expr_node &n = p.e->node[p.e->statement[0]];
        EXPECT_EQ(n.kind, row.kind) << row.text;
        bool real = n.kind == WF_EXPR_FLOAT || n.kind == WF_EXPR_IMAG;
        EXPECT_EQ(real ? n.as.f : static_cast<double>(n.as.i), row.value) << row.text;
    }
}

TEST(Expr, ReadsTheWholeRangeOfInt64AndNoMore) {
    Parsed most("9223372036854775807"), least("-9223372036854775808"), hex("-0x8000000000000000");

    ASSERT_EQ(most.status, WEFT_OK);
    EXPECT_EQ(most.e->node[most.e->statement[0]].as.i, INT64_MAX);
    ASSERT_EQ(least.status, WEFT_OK);
    EXPECT_EQ(least.e->node[least.e->statement[0]].as.i, INT64_MIN);
    ASSERT_EQ(hex.status, WEFT_OK);
    EXPECT_EQ(hex.e->node[hex.e->statement[0]].as.i, INT64_MIN);
    EXPECT_EQ(Tree("--9223372036854775808"), "(negative -9223372036854775808)");
    EXPECT_EQ(Tree("(-9223372036854775808)**2"), "(pow -9223372036854775808 2)");
    EXPECT_EQ(Error("9223372036854775808"), "expression, column 1: integer 9223372036854775808 does not fit in int64; a float "
                                            "is written with a point or an exponent");
    EXPECT_EQ(Error("-9223372036854775808**2"), "expression, column 2: integer 9223372036854775808 does not fit in int64");
    EXPECT_EQ(Error("-(9223372036854775808)").substr(0, 23), "expression, column 3: i");
    EXPECT_EQ(Error("x + 99999999999999999999999999999999999999999999"),
              "expression, column 5: integer 9999999999999999999999999999999999999999... does not fit in int64; a float is "
              "written with a point or an exponent");
    EXPECT_EQ(Error("0x1ffffffffffffffff").substr(0, 23), "expression, column 1: i");
}

TEST(Expr, ReadsNumbersAlikeUnderEveryLocale) {
    std::string before = std::setlocale(LC_ALL, nullptr);
    if (!std::setlocale(LC_ALL, "de_DE.UTF-8") && !std::setlocale(LC_ALL, "fr_FR.UTF-8"))
        GTEST_SKIP() << "no locale with a decimal comma is installed";

    Parsed p("1.5 + 0.25");
    std::string printed = p.status == WEFT_OK ? Print(p.e) : wf_last_error();
    double value = p.status == WEFT_OK ? p.e->node[0].as.f : 0;
    std::setlocale(LC_ALL, before.c_str());

    EXPECT_EQ(printed, "1.5 + 0.25");
    EXPECT_EQ(value, 1.5);
}

TEST(Expr, ReadsStrings) {
    static const Pair table[] = {
        {"'edge'", "edge"},       {"\"it's\"", "it's"}, {"'a\\'b\\\\c\\n\\t\\r\\\"'", "a'b\\c\n\t\r\""},
        {"'\xc3\xa9t\xc3\xa9'", "\xc3\xa9t\xc3\xa9"}, {"''", ""},
    };
    for (const Pair &row : table) {
        Parsed p(row.text);
        ASSERT_EQ(p.status, WEFT_OK) << row.text << ": " << wf_last_error();
        EXPECT_EQ(p.e->node[0].kind, WF_EXPR_STRING);
        EXPECT_STREQ(wf_expr_text(p.e, 0), row.expected);
    }
}

TEST(Expr, ErrorsNameTheColumnWhatWasExpectedAndWhatCame) {
    static const Pair table[] = {
        {"", "expression, column 1: expected an expression, got end of text"},
        {" \n# nothing\n", "expression, line 2, column 10: expected an expression, got end of text"},
        {"sum(x", "expression, column 6: expected ')' to match '(' at column 4, got end of text"},
        {"(a+b", "expression, column 5: expected ')' to match '(' at column 1, got end of text"},
        {"u[1:2", "expression, column 6: expected ']' to match '[' at column 2, got end of text"},
        {"[a, b", "expression, column 6: expected ']' to match '[' at column 1, got end of text"},
        {"(a]", "expression, column 3: expected ')' to match '(' at column 1, got ']'"},
        {"f(a b)", "expression, column 5: expected ')' to match '(' at column 2, got 'b'"},
        {"a b", "expression, column 3: expected an operator or the end of the statement, got 'b'"},
        {"a +", "expression, column 4: expected a value, got end of text"},
        {"a + * b", "expression, column 5: expected a value, got '*'"},
        {"a)", "expression, column 2: ')' closes nothing that is open"},
        {"u[]", "expression, column 3: expected an index, got ']'"},
        {"(,)", "expression, column 2: expected a value, got ','"},
        {"f(,a)", "expression, column 3: expected a value, got ','"},
        {"u[1:2:3:4]", "expression, column 8: expected ']' to match '[' at column 2, got ':'"},
        {"a.", "expression, column 3: expected a name after '.', got end of text"},
        {"a.1", "expression, column 2: expected an operator or the end of the statement, got '.1'"},
        {"np.", "expression, column 4: expected a name after '.', got end of text"},
        {"...", "expression, column 1: '...' stands only inside an index, as in u[..., 0]"},
        {"a < b < c", "expression, column 7: comparisons do not chain: write (a < b) & (b < c)"},
        {"f(a == b != c)", "expression, column 10: comparisons do not chain: write (a < b) & (b < c)"},
        {"a and b", "expression, column 3: 'and' does not work on arrays: write (a) & (b) or logical_and(a, b)"},
        {"f(a or b)", "expression, column 5: 'or' does not work on arrays: write (a) | (b) or logical_or(a, b)"},
        {"not a", "expression, column 1: 'not' does not work on arrays: write ~(a) or logical_not(a)"},
        {"a if c else b", "expression, column 3: 'a if c else b' does not work on arrays: write where(c, a, b)"},
        {"a && b", "expression, column 3: '&&' is not an operator: write (a) & (b)"},
        {"a || b", "expression, column 3: '||' is not an operator: write (a) | (b)"},
        {"!a", "expression, column 1: unexpected '!': write ~a or logical_not(a)"},
        {"a is None", "expression, column 3: expected an operator or the end of the statement, got 'is', a word that Python "
                      "reserves"},
        {"lambda x: x", "expression, column 1: expected a value, got 'lambda', a word that Python reserves"},
        {"[x for x in y]", "expression, column 4: loops are not part of the language: arrays are computed as a whole"},
        {"{1: 2}", "expression, column 1: sets and dictionaries are not part of the language"},
        {"x += 1", "expression, column 3: '+=' is not part of the language: write name = name + value"},
        {"x **= 2", "expression, column 3: '**=' is not part of the language: write name = name ** value"},
        {"(x := 1)", "expression, column 4: ':=' is not part of the language: write name = value as a statement of its own"},
        {"u[0] = 1", "expression, column 6: only a name can be assigned to, as in name = value"},
        {"a = b = c", "expression, column 7: only a name can be assigned to, as in name = value"},
        {"None = 1", "expression, column 1: expected a name to assign to, got 'None', a word that Python reserves"},
        {"x =", "expression, column 4: expected a value, got end of text"},
        {"f(a=1, b)", "expression, column 8: a positional argument follows a keyword argument"},
        {"f(a=1, a=2)", "expression, column 8: keyword a is given twice"},
        {"f(if=1)", "expression, column 3: expected a keyword's name, got 'if', a word that Python reserves"},
        {"f(*a)", "expression, column 3: unpacking of arguments is not part of the language"},
        {"f(**a)", "expression, column 3: unpacking of arguments is not part of the language"},
        {"f(a)(b)", "expression, column 5: only functions and methods can be called; is an operator missing before '('?"},
        {"2(x)", "expression, column 2: only functions and methods can be called; is an operator missing before '('?"},
        {"2x", "expression, column 1: invalid number '2x'"},
        {"1__0", "expression, column 1: invalid number '1__0'"},
        {"1_", "expression, column 1: invalid number '1_'"},
        {"0x", "expression, column 1: invalid number '0x'"},
        {"0b12", "expression, column 1: invalid number '0b12'"},
        {"1e", "expression, column 1: invalid number '1e'"},
        {"1.5e+", "expression, column 1: invalid number '1.5e'"},
        {"012", "expression, column 1: integer 012 has leading zeros"},
        {"'abc", "expression, column 1: the string is not closed"},
        {"'abc\ndef'", "expression, line 1, column 1: the string is not closed"},
        {"'\\q'", "expression, column 2: unknown escape in a string: \\\\, \\', \\\", \\n, \\r and \\t are known"},
        {"a $ b", "expression, column 3: unexpected character '$'"},
        {"a \x01", "expression, column 3: unexpected control character 0x01"},
        {"\xce\xbc + 1", "expression, column 1: character '\xce\xbc' (U+03BC) outside a string: names are ASCII letters, digits "
                         "and _"},
        {"x\xe2\x88\x92y", "expression, column 2: character '\xe2\x88\x92' (U+2212) outside a string: names are ASCII letters, "
                           "digits and _"},
        {"'\xc3\xa9' + \xff", "expression, column 7: byte 0xff is not valid UTF-8"},
        {"'\xed\xa0\x80'", "expression, column 2: byte 0xed is not valid UTF-8"},
        {"'\xc0\x80'", "expression, column 2: byte 0xc0 is not valid UTF-8"},
        {"a = 1\nb = (2", "expression, line 2, column 7: expected ')' to match '(' at column 5, got end of text"},
        {"f(a,\n  b\n", "expression, line 2, column 4: expected ')' to match '(' at line 1, column 2, got end of text"},
        {"a +\nb", "expression, line 1, column 4: expected a value, got end of line"},
    };
    for (const Pair &p : table) EXPECT_EQ(Error(p.text), p.expected) << p.text;
}

TEST(Expr, ErrorsBeginWithTheNameOfTheText) {
    EXPECT_EQ(Error("a +", "kernel 'call'"), "kernel 'call', column 4: expected a value, got end of text");
}

TEST(Expr, RefusesBytesThatNoTextHolds) {
    EXPECT_EQ(Error(std::string("a\0b", 3)), "expression, column 2: unexpected control character 0x00");
    EXPECT_EQ(Error(std::string("'\0'", 3)), "expression, column 2: unexpected control character 0x00");
    wf_expr *e = nullptr;
    EXPECT_EQ(wf_expr_parse(nullptr, -1, nullptr, &e), WEFT_INVALID);
    EXPECT_STREQ(wf_last_error(), "expression: the text is NULL");
}

TEST(Expr, BoundsNestingHeightAndLength) {
    EXPECT_EQ(Tree(Repeat("(", 200) + "a" + Repeat(")", 200)), "a");
    EXPECT_EQ(Error(Repeat("(", 201) + "a" + Repeat(")", 201)), "expression, column 201: nested more than 200 levels deep");
    EXPECT_EQ(Error(Repeat("-", 100000) + "a"), "expression, column 201: nested more than 200 levels deep");
    EXPECT_EQ(Error(Repeat("a**", 100000) + "a"), "expression, column 602: nested more than 200 levels deep");
    EXPECT_EQ(Error(Repeat("a[", 100000)), "expression, column 402: nested more than 200 levels deep");
    EXPECT_EQ(Error(Repeat("f(-", 100000)), "expression, column 302: nested more than 200 levels deep");
    EXPECT_EQ(Parsed(Repeat("a+", 1000) + "a").status, WEFT_OK);
    EXPECT_EQ(Error(Repeat("a+", 1001) + "a"),
              "expression, column 2002: a chain of more than 1000 operations: assign a part of it to a name first");
    EXPECT_EQ(Error("a" + Repeat(".T", 1001)),
              "expression, column 2003: a chain of more than 1000 operations: assign a part of it to a name first");
    EXPECT_EQ(Error(Repeat(" ", 1 << 20) + "a"), "expression: a text of at most 1048576 bytes is accepted, got 1048577");
    EXPECT_EQ(Error("[" + Repeat("1,", 300000) + "]"), "expression, column 524290: more than 262144 parts");
    EXPECT_EQ(Error("1" + Repeat("0", 500) + ".5"), "expression, column 1: a number has more than 400 characters");
}

TEST(Expr, BoundsOnlyWhatIsNestedNotWhatFollows) {
    EXPECT_EQ(Parsed("[" + Repeat("(a), f(a), u[a], [a], (a,), -a, a**a, x.m(a), ", 300) + "]").status, WEFT_OK) << wf_last_error();
}

TEST(Expr, DeepestNestingOfEveryPrecedenceFitsTheStack) {
    std::string open, close;
    for (int i = 0; i < 100; i++) open += "a < a | a ^ a & a << a + a * -(", close += ")";

    Parsed p(open + "a < a" + close);

    ASSERT_EQ(p.status, WEFT_OK) << wf_last_error();
    EXPECT_EQ(Print(p.e), open + "a < a" + close);
}

TEST(Expr, PrintsWithTheBracketsThatAreNeeded) {
    static const Pair table[] = {
        {"((a+b))*c", "(a + b) * c"},
        {"a+(b*c)", "a + b * c"},
        {"a-(b-c)", "a - (b - c)"},
        {"(a**b)**c", "(a**b)**c"},
        {"a**(b**c)", "a**b**c"},
        {"(-a)**2", "(-a)**2"},
        {"-(a**2)", "-a**2"},
        {"a**(-b)", "a**-b"},
        {"(-1)**2", "(-1)**2"},
        {"(-1.5).T", "(-1.5).T"},
        {"(2).T", "(2).T"},
        {"(np).T", "(np).T"},
        {"-(a+b)", "-(a + b)"},
        {"(-a).T", "(-a).T"},
        {"(a<b)<c", "(a < b) < c"},
        {"a<(b<c)", "a < (b < c)"},
        {"a&(b|c)", "a & (b | c)"},
        {"(a)[0]", "a[0]"},
        {"(a+b)[1:,::2,...,None]", "(a + b)[1:, ::2, ..., None]"},
        {"u[(1,2),]", "u[(1, 2),]"},
        {"u[()]", "u[()]"},
        {"u[a:b:c,:,::]", "u[a:b:c, :, :]"},
        {"f( a,k = 'it\\'s' )", "f(a, k='it\\'s')"},
        {"np.random.normal((3,))", "np.random.normal((3,))"},
        {"x.sum( axis=0 ).T", "x.sum(axis=0).T"},
        {"m=mean(u);s=[1e16,1.0,0.1,1e999,-1e999,2j]", "m = mean(u); s = [1e+16, 1.0, 0.1, 1e999, -1e999, 2.0j]"},
        {"a,b", "(a, b)"},
        {"()", "()"},
        {"True, None", "(True, None)"},
    };
    for (const Pair &row : table) {
        Parsed p(row.text);
        ASSERT_EQ(p.status, WEFT_OK) << row.text << ": " << wf_last_error();
        EXPECT_EQ(Print(p.e), row.expected) << row.text;
        EXPECT_EQ(Tree(row.expected), Tree(row.text));
    }
}

TEST(Expr, NodesStandAfterTheirChildrenAndKnowTheirPlace) {
    Parsed p("m = mean(u, axis=0)\ns = sqrt(m ** 2) + x.T[1:, foo]");

    ASSERT_EQ(p.status, WEFT_OK);
    std::set<std::string> places;
    for (int32_t i = 0; i < p.e->nnode; i++) {
        for (int32_t c = 0; c < p.e->node[i].nchild; c++) EXPECT_LT(wf_expr_child(p.e, i, c), i);
        places.insert(std::string(wf_expr_kind_name(static_cast<wf_expr_kind>(p.e->node[i].kind))) + " " + wf_expr_text(p.e, i) +
                      " " + std::to_string(wf_expr_line(p.e, i)) + ":" + std::to_string(wf_expr_column(p.e, i)));
    }
    for (const char *place : {"an assignment m 1:1", "a call mean 1:5", "a name u 1:10", "a keyword argument axis 1:13",
                              "an integer  1:18", "an operation pow 2:12", "an operation add 2:18", "an attribute T 2:22",
                              "an index  2:23", "a slice  2:24", "a name foo 2:28"})
        EXPECT_EQ(places.count(place), 1u) << place;
}

TEST(Expr, EveryNodeButStatementsHasOneParent) {
    Parsed p("a, u[(1, v)][()] ; b = u[(1, 2),] + f((), k=[x.T]) ; -1 - -c");
    ASSERT_EQ(p.status, WEFT_OK);
    std::vector<int> parents(p.e->nnode, 0);

    for (int32_t i = 0; i < p.e->nnode; i++)
        for (int32_t c = 0; c < p.e->node[i].nchild; c++) parents[wf_expr_child(p.e, i, c)]++;
    for (int32_t i = 0; i < p.e->nstatement; i++) parents[p.e->statement[i]]++;

    EXPECT_EQ(parents, std::vector<int>(p.e->nnode, 1)) << Print(p.e);
}

TEST(Expr, FailsAtANode) {
    Parsed p("'\xc3\xa9', 1 + foo");
    int32_t count, *names;
    ASSERT_EQ(p.status, WEFT_OK);
    ASSERT_EQ(wf_expr_free_names(p.e, &count, &names), WEFT_OK);

    EXPECT_EQ(wf_expr_fail(p.e, names[0], WEFT_NOT_FOUND, "unknown name '%s'", "foo"), WEFT_NOT_FOUND);

    EXPECT_STREQ(wf_last_error(), "expression, column 10: unknown name 'foo'");
    wf_free(names);
}

TEST(Expr, ListsTheNamesThatItReadsBeforeItAssignsThem) {
    Parsed p("t = u + sqrt(v); w = t * u + x.T + f(k=y, z=pi); x = x + 1; t = t[n:]");
    int32_t count = 0, *nodes = nullptr;
    ASSERT_EQ(p.status, WEFT_OK);

    ASSERT_EQ(wf_expr_free_names(p.e, &count, &nodes), WEFT_OK);

    std::string names;
    for (int32_t i = 0; i < count; i++) names += std::string(wf_expr_text(p.e, nodes[i])) + " ";
    EXPECT_EQ(names, "u v x y pi n ");
    wf_free(nodes);
}

TEST(Expr, PutsACaretUnderTheColumn) {
    auto caret = [](const char *text, int line, int column) {
        wf_text out = {};
        wf_expr_caret(text, line, column, &out);
        return Take(&out);
    };
    EXPECT_EQ(caret("sum(x", 1, 6), "sum(x\n     ^\n");
    EXPECT_EQ(caret("a = 1\n\tb = (2\r\nc", 2, 6), "\tb = (2\n\t    ^\n");
    EXPECT_EQ(caret("'\xc3\xa9' + foo", 1, 7), "'\xc3\xa9' + foo\n      ^\n");
    EXPECT_EQ(caret("ab", 1, 4), "");
    EXPECT_EQ(caret("ab", 2, 1), "");
    EXPECT_EQ(caret("ab", 0, 1), "");
    EXPECT_EQ(caret("ab", 1, 0), "");
    std::string far = Repeat("x", 500);
    EXPECT_EQ(caret(far.c_str(), 1, 250), "..." + Repeat("x", 140) + "...\n" + Repeat(" ", 63) + "^\n");
}

TEST(Expr, FindsThePlaceInAnErrorForTheCaret) {
    auto caret = [](const std::string &text) {
        wf_text out = {};
        wf_expr_caret_error(text.c_str(), Error(text).c_str(), &out);
        return Take(&out);
    };
    EXPECT_EQ(caret("a + * b"), "a + * b\n    ^\n");
    EXPECT_EQ(caret("a\n(b"), "(b\n  ^\n");
    wf_text none = {};
    wf_expr_caret_error("a", "sum: axis 3 is out of bounds", &none);
    EXPECT_EQ(none.length, 0);
    wf_text_fini(&none);
}

TEST(Expr, OperatorsNameOperationsOfTheList) {
    std::set<std::string> known = {"matmul"};
#define WEFT_OP(NAME, name, arity, types, cost, doc) known.insert(#name);
#include "weft/op.def"
    for (int op = 0; op < WF_EXPR_NOPS; op++)
        EXPECT_EQ(known.count(wf_expr_op_operation(static_cast<wf_expr_op>(op))), 1u)
            << wf_expr_op_operation(static_cast<wf_expr_op>(op));
}

TEST(Expr, SurvivesTheFailureOfEveryAllocation) {
    const std::string text = "m = mean(sqrt(u**2 + v**2), axis=(0, 1)); s = [x.T[1:, None], 'edge', -1.5]; m, s, u, v";
    int64_t live = wf_alloc_live(), n = 0;
    weft_status status = WEFT_NO_MEMORY;

    while (status != WEFT_OK && ++n < 1000) {
        wf_expr *e = nullptr;
        int32_t count, *names = nullptr;
        wf_alloc_fail_at(n);
        status = wf_expr_parse(text.data(), -1, nullptr, &e);
        if (status == WEFT_OK) status = wf_expr_free_names(e, &count, &names);
        wf_alloc_fail_at(0);
        if (status != WEFT_OK) {
            EXPECT_EQ(status, WEFT_NO_MEMORY);
            EXPECT_EQ(std::string(wf_last_error()).substr(0, 18), "out of host memory");
        }
        wf_free(names);
        wf_expr_destroy(e);
        EXPECT_EQ(wf_alloc_live(), live);
    }

    EXPECT_GT(n, 5);
    EXPECT_EQ(status, WEFT_OK);
}

}  // namespace
