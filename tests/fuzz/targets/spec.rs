//! The benchmark file, TOML and YAML, with values set on the command line.
//!
//! Asserted: every mistake can be shown; a benchmark that is read, printed and read again is the same; so is a plan, which
//! is how a run is resumed.

use std::path::Path;

use rematch_engine::benchmark::{BenchmarkSpec, Plan, SpecSource};

use crate::folder::Folder;
use crate::input::files;

/// Begins a benchmark in YAML.
const YAML: &str = "%YAML\n";

pub(super) fn spec(_: &Folder, data: &[u8]) {
    let [text, settings] = files(data);
    let (Ok(text), Ok(settings)) = (std::str::from_utf8(text), std::str::from_utf8(settings)) else { return };
    let (name, text) = match text.strip_prefix(YAML) {
        Some(text) => ("bench.yaml", text),
        None => ("bench.toml", text),
    };
    let overrides: Vec<String> = settings.lines().take(3).map(str::to_owned).collect();
    let source = match SpecSource::of(Path::new(name), text, &overrides) {
        Ok(source) => source,
        Err(mistake) => {
            assert!(!mistake.render(false).is_empty() && !mistake.to_string().is_empty());
            return;
        }
    };
    match source.parse() {
        Ok(spec) => check_printed(&spec),
        Err(mistake) => assert!(!mistake.render(false).is_empty() && !mistake.to_string().is_empty()),
    }
    match Plan::resolve(&source) {
        Ok(plan) => check_plan(&plan),
        Err(mistake) => assert!(!mistake.render(false).is_empty() && !mistake.to_string().is_empty()),
    }
}

fn check_printed(spec: &BenchmarkSpec) {
    let shown = format!("{spec:?}");
    // TOML has no whole numbers beyond those of 64 bits with a sign, which YAML has.
    if let Ok(text) = toml::to_string(spec) {
        assert_eq!(parsed("bench.toml", &text), shown, "printed as TOML:\n{text}");
    }
    // JSON is YAML, but has no numbers that are not finite.
    if !["NaN", "inf"].iter().any(|text| shown.contains(text)) {
        let text = serde_json::to_string(spec).expect("JSON");
        assert_eq!(parsed("bench.yaml", &text), shown, "printed as JSON:\n{text}");
    }
}

fn parsed(name: &str, text: &str) -> String {
    let source = SpecSource::of(Path::new(name), text, &[]).expect("no overrides");
    let spec = source.parse().unwrap_or_else(|mistake| panic!("what was printed is refused: {mistake}\n{text}"));
    format!("{spec:?}")
}

fn check_plan(plan: &Plan) {
    let text = serde_json::to_vec(plan).expect("JSON");
    let read: Plan = serde_json::from_slice(&text)
        .unwrap_or_else(|error| panic!("a plan cannot be read back: {error}\n{}", String::from_utf8_lossy(&text)));
    assert_eq!(format!("{read:?}"), format!("{plan:?}"));
}
