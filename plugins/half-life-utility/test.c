// The scorer on sample sessions, natively: ./test.sh

#include "rematch_test.h"

int main(void) {
    const rematch_sample samples[] = {
        {.id = "half", .hits = REMATCH_ITEMS("e", "d", "c", "b", "a"), .grades = REMATCH_GRADES({"a", 1})},
        {.id = "best", .hits = REMATCH_ITEMS("a"), .grades = REMATCH_GRADES({"a", 1})},
        {.id = "empty", .grades = REMATCH_GRADES({"a", 1})},
        {.id = "nothing", .hits = REMATCH_ITEMS("a")},
        {.id = "low", .hits = REMATCH_ITEMS("b", "a"), .grades = REMATCH_GRADES({"a", 0.5}, {"b", -1})},
    };
    rematch_run run = REMATCH_RUN("{}", samples);
    REMATCH_EXPECT_VALUE(run, 0, 0, 0.5);
    REMATCH_EXPECT_VALUE(run, 1, 0, 1);
    REMATCH_EXPECT_VALUE(run, 2, 0, 0);
    REMATCH_EXPECT_UNDEFINED(run, 3, 0);
    REMATCH_EXPECT_VALUE(run, 4, 0, exp2(-0.25));

    rematch_run neutral = REMATCH_RUN("{\"neutral\": 0.5, \"half_life\": 2e0}", samples);
    REMATCH_EXPECT_VALUE(neutral, 0, 0, 0.0625);
    REMATCH_EXPECT_UNDEFINED(neutral, 4, 0);

    static const char *const REFUSED[][2] = {
        {"{\"half_life\":1}", "`half_life` must be a rank above 1"},
        {"{\"neutral\":-0.5}", "`neutral` must be a grade of at least 0"},
        {"{\"half_life\":\"5\"}", "`half_life` and `neutral` must be decimal numbers of at most 15 digits"},
        {"{\"neutral\":0.1234567890123456}", "`half_life` and `neutral` must be decimal numbers of at most 15 digits"},
        {"{\"halflife\":5}", "unknown parameter; expected `half_life` or `neutral`"},
        {"[]", "the parameters must be a JSON object"},
        {"{\"half_life\":5", "the parameters must be a JSON object"},
        {"", "the parameters must be a JSON object"},
    };
    for (size_t i = 0; i < sizeof REFUSED / sizeof *REFUSED; i++) {
        rematch_run refused = REMATCH_RUN(REFUSED[i][0], samples);
        REMATCH_EXPECT_REFUSED(refused, REFUSED[i][1]);
    }
    return rematch_test_result();
}
