//! Confinement to folders by the kernel (Landlock): what this process, and all that it starts, may read and write at all.
//!
//! The limits of [`super::limits`] say how much, this says what. A kernel without Landlock leaves two things: the check of a
//! plan's paths, and an environment without secrets.

use std::path::{Path, PathBuf};

use landlock::{
    ABI, Access, AccessFs, AccessNet, BitFlags, CompatLevel, Compatible, Ruleset, RulesetAttr, RulesetCreatedAttr,
    RulesetError, RulesetStatus, Scope, path_beneath_rules,
};

/// Libraries, certificates, name resolution, the numbers of processors and memory. Those that are not there are no matter.
const READABLE: [&str; 32] = [
    "/usr",
    "/bin",
    "/lib",
    "/lib32",
    "/lib64",
    "/nix/store",
    "/etc/ssl",
    "/etc/pki",
    "/etc/ca-certificates",
    "/etc/crypto-policies",
    "/etc/alternatives",
    "/etc/ld.so.cache",
    "/etc/ld.so.conf",
    "/etc/ld.so.conf.d",
    "/etc/resolv.conf",
    "/etc/hosts",
    "/etc/host.conf",
    "/etc/nsswitch.conf",
    "/etc/gai.conf",
    "/etc/localtime",
    "/run/systemd/resolve",
    "/dev/null",
    "/dev/zero",
    "/dev/random",
    "/dev/urandom",
    "/proc/self",
    "/proc/cpuinfo",
    "/proc/meminfo",
    "/proc/stat",
    "/proc/sys/vm/overcommit_memory",
    "/sys/fs/cgroup",
    "/sys/devices/system/cpu",
];

/// Devices that may be written to.
const WRITABLE: [&str; 2] = ["/dev/null", "/dev/zero"];

/// The newest version of Landlock whose rights are asked for; an older kernel holds to those that it knows.
const VERSION: ABI = ABI::V6;

/// What a process may touch.
pub(super) struct Ground<'a> {
    /// The folder in which it reads and writes.
    pub(super) root: &'a Path,
    /// Further ones.
    pub(super) also: &'a [&'a Path],
    /// Whether it takes connections.
    pub(super) listens: bool,
    /// Whether files in the folder may be run as programs.
    pub(super) runs_own_files: bool,
    /// Whether it makes a namespace of users, whose map is a file of a process that does not exist yet.
    pub(super) maps_users: bool,
}

impl<'a> Ground<'a> {
    /// Returns that folder alone, of whose files none are run.
    pub(super) fn folder(root: &'a Path) -> Self {
        Self { root, also: &[], listens: false, runs_own_files: false, maps_users: false }
    }
}

/// Why an executor is not confined.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum UnconfinedError {
    /// The kernel does not know how.
    #[error("this system's kernel cannot confine an executor to folders: it has no Landlock (Linux 5.13)")]
    Unknown,
    /// The kernel refuses.
    #[error("an executor cannot be confined: {0}")]
    Refused(#[from] RulesetError),
}

/// Confines an executor of a server's runs to the organisations' folder and to folders of its own, for good: keys and database,
/// which lie beside the former, and whatever else is on this machine are out of reach. Call it before there are other threads.
///
/// # Errors
///
/// Returns an error when the kernel does not know how, or refuses.
pub fn confine_executor(organisations: &Path, own: &[&Path]) -> Result<(), UnconfinedError> {
    match confine(&Ground { also: own, listens: true, ..Ground::folder(organisations) })? {
        Confinement::Kernel => Ok(()),
        Confinement::None => Err(UnconfinedError::Unknown),
    }
}

/// How well a process is confined.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Confinement {
    /// By the kernel.
    Kernel,
    /// Not at all: the kernel does not know how.
    None,
}

/// Confines this thread and all that it starts from here on, for good. Call it before there are other threads.
///
/// # Errors
///
/// Returns an error when the kernel knows how and refuses.
pub(super) fn confine(ground: &Ground<'_>) -> Result<Confinement, RulesetError> {
    let read = AccessFs::from_read(VERSION);
    let everything = AccessFs::from_all(VERSION);
    let own: BitFlags<AccessFs> =
        if ground.runs_own_files { everything } else { everything & !(special() | AccessFs::Execute) };
    let maps: &[&str] = if ground.maps_users { &["/proc"] } else { &[] };
    let mut rules = Ruleset::default().set_compatibility(CompatLevel::BestEffort).handle_access(everything)?;
    if !ground.listens {
        rules = rules.handle_access(AccessNet::BindTcp)?;
    }
    let status = rules
        .scope(Scope::from_all(VERSION))?
        .create()?
        .add_rules(path_beneath_rules(readable(ground.root), read))?
        .add_rules(path_beneath_rules(WRITABLE, everything & !AccessFs::Execute))?
        .add_rules(path_beneath_rules([ground.root].iter().chain(ground.also), own))?
        .add_rules(path_beneath_rules(maps, AccessFs::ReadFile | AccessFs::WriteFile))?
        .restrict_self()?;
    Ok(match status.ruleset {
        RulesetStatus::NotEnforced => Confinement::None,
        _ => Confinement::Kernel,
    })
}

/// What is made in a folder that is neither file nor folder. The server opens what a worker left: a link would lead it out of
/// the folder, a pipe would hold it.
fn special() -> BitFlags<AccessFs> {
    AccessFs::MakeSym | AccessFs::MakeFifo | AccessFs::MakeSock | AccessFs::MakeChar | AccessFs::MakeBlock
}

/// The folders of [`READABLE`] in which no organisation's folder lies, this program, and certificates where they are set.
fn readable(root: &Path) -> Vec<PathBuf> {
    let program = std::env::current_exe().into_iter();
    let certificates = ["SSL_CERT_FILE", "SSL_CERT_DIR"].into_iter().filter_map(std::env::var_os);
    let certificates = certificates.flat_map(|paths| std::env::split_paths(&paths).collect::<Vec<PathBuf>>());
    // The folders of other organisations lie beside this one's.
    let organisations = root.parent().unwrap_or(root);
    let holds_others = |path: &Path| path.canonicalize().is_ok_and(|path| organisations.starts_with(path));
    READABLE.iter().map(PathBuf::from).chain(program).chain(certificates).filter(|path| !holds_others(path)).collect()
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::{PermissionsExt as _, symlink};
    use std::process::{Command, Stdio};

    use super::*;

    /// Does `work` on a thread that is confined to a folder; beside the folder lies the file `secret`. `None` where this
    /// kernel cannot confine.
    fn confined<T: Send>(runs_own_files: bool, work: impl FnOnce(&Path) -> T + Send) -> Option<T> {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().join("organisations/one");
        fs::create_dir_all(&root).unwrap();
        fs::write(folder.path().join("organisations/secret"), "hunter2").unwrap();
        fs::write(root.join("own"), "mine").unwrap();
        std::thread::scope(|scope| {
            let confined =
                scope.spawn(|| match confine(&Ground { runs_own_files, ..Ground::folder(&root) }).unwrap() {
                    Confinement::None => {
                        eprintln!("skipped: this kernel has no Landlock");
                        None
                    }
                    Confinement::Kernel => Some(work(&root)),
                });
            confined.join().unwrap()
        })
    }

    #[test]
    fn files_of_others_are_neither_read_nor_written_nor_linked_to() {
        confined(false, |root| {
            let secret = root.parent().unwrap().join("secret");
            assert!(
                fs::read(&secret).is_err() && fs::write(&secret, "x").is_err() && fs::remove_file(&secret).is_err()
            );
            assert!(fs::read_dir(root.parent().unwrap()).is_err() && fs::read_dir("/").is_err());
            assert!(fs::read("/etc/passwd").is_err() && fs::write("/dev/shm/rematch-test", "x").is_err());
            assert!(
                fs::hard_link(&secret, root.join("hard")).is_err() && fs::rename(&secret, root.join("mine")).is_err()
            );
            assert!(symlink(&secret, root.join("soft")).is_err() && symlink("own", root.join("soft")).is_err());
            assert!(!Command::new("mkfifo").arg(root.join("pipe")).stderr(Stdio::null()).status().unwrap().success());
            assert!(std::os::unix::net::UnixListener::bind(root.join("socket")).is_err());
            assert!(fs::read(format!("/proc/{}/environ", std::os::unix::process::parent_id())).is_err());
            let said = Command::new("cat").arg(&secret).output().unwrap();
            assert!(!said.status.success() && said.stdout.is_empty(), "what it starts is confined too");
        });
    }

    #[test]
    fn what_lies_in_the_folder_is_worked_with_and_the_system_is_there() {
        confined(false, |root| {
            assert_eq!(fs::read(root.join("own")).unwrap(), b"mine");
            fs::create_dir_all(root.join("a/b")).unwrap();
            fs::write(root.join("a/b/c"), "x").unwrap();
            fs::rename(root.join("a/b/c"), root.join("d")).unwrap();
            fs::OpenOptions::new().write(true).truncate(true).open(root.join("d")).unwrap();
            fs::remove_dir_all(root.join("a")).unwrap();
            assert!(std::thread::available_parallelism().is_ok());
            assert!(fs::write("/dev/null", "x").is_ok() && fs::File::open("/dev/urandom").is_ok());
            assert!(std::env::current_exe().and_then(fs::File::open).is_ok());
            assert!(Command::new("true").status().unwrap().success());
        });
    }

    #[test]
    fn files_of_the_folder_are_run_only_where_that_is_meant() {
        for runs_own_files in [false, true] {
            confined(runs_own_files, |root| {
                let program = root.join("program");
                fs::copy("/bin/true", &program).unwrap();
                fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
                assert_eq!(Command::new(&program).status().is_ok(), runs_own_files);
            });
        }
    }

    #[test]
    fn nobody_listens_in_a_worker() {
        confined(false, |_| {
            // Known to kernels since 6.7.
            match std::net::TcpListener::bind("127.0.0.1:0") {
                Err(error) => assert_eq!(error.kind(), std::io::ErrorKind::PermissionDenied),
                Ok(_) => eprintln!("skipped: this kernel's Landlock knows no sockets"),
            }
        });
    }

    #[test]
    fn an_executor_reaches_organisations_and_its_own_folders_and_neither_keys_nor_anything_else() {
        let folder = tempfile::tempdir().unwrap();
        let [organisations, work] = ["data/organisations", "work"].map(|name| folder.path().join(name));
        for made in [&organisations.join("one"), &work] {
            fs::create_dir_all(made).unwrap();
        }
        let key = folder.path().join("data/secrets.key");
        fs::write(&key, "hunter2").unwrap();
        // It holds for the thread, for ever.
        let confined = std::thread::spawn(move || {
            match confine_executor(&organisations, &[&work]) {
                Err(UnconfinedError::Unknown) => return eprintln!("skipped: this kernel has no Landlock"),
                confined => confined.unwrap(),
            }
            assert!(fs::read(&key).is_err() && fs::write(&key, "x").is_err() && fs::remove_file(&key).is_err());
            assert!(fs::read("/etc/passwd").is_err() && fs::write("/dev/shm/rematch-test", "x").is_err());
            assert!(symlink(&key, work.join("soft")).is_err() && fs::hard_link(&key, work.join("hard")).is_err());
            fs::write(organisations.join("one/part"), "x").unwrap();
            fs::write(work.join("sorted"), "x").unwrap();
            assert!(std::net::TcpListener::bind("127.0.0.1:0").is_ok());
            assert!(Command::new("true").status().unwrap().success());
        });
        confined.join().unwrap();
    }

    #[test]
    fn a_system_folder_that_holds_the_data_is_not_readable_as_a_whole() {
        let names = |root: &str| readable(Path::new(root));
        assert!(names("/var/lib/rematch/organisations/one").contains(&PathBuf::from("/usr")));
        assert!(!names("/usr/local/rematch/organisations/one").contains(&PathBuf::from("/usr")));
    }
}
