//! What work units read, put where every executor finds it.

use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::path::{Component, Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::ClusterError;
use crate::benchmark::{Plan, check_below};
use crate::load::expand;
use crate::outbound::Outbound;
use crate::storage::{PendingFile, Put, is_url};
use crate::store::{Manifest, RunDirectory, StoreError, layout, sha256_of_bytes, sha256_of_file};
use crate::unit::UnitError;

/// A run's plan as executors read it.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) struct Shipped {
    /// Whose orders are done: [`Order::drive`](crate::unit::Order).
    pub(super) drive: String,
    /// The plan; its inputs are named where executors find them.
    pub(super) plan: Plan,
    /// What the pipelines depend on, so that whoever finds other content says so.
    pub(super) pipeline_hashes: Vec<String>,
    /// SHA-256 of each component, by scorer.
    pub(super) component_hashes: BTreeMap<String, String>,
    /// Whom its retrievers may connect to. Where that is not everybody, a stranger wrote the benchmark: executors give its
    /// retrievers nothing of their own, and read nothing for it but what was shipped. It has no default: a run that says
    /// nothing of it is not opened.
    pub(super) outbound: Outbound,
}

/// Makes a run fit for executors. A run in an object store takes along the files of this machine that its units read, each
/// once, named by its content; what lies at a URL stays there. A run in a folder is for executors that see the same folders.
/// A stranger's run takes along everything, wherever it lies: what it names is asked for by this process, under its limits, and
/// by no executor.
///
/// # Errors
///
/// Returns an error when an input cannot be read, or the store cannot be written.
pub(super) fn ship(
    run: &RunDirectory,
    drive: &str,
    plan: &Plan,
    pipeline_hashes: &[String],
    component_hashes: &BTreeMap<String, String>,
    outbound: &Outbound,
) -> Result<(), ClusterError> {
    if run.is_ordered_by(drive)? {
        return Ok(());
    }
    let takes_all = outbound.is_restricted();
    let mut plan = plan.clone();
    let mut sent = BTreeMap::<PathBuf, PathBuf>::new();
    for path in plan.unit_inputs() {
        if is_url(&path.to_string_lossy()) && !takes_all {
            continue;
        }
        let place = match (sent.get(path.as_path()), run.location().local()) {
            (Some(place), _) => place.clone(),
            (None, Some(_)) if !takes_all => std::path::absolute(path.as_path()).unwrap_or_else(|_| path.clone()),
            (None, _) => send(run, path)?,
        };
        sent.insert(path.clone(), place.clone());
        *path = place;
    }
    let plan = Manifest::placed(&plan).map_err(StoreError::manifest)?;
    let plan: Plan = serde_json::from_value(plan).map_err(StoreError::manifest)?;
    let (pipeline_hashes, component_hashes) = (pipeline_hashes.to_vec(), component_hashes.clone());
    let (drive, outbound) = (drive.to_owned(), outbound.clone());
    Ok(run.write_json(layout::SHIPPED, &Shipped { drive, plan, pipeline_hashes, component_hashes, outbound })?)
}

impl Shipped {
    /// Checks that the units of a stranger's run read nothing but what was shipped with it, whatever links and dots its paths go
    /// through.
    ///
    /// # Errors
    ///
    /// Returns an error that names the first path that leads elsewhere.
    pub(super) fn check_inputs(&self, run: &RunDirectory) -> Result<(), UnitError> {
        let refused = |path: &Path| UnitError::Elsewhere {
            run: run.root().display().to_string(),
            reason: format!("`{}` was not shipped with it, and a stranger's run reads nothing else", path.display()),
        };
        let folder = run.path(layout::INPUTS);
        for path in self.plan.clone().unit_inputs() {
            let goes_up = path.components().any(|part| part == Component::ParentDir);
            let is_inside = path.starts_with(&folder) && !goes_up;
            if !is_inside || (run.location().local().is_some() && check_below(path, &folder).is_err()) {
                return Err(refused(path));
            }
        }
        match self.plan.borrowed.iter().flat_map(|borrowed| &borrowed.runs).next() {
            Some(lender) => Err(refused(&lender.path)),
            None => Ok(()),
        }
    }
}

/// Puts the files that a path, a URL or a glob names into the run directory, and returns the path or glob that names them there.
fn send(run: &RunDirectory, path: &Path) -> Result<PathBuf, ClusterError> {
    let files = expand(&path.to_string_lossy())?;
    let hashed = |file: &PathBuf| {
        let sha256 = sha256_of_file(file).map_err(|source| StoreError::io(file, source))?;
        Ok((file.clone(), sha256))
    };
    let files = files.iter().map(hashed).collect::<Result<Vec<(PathBuf, String)>, StoreError>>()?;
    let together: Vec<&str> = files.iter().map(|(_, sha256)| sha256.as_str()).collect();
    let folder = Path::new(layout::INPUTS).join(sha256_of_bytes(together.join("\n").as_bytes()));
    let mut names = Vec::new();
    for (number, (file, _)) in files.iter().enumerate() {
        let name = file.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        // Readers take files in the order of their names.
        let name = if files.len() == 1 { name } else { format!("{number:06}-{name}") };
        let target = folder.join(&name);
        if !run.holds(&target)? {
            upload(file, &run.path(&target)).map_err(|source| StoreError::io(file, source))?;
        }
        names.push(name);
    }
    Ok(match names.as_slice() {
        [name] => run.path(folder.join(name)),
        _ => run.path(folder.join("*")),
    })
}

fn upload(file: &Path, target: &Path) -> io::Result<()> {
    let pending = PendingFile::create(target)?;
    io::copy(&mut File::open(file)?, &mut pending.writer())?;
    pending.publish_as(Put::Once).map(|_| ())
}

/// Reads what was shipped with a run.
pub(super) fn read_shipped(run: &RunDirectory) -> Result<Shipped, UnitError> {
    Ok(run.read_json(layout::SHIPPED)?)
}
