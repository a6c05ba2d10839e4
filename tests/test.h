/* A unit test in the Test Anything Protocol, which meson reads.
 *
 *     TEST(ring_wraps_around)
 *     {
 *         EXPECT(asr_ring_capacity(ring) == 8);
 *         EXPECT_STR(text, "hello");
 *     }
 *     int main(void)
 *     {
 *         RUN(ring_wraps_around);
 *         return test_end();
 *     }
 *
 * A failed expectation is printed with its place and its values, fails the test, and the
 * test goes on. SKIP("reason") leaves a test that cannot run here. */
#ifndef TEST_H
#define TEST_H

#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int test_count;
static int test_failures;
static bool test_case_failed;
static const char *test_skip_reason;

#define TEST(name) static void test_##name(void)

#define RUN(name)                                                                        \
    do {                                                                                 \
        test_case_failed = false;                                                        \
        test_skip_reason = NULL;                                                         \
        test_##name();                                                                   \
        test_report(#name);                                                              \
    } while (0)

#define SKIP(reason)                                                                     \
    do {                                                                                 \
        test_skip_reason = (reason);                                                     \
        return;                                                                          \
    } while (0)

#define EXPECT(condition)                                                                \
    do {                                                                                 \
        if (!(condition)) {                                                              \
            printf("# %s:%d: %s\n", __FILE__, __LINE__, #condition);                     \
            test_case_failed = true;                                                     \
        }                                                                                \
    } while (0)

/* As EXPECT, and leaves the test: for what the rest of it stands on. */
#define REQUIRE(condition)                                                               \
    do {                                                                                 \
        if (!(condition)) {                                                              \
            printf("# %s:%d: %s\n", __FILE__, __LINE__, #condition);                     \
            test_case_failed = true;                                                     \
            return;                                                                      \
        }                                                                                \
    } while (0)

#define EXPECT_INT(actual, expected)                                                     \
    do {                                                                                 \
        long long test_a = (long long)(actual), test_e = (long long)(expected);          \
        if (test_a != test_e) {                                                          \
            printf("# %s:%d: %s is %lld, expected %lld\n", __FILE__, __LINE__, #actual,  \
                   test_a, test_e);                                                      \
            test_case_failed = true;                                                     \
        }                                                                                \
    } while (0)

#define EXPECT_STR(actual, expected)                                                     \
    do {                                                                                 \
        const char *test_a = (actual), *test_e = (expected);                             \
        if (!test_a || strcmp(test_a, test_e) != 0) {                                    \
            printf("# %s:%d: %s is \"%s\", expected \"%s\"\n", __FILE__, __LINE__,       \
                   #actual, test_a ? test_a : "(null)", test_e);                         \
            test_case_failed = true;                                                     \
        }                                                                                \
    } while (0)

#define EXPECT_NEAR(actual, expected, tolerance)                                         \
    do {                                                                                 \
        double test_a = (double)(actual), test_e = (double)(expected);                   \
        if (!(fabs(test_a - test_e) <= (tolerance))) {                                   \
            printf("# %s:%d: %s is %g, expected %g\n", __FILE__, __LINE__, #actual,      \
                   test_a, test_e);                                                      \
            test_case_failed = true;                                                     \
        }                                                                                \
    } while (0)

static inline void test_report(const char *name)
{
    test_count++;
    if (test_case_failed) {
        test_failures++;
        printf("not ok %d - %s\n", test_count, name);
    } else if (test_skip_reason) {
        printf("ok %d - %s # SKIP %s\n", test_count, name, test_skip_reason);
    } else {
        printf("ok %d - %s\n", test_count, name);
    }
    fflush(stdout);
}

static inline int test_end(void)
{
    printf("1..%d\n", test_count);
    return test_failures ? EXIT_FAILURE : EXIT_SUCCESS;
}

#endif
