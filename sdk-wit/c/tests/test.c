// Every column and every kind of parameter, as an author sees them.

#include "rematch_test.h"

static const int64_t TIME = 5;

static const rematch_sample SAMPLES[] = {
    {.id = "empty"},
    {.id = "full",
     .query = "kettle",
     .inputs = "{}",
     .expected = "[]",
     .time = &TIME,
     .taxonomy = REMATCH_ITEMS("home", "gifts/home"),
     .hits = REMATCH_ITEMS("a", "b", "c"),
     .hit_scores = (const double[]){3, 2, 1},
     .shown = REMATCH_ITEMS("b"),
     .grades = REMATCH_GRADES({"c", -1}, {"b", 2}, {"z", 3}),
     .acts = REMATCH_ACTS({"click", "b", .position = 2, .time = &TIME}, {"purchase", "c", REMATCH_BOUND(9.5)})},
    {.id = "clicked", .hits = REMATCH_ITEMS("b"), .acts = REMATCH_ACTS({"view", "b"}, {"click", "b"}, {"view", "x"})},
};

static const char FULL[] =
    " `full` `kettle` `{}` `[]` time 5 `home` `gifts/home` vector 0\n"
    "hit `a` score 3 no grade `Acme`\n"
    "hit `b` score 2 grade 2 ``\n"
    "hit `c` score 1 grade -1 ``\n"
    " `click` `b` no value position 2 time 5\n"
    " `purchase` `c` value 9.5 position 0\n"
    "shown `b` no score no propensity\n"
    " number 0.5 whole 3 `none`";

static void sessions_show_their_columns(void) {
    const rematch_sample_field *fields = REMATCH_FIELDS({"brand", REMATCH_ITEMS("a", "Acme")});
    rematch_run run = REMATCH_RUN_WITH("{}", SAMPLES, fields);
    REMATCH_EXPECT_VALUE(run, 0, 0, 0);
    REMATCH_EXPECT_UNDEFINED(run, 0, 1);
    REMATCH_EXPECT_OUTPUT(run, 0, "");
    REMATCH_EXPECT_VALUE(run, 1, 0, 3);
    REMATCH_EXPECT_VALUE(run, 1, 1, 3);
    REMATCH_EXPECT_OUTPUT(run, 1, FULL);
    REMATCH_EXPECT_VALUE(run, 2, 1, 1);
    REMATCH_EXPECT_OUTPUT(run, 2,
                          " `clicked` `` `` `` vector 0\nhit `b` no score grade 1 ``\n `view` `b` no value position 0\n"
                          " `click` `b` no value position 0\n `view` `x` no value position 0\n"
                          " number 0.5 whole 3 `none`");
}

static void errors_name_their_session(void) {
    rematch_run run = REMATCH_RUN("{\"flag\": true}", SAMPLES);
    REMATCH_EXPECT_VALUE(run, 0, 0, 0);
    REMATCH_EXPECT_ERROR(run, 1, "too many hits");
    REMATCH_EXPECT_VALUE(run, 2, 0, 1);
}

static void parameters_are_read(void) {
    rematch_run run = REMATCH_RUN(" {\"text\" : \"a, b\", \"whole\":1e3 ,\"number\":-2.5e-1, \"flag\":false}\n", SAMPLES);
    const char *output = run.outcomes[2].output;
    rematch_check(strstr(output, " number -0.25 whole 1000 `a, b`") != NULL, __FILE__, __LINE__, output);
}

static void wrong_parameters_are_refused(void) {
    static const char *const REFUSED[][2] = {
        {"{\"number\": true}", "`number` must be a decimal number of at most 15 digits, found `true`"},
        {"{\"number\": 1e23}", "`number` must be a decimal number of at most 15 digits, found `1e23`"},
        {"{\"number\": 01}", "`number` must be a decimal number of at most 15 digits, found `01`"},
        {"{\"number\": 1.}", "`number` must be a decimal number of at most 15 digits, found `1.`"},
        {"{\"number\": .5}", "`number` must be a decimal number of at most 15 digits, found `.5`"},
        {"{\"number\": 1e}", "`number` must be a decimal number of at most 15 digits, found `1e`"},
        {"{\"number\": -}", "`number` must be a decimal number of at most 15 digits, found `-`"},
        {"{\"whole\": 1.5}", "`whole` must be a whole number from 1 to 4294967295, found `1.5`"},
        {"{\"whole\": 4294967296}", "`whole` must be a whole number from 1 to 4294967295, found `4294967296`"},
        {"{\"whole\": -1}", "`whole` must be a whole number from 1 to 4294967295, found `-1`"},
        {"{\"flag\": 1}", "`flag` must be `true` or `false`, found `1`"},
        {"{\"text\": [1, {\"a\": null}]}", "`text` must be a text without escapes, found `[1, {\"a\": null}]`"},
        {"{\"text\": \"a\\\"b\"}", "`text` must be a text without escapes, found `\"a\\\"b\"`"},
        {"{\"flag\": true, \"flag\": true}", "`flag` stands there twice"},
        {"{\"knd\": 1}", "unknown parameter `knd`; expected `number`, `whole`, `flag` or `text`"},
        {"", "the parameters must be a JSON object"},
        {"{} x", "the parameters must be a JSON object"},
        {"{\"a\": 1,}", "the parameters must be a JSON object"},
        {"{\"a\": tru}", "the parameters must be a JSON object"},
        {"{\"a\": \"\\", "the parameters must be a JSON object"},
        {"{\"a\": [1 2]}", "the parameters must be a JSON object"},
    };
    for (size_t i = 0; i < sizeof REFUSED / sizeof *REFUSED; i++) {
        rematch_run run = REMATCH_RUN(REFUSED[i][0], SAMPLES);
        REMATCH_EXPECT_REFUSED(run, REFUSED[i][1]);
    }
    char deep[1000] = "{\"a\":";
    memset(deep + 5, '[', sizeof deep - 6);
    rematch_run run = REMATCH_RUN(deep, SAMPLES);
    REMATCH_EXPECT_REFUSED(run, "the parameters must be a JSON object");
}

static void kernels_are_exact(void) {
    rematch_sum sum = {0};
    const double terms[] = {1, 1e100, 1, -1e100};
    for (size_t i = 0; i < 4; i++) rematch_sum_add(&sum, terms[i]);
    rematch_check(rematch_sum_total(&sum) == 2, __FILE__, __LINE__, "small terms are lost beside large ones");
    for (uint32_t rank = 1; rank < 500; rank++) {
        double expected = 1 / log2((double)rank + 1);
        bool near = fabs(rematch_discount(rank) - expected) <= 2.3e-16 * expected;
        rematch_check(near, __FILE__, __LINE__, "a discount is not 1 / log2(rank + 1)");
    }
}

int main(void) {
    sessions_show_their_columns();
    errors_name_their_session();
    parameters_are_read();
    wrong_parameters_are_refused();
    kernels_are_exact();
    return rematch_test_result();
}
