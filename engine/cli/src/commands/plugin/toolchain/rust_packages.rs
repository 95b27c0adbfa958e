//! Which packages of Debian make up its newest Rust compiler. Their versions follow what Firefox and Chromium need, so
//! that they are asked for and never written down.

use std::collections::BTreeSet;
use std::path::Path;

use anyhow::anyhow;

use super::tool::Tool;
use crate::exit::{Exit, Failure};

/// The compiler, and the source of its standard library.
const ROOTS: [&str; 2] = ["rustc-web", "rust-web-src"];

/// What every system has, and what only the linking of programs for this machine needs.
const LEFT_OUT: [&str; 6] = ["libc6", "libgcc-s1", "libstdc++6", "gcc", "libc-dev", "binutils"];

/// A package of Debian.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Package {
    /// Its name.
    pub(super) name: String,
    version: String,
    /// Size of its file, bytes.
    pub(super) download_bytes: u64,
    /// Size of what it unpacks to, bytes.
    pub(super) installed_bytes: u64,
    depends: Vec<String>,
}

/// Returns the packages that this machine needs, the compiler first.
///
/// # Errors
///
/// Returns an error where there is no apt, or it does not know the compiler.
pub(super) fn needed() -> Result<Vec<Package>, Failure> {
    let cache = Tool::new("apt-cache", "apt-cache", "on PATH");
    let status = Tool::new("dpkg-query", "dpkg-query", "on PATH");
    let here = Path::new(".");
    let show = |name: &str| {
        let control = cache.says(&["show", "--no-all-versions", name], here)?;
        parse(&control)
    };
    let is_installed = |name: &str| {
        let state = status.says(&["--show", "--showformat=${db:Status-Status}\n", name], here);
        state.is_some_and(|state| state.lines().any(|line| line == "installed"))
    };
    closure(show, is_installed)
}

/// Returns what the packages are called together.
pub(super) fn title(packages: &[Package]) -> String {
    let names: Vec<String> = packages.iter().map(|package| format!("{} {}", package.name, package.version)).collect();
    names.join(", ")
}

/// Follows dependencies from the compiler: its own library and LLVM always, other libraries where they are missing.
fn closure(
    show: impl Fn(&str) -> Option<Package>,
    is_installed: impl Fn(&str) -> bool,
) -> Result<Vec<Package>, Failure> {
    let mut wanted: Vec<String> = ROOTS.iter().rev().map(|name| (*name).to_owned()).collect();
    let mut seen: BTreeSet<String> = wanted.iter().cloned().collect();
    let mut packages = Vec::new();
    while let Some(name) = wanted.pop() {
        let Some(package) = show(&name) else {
            let error = anyhow!(
                "apt does not know the package `{name}`; `plugin setup rust` is for Debian 12 and later (run `apt-get \
                 update` as root where its lists are missing), elsewhere `rustup target add wasm32-unknown-unknown` \
                 is all that is needed"
            );
            return Err(Failure::new(Exit::Usage, error));
        };
        for dependency in package.depends.iter().rev() {
            let own = ["libstd-rust-", "libllvm"].iter().any(|prefix| dependency.starts_with(prefix));
            if (own || !LEFT_OUT.contains(&dependency.as_str()) && !is_installed(dependency))
                && seen.insert(dependency.clone())
            {
                wanted.push(dependency.clone());
            }
        }
        packages.push(package);
    }
    Ok(packages)
}

/// Reads the first record of apt's description of a package. Of alternatives the first one counts.
fn parse(control: &str) -> Option<Package> {
    let record = control.split("\n\n").next()?;
    let field = |name: &str| {
        let value = |line: &'_ str| Some(line.strip_prefix(name)?.strip_prefix(':')?.trim().to_owned());
        record.lines().find_map(value)
    };
    let number = |name: &str| field(name).and_then(|text| text.parse::<u64>().ok()).unwrap_or(0);
    let depends = field("Depends").unwrap_or_default();
    let depends = depends.split(',').filter_map(|part| part.split(['|', '(', ':']).next());
    Some(Package {
        name: field("Package")?,
        version: field("Version")?,
        download_bytes: number("Size"),
        installed_bytes: number("Installed-Size") * 1024,
        depends: depends.map(|name| name.trim().to_owned()).filter(|name| !name.is_empty()).collect(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(name: &str) -> Option<Package> {
        let depends = match name {
            "rustc-web" => "libc6 (>= 2.34), libstd-rust-web-dev (= 1.96), gcc, binutils (>= 2.26)",
            "libstd-rust-web-dev" => "libstd-rust-web-1.96 (= 1.96)",
            "libstd-rust-web-1.96" => "libc6 (>= 2.34), libllvm22, libstdc++6 (>= 11)",
            "libllvm22" => "libedit2 (>= 2.11), libz3-4 | libz3-dev, zlib1g:any (>= 1.2)",
            "rust-web-src" | "libz3-4" => "",
            _ => return None,
        };
        parse(&format!(
            "Package: {name}\nVersion: 1.96\nInstalled-Size: 10\nDepends: {depends}\nSize: 5000\n\nPackage: {name}\n\
             Version: 1.85\n"
        ))
    }

    #[test]
    fn the_compiler_comes_with_its_library_its_llvm_and_what_the_machine_lacks() {
        let installed = ["libedit2", "zlib1g", "libllvm22"];
        let packages = closure(record, |name| installed.contains(&name)).unwrap();
        let names: Vec<&str> = packages.iter().map(|package| package.name.as_str()).collect();
        assert_eq!(
            names,
            ["rustc-web", "libstd-rust-web-dev", "libstd-rust-web-1.96", "libllvm22", "libz3-4", "rust-web-src"]
        );
        assert_eq!((packages[0].download_bytes, packages[0].installed_bytes), (5000, 10240));
        assert!(title(&packages).starts_with("rustc-web 1.96, "));
    }

    #[test]
    fn a_machine_without_the_packages_is_told_what_to_do_instead() {
        let failure = closure(|_| None, |_| false).unwrap_err();
        assert!(failure.to_string().contains("rustup target add"), "{failure}");
    }
}
