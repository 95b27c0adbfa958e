// Half-life utility (R-score): how much of a ranking's worth is left for a user who gives up at some point.
//
// Breese, Heckerman and Kadie, "Empirical Analysis of Predictive Algorithms for Collaborative Filtering" (UAI 1998),
// section 2.2. The user looks at rank r with probability 2^-((r - 1) / (h - 1)), where the half-life h is the rank that
// half of the users reach. An item is worth what its grade has above a neutral grade d:
//
//   utility  = sum over ranks r of max(grade(r) - d, 0) * 2^-((r - 1) / (h - 1))
//   score    = utility / utility of the best possible ranking, in [0, 1]
//
// Undefined where no item of the session has a grade above d: there is nothing to find.
//
// Parameters (JSON): {"half_life": 5, "neutral": 0}, both optional.

#include <math.h>

#include "rematch_scorer.h"

static const rematch_metric METRICS[] = {
    {.name = "half-life-utility", .low = REMATCH_BOUND(0), .high = REMATCH_BOUND(1)},
};

static const rematch_description DESCRIPTION = {
    .name = "half-life-utility",
    .version = "0.1.0",
    .summary = "The part of the best possible utility that a ranking gives to users who stop early, in [0, 1]. "
               "Undefined where no item has a grade above the neutral one.",
    .params_schema = "{\"type\":\"object\",\"additionalProperties\":false,\"properties\":{"
                     "\"half_life\":{\"type\":\"number\",\"exclusiveMinimum\":1,\"default\":5,"
                     "\"description\":\"rank that half of the users reach\"},"
                     "\"neutral\":{\"type\":\"number\",\"minimum\":0,\"default\":0,"
                     "\"description\":\"grade up to which an item is worth nothing\"}}}",
    .needs = REMATCH_JUDGED,
    .metrics = METRICS,
    .metric_count = sizeof METRICS / sizeof *METRICS,
};

const rematch_description *rematch_describe(void) {
    return &DESCRIPTION;
}

static double half_life; // rank, above 1
static double neutral;   // grade, at least 0

void rematch_configure(rematch_params *params) {
    half_life = 5;
    neutral = 0;
    bool numbers = rematch_param_number(params, "half_life", &half_life);
    numbers = rematch_param_number(params, "neutral", &neutral) && numbers;
    if (!numbers) {
        rematch_params_refuse(params, "`half_life` and `neutral` must be decimal numbers of at most 15 digits");
    } else if (rematch_params_unread(params)) {
        rematch_params_refuse(params, "unknown parameter; expected `half_life` or `neutral`");
    } else if (half_life <= 1) {
        rematch_params_refuse(params, "`half_life` must be a rank above 1");
    } else if (neutral < 0) {
        rematch_params_refuse(params, "`neutral` must be a grade of at least 0");
    }
}

static double utility(uint32_t rank, double grade) {
    if (grade <= neutral) return 0;
    return (grade - neutral) * exp2(-((double)(rank - 1) / (half_life - 1)));
}

void rematch_score(const rematch_session *session, rematch_scores *out) {
    rematch_ideal ideal = rematch_session_ideal(session);
    double best = 0;
    for (uint32_t i = 0; i < ideal.count; i++) best += utility(i + 1, ideal.gains[i]);
    if (best <= 0) return;
    rematch_judged judged = rematch_session_judged(session);
    double found = 0;
    for (size_t i = 0; i < judged.count; i++) found += utility(judged.ranks[i], judged.grades[i]);
    rematch_set(out, 0, found / best);
}
