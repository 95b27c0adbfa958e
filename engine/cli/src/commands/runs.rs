//! `rematch runs`: what lies in a folder of runs, and how it is cleared away.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::{Duration, SystemTime};

use comfy_table::ContentArrangement;
use rematch_engine::benchmark::Plan;
use rematch_engine::report::Report;
use rematch_engine::run::Finished;
use rematch_engine::storage::Location;
use rematch_engine::store::{FoundRun, FoundState, Opened, RunDirectory, StoreError, find_runs, layout, remove_run};
use serde::Serialize;

use super::{print, print_json};
use crate::exit::{Exit, Failure};
use crate::gatekeeper;
use crate::runs_arguments::{
    CollectArguments, DEFAULT_FOLDER, ListArguments, RemoveArguments, RunsCommand, ShowArguments,
};
use crate::summary;
use crate::terminal::{counted, table, trimmed, visible};

/// Does what the command line asks for.
pub(crate) fn runs(command: &RunsCommand) -> Result<Exit, Failure> {
    match command {
        RunsCommand::List(arguments) => list(arguments),
        RunsCommand::Show(arguments) => show(arguments),
        RunsCommand::Rm(arguments) => remove(arguments),
        RunsCommand::Gc(arguments) => collect(arguments),
    }
}

/// A run as it is listed.
#[derive(Serialize)]
struct Listed {
    directory: String,
    /// `None` where this version cannot read the manifest.
    run_id: Option<String>,
    name: Option<String>,
    finished: bool,
    /// Work units done; `None` for a finished run, where it is all of them.
    units_done: Option<u64>,
    bytes: u64,
    /// RFC 3339, UTC.
    modified: String,
}

impl Listed {
    fn of(run: &FoundRun) -> Self {
        let manifest = run.manifest.as_ref();
        Self {
            directory: run.location.to_string(),
            run_id: manifest.map(|manifest| manifest.run_id.clone()),
            name: manifest.map(|manifest| manifest.name.clone()),
            finished: run.state == FoundState::Finished,
            units_done: match run.state {
                FoundState::Finished => None,
                FoundState::Unfinished { parts_done } => Some(parts_done),
            },
            bytes: run.bytes,
            modified: jiff::Timestamp::try_from(run.modified).map(|time| format!("{time:.0}")).unwrap_or_default(),
        }
    }

    fn state(&self) -> String {
        match self.units_done {
            None => "finished".to_owned(),
            Some(units) => format!("{} done", counted(units, "unit")),
        }
    }
}

fn location(path: &Path) -> Result<Location, Failure> {
    Location::of(path).map_err(|error| Failure::new(Exit::Usage, error))
}

/// The runs of a folder, the newest first.
fn newest_first(folder: &Path) -> Result<Vec<FoundRun>, Failure> {
    let location = location(folder)?;
    // An object store has no folders that could be missing; the one that nobody named is missing where nothing was run yet.
    if location.local().is_some_and(|local| !local.is_dir()) && folder != Path::new(DEFAULT_FOLDER) {
        let message = format!("there is no folder `{}`; name the one that holds the runs", folder.display());
        return Err(Failure::new(Exit::Usage, anyhow::Error::msg(message)));
    }
    let mut runs = find_runs(&location)?;
    runs.sort_by_key(|run| std::cmp::Reverse(run.modified));
    Ok(runs)
}

fn list(arguments: &ListArguments) -> Result<Exit, Failure> {
    let runs: Vec<Listed> = newest_first(&arguments.folder)?.iter().map(Listed::of).collect();
    if arguments.json {
        print_json(&runs)?;
    } else if runs.is_empty() {
        print(&format!("no runs in `{}`\n", visible(&arguments.folder.display().to_string())))?;
    } else {
        print(&(listing(&runs) + "\n"))?;
    }
    Ok(Exit::Done)
}

fn listing(runs: &[Listed]) -> String {
    let mut rows = table(&["run", "benchmark", "state", "size", "written"]);
    // A path is there to be copied: no cell is broken over lines, on whatever is printed to.
    rows.set_content_arrangement(ContentArrangement::Disabled);
    for run in runs {
        rows.add_row([
            visible(&run.directory),
            visible(run.name.as_deref().unwrap_or("(another version's)")),
            run.state(),
            size(run.bytes),
            run.modified.replace('T', " ").trim_end_matches('Z').to_owned(),
        ]);
    }
    trimmed(&rows)
}

/// Bytes for people.
fn size(bytes: u64) -> String {
    let units = ["B", "kB", "MB", "GB", "TB"];
    let power = units.iter().enumerate().take_while(|(power, _)| bytes >= 1000_u64.pow(*power as u32)).last();
    let (power, unit) = power.unwrap_or((0, &"B"));
    let divisor = 1000_u64.pow(power as u32);
    if power == 0 { format!("{bytes} {unit}") } else { format!("{:.1} {unit}", bytes as f64 / divisor as f64) }
}

/// What is known of a run that is not finished.
#[derive(Serialize)]
struct Progress {
    directory: String,
    run_id: String,
    name: String,
    finished: bool,
    /// Work units in all; `None` while the sample is not drawn.
    units: Option<u64>,
    units_done: u64,
    sessions: Option<u64>,
}

fn show(arguments: &ShowArguments) -> Result<Exit, Failure> {
    let (run, manifest, opened) = RunDirectory::view(&arguments.directory)?;
    if opened == Opened::Finished && !run.holds(layout::RETRYING)? {
        let report: Report = run.read_json(layout::REPORT_JSON)?;
        if arguments.json {
            print_json(&report)?;
        } else {
            // A run without its plan has no place where acknowledgements could be.
            let plan: Option<Plan> = run.read_json(layout::PLAN).ok();
            let acknowledgements = plan.map(|plan| plan.acknowledgements).unwrap_or_default();
            let directory = run.root().to_owned();
            let finished = Finished { report, directory, already_finished: false, acknowledgements };
            let judgement = gatekeeper::judge(&finished)?;
            print(&summary::render(&finished, &judgement))?;
            gatekeeper::tell(&judgement, false);
        }
        return Ok(Exit::Done);
    }
    let sample = if run.holds(layout::SESSIONS)? { Some(run.sample()?) } else { None };
    let pipelines = manifest.plan.get("pipelines").and_then(serde_json::Value::as_array).map_or(0, Vec::len);
    let progress = Progress {
        directory: run.location().to_string(),
        run_id: manifest.run_id,
        name: manifest.name,
        finished: false,
        units: sample.as_ref().map(|sample| (sample.groups() * pipelines) as u64),
        units_done: run.parts()?.len() as u64,
        sessions: sample.as_ref().map(rematch_engine::store::TableReader::rows),
    };
    if arguments.json {
        print_json(&progress)?;
        return Ok(Exit::Done);
    }
    let done = match (progress.units, progress.sessions) {
        (Some(units), Some(sessions)) => {
            let sessions = counted(sessions, "session");
            format!("{} of {units} work units are done, over {sessions}", progress.units_done)
        }
        _ => "its sample is not drawn yet".to_owned(),
    };
    let (name, directory) = (visible(&progress.name), visible(&progress.directory));
    print(&format!(
        "Run {} of `{name}` is not finished: {done}.\nTo go on: rematch resume {directory}\n",
        progress.run_id
    ))?;
    Ok(Exit::Done)
}

fn remove(arguments: &RemoveArguments) -> Result<Exit, Failure> {
    for directory in &arguments.directories {
        remove_run(&location(directory)?)?;
        print(&format!("removed {}\n", visible(&directory.display().to_string())))?;
    }
    Ok(Exit::Done)
}

fn collect(arguments: &CollectArguments) -> Result<Exit, Failure> {
    let runs = newest_first(&arguments.folder)?;
    let chosen: Vec<&FoundRun> = chosen(&runs, arguments, SystemTime::now());
    let (mut removed, mut in_use) = (Vec::new(), Vec::new());
    for run in chosen {
        if !arguments.dry_run {
            match remove_run(&run.location) {
                Err(StoreError::Locked { .. }) => {
                    in_use.push(run.location.to_string());
                    continue;
                }
                removal => removal?,
            }
        }
        removed.push(Listed::of(run));
    }
    if arguments.json {
        print_json(&removed)?;
        return Ok(Exit::Done);
    }
    let bytes = removed.iter().map(|run| run.bytes).sum();
    let (verb, count) = (if arguments.dry_run { "would remove" } else { "removed" }, removed.len() as u64);
    let mut text: String = removed.iter().map(|run| format!("{verb} {}\n", visible(&run.directory))).collect();
    text.extend(in_use.iter().map(|directory| format!("kept {}, which is in use\n", visible(directory))));
    text += &format!("{verb} {}, {}\n", counted(count, "run"), size(bytes));
    print(&text)?;
    Ok(Exit::Done)
}

/// Returns the runs that every given condition gives up; `runs` are the newest first.
fn chosen<'a>(runs: &'a [FoundRun], arguments: &CollectArguments, now: SystemTime) -> Vec<&'a FoundRun> {
    let mut newer = BTreeMap::<&str, usize>::new();
    let mut is_chosen = |run: &'a FoundRun| {
        let place = run.manifest.as_ref().map(|manifest| {
            let count = newer.entry(manifest.name.as_str()).or_default();
            *count += 1;
            *count
        });
        // A run that this version cannot read is no copy of anything.
        let superfluous = arguments.keep.is_none_or(|keep| place.is_some_and(|place| place > keep));
        let age = now.duration_since(run.modified).unwrap_or(Duration::ZERO);
        let old = arguments.older_than.is_none_or(|least| age >= least);
        superfluous && old && (!arguments.unfinished || run.state != FoundState::Finished)
    };
    let mut chosen = Vec::new();
    for run in runs {
        if is_chosen(run) {
            chosen.push(run);
        }
    }
    chosen
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_have_the_unit_that_keeps_them_short() {
        let sizes = [0, 999, 1000, 1_234_567, 5_000_000_000].map(size);
        assert_eq!(sizes, ["0 B", "999 B", "1.0 kB", "1.2 MB", "5.0 GB"]);
    }
}
