// The scorer on sample sessions, natively: ./test.sh

#include "rematch_test.h"

int main(void) {
    const rematch_sample samples[] = {
        {.id = "hand",
         .hits = REMATCH_ITEMS("a", "x", "b", "c"),
         .grades = REMATCH_GRADES({"a", 1}, {"b", 3}, {"c", -1})},
        {.id = "nothing"},
        {.id = "bad", .hits = REMATCH_ITEMS("a"), .grades = REMATCH_GRADES({"a", 0}, {"b", -2})},
        {.id = "empty", .grades = REMATCH_GRADES({"a", 2})},
    };
    const double best = 3 + 1 / log2(3);
    rematch_run run = REMATCH_RUN("{}", samples);
    REMATCH_EXPECT_VALUE(run, 0, 0, 2.5 / best);
    REMATCH_EXPECT_UNDEFINED(run, 1, 0);
    REMATCH_EXPECT_UNDEFINED(run, 2, 0);
    REMATCH_EXPECT_VALUE(run, 3, 0, 0);

    rematch_run cut = REMATCH_RUN("{\"k\": 2}", samples);
    REMATCH_EXPECT_VALUE(cut, 0, 0, 1 / best);

    // Ranks beyond the table of discounts.
    const char *items[401] = {NULL};
    for (size_t i = 0; i < 400; i++) items[i] = i < 399 ? "other" : "found";
    const rematch_sample deep[] = {{.id = "deep", .hits = items, .grades = REMATCH_GRADES({"found", 2})}};
    rematch_run far = REMATCH_RUN("{\"k\": 1000}", deep);
    REMATCH_EXPECT_VALUE(far, 0, 0, 1 / log2(401));

    rematch_run refused = REMATCH_RUN("{\"k\": 0}", samples);
    REMATCH_EXPECT_REFUSED(refused, "`k` must be a whole number from 1 to 4294967295, found `0`");
    return rematch_test_result();
}
