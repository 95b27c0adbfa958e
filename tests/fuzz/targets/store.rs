//! A run directory of which one file is not what was written: it is looked at, and the run goes on.
//!
//! Asserted: whatever stands in a file, nothing panics; a file that is cut off or missing never changes a number, nor does
//! anything in a file that is not the only one to know what it says.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock};

use rematch_engine::benchmark::{Plan, SpecSource};
use rematch_engine::event::Silent;
use rematch_engine::rows::{rankings_from_batch, sessions_from_batch};
use rematch_engine::run::{Surroundings, resume, run};
use rematch_engine::schema;
use rematch_engine::score::wasm::{HostSettings, PluginHost};
use rematch_engine::storage::Location;
use rematch_engine::store::{RunDirectory, StoreError, TableReader, find_runs, layout};
use serde_json::Value;
use tempfile::TempDir;

use crate::folder::Folder;
use crate::input::Choices;

const BENCHMARK: &str = r#"
name = "two runs"
baseline = "old"
candidates = ["new"]
depth = 3
metrics = { k = [3], primary = "nDCG@3" }
[sessions]
path = { trec = { qrels = "qrels" } }
[[retriever]]
id = "old"
stages = [{ kind = "recorded", path = "old.run" }]
[[retriever]]
id = "new"
stages = [{ kind = "recorded", path = "new.run" }]
"#;

/// Tables that are the same however often they are made.
const IDENTICAL: [&str; 4] = [layout::SESSIONS, layout::SCENARIO_SCORES, layout::COMPARISONS, layout::TAXONOMY];

/// A finished run.
struct Whole {
    inputs: TempDir,
    plugins: Arc<PluginHost>,
    files: BTreeMap<PathBuf, Vec<u8>>,
}

static WHOLE: LazyLock<Whole> = LazyLock::new(Whole::new);

pub(super) fn store(folder: &Folder, data: &[u8]) {
    let whole = &*WHOLE;
    let mut choices = Choices::new(data);
    let names: Vec<&PathBuf> = whole.files.keys().collect();
    let name = names[choices.below(names.len())];
    let is_finished = choices.yes() && name != Path::new(layout::REPORT_JSON);
    let mut content = whole.files[name].clone();
    let is_cut = choices.yes();
    if is_cut {
        content.truncate(choices.number() as usize % content.len());
    } else {
        choices.damage(&mut content);
    }
    let is_there = !choices.rarely(8);
    let root = folder.path().join("run");
    let _ = std::fs::remove_dir_all(&root);
    for (file, original) in &whole.files {
        let is_damaged = file == name;
        if (is_damaged && !is_there) || (file == Path::new(layout::REPORT_JSON) && !is_finished) {
            continue;
        }
        folder.write(&format!("run/{}", file.display()), if is_damaged { &content } else { original });
    }
    look(&root, folder.path());
    let went_well = whole.go_on(&root);
    // What only one file knows has no second witness: a bit of it that changed is another value.
    let is_witness = [layout::SESSIONS, layout::SELECTION].iter().any(|only| name == Path::new(only));
    let tells = is_cut || !is_there || !(is_witness || name.starts_with(layout::PARTS));
    if went_well && tells && !is_finished {
        let read = |name: &str| std::fs::read(root.join(name)).expect("a file of the run");
        let original = |name: &str| whole.files[Path::new(name)].as_slice();
        for table in IDENTICAL {
            assert!(read(table) == original(table), "{table} after {} was damaged", name.display());
        }
        for document in [layout::MANIFEST, layout::REPORT_JSON] {
            assert_eq!(timeless(&read(document)), timeless(original(document)), "{}", name.display());
        }
    }
}

/// Reads everything that is there.
fn look(root: &Path, folder: &Path) {
    let _ = find_runs(&Location::of(folder).expect("a folder"));
    let Ok((run, _, _)) = RunDirectory::view(root) else { return };
    let (_, _) = (run.parts(), run.read_json::<Plan>(layout::PLAN));
    let _ = run.rows(layout::SESSIONS, sessions_from_batch);
    let _ = run.rows(layout::RANKINGS, rankings_from_batch);
    let parts = [layout::part(0, 0), layout::part(1, 0)];
    for table in parts.iter().cloned().chain(IDENTICAL.map(PathBuf::from)) {
        let _ = read(&run, &table);
    }
    let Ok(mut copies) = run.begin_copy("copied.parquet", &schema::RANKINGS).map(|copy| vec![copy]) else { return };
    let _ = parts.iter().try_for_each(|part| run.copy_part(part, 0, &mut copies).map(drop));
    let _ = copies.into_iter().try_for_each(|copy| copy.finish().map(drop));
}

fn read(run: &RunDirectory, table: &Path) -> Result<(), StoreError> {
    let table: TableReader = run.table(table)?;
    for group in 0..table.groups() {
        let whole = table.group(group)?;
        let some = table.group_columns(group, &[schema::column::SESSION_ID])?;
        if let Some(ids) = whole.column_by_name(schema::column::SESSION_ID) {
            assert_eq!(some.column(0), ids);
        }
    }
    Ok(())
}

/// A document of the run without what a clock said.
fn timeless(text: &[u8]) -> Value {
    let mut document: Value = serde_json::from_slice(text).expect("JSON");
    if let Some(observed) = document.get_mut("observed") {
        *observed = Value::Null;
    }
    let results = document.get_mut("results").and_then(Value::as_array_mut).into_iter().flatten();
    results.for_each(|result| result["latency"] = Value::Null);
    let comparisons = document.pointer_mut("/comparison/comparisons").and_then(Value::as_array_mut);
    for comparison in comparisons.into_iter().flatten() {
        comparison["latency_delta_ms"] = Value::Null;
        comparison["latency"] = Value::Null;
    }
    document
}

impl Whole {
    fn new() -> Self {
        let inputs = TempDir::with_prefix("rematch-fuzz-inputs-").expect("a folder");
        let write = |name: &str, text: String| std::fs::write(inputs.path().join(name), text).expect("written");
        let line = |session: usize, rank: usize, step: usize| {
            format!("q{session} Q0 d{} {rank} {} r\n", (session + rank * step) % 5, 9 - rank)
        };
        let run_of = |step| (0..6).flat_map(|session| (1..4).map(move |rank| line(session, rank, step))).collect();
        write("old.run", run_of(1));
        write("new.run", run_of(2));
        write("qrels", (0..6).map(|session| format!("q{session} 0 d{} 1\n", session % 5)).collect());
        write("bench.toml", BENCHMARK.to_owned());
        let plugins = Arc::new(PluginHost::new(HostSettings::default()).expect("a host"));
        let mut whole = Self { inputs, plugins, files: BTreeMap::new() };
        let root = whole.inputs.path().join("run");
        let benchmark = SpecSource::read(&whole.inputs.path().join("bench.toml"), &[]).expect("a benchmark");
        let plan = Plan::resolve(&benchmark).expect("a plan");
        whole.within_a_runtime(run(plan, whole.surroundings(Some(root.clone())))).expect("a run");
        for folder in [root.clone(), root.join(layout::PARTS)] {
            for entry in std::fs::read_dir(folder).expect("a folder") {
                let path = entry.expect("an entry").path();
                if path.is_file() && !path.ends_with(layout::LOCK) {
                    let name = path.strip_prefix(&root).expect("a name").to_owned();
                    whole.files.insert(name, std::fs::read(path).expect("a file"));
                }
            }
        }
        whole
    }

    fn surroundings(&self, out: Option<PathBuf>) -> Surroundings {
        let mut surroundings = Surroundings::new(Arc::new(Silent), Arc::clone(&self.plugins));
        (surroundings.out, surroundings.threads) = (out, Some(std::num::NonZeroUsize::MIN));
        surroundings
    }

    fn within_a_runtime<T>(&self, work: impl Future<Output = T>) -> T {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(work)
    }

    /// Goes on with the run, and returns whether that went well.
    fn go_on(&self, root: &Path) -> bool {
        self.within_a_runtime(resume(root, self.surroundings(None))).is_ok()
    }
}
