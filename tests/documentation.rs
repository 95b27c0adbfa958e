//! Every block of TOML in the guide to retrievers is a benchmark that can be planned.

use rematch_engine::benchmark::{Plan, SpecSource};

use crate::rematch::workspace;

const GUIDE: &str = include_str!("../engine/RETRIEVERS.md");

/// The blocks of TOML of a page.
fn blocks(page: &str) -> impl Iterator<Item = &str> {
    page.split("```toml\n").skip(1).filter_map(|rest| rest.split("```").next())
}

#[test]
fn the_examples_of_the_guide_to_retrievers_are_plans() {
    let head = format!(
        "name = \"guide\"\nbaseline = \"shown\"\ncandidates = []\n[sessions]\npath = \"{0}/sessions.parquet\"\n\
         [corpus.products]\npath = \"{0}/products.parquet\"\nid = \"item_id\"\n\
         [[retriever]]\nid = \"shown\"\nstages = [{{ kind = \"shown\" }}]\n",
        workspace().join("data/shop").display()
    );
    let mut retrievers = 0;
    for block in blocks(GUIDE) {
        let text = format!("{head}{block}");
        let candidates: Vec<&str> =
            block.lines().filter_map(|line| line.strip_prefix("id = \"")?.strip_suffix('"')).collect();
        let candidates_key = format!("candidates={candidates:?}");
        let path = workspace().join("guide.toml");
        let source = SpecSource::of(&path, &text, &[candidates_key]).expect("an override");
        let plan = Plan::resolve(&source).unwrap_or_else(|mistake| panic!("{}\n{block}", mistake.render(false)));
        assert_eq!(plan.pipelines.len(), 1 + candidates.len());
        retrievers += candidates.len();
    }
    assert!(retrievers >= 4, "{retrievers}");
}
