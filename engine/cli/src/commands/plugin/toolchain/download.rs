//! Installing a toolchain into a folder of its own, by the package managers that people have.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, anyhow};

use super::rust_debian;
use super::tool::{Tool, missing};
use crate::exit::{Exit, Failure};

/// Says in a folder that it is ours, and what is in it.
const MARKER: &str = ".rematch-toolchain";

/// How a toolchain comes into its folder.
pub(in crate::commands::plugin) struct Installation {
    /// What it is, in words.
    pub(super) what: String,
    pub(super) download_megabytes: u64,
    pub(super) disk_megabytes: u64,
    pub(super) method: Method,
    pub(super) folder: PathBuf,
}

/// What installs it.
#[derive(Debug)]
pub(super) enum Method {
    /// A package of PyPI.
    Pip { package: &'static str },
    /// A package of npm.
    Npm { package: &'static str },
    /// Rust from packages of Debian, unpacked and not installed.
    Debian { packages: Vec<String> },
    /// There is nothing to do.
    Nothing,
}

impl Installation {
    /// Returns what will be installed, how large it is, and where it goes.
    pub(in crate::commands::plugin) fn describe(&self) -> String {
        if matches!(self.method, Method::Nothing) {
            return self.what.clone();
        }
        format!(
            "{}: about {} MB to download, {} MB in `{}`",
            self.what,
            self.download_megabytes,
            self.disk_megabytes,
            self.folder.display()
        )
    }

    /// Returns whether there is anything to install.
    pub(in crate::commands::plugin) fn is_needed(&self) -> bool {
        !matches!(self.method, Method::Nothing)
    }

    /// Returns whether the folder holds just this.
    pub(in crate::commands::plugin) fn is_there(&self) -> bool {
        let found = std::fs::read_to_string(self.folder.join(MARKER));
        match &self.method {
            // Debian's versions move on; what works need not move with them.
            Method::Debian { .. } => found.is_ok(),
            _ => found.is_ok_and(|found| found == self.what),
        }
    }

    /// Installs it. The folder has all of it or does not exist; what an earlier call installed is replaced.
    ///
    /// # Errors
    ///
    /// Returns an error when the folder is somebody else's, or something cannot be fetched or written.
    pub(in crate::commands::plugin) fn install(&self) -> Result<(), Failure> {
        let folder = &self.folder;
        let ours = folder.join(MARKER).is_file();
        if !ours && std::fs::read_dir(folder).is_ok_and(|mut entries| entries.next().is_some()) {
            let error = anyhow!(
                "`{}` is there and not made by `rematch plugin setup`; remove it, or give another folder by `--dir`",
                folder.display()
            );
            return Err(Failure::new(Exit::Usage, error));
        }
        let parent = folder.parent().unwrap_or(Path::new("."));
        std::fs::create_dir_all(parent).with_context(|| cannot_write(parent)).map_err(unusable)?;
        let staging = tempfile::Builder::new()
            .prefix(".setup-")
            .tempdir_in(parent)
            .with_context(|| cannot_write(parent))
            .map_err(unusable)?;
        let new = staging.path().join("new");
        std::fs::create_dir(&new)?;
        match &self.method {
            Method::Pip { package } => pip(package, &new)?,
            Method::Npm { package } => npm(package, &new, staging.path())?,
            Method::Debian { packages } => debian(packages, &new, staging.path())?,
            Method::Nothing => return Ok(()),
        }
        std::fs::write(new.join(MARKER), &self.what)?;
        if folder.exists() {
            std::fs::rename(folder, staging.path().join("old")).with_context(|| cannot_write(folder))?;
        }
        std::fs::rename(&new, folder).with_context(|| cannot_write(folder))?;
        Ok(())
    }
}

fn pip(package: &str, folder: &Path) -> Result<(), Failure> {
    let python = Tool::new("python3", "python3", "on PATH");
    if python.says(&["--version"], Path::new(".")).is_none() {
        return Err(missing("`python3` is not on PATH; install it (Debian: `apt-get install python3 python3-pip`)"));
    }
    if python.says(&["-m", "pip", "--version"], Path::new(".")).is_none() {
        return Err(missing("`python3` has no pip; install it (Debian: `apt-get install python3-pip`)"));
    }
    let mut command = python.command();
    command.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-input", "--no-cache-dir"]);
    command.args(["--only-binary", ":all:", "--no-deps", "--target"]).arg(folder).arg(package);
    call(&mut command)
}

fn npm(package: &str, folder: &Path, staging: &Path) -> Result<(), Failure> {
    let npm = Tool::new("npm", "npm", "on PATH");
    if npm.says(&["--version"], Path::new(".")).is_none() {
        return Err(missing("`npm` is not on PATH; install it (https://nodejs.org, Debian: `apt-get install npm`)"));
    }
    let mut command = npm.command();
    command.current_dir(folder).arg("install").arg("--prefix").arg(folder);
    command.args(["--no-save", "--no-package-lock", "--no-audit", "--no-fund", "--ignore-scripts"]);
    command.args(["--loglevel", "error", "--cache"]).arg(staging.join("npm-cache")).arg(package);
    call(&mut command)
}

fn debian(packages: &[String], folder: &Path, staging: &Path) -> Result<(), Failure> {
    let archives = staging.join("archives");
    std::fs::create_dir(&archives)?;
    // As root, apt would hand the download to a user who cannot write here, and say so.
    let mut command = Command::new("apt-get");
    command.current_dir(&archives).args(["-q", "-o", "APT::Sandbox::User=root", "download"]).args(packages);
    call(&mut command)?;
    let mut files: Vec<PathBuf> = Vec::new();
    for entry in std::fs::read_dir(&archives)? {
        files.push(entry?.path());
    }
    files.sort();
    for file in files {
        call(Command::new("dpkg-deb").arg("-x").arg(file).arg(folder))?;
    }
    rust_debian::add_library(folder, staging)
}

/// Calls an installer; what it says goes to stderr.
pub(super) fn call(command: &mut Command) -> Result<(), Failure> {
    let program = command.get_program().to_string_lossy().into_owned();
    command.stdin(std::process::Stdio::null()).stdout(std::io::stderr());
    let status = command.status().with_context(|| format!("cannot start `{program}`")).map_err(unusable)?;
    if status.success() {
        return Ok(());
    }
    let error = anyhow!("`{program}` failed ({status}); its output stands above, and nothing was changed");
    Err(unusable(error))
}

fn cannot_write(path: &Path) -> String {
    format!("cannot write `{}`", path.display())
}

fn unusable(error: anyhow::Error) -> Failure {
    Failure::new(Exit::Usage, error)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn installation(folder: &Path) -> Installation {
        let method = Method::Pip { package: "nothing==0" };
        Installation {
            what: "zig".to_owned(),
            download_megabytes: 1,
            disk_megabytes: 2,
            method,
            folder: folder.to_owned(),
        }
    }

    #[test]
    fn a_folder_of_somebody_else_is_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("thesis.txt"), "years of work").unwrap();
        let failure = installation(folder.path()).install().unwrap_err();
        assert_eq!(failure.exit(), Exit::Usage);
        assert!(folder.path().join("thesis.txt").is_file());
    }

    #[test]
    fn what_is_there_is_known_by_what_is_written_in_it() {
        let folder = tempfile::tempdir().unwrap();
        let installation = installation(folder.path());
        assert!(!installation.is_there());
        std::fs::write(folder.path().join(MARKER), "an older zig").unwrap();
        assert!(!installation.is_there());
        std::fs::write(folder.path().join(MARKER), "zig").unwrap();
        assert!(installation.is_there());
    }
}
