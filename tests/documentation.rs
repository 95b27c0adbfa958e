//! Every block of TOML in the guide to retrievers is a benchmark that can be planned.

use std::path::Path;

use rematch_engine::benchmark::{Plan, SpecSource};
use rematch_engine::compare::gates::Acknowledgements;

use crate::rematch::workspace;

const GUIDE: &str = include_str!("../engine/RETRIEVERS.md");
const README: &str = include_str!("../README.md");

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

#[test]
fn the_gates_and_acknowledgements_of_the_readme_are_read() {
    let gates = blocks(README).find(|block| block.contains("[[gate]]")).expect("gates");
    let bench = std::fs::read_to_string(workspace().join("data/shop/bench.toml")).expect("the sample benchmark");
    let source = SpecSource::of(&workspace().join("data/shop/bench.toml"), &format!("{bench}\n{gates}"), &[]);
    let plan = Plan::resolve(&source.expect("a source")).unwrap_or_else(|mistake| panic!("{}", mistake.render(false)));
    assert_eq!(plan.gates.len(), 3);
    let accepted = blocks(README).find(|block| block.contains("[[acknowledgement]]")).expect("acknowledgements");
    let read = Acknowledgements::of(Path::new("acknowledgements.toml"), accepted);
    assert_eq!(read.expect("acknowledgements").entries.len(), 1);
}
