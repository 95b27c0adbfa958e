//! `engine/CONVENTIONS.md` is made of the presets themselves, so that it cannot say anything else than the report.

use std::fmt::Write;

use super::{Convention, Preset};
use crate::{GainFunction, Metric};

const HEAD: &str = "\
# What a number means

Programs that print the same name compute different numbers. `metrics.compatibility` of a benchmark chooses whose; the
report says for each metric what its number means (`run.conventions`), in the words of the tables below. `rematch verify RUN`
computes a run anew with pytrec_eval, ir_measures or trec_eval and shows any difference.

This page is generated: `REMATCH_BLESS=1 cargo test --workspace --lib the_conventions_page` renews it.

Names are those of ir_measures. `judged_only=True` drops items that nobody judged before the cutoff counts, `rel=2` calls a
grade of 2 or more relevant; without it, any grade above 0 is. A metric that a program does not have is refused, and left out
of those that every report has.
";

const TAIL: &str = "
`gm_map` and `gm_bpref` are geometric means. A session's value is a logarithm, and so are means, differences and tests; the report
has the geometric mean beside the mean of a retriever (`geometric_means`), which is what trec_eval prints, and a difference of d is
a change of the geometric mean by the factor e^d.

What trec_eval prints of preference judgments (`prefs_*`) and of several judges (`*_avgjg`) is in the library,
`rematch_metrics::preference`, and no metric of a run: a session has one set of grades, and neither preferences nor judges. The
residual of RBP (`rbp_resid`) and the unjudged share (`unj_k`, which is 1 - `Judged@k` where k items were returned) have functions
of their own too.

Discounts do not differ. Hits with equal scores count in the order in which the engine returned them; under `trec-eval`,
recorded runs are put into its order. ranx itself sorts by an algorithm that shuffles ties once a list has more than 16 hits:
there its numbers depend on the order of the file, and ours are those of the order that was given.
";

const PRESETS: [(&str, Preset); 6] = [
    ("strict", Preset::Strict),
    ("trec-eval", Preset::TrecEval),
    ("ranx", Preset::Ranx),
    ("elasticsearch", Preset::Elasticsearch),
    ("opensearch", Preset::OpenSearch),
    ("quepid", Preset::Quepid),
];

const METRICS: [&str; 28] = [
    "nDCG@10",
    "nDCG(dcg='exp-log2')@10",
    "R@10",
    "P@10",
    "P(judged_only=True)@10",
    "Rprec",
    "Success@10",
    "RR@10",
    "AP@10",
    "ERR@10",
    "RBP(p=0.8)",
    "Bpref",
    "infAP",
    "Judged@10",
    "NumRet(rel=1)",
    "IPrec@0.1",
    "11pt_avg",
    "SetP(relative=True)",
    "SetF",
    "SetAP",
    "P(relative=True)@10",
    "Rprec(mult=0.5)",
    "Utility",
    "G",
    "nDCG_rel",
    "Rndcg",
    "gm_map",
    "gm_bpref",
];

fn page() -> Result<String, std::fmt::Error> {
    let mut page = HEAD.to_owned();
    page += "\n| `compatibility` | whose numbers | by |\n|---|---|---|\n";
    for (name, preset) in PRESETS {
        writeln!(page, "| `{name}` | {} | {} |", preset.program(), preset.source())?;
    }
    for name in METRICS {
        let Ok(metric) = name.parse::<Metric>() else { continue };
        writeln!(page, "\n## `{name}`\n")?;
        let discount = Preset::Strict.convention(&metric, GainFunction::Linear).discount;
        if discount != "none" {
            writeln!(page, "A rank is worth {discount}.\n")?;
        }
        page += "| | gain | divided by | unjudged | undefined | rounded |\n|---|---|---|---|---|---|\n";
        for (name, preset) in PRESETS {
            match preset.check(&metric) {
                Ok(()) => {
                    let Convention { gain, normaliser, unjudged, undefined, rounding, .. } =
                        preset.convention(&metric, GainFunction::Linear);
                    writeln!(page, "| `{name}` | {gain} | {normaliser} | {unjudged} | {undefined} | {rounding} |")?;
                }
                Err(refused) => writeln!(page, "| `{name}` | not there: {} | | | | |", refused.reason)?,
            }
        }
    }
    Ok(page + TAIL)
}

#[test]
fn the_conventions_page_says_what_the_presets_do() {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../CONVENTIONS.md");
    let page = page().unwrap();
    if std::env::var_os("REMATCH_BLESS").is_some() {
        std::fs::write(&path, &page).unwrap();
    }
    let published = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(published == page, "`{}` is out of date; REMATCH_BLESS=1 renews it", path.display());
}
