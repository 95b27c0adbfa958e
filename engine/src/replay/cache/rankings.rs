//! The kept answers of one pipeline.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use super::entry;
use super::key::{self, Key};
use super::segment::{self, Place};
use super::store::{self, RankingCache};
use crate::replay::Reads;
use crate::replay::stages::Answered;
use crate::session::Session;
use crate::storage::{Blob, calls};

/// What a pipeline answered in earlier runs, and what it answers in this one.
#[derive(Debug)]
pub(crate) struct PipelineRankings {
    cache: Arc<RankingCache>,
    identity: String,
    reads: Reads,
    known: Known,
}

/// What was there when the pipeline was built.
#[derive(Debug, Default)]
struct Known {
    files: Vec<PathBuf>,
    /// Whether a file was used by this process.
    used: Mutex<Vec<bool>>,
    /// Sorted by key; where an answer stands in several files, each has a row.
    places: Vec<(Key, u32, Place)>,
}

impl PipelineRankings {
    /// Returns the kept answers of a pipeline whose stages have these names and look at `reads`. It reads files.
    pub(crate) fn new<'a>(
        cache: &Arc<RankingCache>,
        pipeline_hash: &str,
        stages: impl IntoIterator<Item = &'a str>,
        reads: Reads,
    ) -> Self {
        let identity = key::identity(pipeline_hash, stages);
        let known = Known::open(&cache.folder_of(&identity));
        Self { cache: Arc::clone(cache), identity, reads, known }
    }

    /// Returns the kept answer to each session, where there is one. It reads files.
    pub(crate) fn look_up(&self, sessions: &[Session], depth: usize) -> Vec<Option<Answered>> {
        let known = &self.known;
        let mut answers: Vec<Option<Answered>> = sessions.iter().map(|_| None).collect();
        if known.places.is_empty() {
            return answers;
        }
        // File by file, so that each is opened once.
        let mut wanted: BTreeMap<u32, Vec<(usize, Key, Place)>> = BTreeMap::new();
        for (index, session) in sessions.iter().enumerate() {
            let key = key::key(&self.identity, session, self.reads, depth);
            let first = known.places.partition_point(|(known, ..)| *known < key);
            let rows = known.places.get(first..).unwrap_or_default().iter().take_while(|(known, ..)| *known == key);
            for (_, file, place) in rows {
                wanted.entry(*file).or_default().push((index, key, *place));
            }
        }
        for (number, rows) in wanted {
            let path = usize::try_from(number).ok().and_then(|number| known.files.get(number));
            let Some((path, file)) = path.and_then(|path| Some((path, Blob::open(path).ok()?))) else { continue };
            for (index, key, place) in rows {
                if let Some(answer) = answers.get_mut(index).filter(|answer| answer.is_none()) {
                    *answer = segment::read(&file, &key, &place).and_then(|bytes| entry::decode(&bytes));
                }
            }
            known.note_use(number, path);
        }
        answers
    }

    /// Keeps answers for later runs. That it cannot is no reason to fail: it costs time later.
    pub(crate) fn keep<'a>(&self, answers: impl Iterator<Item = (&'a Session, &'a Answered)>, depth: usize) {
        let key = |session| key::key(&self.identity, session, self.reads, depth);
        let kept: BTreeMap<Key, Vec<u8>> =
            answers.filter_map(|(session, answer)| Some((key(session), entry::encode(answer, depth)?))).collect();
        let kept: Vec<(Key, Vec<u8>)> = kept.into_iter().collect();
        let bytes: u64 = kept.iter().map(|(_, bytes)| bytes.len() as u64).sum();
        if kept.is_empty() || !self.cache.takes(bytes) {
            return;
        }
        let written = segment::write(&self.cache.folder_of(&self.identity), &kept);
        let _ = written.and_then(|bytes| self.cache.grown(bytes));
    }
}

impl Known {
    /// Reads which answers a folder holds.
    fn open(folder: &Path) -> Self {
        let mut known = Self::default();
        for (name, is_folder) in calls::list(folder).unwrap_or_default() {
            if is_folder || !name.to_string_lossy().ends_with(segment::ENDING) {
                continue;
            }
            let path = folder.join(name);
            let rows = Blob::open(&path).ok().and_then(|file| segment::index(&file)).unwrap_or_default();
            let Ok(number) = u32::try_from(known.files.len()) else { break };
            known.places.extend(rows.into_iter().map(|(key, place)| (key, number, place)));
            known.files.push(path);
        }
        known.places.sort_unstable_by_key(|(key, file, _)| (*key, *file));
        known.used = Mutex::new(vec![false; known.files.len()]);
        known
    }

    fn note_use(&self, number: u32, path: &Path) {
        let mut used = self.used.lock().unwrap_or_else(PoisonError::into_inner);
        let used = usize::try_from(number).ok().and_then(|number| used.get_mut(number));
        if let Some(used) = used.filter(|used| !**used) {
            *used = true;
            store::note_use(path);
        }
    }
}
