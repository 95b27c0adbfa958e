// The scorer on sample sessions, natively: ./test.sh

#include "rematch_test.h"

int main(void) {
    const rematch_sample samples[] = {
        {.id = "full",
         .hits = REMATCH_ITEMS("a", "b", "c"),
         .grades = REMATCH_GRADES({"a", 1}, {"b", 0}, {"c", 1})},
        {.id = "gaps", .hits = REMATCH_ITEMS("x", "a", "y"), .grades = REMATCH_GRADES({"a", 2}, {"z", -1})},
        {.id = "empty", .grades = REMATCH_GRADES({"a", 1})},
        {.id = "unknown", .hits = REMATCH_ITEMS("a")},
    };
    rematch_run half = REMATCH_RUN("{\"p\": 0.5}", samples);
    REMATCH_EXPECT_VALUE(half, 0, 0, 0.5 + 0.125);
    REMATCH_EXPECT_VALUE(half, 0, 1, 0.125);
    REMATCH_EXPECT_VALUE(half, 1, 0, 0.25);
    REMATCH_EXPECT_VALUE(half, 1, 1, 0.5 + 0.125 + 0.125);
    REMATCH_EXPECT_VALUE(half, 2, 0, 0);
    REMATCH_EXPECT_VALUE(half, 2, 1, 1);
    REMATCH_EXPECT_UNDEFINED(half, 3, 0);
    REMATCH_EXPECT_UNDEFINED(half, 3, 1);

    rematch_run graded = REMATCH_RUN("{\"p\": 0.5, \"max_grade\": 4}", samples);
    REMATCH_EXPECT_VALUE(graded, 1, 0, 0.125);

    rematch_run patient = REMATCH_RUN("{\"p\": 1}", samples);
    REMATCH_EXPECT_REFUSED(patient, "`p` must be a probability above 0 and below 1");
    rematch_run text = REMATCH_RUN("{\"p\": \"0.5\"}", samples);
    REMATCH_EXPECT_REFUSED(text, "`p` must be a decimal number of at most 15 digits, found `\"0.5\"`");
    return rematch_test_result();
}
