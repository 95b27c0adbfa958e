// The scorer on sample sessions, natively: ./test.sh

#include "rematch_test.h"

int main(void) {
    const rematch_sample samples[] = {
        {.id = "second", .hits = REMATCH_ITEMS("a", "b", "c"), .acts = REMATCH_ACTS({"purchase", "c"}, {"purchase", "b"})},
        {.id = "not-returned", .hits = REMATCH_ITEMS("a", "b"), .acts = REMATCH_ACTS({"purchase", "z"})},
        {.id = "no-purchase", .hits = REMATCH_ITEMS("a", "b"), .acts = REMATCH_ACTS({"click", "a"})},
    };
    rematch_run run = REMATCH_RUN("{}", samples);
    REMATCH_EXPECT_VALUE(run, 0, 0, 0.5);
    REMATCH_EXPECT_VALUE(run, 1, 0, 0.0);
    REMATCH_EXPECT_UNDEFINED(run, 2, 0);

    rematch_run clicks = REMATCH_RUN("{\"kind\": \"click\"}", samples);
    REMATCH_EXPECT_VALUE(clicks, 2, 0, 1.0);

    rematch_run misspelt = REMATCH_RUN("{\"knd\": \"click\"}", samples);
    REMATCH_EXPECT_REFUSED(misspelt, "unknown parameter `knd`; expected `kind`");
    return rematch_test_result();
}
