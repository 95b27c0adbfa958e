//! What a disk holds after a power cut.
//!
//! A file keeps what was synced. Of what was written since, each piece of 4 KiB is there, is not (zeros), or is garbage,
//! and the file may end anywhere behind what was synced. Names that were made, changed or removed since their folder was
//! synced may or may not be: each for itself, so that a later one may be there without an earlier one.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use crate::storage::recording::{Change, FileNumber};

/// What is written at once or not at all.
const PIECE_BYTES: usize = 4096;

/// Numbers that are the same in every run (SplitMix64; Steele, Lea and Flood 2014).
pub(crate) struct Random(pub(crate) u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut bits = self.0;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        bits ^ (bits >> 31)
    }

    /// Returns a number below `end`, which is not 0.
    pub(crate) fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.next() % end as u64).unwrap_or(0)
    }
}

/// Folders and files below a root.
#[derive(Debug, Clone, Default)]
pub(crate) struct Disk {
    folders: BTreeSet<PathBuf>,
    files: BTreeMap<PathBuf, Vec<u8>>,
}

/// A change of a name.
#[derive(Clone)]
enum Naming {
    Folder(PathBuf),
    File(PathBuf, usize),
    Rename(PathBuf, PathBuf, usize),
    Remove(PathBuf),
}

/// A file's content as it was written, and how much of it is synced.
#[derive(Clone, Default)]
struct Content {
    bytes: Vec<u8>,
    synced: usize,
}

/// What was done until the power went.
#[derive(Default)]
struct Past {
    contents: Vec<Content>,
    /// The content behind the number that the system gave a file.
    numbered: BTreeMap<FileNumber, usize>,
    /// Names as the process saw them.
    files: BTreeMap<PathBuf, usize>,
    folders: BTreeSet<PathBuf>,
    /// Every change of a name, with whether it is durable.
    namings: Vec<(Naming, bool)>,
}

impl Disk {
    /// Returns what is in a folder.
    pub(crate) fn of(root: &Path) -> Self {
        let mut disk = Self::default();
        let mut folders = vec![root.to_owned()];
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                let name = path.strip_prefix(root).unwrap().to_owned();
                if path.is_dir() {
                    disk.folders.insert(name);
                    folders.push(path);
                } else {
                    disk.files.insert(name, fs::read(path).unwrap());
                }
            }
        }
        disk
    }

    /// Returns what is left of this disk when the power is cut after `changes`, which were made below `root`.
    pub(crate) fn cut(&self, root: &Path, changes: &[Change], random: &mut Random) -> Self {
        let mut past = Past::of(self);
        for change in changes {
            past.add(root, change);
        }
        past.left(random)
    }

    /// Returns what a process sees on this disk after `changes`, which were made below `root`.
    pub(crate) fn seen(&self, root: &Path, changes: &[Change]) -> Self {
        let mut past = Past::of(self);
        for change in changes {
            past.add(root, change);
        }
        let files = past.files.into_iter().map(|(name, file)| (name, past.contents[file].bytes.clone()));
        Self { folders: past.folders, files: files.collect() }
    }

    /// Writes everything below `root`, an empty folder.
    pub(crate) fn write(&self, root: &Path) {
        for folder in &self.folders {
            fs::create_dir_all(root.join(folder)).unwrap();
        }
        for (name, bytes) in &self.files {
            fs::write(root.join(name), bytes).unwrap();
        }
    }
}

impl Past {
    fn of(disk: &Disk) -> Self {
        let mut past = Self { folders: disk.folders.clone(), ..Self::default() };
        past.namings = disk.folders.iter().map(|folder| (Naming::Folder(folder.clone()), true)).collect();
        for (name, bytes) in &disk.files {
            past.contents.push(Content { bytes: bytes.clone(), synced: bytes.len() });
            let file = past.contents.len() - 1;
            past.files.insert(name.clone(), file);
            past.namings.push((Naming::File(name.clone(), file), true));
        }
        past
    }

    fn add(&mut self, root: &Path, change: &Change) {
        let below = |path: &Path| path.strip_prefix(root).unwrap().to_owned();
        match change {
            Change::CreateFolder(path) => {
                let path = below(path);
                let missing: Vec<&Path> = path.ancestors().filter(|folder| !folder.as_os_str().is_empty()).collect();
                for folder in missing.into_iter().rev() {
                    if self.folders.insert(folder.to_owned()) {
                        self.namings.push((Naming::Folder(folder.to_owned()), false));
                    }
                }
            }
            Change::Create(path, number) => {
                self.contents.push(Content::default());
                let file = self.contents.len() - 1;
                self.numbered.insert(*number, file);
                self.files.insert(below(path), file);
                self.namings.push((Naming::File(below(path), file), false));
            }
            Change::Write(number, bytes) => self.contents[self.numbered[number]].bytes.extend(bytes),
            Change::Sync(number) => {
                let content = &mut self.contents[self.numbered[number]];
                content.synced = content.bytes.len();
            }
            Change::SyncFolder(path) => {
                let folder = below(path);
                for (naming, durable) in &mut self.namings {
                    *durable |= naming.path().parent() == Some(&folder);
                }
            }
            Change::Rename(from, to) => {
                let (from, to) = (below(from), below(to));
                let file = self.files.remove(&from).unwrap();
                self.files.insert(to.clone(), file);
                self.namings.push((Naming::Rename(from, to, file), false));
            }
            Change::Remove(path) => {
                let path = below(path);
                self.folders.remove(&path);
                self.files.remove(&path);
                self.namings.push((Naming::Remove(path), false));
            }
        }
    }

    fn left(&self, random: &mut Random) -> Disk {
        let (mut folders, mut names) = (BTreeSet::new(), BTreeMap::new());
        for (naming, durable) in &self.namings {
            // Some cuts lose nearly everything, some nearly nothing.
            if !durable && random.below(4) < 2 {
                continue;
            }
            match naming.clone() {
                Naming::Folder(path) => {
                    folders.insert(path);
                }
                Naming::File(path, file) => {
                    names.insert(path, file);
                }
                Naming::Rename(from, to, file) => {
                    names.remove(&from);
                    names.insert(to, file);
                }
                Naming::Remove(path) => {
                    folders.retain(|folder: &PathBuf| !folder.starts_with(&path));
                    names.retain(|name, _| !name.starts_with(&path));
                }
            }
        }
        let reachable =
            |path: &Path| path.ancestors().skip(1).all(|above| above == Path::new("") || folders.contains(above));
        let files = names.into_iter().filter(|(name, _)| reachable(name));
        let files = files.map(|(name, file)| (name, self.contents[file].left(random))).collect();
        Disk { folders: folders.iter().filter(|folder| reachable(folder)).cloned().collect(), files }
    }
}

impl Naming {
    fn path(&self) -> &Path {
        match self {
            Self::Folder(path) | Self::File(path, _) | Self::Rename(_, path, _) | Self::Remove(path) => path,
        }
    }
}

impl Content {
    fn left(&self, random: &mut Random) -> Vec<u8> {
        let unsynced = self.bytes.len() - self.synced;
        if unsynced == 0 {
            return self.bytes.clone();
        }
        let length = match random.below(3) {
            0 => self.synced,
            1 => self.bytes.len(),
            _ => self.synced + random.below(unsynced),
        };
        let mut left = self.bytes[..length].to_vec();
        for (number, piece) in left.chunks_mut(PIECE_BYTES).enumerate() {
            let start = self.synced.saturating_sub(number * PIECE_BYTES).min(piece.len());
            let unsynced = &mut piece[start..];
            match random.below(3) {
                0 => unsynced.fill(0),
                1 => unsynced.fill_with(|| random.next() as u8),
                _ => {}
            }
        }
        left
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: FileNumber = (1, 7);

    fn changes(synced: bool, folder_synced: bool) -> Vec<Change> {
        let path = |name: &str| Path::new("/root").join(name);
        let mut changes = vec![Change::Create(path("t"), FILE), Change::Write(FILE, b"all of it".to_vec())];
        changes.extend(synced.then_some(Change::Sync(FILE)));
        changes.push(Change::Rename(path("t"), path("a")));
        changes.extend(folder_synced.then_some(Change::SyncFolder(path(""))));
        changes
    }

    fn lefts(changes: &[Change]) -> BTreeSet<Vec<(PathBuf, Vec<u8>)>> {
        let cut = |seed| Disk::default().cut(Path::new("/root"), changes, &mut Random(seed));
        (0..200).map(|seed| cut(seed).files.into_iter().collect()).collect()
    }

    #[test]
    fn what_is_synced_is_there_and_what_is_not_may_be_anything() {
        let whole = |name: &str| vec![(PathBuf::from(name), b"all of it".to_vec())];
        assert_eq!(lefts(&changes(true, true)), BTreeSet::from([whole("a")]));
        let without_the_folder = lefts(&changes(true, false));
        assert_eq!(without_the_folder, BTreeSet::from([vec![], whole("t"), whole("a")]));
        let without_the_file = lefts(&changes(false, true));
        assert!(without_the_file.len() > 50 && without_the_file.contains(&vec![("a".into(), Vec::new())]));
        assert!(without_the_file.contains(&vec![("a".into(), vec![0; 9])]));
    }
}
